// The data dictionary: every key that is in Redis, and the only TypeScript that spells one. `lua/lib/keys.lua` spells
// the same keys where a script derives them from a user and a day; `test/keys.test.ts` holds the two together.
//
//   key                                type         holds                                            goes
//   ff:{s}:user:<user>:<day>:stats     hash         the numbers of the user's day, see below         day + 8, or up to 6 h sooner
//   ff:{s}:user:<user>:<day>:pages     sorted set   page name -> views; (other) holds those past     with stats
//                                                   MAX_PAGES_PER_USER_DAY
//   ff:{s}:user:<user>:<day>:visits    sorted set   one member per view -> ms since midnight         with stats
//   ff:{s}:user:<user>:<day>:events    sorted set   one member per event that is no page view ->     with stats
//                                                   ms since midnight
//   ff:{s}:user:<user>:<month>:logins  bitmap       bit n - 1: logged in on the n-th of the month    month + LATE_LOGIN_DAYS + 1,
//                                                                                                    or up to 6 h sooner
//   ff:{s}:erased:<sha1 of user>       string       erased at (ms since 1970): what happened up to   after LATE_LOGIN_DAYS + 2
//                                                   then is refused
//   ff:{s}:<day>:visitors              hash         thing -> users who saw it that day               day + 8
//   ff:{s}:<day>:returning             hash         <n>:<thing> -> those of them who had seen it n   day + 8
//                                                   days before, and not since
//   ff:{s}:<month>:logins              hash         <day> -> users who logged in that day,           month + UNIQUES_RETENTION_DAYS
//                                                   <month> -> in that month
//   ff:{s}:site:<site>:<day>:stats     hash         users -> of that day, type:<event_type> ->       day + SITE_RETENTION_DAYS
//                                                   events; page views are type:page_view
//   ff:{s}:site:<site>:<day>:pages     sorted set   path -> views; (other) holds those past          with the site's stats
//                                                   MAX_PATHS_PER_SITE_DAY
//   ff:{s}:site:<site>:<day>:hll       HyperLogLog  users, for spans that do not end today; no ids   with the site's stats
//   ff:{s}:outbox                      stream       what the archive is to get, in order; see        once it is there
//                                                   src/archive/entry.ts
//   ff:{s}:outbox:dead                 stream       what of it could not be read                     DEAD_DAYS after the last
//   ff:meta                            hash         layout, shards, session_gap_seconds,             stays
//                                                   late_login_days, archive
//
// {s} is the shard's tag (see shards.ts), <user> and <site> are ids with % : * ? [ ] \ { } percent-encoded, <day> as
// 2026-11-21, <month> as 2026-11. "Day + 8" is the day's midnight and eight days.
//
// Fields of stats:
//   earlier       the user's earlier days, by their day of the month: where to look for what the user saw before
//   next          the next of the user's days, where there is one
//   views         views counted; this and what follows only on a day with a view
//   active_ms     time between neighbouring views that are no further apart than the session gap
//   first, last   the earliest and the latest view, in ms since the day's midnight
//   pages         distinct page names, (other) not among them
//   seen          how many things follow
//   <thing>       empty; what the user saw beside pages by name: urls, sites, pages of sites
//   erased_until  only on a day on which the user was erased: events up to then (ms since 1970) are refused
//
// Members of visits: `e:<event_id>` for a view that brought one, else `<ms since midnight, base 36>.<page digest>`; of
// events alike, the digest being of site, type and path.
//
// A thing is what has visitors: `name:<page>`, `url:<url>`, `site:<site>`, `site:<site>:name:<page>`, `site:<site>:url:<url>`.
// A page or url of more than 40 bytes stands there as `#` and the first 20 digits of its SHA-1.

import { createHash } from 'node:crypto';
import { dateOf, dayOf, monthOf, WINDOW_DAYS } from '../time.ts';
import { crc16, shardTags } from './shards.ts';

/** Raised whenever keys or fields change so that an older program would misread them. */
export const LAYOUT_VERSION = 2;

/** A day's keys are gone by its midnight + 8 days; by user, they go up to this long before it. */
export const EXPIRY_SPREAD_HOURS = 6;

const ENCODED = /[%:*?[\]\\{}]/g;

