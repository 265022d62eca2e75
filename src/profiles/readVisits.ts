import type { RequestHandler } from 'express';
import { NOT_STORED, sendJson } from '../http/respond.ts';
import { checkUserPath } from '../http/validate.ts';
import type { Visits } from './visits.ts';

export function readVisits(visits: Visits): RequestHandler {
  return async (req, res) => {
    const { user_id } = checkUserPath(req.params);
    sendJson(res, 200, await visits.of(user_id), NOT_STORED);
  };
}
