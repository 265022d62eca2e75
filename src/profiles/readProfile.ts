import type { NextFunction, RequestHandler, Response } from 'express';
import type { Profile } from '../answers.ts';
import { NOT_STORED, sendJson } from '../http/respond.ts';
import { checkUserPath } from '../http/validate.ts';
import type { Waiter } from '../redis/grouping.ts';
import type { Profiles } from './profiles.ts';

/** Waits for a profile on behalf of a request. */
class ProfileAnswer implements Waiter<Profile> {
  private readonly res: Response;
  private readonly next: NextFunction;
  constructor(res: Response, next: NextFunction) {
    this.res = res;
    this.next = next;
  }
  done(profile: Profile): void {
    sendJson(this.res, 200, profile, NOT_STORED);
  }
  failed(error: unknown): void {
    this.next(error);
  }
}

export function readProfile(profiles: Profiles): RequestHandler {
  return (req, res, next) => {
    const { user_id } = checkUserPath(req.params);
    profiles.readFor(user_id, new ProfileAnswer(res, next));
  };
}

export function readDays(profiles: Profiles): RequestHandler {
  return async (req, res) => {
    const { user_id } = checkUserPath(req.params);
    sendJson(res, 200, await profiles.daysOf(user_id), NOT_STORED);
  };
}
