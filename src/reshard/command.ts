// `npm run reshard`: everything that is stored, into other shards, another Redis or a cluster, while no service runs. The
// settings say where it is; the arguments where it goes.

import { parseArgs } from 'node:util';
import { CannotStart } from '../cannotStart.ts';
import { misused, withSettings } from '../command.ts';
import { type Config, readConfig } from '../config.ts';
import { readEnv } from '../env.ts';
import { SERVICE } from '../redis/connect.ts';
import { createKeys, encodeId } from '../redis/keys.ts';
import { checkMeta, storedSettings } from '../redis/meta.ts';
import { primariesOf } from '../redis/nodes.ts';
import { openStore } from '../redis/openStore.ts';
import { placeOf } from '../redis/place.ts';
import { startPrivateRedis } from '../redis/privateRedis.ts';
import { inspectNode } from '../redis/readiness.ts';
import type { FootfallRedis } from '../redis/scripts.ts';
import { SECOND } from '../time.ts';
import { copyAll, type Side } from './copy.ts';
import { findStored, type Stored } from './source.ts';
import { compare } from './verify.ts';

const USAGE = `npm run reshard -- [--shards N] [--key-prefix NAME]
    [--redis-url URL | --redis-cluster HOST:PORT,… | --redis-sentinels HOST:PORT,… --redis-master NAME] [--drop-source]
What is left out stays as the settings have it. --drop-source deletes what was copied, once both sides are equal.`;

/** Where it goes, by the settings that say so. */
const TARGET = {
  shards: 'SHARDS',
  'key-prefix': 'KEY_PREFIX',
  'redis-url': 'REDIS_URL',
  'redis-cluster': 'REDIS_CLUSTER',
  'redis-sentinels': 'REDIS_SENTINELS',
  'redis-master': 'REDIS_MASTER',
} as const;
const PLACES = ['REDIS_URL', 'REDIS_CLUSTER', 'REDIS_SENTINELS'];

const say = (line: string) => process.stdout.write(`${line}\n`);
const count = (n: number) => n.toLocaleString('en');

/** The settings after it, by what was asked for; undefined where that makes no sense. */
function targetOf(values: Record<string, string | boolean | undefined>): Record<string, string> | undefined {
  const given = Object.entries(TARGET).flatMap(([option, name]) => {
    const value = values[option];
    return typeof value === 'string' ? [[name, value] as const] : [];
  });
  return given.length > 0 ? Object.fromEntries(given) : undefined;
}

async function reshard(config: Config, asked: Record<string, string>, drop: boolean): Promise<void> {
  const env = readEnv();
  const elsewhere = PLACES.some((name) => asked[name] !== undefined);
  const kept = Object.fromEntries(
    Object.entries(env).filter(([name]) => !elsewhere || !PLACES.includes(name)),
  );
  const target = readConfig({ ...kept, ...(elsewhere && { SHARDS: '' }), ...asked });
  const own = placeOf(config)
    ? undefined
    : await startPrivateRedis(config.dataDir, config.durability, (_level, message) => say(message));
  const opened: FootfallRedis[] = [];
  try {
    const open = async (settings: Config): Promise<Side> => {
      const redis = await openStore(settings);
      opened.push(redis);
      return { redis, keys: createKeys(settings.keyPrefix, settings.shards, settings.lateLoginDays) };
    };
    const from = await open(config);
    const to = await open(target);
    await checkMeta(from.redis, from.keys, storedSettings(config));
    for (const { redis } of [from, to]) await mustBeAlone(redis);
    if ((await to.redis.exists(to.keys.meta)) > 0) {
      throw new CannotStart(
        `there is a ${to.keys.meta} already where it goes: choose another --key-prefix, or another Redis`,
      );
    }

    for (const node of primariesOf(to.redis)) {
      const { amiss } = await inspectNode(node, target.durability);
      if (amiss !== undefined) throw new CannotStart(amiss);
    }

    const now = Date.now();
    const since = performance.now();
    const stored = await findStored(from.redis, from.keys);
    say(
      `${count(stored.users.size)} users, ${count(stored.shared.size)} counts, ${count(stored.marks.length)} marks of erasures`,
    );
    await mustBeCarried(from.redis, stored.outboxes);
    if (stored.foreign.length > 0) {
      say(
        `${count(stored.foreign.length)} keys of ${from.keys.prefix} are not known to this version, and stay where they are`,
      );
    }
    let said = since;
    await copyAll({
      from,
      to,
      stored,
      now,
      onProgress(users) {
        if (performance.now() - said < SECOND) return;
        said = performance.now();
        say(`${count(users)} users copied`);
      },
    });
    const { profiles, counts, faults } = await compare({ ...config, from, to, stored, now });
    if (faults.length > 0)
      throw new CannotStart(`both sides differ, nothing was deleted: ${faults.join('; ')}`);
    await checkMeta(to.redis, to.keys, storedSettings(target));
    const seconds = (performance.now() - since) / SECOND;
    say(
      `${count(profiles)} profiles and ${count(counts)} counts are equal on both sides, after ${seconds.toFixed(1)} s`,
    );
    if (drop) {
      await mustBeAlone(from.redis);
      say(`${count(await dropCopied(from, stored))} keys deleted where it was`);
    } else say('What was copied is still there, and an erasure from now on misses it: see --drop-source');
    say('Start the service with');
    for (const [name, value] of Object.entries({ ...asked, SHARDS: String(target.shards) }))
      say(`  ${name}=${value}`);
  } finally {
    for (const redis of opened) redis.disconnect();
    await own?.stop();
  }
}

/** A service that runs would write on while its keys are read. */
async function mustBeAlone(redis: FootfallRedis): Promise<void> {
  for (const node of primariesOf(redis)) {
    const list = (await node.client('LIST')) as string;
    if (list.includes(` name=${SERVICE} `))
      throw new CannotStart('a service is connected to this Redis: stop it first');
  }
}

/** An outbox is in the order of its shard: what waits there belongs into the archive first. */
async function mustBeCarried(redis: FootfallRedis, outboxes: string[]): Promise<void> {
  for (const key of outboxes.filter((one) => !one.endsWith(':dead'))) {
    if ((await redis.xlen(key)) > 0) {
      throw new CannotStart('events wait for the archive: let npm run archive carry them first');
    }
  }
}

/** What was copied, and nothing else. */
async function dropCopied({ redis, keys }: Side, stored: Stored): Promise<number> {
  const { users, shared, marks, outboxes } = stored;
  let dropped = 0;
  const drop = async (some: string[]) => {
    for (const gone of await Promise.all(some.map((key) => redis.unlink(key)))) dropped += gone;
  };
  for (const [id, suffixes] of users) {
    const begin = `${keys.shard(keys.shardOf(id))}:user:${encodeId(id)}:`;
    await drop(suffixes.map((suffix) => begin + suffix));
  }
  for (const found of shared.values()) await drop(found.map(({ key }) => key));
  // What was put aside was not copied; it goes by itself.
  await drop([...marks, ...outboxes.filter((key) => !key.endsWith(':dead')), keys.meta]);
  return dropped;
}

const strings = Object.fromEntries(Object.keys(TARGET).map((name) => [name, { type: 'string' as const }]));
try {
  const { values } = parseArgs({ options: { ...strings, 'drop-source': { type: 'boolean' } } });
  const asked = targetOf(values);
  if (asked) await withSettings((config) => reshard(config, asked, values['drop-source'] === true));
  else misused(USAGE);
} catch (error) {
  misused(USAGE, (error as Error).message.split(/\. |\n/)[0]);
}
