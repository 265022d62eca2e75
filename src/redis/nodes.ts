// The nodes behind a client: of a cluster its primaries, otherwise the one Redis.

import { Cluster, type Redis } from 'ioredis';
import type { FootfallRedis } from './scripts.ts';
import { slotOf } from './shards.ts';

export function clusterOf(redis: FootfallRedis): Cluster | undefined {
  const any: unknown = redis;
  return any instanceof Cluster ? any : undefined;
}

export function primariesOf(redis: FootfallRedis): Redis[] {
  return clusterOf(redis)?.nodes('master') ?? [redis];
}

/** The node that a key lies on, as far as the client knows. */
export function nodeOf(redis: FootfallRedis, key: string): Redis | undefined {
  const cluster = clusterOf(redis);
  if (!cluster) return redis;
  const address = cluster.slots[slotOf(key)]?.[0];
  return cluster.nodes('master').find(({ options }) => `${options.host}:${options.port}` === address);
}

const KEYS_A_STEP = 1000; // about 2.5 ms of Redis's time

/** All keys of a pattern that a node has, a step at a time, for as long as it may go on. One may come twice. */
export async function* keysOn(
  node: Redis,
  pattern: string,
  mayGoOn: () => boolean = () => true,
): AsyncGenerator<string[]> {
  let cursor = '0';
  do {
    if (!mayGoOn()) return;
    const [next, found] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', KEYS_A_STEP);
    yield found;
    cursor = next;
  } while (cursor !== '0');
}
