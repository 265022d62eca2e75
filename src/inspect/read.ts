// All that Redis holds of one user, as it stands there, read in one transaction: nothing moves in between.

import { CannotStart } from '../cannotStart.ts';
import { createKeys, encodeId, type Keys, LAYOUT_VERSION, loginDays } from '../redis/keys.ts';
import { assemble, declaredKeys, type FootfallRedis, type ProfileReply } from '../redis/scripts.ts';
import { datesBetween, dayOf, SECOND, WINDOW_DAYS } from '../time.ts';

/** A key's content, or why it can't be read; undefined where there is no such key. */
export interface Part<T> {
  content: T | undefined;
  fault: string | undefined;
  /** ms until it goes; undefined where it never does. */
  ttl: number | undefined;
}

/** The keys of a user's day. */
export const PARTS = ['stats', 'pages', 'visits', 'events'] as const;

export interface StoredDay {
  day: number;
  /** Its numbers. */
  stats: Part<Record<string, string>>;
  /** What is no page name and has visitors: the other fields of stats. */
  seen: string[];
  /** Most views first; a tie by bytes. */
  pages: Part<[name: string, views: number][]>;
  /** In order of time. */
  visits: Part<[member: string, ms: number][]>;
  /** Events that are no page views, in order of time. */
  events: Part<[member: string, ms: number][]>;
}

export interface StoredMonth {
  month: string;
  /** Days of the month. */
  logins: Part<number[]>;
}

export interface StoredUser {
  /** What every key of the user begins with. */
  begin: string;
  now: number;
  gap: number;
  days: StoredDay[];
  months: StoredMonth[];
  mark: Part<string>;
  profile: ProfileReply;
}

/** Redis's answers in a transaction, one after the other. */
type Replies = () => [error: Error | null, result: unknown];

/** What the stored numbers depend on. */
export interface Layout {
  keys: Keys;
  /** The session gap, ms. */
  gap: number;
}

export async function readUser(
  redis: FootfallRedis,
  { keys, gap }: Layout,
  userId: string,
  now: number,
): Promise<StoredUser> {
  const days = keys.storedDays(now);
  const months = keys.storedMonths(now);
  const today = dayOf(now);
  const shard = keys.shard(keys.shardOf(userId));
  const multi = redis.multi();
  for (const day of days) {
    const stats = keys.stats(userId, day);
    multi.hgetall(stats).pttl(stats);
    for (const part of ['pages', 'visits', 'events'] as const) {
      const key = keys[part](userId, day);
      multi.zrange(key, '0', '-1', 'WITHSCORES').pttl(key);
    }
  }
  for (const month of months) {
    const logins = keys.logins(userId, month);
    multi.getBuffer(logins).pttl(logins);
  }
  const mark = keys.erased(userId);
  multi.get(mark).pttl(mark);
  const window = datesBetween(today - WINDOW_DAYS + 1, today);
  multi.call('EVAL_RO', assemble('profile'), 2, ...declaredKeys(shard), gap, window, encodeId(userId));

  const replies = ((await multi.exec()) ?? []).values();
  const next: Replies = () => replies.next().value ?? [new Error('no reply'), undefined];
  return {
    begin: `${shard}:user:${encodeId(userId)}:`,
    now,
    gap,
    days: days.map((day) => {
      const stats = part(next, (fields) => Object.entries(fields as object) as [string, string][]);
      const [numbers, things] = [false, true].map((isThing) =>
        (stats.content ?? []).filter(([field]) => field.includes(':') === isThing),
      );
      return {
        day,
        stats: { ...stats, content: stats.content && Object.fromEntries(numbers!) },
        seen: things!.map(([thing]) => thing).sort(),
        pages: part(next, (flat) => pairs(flat as string[]).sort(byViews)),
        visits: part(next, (flat) => pairs(flat as string[])),
        events: part(next, (flat) => pairs(flat as string[])),
      };
    }),
    months: months.map((month) => ({ month, logins: part(next, (bits) => loginDays(bits as Buffer)) })),
    mark: part(next, String),
    profile: profileOf(next),
  };
}

/** As the first start fixed it. */
export async function readLayout(redis: FootfallRedis, prefix: string): Promise<Layout> {
  const { meta } = createKeys(prefix, 1);
  const { layout, shards, session_gap_seconds, late_login_days } = await redis.hgetall(meta);
  if (layout === undefined) {
    throw new CannotStart(
      `there is no ${meta} in this Redis, so no service with KEY_PREFIX=${prefix} has stored here`,
    );
  }
  if (layout !== String(LAYOUT_VERSION)) {
    throw new CannotStart(
      `${meta} in Redis says layout ${layout}, this version reads ${LAYOUT_VERSION}: run the version that wrote it`,
    );
  }
  const [count, seconds, late] = [Number(shards), Number(session_gap_seconds), Number(late_login_days)];
  if (!(isWithin(count, 256) && seconds > 0 && isWithin(late, 400))) {
    throw new CannotStart(`${meta} in Redis is damaged: start the service, which says how to mend it`);
  }
  return { keys: createKeys(prefix, count, late), gap: seconds * SECOND };
}

const isWithin = (value: number, most: number) => Number.isInteger(value) && value >= 1 && value <= most;

function part<T>(next: Replies, read: (reply: unknown) => T): Part<T> {
  const [error, reply] = next();
  const pttl = Number(next()[1]);
  const exists = pttl !== -2;
  return {
    content: exists && !error ? read(reply) : undefined,
    fault: error ? (/^[A-Z]+/.exec(error.message)?.[0] ?? error.name) : undefined,
    ttl: pttl < 0 ? undefined : pttl,
  };
}

function profileOf(next: Replies): ProfileReply {
  const [error, reply] = next();
  if (error) throw error;
  return (reply as ProfileReply[])[0]!;
}

export function pairs(flat: string[]): [string, number][] {
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, Number(flat[2 * i + 1])]);
}

/** As profile.lua decides ties. */
export function byViews([a, viewsOfA]: [string, number], [b, viewsOfB]: [string, number]): number {
  return viewsOfB - viewsOfA || Buffer.compare(Buffer.from(a), Buffer.from(b));
}
