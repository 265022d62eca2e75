import type { Redis } from 'ioredis';
import type { Config } from '../config.ts';
import { connectRedis } from '../redis/connect.ts';
import { dataDirAt } from '../redis/dataDir.ts';
import { clusterOf, primariesOf } from '../redis/nodes.ts';
import { placeOf, settingOf } from '../redis/place.ts';
import type { FootfallRedis } from '../redis/scripts.ts';
import { SECOND } from '../time.ts';
import { lookAtNode } from './node.ts';
import { infoOf } from './nodeInfo.ts';
import { notLookedAt, type Place, wordOf } from './place.ts';
import { lookAtPostgres } from './postgres.ts';

/** Looks for a person's id everywhere it may be. */
export async function prove(redis: FootfallRedis, config: Config, userId: string): Promise<Place[]> {
  const { keyPrefix: prefix } = config;
  const places: Place[] = [];
  for (const node of primariesOf(redis)) {
    places.push(...(await lookAtNode({ node, prefix, userId, ...whereIs(redis, node, config) })));
    places.push(...(await lookAtReplicas(node, prefix, userId)));
  }
  return [...places, ...(await lookAtArchive(redis, config, userId))];
}

function whereIs(redis: FootfallRedis, node: Redis, config: Config): { at: string; folder?: string } {
  const place = placeOf(config);
  if (place === undefined) return { at: 'The private Redis', folder: dataDirAt(config.dataDir).files };
  const { host, port } = node.options;
  return { at: clusterOf(redis) ? `Redis ${host}:${port}` : `The Redis of ${settingOf(place)}` };
}

const ANSWER_WITHIN = 10 * SECOND;

/** They have files of their own. */
async function lookAtReplicas(primary: Redis, prefix: string, userId: string): Promise<Place[]> {
  const info = await infoOf(primary, 'replication').catch((): Record<string, string> => ({}));
  const places: Place[] = [];
  for (const [name, text] of Object.entries(info)) {
    const [, host, port] = (/^slave\d+$/.test(name) && /ip=([^,]+),port=(\d+)/.exec(text)) || [];
    if (host === undefined) continue;
    const at = `Its replica ${host}:${port}`;
    const { username, password, tls } = primary.options;
    const url = `${tls ? 'rediss' : 'redis'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
    const node = connectRedis({ url, username, password }, ANSWER_WITHIN, 'footfall-command');
    node.on('error', () => undefined); // the call hears it
    try {
      await node.connect();
      places.push(...(await lookAtNode({ node, at, prefix, userId, isReplica: true })));
    } catch (error) {
      places.push(
        notLookedAt(at, 'all of it', wordOf(error), `redis-cli -h ${host} -p ${port} BGREWRITEAOF`),
      );
    } finally {
      node.disconnect();
    }
  }
  return places;
}

/** Redis remembers whether there is one. */
async function lookAtArchive(redis: FootfallRedis, config: Config, userId: string): Promise<Place[]> {
  if (config.databaseUrl !== undefined) return lookAtPostgres(config.databaseUrl, userId);
  const hasArchive = await redis.hexists(`${config.keyPrefix}:meta`, 'archive');
  return hasArchive
    ? [notLookedAt('Postgres', 'events', 'DATABASE_URL is not set, yet there is an archive')]
    : [];
}
