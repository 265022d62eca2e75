// Counts of days that are past: nobody writes to them any more but a replay.

import type { ChainableCommander } from 'ioredis';
import { Damaged, fromRedis } from '../../redis/errors.ts';
import type { Keys } from '../../redis/keys.ts';
import type { FootfallRedis } from '../../redis/scripts.ts';
import type { Queryable } from '../database.ts';
import type { Patiently } from './patience.ts';

/** How many keys are looked at and written at once. */
const AT_ONCE = 64;
const FIELDS = 500; // of one command

export interface Past {
  redis: FootfallRedis;
  keys: Keys;
  database: Queryable;
  now: number;
  patiently: Patiently;
  /** So many more events have been read. */
  onRead(count: number): void;
  /** A key holds something else than it should, and stays as it is. */
  onDamaged(): void;
  stopped(): boolean;
}

/** Writes each count that says so, not too many at once; how many were written. */
export async function writeEach<T>(
  { patiently, onDamaged }: Past,
  counts: Iterable<T>,
  write: (count: T) => Promise<boolean>,
): Promise<number> {
  const left = counts[Symbol.iterator]();
  let written = 0;
  const worker = async () => {
    for (let next = left.next(); !next.done; next = left.next()) {
      const { value } = next;
      try {
        if (await patiently(() => write(value))) written++;
      } catch (error) {
        if (!(error instanceof Damaged)) throw error;
        onDamaged();
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return written;
}

/**
 * Whether a hash counts less than the archive does. It may well count more: of somebody who was erased since, totals stay,
 * and the archive knows nothing. One that was lost, or that a replay which was cut off has begun, counts less.
 */
export async function countsLess(
  redis: FootfallRedis,
  key: string,
  counts: ReadonlyMap<string, number>,
  fields = /^/,
): Promise<boolean> {
  const stored = await redis.hgetall(key).catch((error) => {
    throw ours(error);
  });
  const sum = (all: Iterable<[string, unknown]>) =>
    [...all].reduce((total, [field, n]) => total + (fields.test(field) ? Number(n) || 0 : 0), 0);
  return sum(Object.entries(stored)) < sum(counts);
}

/** All of it, or nothing. */
export async function run(chain: ChainableCommander): Promise<void> {
  const replies = (await chain.exec().catch((error) => {
    throw ours(error);
  })) as [Error | null, unknown][];
  for (const [error] of replies) if (error) throw ours(error);
}

const ours = (error: Error) => (error.message.startsWith('WRONGTYPE') ? new Damaged() : fromRedis(error));

export function* chunksOf<T>(all: T[], size = FIELDS): Generator<T[]> {
  for (let i = 0; i < all.length; i += size) yield all.slice(i, i + size);
}
