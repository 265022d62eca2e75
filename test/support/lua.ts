// The scripts by their contracts: what goes in, what comes out, which keys a call touches.

import { identityOf, type PageView } from '../../src/events/pageView.ts';
import { createKeys, encodeId, type Keys, MARK_TTL } from '../../src/redis/keys.ts';
import { assemble, type FootfallRedis } from '../../src/redis/scripts.ts';
import { DAY, dateOf, datesBetween, dayOf, MINUTE, WINDOW_DAYS } from '../../src/time.ts';
import { snapshot, startRedis, type TestRedis, useRedis } from './redis.ts';
import { NOON } from './service.ts';

export const NOW = Date.parse(NOON);
export const TODAY = dayOf(NOW);
export const GAP = 30 * MINUTE;
export const MARGIN = 500; // what may pass, in ms, between a script's PEXPIRE and a test's PTTL

export type Server = ReturnType<typeof useRedis>;

/** The same suite over a single Redis and over a cluster of one node. */
export function overEachRedis(suite: (server: Server, cluster: boolean) => void) {
  let cluster: Promise<TestRedis>;
  let started: TestRedis;
  beforeAll(() => {
    cluster = startRedis({ cluster: true }); // it takes writes after 2 s: the other is tested meanwhile
    cluster.catch(() => undefined);
  });
  afterAll(async () => (await cluster).stop());

  describe('on a single Redis', () => suite(useRedis(), false));

  describe('on a cluster', () => {
    beforeAll(async () => {
      started = await cluster;
    });
    beforeEach(() => started.redis.flushall());
    const server = {
      get redis() {
        return started.redis;
      },
      get url() {
        return started.url;
      },
      get pid() {
        return started.pid;
      },
    };
    suite(server, true);
  });
}

/** A time of today, or of so many days from it: `at('10:00')`, `at('23:59:59.999', -1)`. */
export const at = (time: string, days = 0): number => Date.parse(`${dateOf(TODAY + days)}T${time}Z`);

export const view = (userId: string, when: number, more: Partial<PageView> = {}): PageView => ({
  userId,
  at: when,
  name: 'Home',
  ...more,
});

export interface Settings {
  now?: number;
  gap?: number;
  maxViews?: number;
  maxPages?: number;
}

export interface Call {
  script: 'record' | 'profile' | 'days' | 'erase';
  keys: string[];
  args: string[];
}

/** The calls as the contracts on top of the scripts ask for them. All users of a call are of the first one's shard. */
export function callsOver(keys: Keys) {
  const shardOf = (userId: string) => [keys.shard(keys.shardOf(userId))];
  const window = (now: number) => datesBetween(dayOf(now) - WINDOW_DAYS + 1, dayOf(now));
  return {
    record(views: PageView[], settings: Settings = {}): Call {
      const { now = NOW, gap = GAP, maxViews = 1000, maxPages = 100 } = settings;
      const today = dayOf(now);
      const dates = datesBetween(today - WINDOW_DAYS, today + 1);
      return {
        script: 'record',
        keys: shardOf(views[0]!.userId),
        args: [
          ...[today * DAY, now - today * DAY, gap, maxViews, maxPages, dates].map(String),
          ...views.flatMap((v) => [encodeId(v.userId), String(v.at), identityOf(v), v.name]),
        ],
      };
    },
    profile: (userIds: string[], { now = NOW, gap = GAP }: Settings = {}): Call => ({
      script: 'profile',
      keys: shardOf(userIds[0]!),
      args: [String(gap), window(now), ...userIds.map(encodeId)],
    }),
    days: (userId: string, { now = NOW, gap = GAP }: Settings = {}): Call => ({
      script: 'days',
      keys: shardOf(userId),
      args: [String(gap), window(now), encodeId(userId)],
    }),
    erase: (userId: string, { now = NOW }: Settings = {}): Call => ({
      script: 'erase',
      keys: [keys.erased(userId), ...keys.ofUser(userId, now)],
      args: [now, MARK_TTL, ...keys.storedDays(now).map((day) => day * DAY)].map(String),
    }),
  };
}

