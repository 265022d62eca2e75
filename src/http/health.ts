import type { RequestHandler } from 'express';
import { sendJson } from './respond.ts';

/** This process answers. */
export const alive: RequestHandler = (_req, res) => {
  sendJson(res, 200, { status: 'alive' });
};

/** This process can do its work, or says why not. */
export function ready(unreadyBecause: () => string | undefined): RequestHandler {
  return (_req, res) => {
    const reason = unreadyBecause();
    if (reason === undefined) sendJson(res, 200, { status: 'ready' });
    else sendJson(res, 503, { status: 'unready', reason });
  };
}
