// A planned failover, without a write lost. Redis's own loses about a second of them under Sentinel: the old master goes on
// taking writes while its replica is made master. So writes wait first, until a replica has everything.

import { setTimeout as delay } from 'node:timers/promises';
import { Redis, type RedisOptions } from 'ioredis';
import { CannotStart } from '../cannotStart.ts';
import type { HostPort } from '../config.ts';
import type { Clustered, Watched } from '../redis/place.ts';
import { SECOND } from '../time.ts';

/** A failover takes less. */
const FAILOVER = 10 * SECOND;
const CATCH_UP = 2 * SECOND;
/** How long writes wait at most: longer than all of it. */
const HELD = CATCH_UP + FAILOVER + 3 * SECOND;
const STEP = 20;

type Say = (line: string) => void;

/** Throws where it did not come to pass; then the master is the one it was. */
export async function failOverWatched(place: Watched, say: Say): Promise<void> {
  const sentinel = await reachAny(place.sentinels, place, {
    password: place.sentinelPassword,
    username: undefined,
  });
  const before = await masterBy(sentinel, place.master);
  const master = await reach(before, place);
  const online = replicasIn(await master.info('replication')).filter(({ state }) => state === 'online');
  const replicas = await Promise.all(online.map((replica) => reach(replica, place)));
  try {
    if (replicas.length === 0) throw new CannotStart(`${shown(before)} has no replica that is in sync`);
    say(`${shown(before)} is the master; its writes wait`);
    const since = performance.now();
    await master.client('PAUSE', HELD, 'WRITE');
    try {
      await until('not all replicas have caught up', CATCH_UP, () => areInSync(master, replicas));
      await sentinel.call('SENTINEL', 'FAILOVER', place.master);
      await until('the sentinels name no other master', FAILOVER, async () => {
        return shown(await masterBy(sentinel, place.master)) !== shown(before);
      });
    } catch (error) {
      await master.client('UNPAUSE');
      throw error;
    }
    const after = await masterBy(sentinel, place.master);
    say(`${shown(after)} is the master, after ${Math.round(performance.now() - since)} ms`);
    if (await unpause(before, place)) say(`${shown(before)} is its replica`);
  } finally {
    for (const redis of [sentinel, master, ...replicas]) redis.disconnect();
  }
}

/** In a cluster a replica takes over in agreement with its primary: that is what CLUSTER FAILOVER does by itself. */
export async function failOverInCluster(place: Clustered, primary: HostPort, say: Say): Promise<void> {
  const old = await reach(primary, place);
  try {
    const replicas = replicasIn(await old.info('replication')).filter(({ state }) => state === 'online');
    const [best] = replicas.sort((a, b) => b.offset - a.offset);
    if (!best) throw new CannotStart(`${shown(primary)} is no primary with a replica that is in sync`);
    const replica = await reach(best, place);
    try {
      const since = performance.now();
      await replica.call('CLUSTER', 'FAILOVER');
      await until(
        `${shown(best)} did not take over`,
        FAILOVER,
        async () => (await replica.role())[0] === 'master',
      );
      say(`${shown(best)} is the primary, after ${Math.round(performance.now() - since)} ms`);
    } finally {
      replica.disconnect();
    }
  } finally {
    old.disconnect();
  }
}

const shown = ({ host, port }: HostPort) => `${host}:${port}`;

async function masterBy(sentinel: Redis, name: string): Promise<HostPort> {
  const found = (await sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name)) as [string, string] | null;
  if (!found) throw new CannotStart(`the sentinels know no master ${name}: mend REDIS_MASTER`);
  return { host: found[0], port: Number(found[1]) };
}

/**
 * The pause would hold up what the old master is sent as a replica, too, so it is ended as soon as it is one, and not before.
 * If that fails, it ends by itself.
 */
async function unpause(node: HostPort, place: Watched): Promise<boolean> {
  const done = until('', HELD, async () => {
    const old = await reach(node, place).catch(() => undefined);
    if (!old) return false;
    try {
      if (!/^role:slave/m.test(await old.info('replication'))) return false;
      await old.client('UNPAUSE');
      return true;
    } catch {
      return false;
    } finally {
      old.disconnect();
    }
  });
  return done.then(
    () => true,
    () => false,
  );
}

/** What the master knows of a replica is a second old, so each is asked itself. */
async function areInSync(master: Redis, replicas: Redis[]): Promise<boolean> {
  const [wanted, ...had] = await Promise.all([master, ...replicas].map(offsetOf));
  return had.every((offset) => offset >= wanted!); // which of them is made master is the sentinels' choice
}

async function offsetOf(redis: Redis): Promise<number> {
  const info = await redis.info('replication').catch(() => '');
  return Number(/^master_repl_offset:(\d+)/m.exec(info)?.[1] ?? -1);
}

interface Replica extends HostPort {
  state: string;
  offset: number;
}

function replicasIn(info: string): Replica[] {
  return [...info.matchAll(/^slave\d+:ip=([^,]+),port=(\d+),state=(\w+),offset=(\d+)/gm)].map(
    ([, host, port, state, offset]) => ({
      host: host!,
      port: Number(port),
      state: state!,
      offset: Number(offset),
    }),
  );
}

async function until(otherwise: string, within: number, holds: () => Promise<boolean>): Promise<void> {
  for (const since = performance.now(); !(await holds()); await delay(STEP)) {
    if (performance.now() - since > within) throw new CannotStart(`${otherwise}; nothing was changed`);
  }
}

async function reachAny(
  nodes: HostPort[],
  place: Watched | Clustered,
  credentials: Pick<RedisOptions, 'username' | 'password'>,
): Promise<Redis> {
  for (const node of nodes) {
    const redis = await reach(node, { ...place, ...credentials }).catch(() => undefined);
    if (redis) return redis;
  }
  throw new CannotStart(`none of ${nodes.map(shown).join(', ')} answers`);
}

async function reach(
  { host, port }: HostPort,
  { username, password, tls }: Pick<Watched, 'username' | 'password' | 'tls'>,
): Promise<Redis> {
  const redis = new Redis({
    ...{ host, port, lazyConnect: true, retryStrategy: null, maxRetriesPerRequest: 0, protocol: 2 },
    ...{ connectTimeout: 2 * SECOND, commandTimeout: 2 * SECOND, disableClientInfo: true },
    ...(password !== undefined && { password, ...(username !== undefined && { username }) }),
    ...(tls && { tls: {} }),
  });
  redis.on('error', () => undefined);
  await redis.connect().catch(() => {
    redis.disconnect();
    throw new CannotStart(`${shown({ host, port })} does not answer`);
  });
  return redis;
}
