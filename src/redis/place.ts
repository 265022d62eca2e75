// Where Redis is: one by itself, the one that sentinels call master, or a cluster.

import type { Config, HostPort } from '../config.ts';

export type Place = One | Watched | Clustered;

interface Credentials {
  username?: string | undefined;
  password?: string | undefined;
}

export interface One extends Credentials {
  /** `redis://`, `rediss://` or `unix://`. */
  url: string;
}

export interface Watched extends Credentials {
  sentinels: HostPort[];
  /** What they call the master. */
  master: string;
  sentinelPassword?: string | undefined;
  tls?: boolean;
}

export interface Clustered extends Credentials {
  /** Some of its nodes. */
  nodes: HostPort[];
  tls?: boolean;
}

/** What the settings say; undefined if they leave it to us. */
export function placeOf(config: Config): Place | undefined {
  const { redisUrl, redisSentinels, redisCluster, redisPassword, redisTls: tls } = config;
  const credentials = redisPassword && { username: config.redisUsername, password: redisPassword };
  if (redisSentinels) {
    const sentinelPassword = config.redisSentinelPassword;
    return { sentinels: redisSentinels, master: config.redisMaster, sentinelPassword, tls, ...credentials };
  }
  if (redisCluster) return { nodes: redisCluster, tls, ...credentials };
  return redisUrl === undefined ? undefined : { url: redisUrl, ...credentials };
}

/** The setting that names it: an address may hold a password. */
export function settingOf(place: Place): 'REDIS_URL' | 'REDIS_SENTINELS' | 'REDIS_CLUSTER' {
  if ('url' in place) return 'REDIS_URL';
  return 'nodes' in place ? 'REDIS_CLUSTER' : 'REDIS_SENTINELS';
}
