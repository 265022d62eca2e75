import type { NextFunction, RequestHandler, Response } from 'express';
import { EVENT_LIMIT, jsonBody } from '../http/body.ts';
import { callerOf } from '../http/guard.ts';
import { send } from '../http/respond.ts';
import type { Waiter } from '../redis/grouping.ts';
import type { Outcome } from '../redis/recorder.ts';
import { inFuture, timeField } from './bodies.ts';
import type { Event } from './event.ts';
import type { Intake } from './intake.ts';

/** One event a request; `read` makes it out of the body, or throws a problem. */
export function recordEvent(intake: Intake, read: (body: unknown, now: number) => Event): RequestHandler[] {
  return [
    jsonBody(EVENT_LIMIT),
    (req, res, next) => {
      const event = intake.read(req.body, read, intake.now(), callerOf(req).client);
      intake.record(event, new OutcomeAnswer(event, res, next));
    },
  ];
}

/** Waits for what became of an event on behalf of a request. */
export class OutcomeAnswer implements Waiter<Outcome> {
  private readonly event: Event;
  private readonly res: Response;
  private readonly next: NextFunction;
  constructor(event: Event, res: Response, next: NextFunction) {
    this.event = event;
    this.res = res;
    this.next = next;
  }
  done(outcome: Outcome): void {
    if (outcome === 'future') this.next(inFuture(timeField(this.event)));
    else sendOutcome(this.res, outcome);
  }
  failed(error: unknown): void {
    this.next(error);
  }
}

export function sendOutcome(res: Response, outcome: Outcome): void {
  send(res, 202, 'application/json; charset=utf-8', `{"status":"${outcome}"}`);
}
