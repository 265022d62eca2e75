// The way of an event from a body to the recorder: what it says, whether its user is signed, whether it is too much.

import type { Client } from '../http/clients.ts';
import type { Limits } from '../http/limits.ts';
import type { Waiter } from '../redis/grouping.ts';
import type { Outcome, Recorder } from '../redis/recorder.ts';
import type { Clock } from '../time.ts';
import type { Event } from './event.ts';
import type { CheckSignature } from './signatures.ts';

export interface Intake {
  now: Clock;
  /** Makes an event out of a body, or throws a problem. */
  read<E extends Event>(
    body: unknown,
    read: (body: unknown, now: number) => E,
    now: number,
    client: Client,
  ): E;
  /** For events past the first, which the request itself has paid for. */
  spend: Limits['spend'];
  record(event: Event, waiter: Waiter<Outcome>): void;
}

export interface IntakeOptions {
  recorder: Recorder;
  clock: Clock;
  limits: Limits;
  checkSignature: CheckSignature | undefined;
}

export function createIntake({ recorder, clock, limits, checkSignature }: IntakeOptions): Intake {
  return {
    now: clock,
    read(body, read, now, client) {
      const event = read(body, now);
      checkSignature?.(event.userId, (body as { user_sig?: unknown }).user_sig);
      limits.spendOfUser(client, event.userId);
      event.client = client;
      return event;
    },
    spend: limits.spend,
    record: (event, waiter) => recorder.recordFor(event, waiter),
  };
}
