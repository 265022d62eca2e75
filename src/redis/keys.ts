// The data dictionary: every key that is in Redis, and the only TypeScript that spells one. `lua/lib/keys.lua` spells
// the same keys where a script derives them from a user and a day; `test/keys.test.ts` holds the two together.
//
//   key                              type        holds                                              goes
//   ff:{s}:user:<user>:<day>:stats   hash        the numbers of the user's day, see below           day + 8, or up to 6 h sooner
//   ff:{s}:user:<user>:<day>:pages   sorted set  page name -> views; (other) holds those past       with stats
//                                                MAX_PAGES_PER_USER_DAY
//   ff:{s}:user:<user>:<day>:visits  sorted set  one member per view -> ms since midnight           with stats
//   ff:{s}:erased:<sha1 of user>     string      erased at (ms since 1970): what happened up to     after MARK_DAYS
//                                                then is refused
//   ff:meta                          hash        layout, shards, session_gap_seconds                stays
//
// {s} is the shard's tag (see shards.ts), <user> the id with % : * ? [ ] \ { } percent-encoded, <day> as 2026-11-21.
//
// Fields of stats:
//   views         views counted
//   active_ms     time between neighbouring views that are no further apart than the session gap
//   first, last   the earliest and the latest view, in ms since the day's midnight
//   pages         distinct page names, (other) not among them
//   erased_until  only on a day on which the user was erased: views up to then (ms since 1970) are refused
//
// Members of visits: `e:<event_id>` for a view that brought one, else `<ms since midnight, base 36>.<page digest>`.

import { createHash } from 'node:crypto';
import { DAY, dateOf, dayOf, WINDOW_DAYS } from '../time.ts';
import { crc16, shardTags } from './shards.ts';

/** Raised whenever keys or fields change so that an older program would misread them. */
export const LAYOUT_VERSION = 1;

/**
 * How long an erasure's mark outlives it. It must pass the longest lateness that is accepted: page views come up to a
 * week late, logins will come up to 35 days late.
 */
export const MARK_DAYS = 37;

/** A day's keys are gone by its midnight + 8 days; by user, they go up to this long before it. */
export const EXPIRY_SPREAD_HOURS = 6;

const ENCODED = /[%:*?[\]\\{}]/g;

/** An id as it stands in a key: nothing in it can end its part of the key, be a hash tag, or act in a pattern. */
export function encodeId(id: string): string {
  return id.replace(ENCODED, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

export interface Keys {
  readonly prefix: string;
  readonly shards: number;
  readonly meta: string;
  /** Which shard a user lives in. */
  shardOf(userId: string): number;
  /** What every key of a shard begins with: `ff:{0}`. The scripts derive keys from it. */
  shard(index: number): string;
  stats(userId: string, day: number): string;
  pages(userId: string, day: number): string;
  visits(userId: string, day: number): string;
  erased(userId: string): string;
  /** The user's days that can hold anything now, oldest first: to one past tomorrow, for clocks that differ. */
  storedDays(now: number): number[];
  /** Every key that can hold something of the user now, but the mark of an erasure: stats, pages, visits, oldest day first. */
  ofUser(userId: string, now: number): string[];
}

export function createKeys(prefix: string, shards: number): Keys {
  const tags = shardTags(shards);
  const shardOf = (userId: string) => crc16(userId) % shards;
  const shard = (index: number) => `${prefix}:{${tags[index]}}`;
  const day = (userId: string, d: number) =>
    `${shard(shardOf(userId))}:user:${encodeId(userId)}:${dateOf(d)}`;
  const stats = (userId: string, d: number) => `${day(userId, d)}:stats`;
  const pages = (userId: string, d: number) => `${day(userId, d)}:pages`;
  const visits = (userId: string, d: number) => `${day(userId, d)}:visits`;
  const storedDays = (now: number) => {
    const today = dayOf(now);
    return Array.from({ length: WINDOW_DAYS + 4 }, (_, i) => today - WINDOW_DAYS - 1 + i);
  };
  return {
    prefix,
    shards,
    meta: `${prefix}:meta`,
    shardOf,
    shard,
    stats,
    pages,
    visits,
    erased: (userId) =>
      `${shard(shardOf(userId))}:erased:${createHash('sha1').update(encodeId(userId)).digest('hex')}`,
    storedDays,
    ofUser: (userId, now) =>
      storedDays(now).flatMap((d) => [stats(userId, d), pages(userId, d), visits(userId, d)]),
  };
}

/** The longest a mark is kept, from the moment of the erasure. */
export const MARK_TTL = MARK_DAYS * DAY;
