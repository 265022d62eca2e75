import type { NextFunction, RequestHandler, Response } from 'express';
import { EVENT_LIMIT, jsonBody } from '../http/body.ts';
import { callerOf, mustBeAllowed } from '../http/guard.ts';
import { NOT_STORED, sendJson } from '../http/respond.ts';
import type { Profiles } from '../profiles/profiles.ts';
import type { Waiter } from '../redis/grouping.ts';
import type { Outcome } from '../redis/recorder.ts';
import { inFuture, pageViewOf } from './bodies.ts';
import type { Intake } from './intake.ts';
import { OutcomeAnswer, sendOutcome } from './recordEvent.ts';

export function recordPage(intake: Intake, profiles: Profiles): RequestHandler[] {
  return [
    jsonBody(EVENT_LIMIT),
    (req, res, next) => {
      const { prefer } = req.headers;
      const asksForProfile = prefer !== undefined && prefersProfile(String(prefer));
      if (asksForProfile) mustBeAllowed(req, 'read');
      const view = intake.read(req.body, pageViewOf, intake.now(), callerOf(req).client);
      const waiter = asksForProfile
        ? new ReadAfterwards(profiles, view.userId, res, next)
        : new OutcomeAnswer(view, res, next);
      intake.record(view, waiter);
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

/** Answers with the user's profile after the write; what became of the view is said in a header. */
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
      this.next(inFuture('/timestamp'));
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
