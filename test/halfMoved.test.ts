// A cluster moves a slot key by key. A script that ran on the half that has moved would begin the user anew there, and the
// other half could not follow any more: so none runs until all of it is in one place.

import { setTimeout as delay } from 'node:timers/promises';
import { connectRedis } from '../src/redis/connect.ts';
import { createKeys } from '../src/redis/keys.ts';
import type { FootfallRedis } from '../src/redis/scripts.ts';
import { slotOf } from '../src/redis/shards.ts';
import { profileWith, startApi, stopServer } from './support/http.ts';
import { type Cluster, type Node, startCluster } from './support/topologies.ts';

let cluster: Cluster;
let redis: FootfallRedis;
beforeAll(async () => {
  cluster = await startCluster({ primaries: 2, replicas: 0 });
  const nodes = cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
  redis = connectRedis({ nodes }, 3000);
  redis.on('error', () => undefined);
  redis.connect().catch(() => undefined);
  await new Promise((resolve) => redis.once('ready', resolve));
});
afterAll(async () => {
  redis.disconnect();
  await cluster.stop();
});

/** Begins to move the slot of a key; gives what moves some of its keys, and what ends it. */
async function beginMove(key: string) {
  const slot = slotOf(key);
  const [a, b] = cluster.nodes as [Node, Node];
  const [from, to] = (await cluster.slotsOf(a)).includes(slot) ? [a, b] : [b, a];
  const idOf = async (node: Node) => String(await node.redis.call('CLUSTER', 'MYID'));
  await to.redis.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', await idOf(from));
  await from.redis.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', await idOf(to));
  return {
    keys: () => from.redis.call('CLUSTER', 'GETKEYSINSLOT', slot, 100) as Promise<string[]>,
    move: (keys: string[]) => from.redis.call('MIGRATE', '127.0.0.1', to.port, '', 0, 2000, 'KEYS', ...keys),
    async end() {
      for (const { redis } of [to, from])
        await redis.call('CLUSTER', 'SETSLOT', slot, 'NODE', await idOf(to));
    },
  };
}

test.each([1, 256])(
  'what comes while a slot is half moved waits for the other half; SHARDS=%s',
  async (shards) => {
    const prefix = `half${shards}`;
    const api = await startApi(redis, { shards, keyPrefix: prefix });
    try {
      await api.view({ event_id: 'first' });
      const keys = createKeys(prefix, shards);
      const slot = await beginMove(keys.shard(keys.shardOf('ann')));
      const [one, ...others] = await slot.keys();
      await slot.move([one!]);

      let settled = 0;
      const count = <T>(answer: Promise<T>) => answer.finally(() => settled++);
      const writes = Promise.all(['second', 'third'].map((event_id) => count(api.view({ event_id }))));
      const read = count(api.profile('ann'));
      await delay(300);
      expect(settled).toBe(0);

      await slot.move(others);
      await delay(100);
      await slot.end();
      expect(await writes).toEqual(['recorded', 'recorded']);
      expect((await read).number_pages_viewed_in_the_last_7_days).toBeGreaterThanOrEqual(1);
      expect(await api.profile('ann')).toEqual(profileWith('ann', [3, 0, 1, 'Home']));
      expect(await api.view({ event_id: 'first' })).toBe('duplicate');
      expect(await api.erase('ann')).toMatchObject({ keys_deleted: 3 });
    } finally {
      await stopServer(api.server);
    }
  },
);
