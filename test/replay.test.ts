// `npm run replay`: what the archive holds, into Redis again. Afterwards everything is as it was, but for what the archive was
// made to forget.

import { isDeepStrictEqual } from 'node:util';
import pg from 'pg';
import type { SiteReport } from '../src/answers.ts';
import { everythingAt } from '../src/archive/replay/plan.ts';
import type { ReplayOptions } from '../src/archive/replay/replay.ts';
import { migrate } from '../src/archive/schema.ts';
import { connectRedis } from '../src/redis/connect.ts';
import { DAY, dateOf, dayOf, MINUTE } from '../src/time.ts';
import { everything } from './support/lua.ts';
import { usePostgres } from './support/postgres.ts';
import { until, useProcesses } from './support/process.ts';
import {
  answersOf,
  BUSY,
  CAPS,
  heldUnder,
  historyOf,
  tell,
  USERS,
  type World,
  type WorldOptions,
} from './support/rebuilt.ts';
import { useRedis } from './support/redis.ts';
import { service } from './support/service.ts';

const processes = useProcesses();
const server = useRedis();
const postgres = usePostgres();

let world: World;
let atEnd: () => unknown = () => undefined;
afterEach(async () => {
  await atEnd();
  atEnd = () => undefined;
});

async function told(seed: number, config: WorldOptions['config'] = {}): Promise<void> {
  const databaseUrl = await postgres.freshDatabase();
  world = await tell(historyOf(seed), { redis: server.redis, databaseUrl, config });
  atEnd = world.end;
}

const held = (prefix: string) => heldUnder(server.redis, prefix, world.clock(), 35);

/** Every key, value and end. Of marks, the end may be later by as much as the erased was ahead of the clock. */
async function expectTheTwin(): Promise<void> {
  const [is, was] = [await held('ff'), await held('twin')];
  expect([...is.keys()]).toEqual([...was.keys()]);
  const contents = (of: typeof is) => Object.fromEntries([...of].map(([key, { content }]) => [key, content]));
  expect(contents(is)).toEqual(contents(was));
  const moved = [...is].filter(([key, { left }]) => !(Math.abs(left - was.get(key)!.left) < MINUTE));
  expect(moved).toEqual([]);
}

describe.each([1, 7])('with %i shards', (shards) => {
  beforeEach(() => told(shards, { ...CAPS, shards }));

  test('a Redis that was lost is as it was, without those who were erased', async () => {
    expect([...world.outcomes].sort()).toEqual(['capped', 'duplicate', 'erased', 'expired', 'recorded']);
    const before = await answersOf(world.live);
    await world.lose();
    const { running, isDone } = await world.replay();
    expect([isDone, running.done]).toEqual([true, running.total]);
    expect(running.outcomes).toEqual({ recorded: expect.any(Number) });
    await expectTheTwin();
    const after = await answersOf(world.live);
    expect(after).toEqual(await answersOf(world.twin));
    // Nothing differs of people, but for months that were past when they were erased; of sites' days what they had done.
    const events = (report: unknown) => sum((report as SiteReport).events_by_type);
    expect(sum(Object.fromEntries(world.gone))).toBeGreaterThan(100);
    for (const [question, was] of before) {
      const is = after.get(question);
      const [, siteId, ago] = /^report of (.*), (\d+) days ago$/.exec(question) ?? [];
      if (siteId !== undefined) {
        const gone = world.gone.get(`${siteId} ${dateOf(dayOf(world.clock()) - Number(ago))}`) ?? 0;
        expect([question, events(is) + gone]).toEqual([question, events(was)]);
      } else if (!/^report|2026-0/.test(question)) {
        expect([question, is]).toEqual([question, was]);
      }
    }
  });

  test('a Redis that is whole does not change', async () => {
    const before = await everything(server.redis);
    const { running, isDone } = await world.replay();
    expect(isDone).toBe(true);
    expect(Object.keys(running.outcomes)).toEqual(['duplicate']);
    expect([running.written, running.marks]).toEqual([0, 0]);
    expect(await everything(server.redis)).toEqual(before);
  });

  test('whoever is erased afterwards is in no count of people any more', async () => {
    await world.lose();
    await world.replay();
    for (const one of [world.live, world.twin]) {
      await Promise.all([...USERS, BUSY].map(one.eraser.erase));
    }
    await expectTheTwin();
    for (const [question, people] of await answersOf(world.live)) {
      if (/^visitors|2026-1/.test(question)) expect([question, people]).toEqual([question, 0]);
    }
  });
});

