import type { RequestHandler } from 'express';
import { sendJson } from './respond.ts';

/** This process answers. */
export const alive: RequestHandler = (_req, res) => {
  sendJson(res, 200, { status: 'alive' });
};

type Reason = () => string | undefined;

/** This process can do its work, or what of it, or says why not. */
export function ready(unreadyBecause: Reason, degradedBecause: Reason): RequestHandler {
  return (_req, res) => {
    const [unready, degraded] = [unreadyBecause(), degradedBecause()];
    if (unready !== undefined) sendJson(res, 503, { status: 'unready', reason: unready });
    else if (degraded !== undefined) sendJson(res, 200, { status: 'degraded', reason: degraded });
    else sendJson(res, 200, { status: 'ready' });
  };
}
