// Whether Redis can be worked with: it answers, it is new enough, it forgets nothing by itself, and it holds what these
// settings can read. Checked whenever the connection comes up, and again while something is amiss.

import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { CannotStart } from '../cannotStart.ts';
import type { Config } from '../config.ts';
import { SECOND } from '../time.ts';
import type { Keys } from './keys.ts';
import { checkMeta, type StoredSettings } from './meta.ts';
import { clusterOf, nodeOf, primariesOf } from './nodes.ts';
import { commandsOfScripts, type FootfallRedis } from './scripts.ts';

const OLDEST_REDIS = 7; // scripts with flags
const { always, forArchive } = commandsOfScripts();
const CHECK_AGAIN = 2 * SECOND;
/** Somebody may change a running Redis. */
const CHECK_ALL_WELL = 15 * SECOND;
/** A cluster says of itself that a node has gone, or is there again; what then follows takes a moment. */
const CHECK_AFTER_CHANGE = SECOND / 10;

export interface Readiness {
  /** Why no work can be done now, if so. */
  unreadyBecause(): string | undefined;
  /** What can't be done now, while the rest can. */
  degradedBecause(): string | undefined;
  /** Resolves with the first answer that Redis gives; rejects with a CannotStart if it can never do. */
  started: Promise<void>;
  shardsAway(): number;
  /** Whether Redis does not do what DURABILITY promises. */
  nothingIsKept(): boolean;
  /** Whether what is stored is of other settings than these: nothing of ours may be written to it. */
  isForeign(): boolean;
  stop(): void;
}

export interface ReadinessOptions {
  redis: FootfallRedis;
  /** The setting that names it. */
  setting: string;
  durability: Config['durability'];
  keys: Keys;
  depends: StoredSettings;
  log: Logger;
}

export function watchReadiness(options: ReadinessOptions): Readiness {
  const { redis, setting, keys, depends, log } = options;
  const cluster = clusterOf(redis);
  let trouble: string | undefined = 'starting';
  let found: Found = {};
  let metaHolds = false; // whether it has been looked at
  let isForeign = false;
  let settled = false; // whether `started` is
  let lastWarning: string | undefined;
  let again: NodeJS.Timeout | undefined;
  let stopped = false;
  let failed = false; // the connection that is being made
  const said = new Set<string>();
  let settle: { resolve: () => void; reject: (error: Error) => void };
  const started = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });
  started.catch(() => undefined); // whoever waits for it hears it

  function say(message: string): void {
    if (!said.has(message)) log.warn(message); // once, not at every attempt
    said.add(message);
  }

  function refuse(error: CannotStart): void {
    isForeign = true;
    trouble = error.message;
    if (settled) say(error.message);
    else settle.reject(error);
    settled = true;
  }

  async function check(): Promise<void> {
    clearTimeout(again);
    try {
      found = await inspect(options);
      // Its node may be away, and it does not change under a service that runs.
      if (!metaHolds || found.degraded === undefined) await checkMeta(redis, keys, depends);
      metaHolds = true;
      isForeign = false;
      if (found.warning !== undefined && found.warning !== lastWarning) log.warn(found.warning);
      lastWarning = found.warning;
      trouble = found.amiss;
    } catch (error) {
      if (error instanceof CannotStart) {
        refuse(error);
        lookAgain(CHECK_AGAIN);
        return;
      }
      if (redis.status !== 'ready') return; // the next connection is checked again
      trouble = `Redis does not do what it must (${wordOf(error as Error)})`;
    }
    const amiss = trouble ?? found.degraded;
    if (amiss === undefined) {
      if (said.size > 0) log.info('ready again');
      said.clear();
      lookAgain(CHECK_ALL_WELL);
    } else {
      say(amiss);
      lookAgain(CHECK_AGAIN);
    }
    settled = true;
    settle.resolve();
  }

  function lookAgain(after: number): void {
    clearTimeout(again);
    if (!stopped) again = setTimeout(check, after).unref();
  }

  function hear(error: Error): void {
    const hopeless = HOPELESS.find(([pattern]) => pattern.test(error.message));
    if (hopeless) refuse(new CannotStart(hopeless[1].replace('SETTING', setting)));
    else if (!error.message.startsWith('Stream isn')) unreachable(wordOf(error)); // that one only follows another
  }

  redis.on('ready', () => {
    // Another may answer now, or the same with other settings.
    if (options.durability === 'disk') found = { ...found, nothingIsKept: true };
    void check();
  });
  redis.on('connect', () => {
    failed = false;
  });
  redis.on('error', (error: Error & { lastNodeError?: Error }) => {
    failed = true;
    hear(error.lastNodeError ?? error);
  });
  redis.on('close', () => {
    if (!failed && !stopped) unreachable('it closed the connection');
  });
  let isDue = false;
  for (const change of ['node error', '+node', '-node']) {
    cluster?.on(change, () => {
      if (isDue || redis.status !== 'ready') return;
      isDue = true; // those that follow do not put it off
      setTimeout(() => {
        isDue = false;
        if (!stopped) void check();
      }, CHECK_AFTER_CHANGE).unref();
    });
  }

  function unreachable(why: string): void {
    say(`Redis can't be reached (${why}); trying again`);
  }

  return {
    unreadyBecause: () => (redis.status === 'ready' ? trouble : 'Redis does not answer'),
    degradedBecause: () => found.degraded,
    shardsAway: () => found.away ?? 0,
    nothingIsKept: () => found.nothingIsKept ?? false,
    isForeign: () => isForeign,
    started,
    stop() {
      stopped = true;
      clearTimeout(again);
    },
  };
}

