// The Redis of a test, as `npm run test:topologies` wants it: by itself, under Sentinel, or as a cluster.

import { connectRedis } from '../../src/redis/connect.ts';
import { clusterOf, primariesOf } from '../../src/redis/nodes.ts';
import type { Place } from '../../src/redis/place.ts';
import type { FootfallRedis } from '../../src/redis/scripts.ts';
import type { TestRedis } from './redis.ts';
import { startCluster, startSentinels } from './topologies.ts';

const START = {
  async sentinel() {
    const { sentinels, name, nodes, stop } = await startSentinels();
    const place: Place = { sentinels: sentinels.map(hostPort), master: name };
    return { place, pid: nodes[0]!.pid(), url: `redis://127.0.0.1:${nodes[0]!.port}`, stop };
  },
  async cluster() {
    const { seeds, nodes, stop } = await startCluster();
    const place: Place = { nodes: seeds.map(hostPort) };
    return { place, pid: nodes[0]!.pid(), url: `redis://${seeds[0]}`, stop };
  },
};

type Topology = keyof typeof START;

/** Undefined where it is one Redis. */
export const topology = (process.env.TOPOLOGY || undefined) as Topology | undefined;

/** In as many shards as a service has there by default. */
export const usualShards = topology === 'cluster' ? 256 : 1;

export async function startTopology(kind: Topology): Promise<TestRedis> {
  const { place, pid, url, stop } = await START[kind]();
  const redis = connectRedis(place, 5000, 'footfall-test');
  redis.on('error', () => undefined);
  redis.connect().catch(() => undefined);
  await new Promise((resolve) => redis.once('ready', resolve));
  if (clusterOf(redis)) askAll(redis);
  return {
    redis,
    url,
    pid,
    async stop() {
      redis.disconnect();
      await stop();
    },
  };
}

/** What a test asks of all keys, a cluster is asked node by node. */
function askAll(redis: FootfallRedis): void {
  const each = <T>(ask: (node: ReturnType<typeof primariesOf>[number]) => Promise<T>) =>
    Promise.all(primariesOf(redis).map(ask));
  Object.assign(redis, {
    flushall: async () => (await each((node) => node.flushall()))[0],
    keys: async (pattern: string) => (await each((node) => node.keys(pattern))).flat(),
    dbsize: async () => (await each((node) => node.dbsize())).reduce((sum, size) => sum + size, 0),
  });
}

function hostPort(address: string) {
  const [host, port] = address.split(':');
  return { host: host!, port: Number(port) };
}
