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
