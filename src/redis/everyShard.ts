// A number about everybody is the sum over shards: each user lives in one of them.

import { fromRedis } from './errors.ts';
import type { Keys } from './keys.ts';

export async function sumOverShards(keys: Keys, ask: (shard: number) => Promise<number>): Promise<number> {
  const parts = await onEveryShard(keys, ask);
  return parts.reduce((sum, part) => sum + part, 0);
}

export async function onEveryShard<T>(keys: Keys, ask: (shard: number) => Promise<T>): Promise<T[]> {
  try {
    return await Promise.all(Array.from({ length: keys.shards }, (_, shard) => ask(shard)));
  } catch (error) {
    throw fromRedis(error);
  }
}
