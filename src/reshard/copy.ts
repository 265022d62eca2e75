// Everything that is stored, into other shards. A user's keys go as they are. Of a count about everybody each user's share
// goes where the user goes, since an erasure takes it from there; what no user's keys account for any more goes to the first
// shard. So every sum over shards stays what it was.

import type { ChainableCommander } from 'ioredis';
import { encodeId, type Keys, loginDays, short } from '../redis/keys.ts';
import type { FootfallRedis } from '../redis/scripts.ts';
import { dateOf, dayOf, parseDate, WINDOW_DAYS } from '../time.ts';
import type { Stored, Suffix } from './source.ts';

export interface Side {
  redis: FootfallRedis;
  keys: Keys;
}

export interface CopyOptions {
  from: Side;
  to: Side;
  stored: Stored;
  now: number;
  onProgress(users: number): void;
}

const AT_ONCE = 64; // users
const FIELDS = 500; // of one command
const OTHER = '(other)';

/** What users account for: by what stands behind the shard in a key, new shard and field. */
type Shares = Map<Suffix, Map<string, number>[]>;

export async function copyAll({ from, to, stored, now, onProgress }: CopyOptions): Promise<void> {
  const shares: Shares = new Map();
  const users = [...stored.users];
  let done = 0;
  const worker = async () => {
    for (let next = users.pop(); next; next = users.pop()) {
      const [userId, suffixes] = next;
      await copyUser({ from, to, userId, suffixes, now, shares });
      onProgress(++done);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  for (const [suffix, found] of stored.shared) await copyShared({ from, to, suffix, found, shares });
  await copyMarks(from, to, stored.marks);
}

interface UserCopy {
  from: Side;
  to: Side;
  userId: string;
  suffixes: Suffix[];
  now: number;
  shares: Shares;
}

async function copyUser({ from, to, userId, suffixes, now, shares }: UserCopy): Promise<void> {
  const beginOf = ({ keys }: Side) => `${keys.shard(keys.shardOf(userId))}:user:${encodeId(userId)}:`;
  const source = from.redis.pipeline();
  for (const suffix of suffixes) source.dumpBuffer(beginOf(from) + suffix).pttl(beginOf(from) + suffix);
  const replies = await all(source);
  const target = to.redis.pipeline();
  suffixes.forEach((suffix, i) => {
    const [dump, pttl] = [replies[2 * i] as Buffer | null, Number(replies[2 * i + 1])];
    // It may have gone in between. What a copy that was cut off has left is replaced.
    if (dump && pttl !== -2)
      target.restore(beginOf(to) + suffix, pttl === -1 ? 0 : Math.max(1, pttl), dump, 'REPLACE');
  });
  await all(target);
  const shard = to.keys.shardOf(userId);
  const add = (suffix: Suffix, field: string) => {
    const of = shares.get(suffix) ?? Array.from({ length: to.keys.shards }, () => new Map<string, number>());
    of[shard]!.set(field, (of[shard]!.get(field) ?? 0) + 1);
    shares.set(suffix, of);
  };
  await shareOut(from.redis, beginOf(from), suffixes, now, add);
}

/** What a user adds to counts about everybody, as erase.lua takes it from them. */
async function shareOut(
  redis: FootfallRedis,
  begin: string,
  suffixes: Suffix[],
  now: number,
  add: (suffix: Suffix, field: string) => void,
): Promise<void> {
  const days = [...new Set(suffixes.map((suffix) => parseDate(suffix.slice(0, 10))))]
    .filter((day) => !Number.isNaN(day))
    .sort((a, b) => a - b);
  const lastSeen = new Map<string, number>();
  for (const day of days) {
    for (const thing of await thingsOf(redis, `${begin}${dateOf(day)}`)) {
      const before = lastSeen.get(thing);
      add(`${dateOf(day)}:visitors`, thing);
      if (before !== undefined) add(`${dateOf(day)}:returning`, `${day - before}:${thing}`);
      if (day >= dayOf(now) - WINDOW_DAYS) lastSeen.set(thing, day);
      const site = /^site:([^:]+)$/.exec(thing)?.[1];
      if (site !== undefined) add(`site:${site}:${dateOf(day)}:stats`, 'users');
    }
  }
  for (const suffix of suffixes.filter((one) => one.endsWith(':logins'))) {
    const month = suffix.slice(0, 7);
    const bits = await redis.getBuffer(begin + suffix).catch(() => null);
    const logins = loginDays(bits);
    for (const day of logins) add(suffix, `${month}-${String(day).padStart(2, '0')}`);
    if (logins.length > 0) add(suffix, month);
  }
}

/** Of a key that holds something else than it should, nothing. */
async function thingsOf(redis: FootfallRedis, day: string): Promise<string[]> {
  const [fields, pages] = await Promise.all([
    redis.hkeys(`${day}:stats`).catch(() => []),
    redis.zrange(`${day}:pages`, '0', '-1').catch(() => []),
  ]);
  const named = pages.filter((page) => page !== OTHER).map((page) => `name:${short(page)}`);
  return [...fields.filter((field) => field.includes(':')), ...named];
}

interface SharedCopy {
  from: Side;
  to: Side;
  suffix: Suffix;
  found: { shard: number; key: string }[];
  shares: Shares;
}

async function copyShared({ from, to, suffix, found, shares }: SharedCopy): Promise<void> {
  const keyOf = (shard: number) => `${to.keys.shard(shard)}:${suffix}`;
  if (suffix.endsWith(':hll')) {
    for (const { shard, key } of found) await copyEstimate(from, to, key, keyOf(shard % to.keys.shards));
    return;
  }
  const ttl = Math.max(...(await Promise.all(found.map(({ key }) => from.redis.pttl(key)))));
  const sums = new Map<string, number>();
  const isSorted = suffix.endsWith(':pages');
  for (const { key } of found) {
    for (const [name, count] of await numbersIn(from.redis, key, isSorted)) {
      sums.set(name, (sums.get(name) ?? 0) + count);
    }
  }
  const parts = shares.get(suffix) ?? [];
  for (const part of parts) {
    for (const [name, count] of part) sums.set(name, (sums.get(name) ?? 0) - count);
  }
  const [first = new Map<string, number>(), ...others] = parts;
  for (const [name, left] of sums) first.set(name, (first.get(name) ?? 0) + left);
  await write(to.redis, keyOf(0), first, isSorted, ttl);
  for (const [i, part] of others.entries()) await write(to.redis, keyOf(i + 1), part, isSorted, ttl);
}

async function numbersIn(redis: FootfallRedis, key: string, isSorted: boolean): Promise<[string, number][]> {
  if (!isSorted) return Object.entries(await redis.hgetall(key)).map(([name, n]) => [name, Number(n)]);
  const flat = await redis.zrange(key, '0', '-1', 'WITHSCORES');
  return Array.from({ length: flat.length / 2 }, (_, i) => [flat[2 * i]!, Number(flat[2 * i + 1])]);
}

async function write(
  redis: FootfallRedis,
  key: string,
  numbers: Map<string, number>,
  isSorted: boolean,
  ttl: number,
): Promise<void> {
  await redis.unlink(key); // what a copy that was cut off has left
  const kept = [...numbers].filter(([, n]) => n !== 0 && !Number.isNaN(n));
  for (let i = 0; i < kept.length; i += FIELDS) {
    const some = kept.slice(i, i + FIELDS);
    if (isSorted) await redis.zadd(key, ...some.flatMap(([name, n]) => [n, name]));
    else await redis.hset(key, ...some.flat());
  }
  if (kept.length > 0 && ttl > 0) await redis.pexpire(key, ttl);
}

/** A HyperLogLog can't be divided. Two that come to one place are one from then on. */
async function copyEstimate(from: Side, to: Side, key: string, target: string): Promise<void> {
  const [dump, ttl] = await Promise.all([from.redis.dumpBuffer(key), from.redis.pttl(key)]);
  if (!dump) return;
  const beside = `${target}:beside`;
  await to.redis.restore(beside, Math.max(1, ttl), dump, 'REPLACE');
  await to.redis.pfmerge(target, beside);
  await to.redis.unlink(beside);
  await to.redis.pexpire(target, Math.max(1, ttl));
}

/** They do not say whose they are, so every shard gets each: the newest of its name, for as long as the longest. */
async function copyMarks(from: Side, to: Side, marks: string[]): Promise<void> {
  const newest = new Map<string, { at: number; ttl: number }>();
  for (const mark of marks) {
    const [at, ttl] = await Promise.all([from.redis.get(mark), from.redis.pttl(mark)]);
    if (at === null) continue;
    const name = mark.slice(mark.lastIndexOf(':') + 1);
    const { at: before = 0, ttl: left = 1 } = newest.get(name) ?? {};
    newest.set(name, { at: Math.max(Number(at), before), ttl: Math.max(ttl, left) });
  }
  for (const [name, { at, ttl }] of newest) {
    const shards = Array.from(
      { length: to.keys.shards },
      (_, shard) => `${to.keys.shard(shard)}:erased:${name}`,
    );
    await Promise.all(shards.map((key) => to.redis.set(key, String(at), 'PX', ttl)));
  }
}

async function all(pipeline: ChainableCommander): Promise<unknown[]> {
  const replies = (await pipeline.exec()) ?? [];
  return replies.map(([error, reply]) => {
    if (error) throw error;
    return reply;
  });
}
