// Refusing early what would only wait: before a body is read, in microseconds.

import { Overloaded, Unavailable } from '../redis/errors.ts';
import { SECOND } from '../time.ts';
import { bodiesToCome } from './body.ts';

/** What goes first where there is too much: erasures before reads before writes. */
export type Urgency = 'write' | 'read' | 'erase';

export interface Overload {
  begin(): void;
  end(): void;
  /** Why a request is not taken now, if so. */
  refusal(urgency: Urgency): Error | undefined;
  underWay(): number;
  stop(): void;
}

export interface OverloadOptions {
  maxRequests: number;
  /** Whether Redis can be asked anything. */
  redisIsAway(): boolean;
  /** Whether so many events wait for Redis that further ones would hardly find room. */
  eventsPileUp(): boolean;
  /** Whether what is written now would not be as safe as DURABILITY says. */
  nothingIsKept?(): boolean;
  /** Whether what is stored is of other settings than ours. */
  isForeign?(): boolean;
}

/** How much more room each has than writes. */
const ROOM = { write: 1, read: 1.25, erase: 1.5 };
/** How late the event loop may be, ms. */
const LATE = { write: 400, read: 600, erase: Number.POSITIVE_INFINITY };
const TICK = SECOND / 20;

export function createOverload(options: OverloadOptions): Overload {
  const {
    maxRequests,
    redisIsAway,
    eventsPileUp,
    nothingIsKept = () => false,
    isForeign = () => false,
  } = options;
  let requests = 0;
  let lateness = 0; // of the last two ticks the smaller: one long pause is no overload
  let before = 0;
  let expected = performance.now() + TICK;
  const timer = setInterval(() => {
    const now = performance.now();
    const late = now - expected;
    lateness = Math.min(late, before);
    before = late;
    expected = now + TICK;
  }, TICK).unref();

  return {
    begin: () => {
      requests++;
    },
    end: () => {
      requests--;
    },
    refusal(urgency) {
      if (redisIsAway()) return new Unavailable('Redis is away');
      if (urgency === 'write' && nothingIsKept())
        return new Unavailable('Redis does not keep what it should');
      // Of an archive that another service has begun, neither events nor erasures may be left out.
      if (urgency !== 'read' && isForeign()) return new Unavailable('Redis is used with other settings');
      const withIt = requests + 1 - bodiesToCome();
      if (withIt > maxRequests * ROOM[urgency]) return new Overloaded('Too many requests are under way');
      // A batch that finds no room has cost its reading: better to know before.
      if (urgency === 'write' && eventsPileUp()) return new Overloaded('Too many events are under way');
      if (lateness > LATE[urgency]) return new Overloaded('This process is behind');
      return undefined;
    },
    underWay: () => requests,
    stop: () => clearInterval(timer),
  };
}