const sum = (counts: Record<string, number>) => Object.values(counts).reduce((a, b) => a + b, 0);

test('what was lost of it comes back, and what was not counts no further', async () => {
  await told(3, { ...CAPS, shards: 7 });
  const { live, twin } = world;
  const ofShard = `${live.keys.shard(2)}:`;
  await server.redis.unlink((await server.redis.keys('ff:*')).filter((key) => key.startsWith(ofShard)));
  const of = (prefix: string, key: string) => server.redis.hgetall(key.replace('ff', prefix));
  const asTheTwins = async (key: string) => isDeepStrictEqual(await of('ff', key), await of('twin', key));
  // A day on which nobody had been who was erased: what they did is in the one and not in the other.
  const days = (await server.redis.keys('ff:*:site:shop:2026-11-0*:stats')).sort();
  const alike = await Promise.all(days.map(asTheTwins));
  const site = days.find((_, i) => alike[i])!;
  expect(Number((await of('ff', site))['type:page_view'])).toBeGreaterThan(0);
  await server.redis.hset(site, 'type:page_view', 0); // as an old backup has it
  await world.replay();
  expect(peopleIn(await answersOf(live))).toEqual(peopleIn(await answersOf(twin)));
  expect(await of('ff', site)).toEqual(await of('twin', site));
});

/** All answers but those on sites and on months that are past: these know of people who were erased, too. */
const peopleIn = (answers: Map<string, unknown>) =>
  [...answers].filter(([question]) => !/^report|2026-0/.test(question));

test('it is stopped at every step, and goes on where it was', async () => {
  await told(4, { ...CAPS, shards: 3 });
  await world.lose();
  let { after, range } = { after: '0', range: everythingAt(world.clock(), world.live.settings) };
  let rounds = 0;
  for (let isDone = false; !isDone; rounds++) {
    let asked = 0;
    const one = await world.replay({ after, range, stopped: () => asked++ >= 4 });
    isDone = one.isDone;
    after = one.running.position.after;
    range = { ...range, to: one.running.position.to ?? range.to };
  }
  expect(rounds).toBeGreaterThan(20);
  await expectTheTwin();
});

test('it is killed anywhere, and done again', async () => {
  await told(5, { ...CAPS, shards: 3 });
  await world.lose();
  let deaths = 0;
  for (let isDone = false; !isDone; deaths++) {
    const redis = connectRedis({ url: server.url }, 5000, 'footfall-test');
    await redis.connect();
    const send = redis.sendCommand.bind(redis);
    let left = 10 * 2 ** deaths;
    redis.sendCommand = (...command) => {
      if (left-- === 0) redis.disconnect();
      return send(...command);
    };
    isDone = await world.replay({ redis, patience: 0 }).then(
      () => true,
      () => false,
    );
    redis.disconnect();
  }
  expect(deaths).toBeGreaterThan(5);
  await expectTheTwin();
});

test('Redis and Postgres go away, and come back', async () => {
  await told(9, { ...CAPS, shards: 3 });
  await world.lose();
  const redis = connectRedis({ url: server.url }, 5000, 'footfall-test');
  redis.on('error', () => undefined); // it is disconnected while it connects
  const { end } = world;
  atEnd = () => {
    redis.disconnect();
    return end();
  };
  await redis.connect();
  const send = redis.sendCommand.bind(redis);
  const [commands, queries] = [counter(), counter()];
  redis.sendCommand = (...command) => {
    if (commands.isPowerOfTwo()) redis.disconnect(true);
    return send(...command);
  };
  const database = {
    query: async (text: string, values: unknown[]) => {
      if (queries.isPowerOfTwo()) await postgres.query(BREAK);
      return world.pool.query(text, values);
    },
  } as ReplayOptions['database'];
  const { isDone } = await world.replay({ redis, database });
  expect([isDone, commands.count() > 256, queries.count() > 64]).toEqual([true, true, true]);
  await expectTheTwin();
});