/** An id as it stands in a key: nothing in it can end its part of the key, be a hash tag, or act in a pattern. */
export function encodeId(id: string): string {
  return id.replace(ENCODED, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

export function decodeId(encoded: string): string {
  return encoded.replace(/%([0-9A-F]{2})/g, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  );
}

/** What stands for a user where no id may be: in the name of an erasure's mark, and in the archive's table of erasures. */
export const userHash = (userId: string): string => createHash('sha1').update(encodeId(userId)).digest('hex');

/** The days of a month's logins: bit n - 1 is the n-th, the highest bit of a byte first. */
export function loginDays(bits: Buffer | null): number[] {
  if (!bits) return [];
  const days = Array.from({ length: 8 * bits.length }, (_, i) => i + 1);
  return days.filter((day) => bits[(day - 1) >> 3]! & (128 >> ((day - 1) & 7)));
}

export type SitePart = 'stats' | 'pages' | 'hll';

const PLAIN_BYTES = 40;

/** A page's name or url as it stands in counts: a long one by its SHA-1, so that they stay small. */
export function short(page: string): string {
  if (page[0] !== '#' && (page.length * 3 <= PLAIN_BYTES || Buffer.byteLength(page) <= PLAIN_BYTES))
    return page;
  return `#${createHash('sha1').update(page).digest('hex').slice(0, 20)}`;
}

/** What has visitors, as the counts spell it: a page, a page of a site, or a site. */
export function thing(
  page: { name: string } | { url: string } | undefined,
  siteId: string | undefined,
): string {
  const site = siteId === undefined ? undefined : `site:${encodeId(siteId)}`;
  const of = page && ('url' in page ? `url:${short(page.url)}` : `name:${short(page.name)}`);
  return [site, of].filter((part) => part !== undefined).join(':');
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
  events(userId: string, day: number): string;
  logins(userId: string, month: string): string;
  erased(userId: string): string;
  visitors(shard: number, day: number): string;
  returning(shard: number, day: number): string;
  loginCounts(shard: number, month: string): string;
  site(shard: number, siteId: string, day: number, part: SitePart): string;
  /** What waits for the archive, and what of it could not be read. */
  outbox(shard: number): string;
  dead(shard: number): string;
  /** The user's days that can hold anything now, oldest first: to one past tomorrow, for clocks that differ. */
  storedDays(now: number): number[];
  /** The months in which a login can be stored now, oldest first. */
  storedMonths(now: number): string[];
  /** Every key that can hold something of the user now, but the mark of an erasure. */
  ofUser(userId: string, now: number): string[];
}

export function createKeys(prefix: string, shards: number, lateLoginDays = 35): Keys {
  const tags = shardTags(shards);
  const shardOf = (userId: string) => crc16(userId) % shards;
  const shard = (index: number) => `${prefix}:{${tags[index]}}`;
  const user = (userId: string) => `${shard(shardOf(userId))}:user:${encodeId(userId)}`;
  const userDay = (part: string) => (userId: string, day: number) => `${user(userId)}:${dateOf(day)}:${part}`;
  const ofDay = {
    stats: userDay('stats'),
    pages: userDay('pages'),
    visits: userDay('visits'),
    events: userDay('events'),
  };
  const logins = (userId: string, month: string) => `${user(userId)}:${month}:logins`;
  const storedDays = (now: number) => daysFrom(dayOf(now) - WINDOW_DAYS - 1, dayOf(now) + 2);
  const storedMonths = (now: number) => [
    ...new Set(daysFrom(dayOf(now) - lateLoginDays - 2, dayOf(now) + 2).map(monthOf)),
  ];
  return {
    prefix,
    shards,
    meta: `${prefix}:meta`,
    shardOf,
    shard,
    ...ofDay,
    logins,
    erased: (userId) => `${shard(shardOf(userId))}:erased:${userHash(userId)}`,
    visitors: (index, day) => `${shard(index)}:${dateOf(day)}:visitors`,
    returning: (index, day) => `${shard(index)}:${dateOf(day)}:returning`,
    loginCounts: (index, month) => `${shard(index)}:${month}:logins`,
    site: (index, siteId, day, part) => `${shard(index)}:site:${encodeId(siteId)}:${dateOf(day)}:${part}`,
    outbox: (index) => `${shard(index)}:outbox`,
    dead: (index) => `${shard(index)}:outbox:dead`,
    storedDays,
    storedMonths,
    ofUser: (userId, now) => [
      ...storedDays(now).flatMap((day) => Object.values(ofDay).map((key) => key(userId, day))),
      ...storedMonths(now).map((month) => logins(userId, month)),
    ],
  };
}

const daysFrom = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** How long what could not be read waits for somebody who can. */
export const DEAD_DAYS = 7;

/** How long an erasure's mark is kept: longer than any lateness that is accepted. */
export const markDays = (lateLoginDays: number) => Math.max(lateLoginDays, WINDOW_DAYS) + 2;
