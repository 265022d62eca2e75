import type { RequestHandler } from 'express';
import { sendJson } from './respond.ts';

/** This process answers. */
export const alive: RequestHandler = (_req, res) => {
  sendJson(res, 200, { status: 'alive' });
};

type Reason = () => string | undefined;

export type State = { status: 'ready' } | { status: 'degraded' | 'unready'; reason: string };

export function stateOf(unreadyBecause: Reason, degradedBecause: Reason): State {
  const [unready, degraded] = [unreadyBecause(), degradedBecause()];
  if (unready !== undefined) return { status: 'unready', reason: unready };
  return degraded === undefined ? { status: 'ready' } : { status: 'degraded', reason: degraded };
}

/** This process can do its work, or what of it, or says why not. */
export function ready(unreadyBecause: Reason, degradedBecause: Reason): RequestHandler {
  return (_req, res) => {
    const state = stateOf(unreadyBecause, degradedBecause);
    sendJson(res, state.status === 'unready' ? 503 : 200, state);
  };
}
