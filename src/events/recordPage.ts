import type { NextFunction, RequestHandler, Response } from 'express';
import { EVENT_LIMIT, jsonBody } from '../http/body.ts';
import { send, sendJson } from '../http/respond.ts';
import type { Profiles } from '../profiles/profiles.ts';
import { NOT_STORED } from '../profiles/readProfile.ts';
import type { Waiter } from '../redis/grouping.ts';
import type { Outcome, Recorder } from '../redis/recorder.ts';
import type { Clock } from '../time.ts';
import { inFuture, pageViewOf } from './pageBody.ts';

export function recordPage(recorder: Recorder, profiles: Profiles, clock: Clock): RequestHandler[] {
  return [
    jsonBody(EVENT_LIMIT),
    (req, res, next) => {
      const view = pageViewOf(req.body, clock());
      const { prefer } = req.headers;
      const waiter =
        prefer !== undefined && prefersProfile(String(prefer))
          ? new ReadAfterwards(profiles, view.userId, res, next)
          : new OutcomeAnswer(res, next);
      recorder.recordFor(view, waiter);
    },
  ];
}

// Preferences by RFC 7240: `respond-async, return=representation; of="a, b"`. Of one given twice the first counts.
const PREFERENCES = /(?:[^,"]|"(?:[^"\\]|\\.)*"?)+/g;
const RETURN = /^\s*return\s*(?:$|[=;])/i;
const RETURN_PROFILE = /^\s*return\s*=\s*("?)representation\1\s*(?:$|;)/i;

function prefersProfile(header: string): boolean {
  const preference = header.match(PREFERENCES)?.find((text) => RETURN.test(text));
  return preference !== undefined && RETURN_PROFILE.test(preference);
}

/** Waits for what became of a view on behalf of a request. */
class OutcomeAnswer implements Waiter<Outcome> {
  private readonly res: Response;
  private readonly next: NextFunction;
  constructor(res: Response, next: NextFunction) {
    this.res = res;
    this.next = next;
  }
  done(outcome: Outcome): void {
    if (outcome === 'future') this.next(inFuture());
    else sendOutcome(this.res, outcome);
  }
  failed(error: unknown): void {
    this.next(error);
  }
}

function sendOutcome(res: Response, outcome: Outcome): void {
  send(res, 202, 'application/json; charset=utf-8', `{"status":"${outcome}"}`);
}

/** As that, but answers with the user's profile after the write; what became of the view is said in a header. */
class ReadAfterwards implements Waiter<Outcome> {
  private readonly profiles: Profiles;
  private readonly userId: string;
  private readonly res: Response;
  private readonly next: NextFunction;
  constructor(profiles: Profiles, userId: string, res: Response, next: NextFunction) {
    this.profiles = profiles;
    this.userId = userId;
    this.res = res;
    this.next = next;
  }
  done(outcome: Outcome): void {
    if (outcome === 'future') {
      this.next(inFuture());
      return;
    }
    const headers = [
      ...NOT_STORED,
      'Preference-Applied',
      'return=representation',
      'Footfall-Status',
      outcome,
    ];
    this.profiles.readFor(this.userId, {
      done: (profile) => sendJson(this.res, 200, profile, headers),
      // The view is settled, and that must be heard. A preference may be ignored.
      failed: () => sendOutcome(this.res, outcome),
    });
  }
  failed(error: unknown): void {
    this.next(error);
  }
}
