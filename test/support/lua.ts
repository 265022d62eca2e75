// The scripts by their contracts: what goes in, what comes out, which keys a call touches.

import { type Event, identityOf, type Login, type PageView, type SiteEvent } from '../../src/events/event.ts';
import { createKeys, encodeId, type Keys, markDays, thing } from '../../src/redis/keys.ts';
import { assemble, type FootfallRedis, type RecordOutcome } from '../../src/redis/scripts.ts';
import { DAY, dateOf, datesBetween, dayOf, MINUTE, monthEnd, WINDOW_DAYS } from '../../src/time.ts';
import { snapshot, startRedis, type TestRedis, useRedis } from './redis.ts';
import { NOON } from './service.ts';

export const NOW = Date.parse(NOON);
export const TODAY = dayOf(NOW);
export const GAP = 30 * MINUTE;
export const MARGIN = 500; // what may pass, in ms, between a script's PEXPIRE and a test's PTTL

/** How long things are kept unless a test says otherwise, days. */
export const SITE_DAYS = 35;
export const LATE_DAYS = 35;
export const UNIQUES_DAYS = 400;
export const MARK_TTL = markDays(LATE_DAYS) * DAY;

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
  kind: 'view',
  userId,
  at: when,
  name: 'Home',
  ...more,
});

/** An event of a site that is no page view, by default a click on its front page. */
export const click = (userId: string, when: number, more: Partial<SiteEvent> = {}): SiteEvent => ({
  kind: 'event',
  userId,
  at: when,
  siteId: 'shop',
  type: 'click',
  path: '/',
  ...more,
});

export const login = (userId: string, when: number): Login => ({ kind: 'login', userId, at: when });

export interface Settings {
  now?: number;
  gap?: number;
  maxViews?: number;
  maxPages?: number;
  maxPaths?: number;
  lateDays?: number;
  /** Bytes; without it there is no archive. */
  outboxLimit?: number | '';
}

export interface Call {
  script: 'record' | 'profile' | 'days' | 'visitors' | 'erase';
  keys: string[];
  args: string[];
}

/** The calls as the contracts on top of the scripts ask for them. All users of a call are of the first one's shard. */
export function callsOver(keys: Keys) {
  const shardOf = (userId: string) => [keys.shard(keys.shardOf(userId))];
  const window = (now: number) => datesBetween(dayOf(now) - WINDOW_DAYS + 1, dayOf(now));
  return {
    record(events: Event[], settings: Settings = {}): Call {
      const { now = NOW, gap = GAP, maxViews = 1000, maxPages = 100, maxPaths = 100 } = settings;
      const { lateDays = LATE_DAYS, outboxLimit = '' } = settings;
      const today = dayOf(now);
      const dates = datesBetween(today - WINDOW_DAYS, today + 1);
      const kept = [maxPaths, SITE_DAYS, lateDays, LATE_DAYS + 1, UNIQUES_DAYS, outboxLimit];
      const limits = [gap, maxViews, maxPages, dates, ...kept];
      const entryOf = (event: Event) => (outboxLimit === '' ? [] : [JSON.stringify(event)]);
      return {
        script: 'record',
        keys: shardOf(events[0]!.userId),
        args: [
          ...[today * DAY, now - today * DAY, ...limits].map(String),
          ...events.flatMap((event) => [...argumentsOf(event), ...entryOf(event)]),
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
    visitors: (shard: number, thing: string, days = WINDOW_DAYS, now = NOW): Call => ({
      script: 'visitors',
      keys: [keys.shard(shard)],
      args: [datesBetween(dayOf(now) - days + 1, dayOf(now)), thing],
    }),
    erase(userId: string, { now = NOW, outboxLimit = '' }: Settings = {}): Call {
      const days = keys.storedDays(now);
      const first = days[0]!;
      const window = 1 + days.indexOf(dayOf(now) - WINDOW_DAYS + 1);
      const dates = datesBetween(first, days.at(-1)!);
      const months = keys.storedMonths(now).join(' ');
      return {
        script: 'erase',
        keys: shardOf(userId),
        args: [
          ...[now, MARK_TTL, encodeId(userId), first * DAY, dates, window, months].map(String),
          outboxLimit === '' ? '' : JSON.stringify(userId),
        ],
      };
    },
  };
}

/** An event's arguments, by the contract on top of `record.lua`. */
function argumentsOf(event: Event): string[] {
  const common = [encodeId(event.userId), String(event.at)];
  if (event.kind === 'login') {
    const day = dayOf(event.at);
    return ['login', ...common, dateOf(day), String(monthEnd(day) * DAY)];
  }
  const identified = [...common, identityOf(event)];
  if (event.kind === 'event') return ['event', ...identified, encodeId(event.siteId), event.type];
  const { name, url, siteId, path = url ?? name } = event;
  if (url === undefined && siteId === undefined) return ['view', ...identified, name];
  const things = [
    ...(url === undefined ? [] : [thing({ url }, undefined)]),
    ...(url === undefined || siteId === undefined ? [] : [thing({ url }, siteId)]),
    ...(siteId === undefined ? [] : [thing({ name }, siteId), thing(undefined, siteId)]),
  ];
  const site = siteId === undefined ? '' : encodeId(siteId);
  return ['visit', ...identified, name, site, path, String(things.length), ...things];
}

/** The scripts over a server of `useRedis`, with one shard unless told otherwise. */
export function scriptsOn(server: Server, shards = 1) {
  const keys = createKeys('ff', shards);
  const calls = callsOver(keys);
  const shardAndArgs = ({ keys: [shard], args }: Call): [string, string[]] => [shard!, args];
  return {
    keys,
    calls,
    /** What became of each event. */
    async record(events: Event[], settings?: Settings): Promise<RecordOutcome[]> {
      const reply = await server.redis.ffRecord(...shardAndArgs(calls.record(events, settings)));
      return reply.slice(0, events.length) as RecordOutcome[];
    },
    /** How often a page, a url or site, a path, a type had no room for a name of its own. */
    async folded(events: Event[], settings?: Settings): Promise<number[]> {
      const reply = await server.redis.ffRecord(...shardAndArgs(calls.record(events, settings)));
      return reply.slice(events.length) as number[];
    },
    profiles: (userIds: string[], settings?: Settings) =>
      server.redis.ffProfile(...shardAndArgs(calls.profile(userIds, settings))),
    days: (userId: string, settings?: Settings) =>
      server.redis.ffDays(...shardAndArgs(calls.days(userId, settings))),
    visitors: (thing: string, days?: number, now?: number) =>
      server.redis.ffVisitors(...shardAndArgs(calls.visitors(0, thing, days, now))),
    erase: (userId: string, settings?: Settings) =>
      server.redis.ffErase(...shardAndArgs(calls.erase(userId, settings))),
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