const BREAK = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname LIKE 'fresh%'";

function counter() {
  let count = 0;
  return { count: () => count, isPowerOfTwo: () => (++count & (count - 1)) === 0 && count > 16 };
}

test('beside live traffic nothing counts twice', async () => {
  await told(6, { shards: 3 });
  await world.lose();
  const { live, twin, clock } = world;
  // An event_id may stand for another event here, and who comes first counts.
  const eventsOf = (seed: number) =>
    historyOf(seed)
      .flatMap((step) => ('events' in step && step.now > clock() - 8 * DAY ? step.events : []))
      .filter((event) => event.kind === 'login' || event.eventId === undefined);
  const [again, fresh] = [eventsOf(6), eventsOf(66)];
  // Who was erased is remembered by then.
  let begun = () => undefined as unknown;
  const hasBegun = new Promise((resolve) => {
    begun = () => resolve(undefined);
  });
  const replaying = world.replay({
    stopped() {
      begun();
      return false;
    },
  });
  await hasBegun;
  for (let i = 0; i < Math.max(again.length, fresh.length); i += 20) {
    const some = [...again.slice(i, i + 20), ...fresh.slice(i, i + 20)];
    await Promise.all(some.map(live.recorder.record));
  }
  expect((await replaying).isDone).toBe(true);
  await Promise.all([...again, ...fresh].map(twin.recorder.record));
  expect(await answersOf(live)).toEqual(await answersOf(twin));
  await world.carry();
  await world.replay();
  expect(await answersOf(live)).toEqual(await answersOf(twin));
});

test('an erasure meanwhile stays one, though the archive has not heard of it yet', async () => {
  await told(7, { shards: 3 });
  await world.lose();
  const { live, twin } = world;
  let asked = 0;
  await world.replay({ stopped: () => asked++ === 1 }); // the window is there, what is past is not
  await live.eraser.erase(BUSY);
  const erasing = live.eraser.erase(USERS[1]!);
  await world.replay();
  await erasing;
  for (const userId of [BUSY, USERS[1]!]) {
    expect(await server.redis.exists(live.keys.ofUser(userId, world.clock()))).toBe(0);
    await twin.eraser.erase(userId);
  }
  expect(peopleIn(await answersOf(live))).toEqual(peopleIn(await answersOf(twin)));
});

test('of months and days that were asked for, and no others', async () => {
  await told(8, { shards: 2 });
  const day = (date: string) => dayOf(Date.parse(date));
  await world.lose();
  await world.replay({ range: { from: day('2026-11-10'), to: day('2026-11-22') } });
  const dates = (await server.redis.keys('ff:*')).flatMap((key) => /\d{4}-\d\d-\d\d/.exec(key)?.[0] ?? []);
  const sorted = [...new Set(dates)].sort();
  expect([sorted[0], sorted.at(-1)]).toEqual(['2026-11-10', '2026-11-22']);
  expect(await world.live.uniques.monthly(day('2026-11-01'))).toBeLessThan(
    await world.twin.uniques.monthly(day('2026-11-01')),
  );
  await world.replay();
  expect(await answersOf(world.live)).toEqual(await answersOf(world.twin));
});