/** What no waiting mends. */
const HOPELESS: [RegExp, string][] = [
  [
    /^(NOAUTH|WRONGPASS)|invalid password/,
    'Redis asks for another password: put it into REDIS_PASSWORD, or into REDIS_URL, redis://[user]:password@host',
  ],
  [
    /DB index/,
    'Redis has no database of the number in REDIS_URL: leave it out, or raise databases in redis.conf',
  ],
  [/Unknown RESP type/, 'What answers at SETTING is not a Redis: mend its host or port'],
];

/** The kind of an error, without what it was about: ioredis's messages can hold arguments. */
function wordOf(error: Error & { code?: string }): string {
  if (/timed? ?out/i.test(error.message)) return 'it does not answer';
  return error.code ?? /^[A-Z]{3,}\b/.exec(error.message)?.[0] ?? error.name;
}

export interface Found {
  /** Why nothing can be done with it. */
  amiss?: string;
  /** What of it can't be. */
  degraded?: string;
  /** Shards. */
  away?: number;
  nothingIsKept?: boolean;
  warning?: string | undefined;
}

/** What is amiss with Redis, if anything. Throws if it can never do, or none of its nodes answers. */
async function inspect({ redis, setting, durability, keys, depends }: ReadinessOptions): Promise<Found> {
  const nodes = primariesOf(redis);
  const inspected = await Promise.allSettled(nodes.map((node) => inspectNode(node, durability)));
  const answered = inspected.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const hopeless = inspected.find((one) => one.status === 'rejected' && one.reason instanceof CannotStart);
  if (hopeless?.status === 'rejected') throw hopeless.reason;
  if (answered.length === 0)
    throw (inspected[0] as PromiseRejectedResult | undefined)?.reason ?? new Error('no node');
  const warning = answered.find((one) => one.warning)?.warning;
  const bad = answered.find((one) => one.amiss);
  if (bad) return { ...bad, warning };

  const good = new Set(nodes.filter((_, i) => inspected[i]!.status === 'fulfilled'));
  const here: string[] = [];
  for (let shard = 0; shard < keys.shards; shard++) {
    const node = nodeOf(redis, keys.shard(shard));
    if (node && good.has(node)) here.push(keys.shard(shard));
  }
  if (here.length === 0) return { amiss: 'no shard can be reached', warning };
  // A script that is refused a command in its middle has written half.
  const refused = await redis.ffRights(here[0]!, depends.hasArchive ? [...always, ...forArchive] : always);
  if (refused.length > 0) {
    const mend = 'give it the rules of docs/security.md';
    return { amiss: `the Redis user of ${setting} may not run ${refused.join(', ')}: ${mend}`, warning };
  }
  const away = keys.shards - here.length;
  const degraded =
    away > 0 ? `${away} of ${keys.shards} shards are away` : answered.find((one) => one.degraded)?.degraded;
  return { warning, away, ...(degraded !== undefined && { degraded }) };
}

/** What is amiss with one node, if anything. */
export async function inspectNode(node: Redis, durability: Config['durability']): Promise<Found> {
  const info = await node.info();
  const field = (name: string) => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1];
  const version = field('redis_version') ?? '0';
  if (Number.parseInt(version, 10) < OLDEST_REDIS) {
    throw new CannotStart(`Redis ${version} is too old: install Redis ${OLDEST_REDIS} or newer, or Valkey`);
  }
  const hasFile = field('aof_enabled') === '1';
  const warning = hasFile
    ? undefined
    : 'Redis keeps no append-only file, so a crash loses data: redis-cli CONFIG SET appendonly yes';
  const policy = field('maxmemory_policy');
  if (policy !== 'noeviction') {
    const mend = 'redis-cli CONFIG SET maxmemory-policy noeviction';
    return { amiss: `Redis may drop profiles in silence (maxmemory-policy ${policy}): ${mend}`, warning };
  }
  const [most, used] = [Number(field('maxmemory')), Number(field('used_memory'))];
  if (most > 0 && used >= most) return { degraded: 'Redis is full: events are refused', warning };
  if (durability === 'disk') return { warning, ...(await inspectDisk(node, hasFile)) };
  if (durability === 'replica') {
    await node.wait(0, 0); // whether it may
    const isFollowed = /^slave\d+:.*state=online/m.test(info);
    return { warning, ...(!isFollowed && { degraded: 'Redis has no replica: events are refused' }) };
  }
  return { warning };
}

async function inspectDisk(node: Redis, hasFile: boolean): Promise<Found> {
  const [, appendfsync] = (await node.config('GET', 'appendfsync')) as string[];
  if (hasFile && appendfsync === 'always') return {};
  const is = hasFile ? `appendfsync ${appendfsync}` : 'appendonly no';
  const mend = 'redis-cli CONFIG SET appendonly yes, and CONFIG SET appendfsync always';
  return {
    amiss: `DURABILITY=disk, but Redis does not sync before it answers (${is}): ${mend}`,
    nothingIsKept: true,
  };
}
