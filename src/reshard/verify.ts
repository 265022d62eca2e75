// Whether two sides answer the same: every profile, and every count.

import { isDeepStrictEqual } from 'node:util';
import { createMetrics } from '../metrics.ts';
import { createProfiles } from '../profiles/profiles.ts';
import { Damaged } from '../redis/errors.ts';
import type { Side } from './copy.ts';
import type { Stored, Suffix } from './source.ts';

export interface Compared {
  profiles: number;
  counts: number;
  /** What differs, in words; empty where nothing does. */
  faults: string[];
}

const AT_ONCE = 500;
const ESTIMATE = 0.03; // two HyperLogLogs of the same users differ by so much at most

export interface VerifyOptions {
  from: Side;
  to: Side;
  stored: Stored;
  now: number;
  sessionGapSeconds: number;
}

export async function compare({
  from,
  to,
  stored,
  now,
  sessionGapSeconds,
}: VerifyOptions): Promise<Compared> {
  const faults: string[] = [];
  const [before, after] = [from, to].map(({ redis, keys }) =>
    createProfiles({
      ...{ redis, keys, clock: () => now, sessionGapSeconds, timeSpentUnit: 'seconds' },
      ...{ mostInFlight: 2 * AT_ONCE, metrics: createMetrics() },
    }),
  ) as [ReturnType<typeof createProfiles>, ReturnType<typeof createProfiles>];
  const users = [...stored.users.keys()];
  for (let i = 0; i < users.length; i += AT_ONCE) {
    const some = users.slice(i, i + AT_ONCE);
    const read = (profiles: typeof before) =>
      Promise.allSettled(some.map((user) => profiles.of(user))).then((all) =>
        all.map((one) => {
          if (one.status === 'fulfilled') return one.value;
          if (one.reason instanceof Damaged) return 'damaged';
          throw one.reason;
        }),
      );
    const [was, is] = await Promise.all([read(before), read(after)]);
    const differ = was.filter((profile, j) => !isDeepStrictEqual(profile, is[j])).length;
    if (differ > 0) faults.push(`${differ} profiles differ`);
  }

  let counts = 0;
  for (const suffix of stored.shared.keys()) {
    const [was, is] = await Promise.all([sumsOf(from, suffix), sumsOf(to, suffix)]);
    counts += was.size;
    const kind = suffix.slice(suffix.lastIndexOf(':') + 1);
    const near = (a = 0, b = 0) => (kind === 'hll' ? Math.abs(a - b) <= Math.ceil(ESTIMATE * a) : a === b);
    const names = new Set([...was.keys(), ...is.keys()]);
    const differ = [...names].filter((name) => !near(was.get(name), is.get(name))).length;
    if (differ > 0) faults.push(`${differ} counts of ${kind} differ`);
  }
  return { profiles: users.length, counts, faults };
}

/** Over all shards; what is zero is not there. */
async function sumsOf({ redis, keys }: Side, suffix: Suffix): Promise<Map<string, number>> {
  const sums = new Map<string, number>();
  const add = (name: string, n: number) => {
    const sum = (sums.get(name) ?? 0) + n;
    if (sum === 0) sums.delete(name);
    else sums.set(name, sum);
  };
  const shards = Array.from({ length: keys.shards }, (_, shard) => `${keys.shard(shard)}:${suffix}`);
  await Promise.all(
    shards.map(async (key) => {
      if (suffix.endsWith(':hll')) {
        add('users', await redis.pfcount(key));
      } else if (suffix.endsWith(':pages')) {
        const flat = await redis.zrange(key, '0', '-1', 'WITHSCORES');
        for (let i = 0; i < flat.length; i += 2) add(flat[i]!, Number(flat[i + 1]));
      } else {
        for (const [name, n] of Object.entries(await redis.hgetall(key))) add(name, Number(n));
      }
    }),
  );
  return sums;
}