describe('as it is typed', () => {
  const settings = async () => ({ REDIS_URL: server.url, DATABASE_URL: await postgres.freshDatabase() });
  const command = (...args: string[]) => ({
    command: [process.execPath, `${__dirname}/../dist/archive/replay/command.js`, ...args],
  });

  /** So many views of today and yesterday, of a thousand users. */
  async function fill(databaseUrl: string, views: number): Promise<void> {
    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    await migrate(client);
    await client.query(
      `INSERT INTO events (event_time, received_at, late, is_url, site_id, event_type, path, user_id, identity)
       SELECT now() - i * interval '1 second', now(), false, false, 'shop', 'page_view', 'Home', 'u' || i % 1000, 'e:' || i
       FROM generate_series(1, $1::int) AS i`,
      [views],
    );
    await client.end();
  }

  const views = async () => {
    const keys = await server.redis.keys('ff:*:user:*:stats');
    const all = await Promise.all(keys.map((key) => server.redis.hget(key, 'views')));
    return all.reduce((total, n) => total + Number(n), 0);
  };

  test('it tells how far it is, stops in order, and says how to go on', async () => {
    const env = await settings();
    await fill(env.DATABASE_URL, 100_000);
    const first = processes.begin(env, command());
    await until('it tells', () => /--after \d{4}/.test(first.out()));
    first.kill('SIGINT');
    expect((await first.ended).code).toBe(1);
    expect(first.out()).toMatch(
      /^[\d,]+ of 100,000 events, \d+ %, [\d,]+ a second, \d+ s left \(--after \d+\)$/m,
    );
    expect(first.err()).toMatch(/^Stopped[.] To go on: npm run replay -- --after \d+\n$/);
    const [, after] = /--after (\d+)/.exec(first.err())!;
    expect(await views()).toBe(Number(after));

    const rest = await processes.startToEnd(env, command('--after', after!));
    expect(rest).toMatchObject({ code: 0, err: '' });
    const left = (100_000 - Number(after)).toLocaleString('en');
    expect(rest.out).toContain(`in the window: ${left} recorded`);
    expect(await views()).toBe(100_000);
    expect(await server.redis.hget('ff:meta', 'archive')).toBe('postgres');
  });

  test('what a damaged key keeps out is told', async () => {
    const env = await settings();
    await fill(env.DATABASE_URL, 50);
    const { keys } = service(server.redis);
    await server.redis.set(keys.stats('u7', dayOf(Date.now())), 'x', 'EX', 1000);
    await server.redis.set(keys.stats('u7', dayOf(Date.now()) - 1), 'x', 'EX', 1000);
    const { code, out, err } = await processes.startToEnd(env, command());
    expect([code, out]).toEqual([1, expect.stringContaining('49 recorded, 1 damaged')]);
    expect(err).toContain('1 events or counts are left out');
  });

  test('Postgres being away is told, and not for ever waited for', async () => {
    const env = { ...(await settings()), DATABASE_URL: 'postgres://nobody@127.0.0.1:9/none' };
    const { code, err } = await processes.startToEnd(env, command());
    expect([code, err]).toEqual([
      1,
      "Postgres can't be reached, ECONNREFUSED: start it, or mend DATABASE_URL\n",
    ]);
  });

  test('a Redis of other settings is refused', async () => {
    const env = await settings();
    await server.redis.hset('ff:meta', { layout: 2, shards: 4 });
    const { code, err } = await processes.startToEnd(env, command());
    expect([code, err]).toEqual([1, expect.stringContaining('set SHARDS as it was')]);
  });

  test('without an archive there is nothing to replay', async () => {
    const { code, err } = await processes.startToEnd({ REDIS_URL: server.url }, command());
    expect([code, err]).toEqual([1, expect.stringContaining('DATABASE_URL is not set')]);
  });

  test.each([
    [['--from', 'today']],
    [['--to', '2026-02-30']],
    [['--from', '2026-11-21', '--to', '2026-11-20']],
    [['--after', 'x']],
    [['--since', '2026-11-20']],
    [['2026-11-20']],
  ])('%j is told how', async (args) => {
    const { code, err } = await processes.startToEnd({ REDIS_URL: server.url }, command(...args));
    expect([code, err]).toEqual([2, expect.stringMatching(/^.+\nusage: npm run replay/)]);
  });
});
