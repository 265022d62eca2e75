import type { RequestHandler } from 'express';

/** This process answers. */
export const alive: RequestHandler = (_req, res) => {
  res.json({ status: 'alive' });
};

/** This process can do its work, or says why not. */
export function ready(unreadyBecause: () => string | undefined): RequestHandler {
  return (_req, res) => {
    const reason = unreadyBecause();
    if (reason === undefined) res.json({ status: 'ready' });
    else res.status(503).json({ status: 'unready', reason });
  };
}
