import type { RequestHandler } from 'express';
import type { Erasures } from '../archive/erasures.ts';
import { Problem } from '../http/problem.ts';
import { NOT_STORED, sendJson } from '../http/respond.ts';

/** What became of an erasure in the archive, by the id of its receipt. */
export function readErasure(erasures: Erasures): RequestHandler {
  return async (req, res) => {
    const state = await erasures.state(String(req.params.id));
    if (!state) throw new Problem('not_found', 'The archive was told of no erasure of this id.');
    sendJson(res, 200, state, NOT_STORED);
  };
}
