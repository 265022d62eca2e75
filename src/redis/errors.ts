// What can go wrong with Redis, in the three ways that a caller cares about.

import { ReplyError as AnyReplyError } from 'ioredis';

const ReplyError: new (message: string) => Error = AnyReplyError; // ioredis exports it as any

/** Redis did not answer, or refused for now. Whether it ran the call is not known: send it again. */
export class Unavailable extends Error {
  override name = 'Unavailable';
}

/** Too much is under way already; nothing was sent. */
export class Overloaded extends Error {
  override name = 'Overloaded';
}

/** A key of this user's holds something else than it should. Nothing was changed; an erasure repairs it. */
export class Damaged extends Error {
  override name = 'Damaged';
  constructor() {
    super('A key of this user holds something else than it should');
  }
}

// Redis's refusals that pass: full, disk, replica, starting, failing over, moving slots, in a long script, locked out.
const PASSING =
  /^(OOM|MISCONF|READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|NOREPLICAS|NOAUTH|WRONGPASS|NOPERM|UNBLOCKED)\b/;

/**
 * An error of ioredis as one of ours. ioredis puts the arguments of the call into its errors (ids, page names), so they
 * are never passed on or logged: only the first word of Redis's reply is.
 */
export function fromRedis(error: unknown): Error {
  if (error instanceof Unavailable) return error;
  if (error instanceof ReplyError) {
    const word = /^[A-Z]+/.exec(error.message)?.[0] ?? 'ERR';
    return PASSING.test(error.message)
      ? new Unavailable(`Redis refused: ${word}`)
      : new Error(`Redis failed: ${word}`);
  }
  if (error instanceof TypeError || error instanceof RangeError) return error;
  return new Unavailable(error instanceof Error ? error.message : 'Redis did not answer');
}
