// What can go wrong with Redis, in the three ways that a caller cares about.

import { ReplyError as AnyReplyError } from 'ioredis';

const ReplyError: new (message: string) => Error = AnyReplyError; // ioredis exports it as any

/**
 * An error that is an answer to somebody. It is made for each request that is refused, and nobody asks where, so it does
 * without a stack: to note one takes as long as to record an event.
 */
export class Refusal extends Error {
  constructor(message?: string) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Redis did not answer, or refused for now. Whether it ran the call is not known: send it again. */
export class Unavailable extends Refusal {
  override name = 'Unavailable';
  readonly why: Failure;
  constructor(message: string, why: Failure = 'connection') {
    super(message);
    this.why = why;
  }
}

// Redis's refusals that pass: full, disk, replica, starting, failing over, moving slots, in a long script, locked out, full
// before it has learnt the script; and a script's own, where the archive is too far behind.
const PASSING = [
  ...['OOM', 'MISCONF', 'READONLY', 'LOADING', 'MASTERDOWN', 'CLUSTERDOWN', 'TRYAGAIN', 'BUSY', 'NOREPLICAS'],
  ...['NOAUTH', 'WRONGPASS', 'NOPERM', 'UNBLOCKED', 'NOSCRIPT', 'OUTBOX'],
] as const;

/** Why a call came to nothing. */
export const FAILURES = [...PASSING, 'timeout', 'connection', 'no_replica', 'error'] as const;
export type Failure = (typeof FAILURES)[number];

/** Too much is under way already; nothing was sent. */
export class Overloaded extends Refusal {
  override name = 'Overloaded';
}

/** Redis refused for good: a key is of another type, or a script is wrong. */
class Failed extends Error {}

/** A key of this user's holds something else than it should. Nothing was changed; an erasure repairs it. */
export class Damaged extends Error {
  override name = 'Damaged';
  constructor() {
    super('A key of this user holds something else than it should');
  }
}

/** An event of a user who is not known, while no new ones are taken in. Nothing was changed. */
export class Unwelcome extends Refusal {
  override name = 'Unwelcome';
  readonly why: 'too_many_new_users' | 'store_full';
  constructor(why: 'too_many_new_users' | 'store_full') {
    super();
    this.why = why;
  }
}

// What a node says that was made a replica between a write and its WAIT.
const DEMOTED = /^ERR WAIT cannot be used with replica/;

/**
 * An error of ioredis as one of ours. ioredis puts the arguments of the call into its errors (ids, page names), so they
 * are never passed on or logged: only the first word of Redis's reply is.
 */
export function fromRedis(error: unknown): Error {
  if (error instanceof Unavailable || error instanceof Failed) return error;
  if (error instanceof ReplyError) {
    // A transaction that is given up says only that, and brings along what Redis refused of it.
    const [cause] = (error as { previousErrors?: unknown[] }).previousErrors ?? [];
    if (cause !== undefined) return fromRedis(cause);
    const word = /^[A-Z]+/.exec(error.message)?.[0] ?? 'ERR';
    const why = DEMOTED.test(error.message) ? 'READONLY' : PASSING.find((one) => one === word);
    return why ? new Unavailable(`Redis refused: ${word}`, why) : new Failed(`Redis failed: ${word}`);
  }
  if (error instanceof TypeError || error instanceof RangeError) return error;
  const message = error instanceof Error ? error.message : '';
  return new Unavailable(message, /timed? ?out/i.test(message) ? 'timeout' : 'connection');
}

export const failureOf = (error: Error): Failure => (error instanceof Unavailable ? error.why : 'error');
