import type { RequestHandler } from 'express';
import { checkUserPath } from '../http/validate.ts';
import type { Profiles } from './profiles.ts';

/** A profile is personal, and stale with the next view. */
const NOT_STORED = { 'Cache-Control': 'no-store' };

export function readProfile(profiles: Profiles): RequestHandler {
  return async (req, res) => {
    const { user_id } = checkUserPath(req.params);
    res.set(NOT_STORED).json(await profiles.of(user_id));
  };
}

export function readDays(profiles: Profiles): RequestHandler {
  return async (req, res) => {
    const { user_id } = checkUserPath(req.params);
    res.set(NOT_STORED).json(await profiles.daysOf(user_id));
  };
}