/** The scripts over a server of `useRedis`, with one shard unless told otherwise. */
export function scriptsOn(server: Server, shards = 1) {
  const keys = createKeys('ff', shards);
  const calls = callsOver(keys);
  const shardAndArgs = ({ keys: [shard], args }: Call): [string, string[]] => [shard!, args];
  return {
    keys,
    calls,
    record: (views: PageView[], settings?: Settings) =>
      server.redis.ffRecord(...shardAndArgs(calls.record(views, settings))),
    profiles: (userIds: string[], settings?: Settings) =>
      server.redis.ffProfile(...shardAndArgs(calls.profile(userIds, settings))),
    days: (userId: string, settings?: Settings) =>
      server.redis.ffDays(...shardAndArgs(calls.days(userId, settings))),
    erase(userId: string, settings?: Settings) {
      const call = calls.erase(userId, settings);
      return server.redis.ffErase(call.keys.length, [...call.keys, ...call.args]);
    },
  };
}

/** Runs a script with redis.call and redis.pcall wrapped: its reply, and every key that it named to Redis. */
export async function traced(redis: FootfallRedis, { script, keys, args }: Call) {
  const [shebang, ...body] = assemble(script).split('\n');
  const text = [
    shebang,
    `local commands, real = {}, redis
     local function kept(run)
       return function(...)
         local command = { ... }
         for i = 1, #command do command[i] = tostring(command[i]) end
         commands[#commands + 1] = command
         return run(...)
       end
     end
     local redis = setmetatable({ call = kept(real.call), pcall = kept(real.pcall) }, { __index = real })
     local function main()`,
    ...body,
    `end
     local reply = main()
     return { reply, commands }`,
  ].join('\n');
  const [reply, commands] = (await redis.eval(text, keys.length, ...keys, ...args)) as [unknown, string[][]];
  const named = await Promise.all(commands.map((command) => redis.call('COMMAND', 'GETKEYS', ...command)));
  return { reply, keys: [...new Set((named as string[][]).flat())].sort() };
}

/** Everything in Redis and when it goes. */
export async function everything(redis: FootfallRedis) {
  const stored = await snapshot(redis);
  const ends = await Promise.all([...stored.keys()].map((key) => redis.pexpiretime(key)));
  return { stored, ends };
}

/** What `action` answers; fails if it changed anything in Redis, an expiry included. */
export async function withoutAChange<T>(redis: FootfallRedis, action: () => Promise<T>): Promise<T> {
  const before = await everything(redis);
  const answer = await action();
  expect(await everything(redis)).toEqual(before);
  return answer;
}

/** Ids that mean something to keys, patterns, hash tags, JavaScript or the layout itself. */
export const HOSTILE_IDS = [
  ...['a', 'a:b', '{0}', '}{', '{', '*', '%', '%3A', '%2A', '[x]', '\\', 'a\\*', '?', '"', "'", ' '],
  ...['😀', 'مرحبا', 'שלום', '\u00e9', 'e\u0301', '__proto__', 'constructor'],
  ...['ff', 'user', 'erased', 'visits', 'meta', dateOf(TODAY), '0', '019mr8mf4r'],
];

const TYPES: Record<string, (redis: FootfallRedis, key: string) => Promise<unknown>> = {
  'a string': (redis, key) => redis.set(key, '7'),
  'a list': (redis, key) => redis.rpush(key, '7'),
  'a set': (redis, key) => redis.sadd(key, '7'),
  'a hash': (redis, key) => redis.hset(key, 'views', '7'),
  'a sorted set': (redis, key) => redis.zadd(key, 7, 'views'),
};

/** Every type but the right one, and how to plant it. */
export const wrongTypes = (...right: string[]) =>
  Object.entries(TYPES).filter(([type]) => !right.includes(type));
