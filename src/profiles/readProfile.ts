import type { RequestHandler } from 'express';
import { checkUserPath } from '../http/validate.ts';
import type { Profiles } from './profiles.ts';

export function readProfile(profiles: Profiles): RequestHandler {
  return async (req, res) => {
    const { user_id } = checkUserPath(req.params);
    res.json(await profiles.of(user_id));
  };
}

export function readDays(profiles: Profiles): RequestHandler {
  return async (req, res) => {
    const { user_id } = checkUserPath(req.params);
    res.json(await profiles.daysOf(user_id));
  };
}
