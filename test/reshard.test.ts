// `npm run reshard`: what is stored, into other shards or a cluster. Afterwards everything is as it was, and an erasure takes a
// person out of every count, as if they had always been there.

import { createKeys } from '../src/redis/keys.ts';
import type { FootfallRedis } from '../src/redis/scripts.ts';
import { DAY, dateOf, dayOf } from '../src/time.ts';
import { ask } from './support/ask.ts';
import { type Service, type Settings, useProcesses } from './support/process.ts';
import { randomOf } from './support/random.ts';
import { startRedis, type TestRedis } from './support/redis.ts';
import { type Cluster, startCluster } from './support/topologies.ts';

const processes = useProcesses();

const USERS = Array.from({ length: 40 }, (_, i) => `${['ann', 'b:{0}', '019mr8mf4r', '*', 'ü'][i % 5]}${i}`);
const PAGES = ['Home', '#1', 'x'.repeat(60), 'Preise'];
const SITES = ['shop', 'bl:g*'];
const ERASED = 'somebody else';

const today = dayOf(Date.now());

/** A week of views, clicks and logins, from a seed. */
const HISTORY = history();

function history(): object[] {
  const { pick, from } = randomOf(7, 0);
  const below = (n: number) => from(0, n);
  return Array.from({ length: 900 }, (_, i) => {
    const timestamp = new Date((today - below(7)) * DAY + below(Math.max(1, Date.now() % DAY))).toISOString();
    const user_id = pick(USERS);
    const site_id = pick(SITES);
    if (i % 9 === 0) return { type: 'login', user_id, login_time: timestamp };
    if (i % 7 === 0) return { type: 'event', user_id, site_id, event_type: 'click', path: '/', timestamp };
    const name = pick(PAGES);
    if (i % 3 === 0) return { user_id, name, timestamp };
    return { user_id, name, url: `https://shop.example/${below(5)}`, site_id, timestamp };
  });
}

async function post(service: Service, path: string, body: object): Promise<string> {
  const answer = await ask(service.port, path, { method: 'POST', body: JSON.stringify(body) });
  if (answer.status !== 202) throw new Error(`${answer.status}: ${answer.text}`);
  return answer.text;
}

async function read(service: Service, path: string, method = 'GET'): Promise<unknown> {
  const answer = await ask(service.port, path, { method });
  if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.text}`);
  return JSON.parse(answer.text);
}

/** Everything that the service tells. */
async function everything(service: Service): Promise<Record<string, unknown>> {
  const paths = [
    ...USERS.flatMap((user) => ['', '/days'].map((part) => `/v1/user/${encodeURIComponent(user)}${part}`)),
    ...PAGES.map((name) => `/v1/page/visitors?name=${encodeURIComponent(name)}`),
    ...PAGES.map((name) => `/v1/page/visitors?name=${encodeURIComponent(name)}&site_id=shop&days=3`),
    '/v1/page/visitors?url=https://shop.example/1',
    ...[0, 1, 3].map((ago) => `/v1/user/uniques/daily?date=${dateOf(today - ago)}`),
    `/v1/user/uniques/monthly?month=${dateOf(today).slice(0, 7)}`,
    ...SITES.map(
      (site) => `/v1/site/${encodeURIComponent(site)}/report?from=${dateOf(today - 6)}&to=${dateOf(today)}`,
    ),
  ];
  const answers = await Promise.all(paths.map((path) => read(service, path)));
  return Object.fromEntries(paths.map((path, i) => [path, answers[i]]));
}

const peopleIn = (told: Record<string, unknown>) =>
  Object.entries(told)
    .filter(([path]) => !path.includes('/user/') || path.includes('uniques'))
    .map(([, answer]) => {
      const { distinct_visitors, unique_users } = answer as Record<string, number>;
      return distinct_visitors ?? unique_users;
    });

async function run(settings: Settings, args: string[]) {
  const command = [process.execPath, `${__dirname}/../dist/reshard/command.js`, ...args];
  return processes.startToEnd(settings, { command });
}

let redis: TestRedis;
beforeEach(async () => {
  redis = await startRedis();
});
afterEach(() => redis.stop());

async function fill(settings: Settings): Promise<Record<string, unknown>> {
  const service = await processes.start(settings);
  for (let i = 0; i < HISTORY.length; i += 300) await post(service, '/v1/pages', HISTORY.slice(i, i + 300));
  await post(service, '/v1/page', { user_id: ERASED, name: 'Home', event_id: 'e' });
  await read(service, `/v1/user/${encodeURIComponent(ERASED)}`, 'DELETE');
  const told = await everything(service);
  service.kill('SIGTERM');
  await service.ended;
  return told;
}

/** What holds where it went. */
async function expectTheSame(settings: Settings, told: Record<string, unknown>): Promise<void> {
  const service = await processes.start(settings);
  expect(await everything(service)).toEqual(told);
  expect(peopleIn(told).every((people) => people! > 0)).toBe(true);
  const late = { user_id: ERASED, name: 'Home', timestamp: new Date(Date.now() - DAY).toISOString() };
  expect(await post(service, '/v1/page', late)).toBe('{"status":"erased"}');
  const again = HISTORY[1]!;
  expect(await post(service, '/v1/page', again)).toBe('{"status":"duplicate"}');
  for (const user of USERS) await read(service, `/v1/user/${encodeURIComponent(user)}`, 'DELETE');
  expect(peopleIn(await everything(service)).every((people) => people === 0)).toBe(true);
  service.kill('SIGTERM');
  await service.ended;
}

async function keysWith(client: FootfallRedis, prefix: string): Promise<number> {
  return (await client.keys(`${prefix}:*`)).length;
}

test('one shard becomes 256, and these become 3', async () => {
  const one = { REDIS_URL: redis.url };
  const told = await fill(one);
  const wide = { REDIS_URL: redis.url, SHARDS: '256', KEY_PREFIX: 'wide' };
  const ended = await run(one, ['--shards', '256', '--key-prefix', 'wide']);
  expect(ended).toMatchObject({ code: 0, err: '' });
  expect(ended.out).toMatch(/40 profiles and \d+ counts are equal on both sides/);
  expect(await keysWith(redis.redis, 'ff')).toBeGreaterThan(0);

  const back = await run(wide, ['--shards', '3', '--key-prefix', 'three', '--drop-source']);
  expect(back).toMatchObject({ code: 0, err: '' });
  expect(await keysWith(redis.redis, 'wide')).toBe(0);
  await expectTheSame({ REDIS_URL: redis.url, SHARDS: '3', KEY_PREFIX: 'three' }, told);
});

describe('to a cluster', () => {
  let cluster: Cluster;
  beforeEach(async () => {
    cluster = await startCluster({ replicas: 0 });
  });
  afterEach(() => cluster.stop());

  test('and the users lie in its 256 shards', async () => {
    const told = await fill({ REDIS_URL: redis.url });
    const seeds = cluster.seeds.join(',');
    const ended = await run({ REDIS_URL: redis.url }, ['--redis-cluster', seeds, '--drop-source']);
    expect(ended).toMatchObject({ code: 0, err: '' });
    expect(ended.out).toContain(`  REDIS_CLUSTER=${seeds}\n  SHARDS=256\n`);
    expect(await redis.redis.dbsize()).toBe(0);
    const keys = createKeys('ff', 256);
    const sizes = await Promise.all(cluster.nodes.map((node) => node.redis.dbsize()));
    expect(sizes.every((size) => size > 0)).toBe(true);
    expect(new Set(USERS.map(keys.shardOf)).size).toBeGreaterThan(20);
    await expectTheSame({ REDIS_CLUSTER: seeds }, told);
  });
});

test('from the private Redis, which it starts and stops', async () => {
  const own = { DATA_DIR: `${processes.dir}/data` };
  const told = await fill(own);
  const ended = await run(own, ['--redis-url', redis.url, '--shards', '2']);
  expect(ended).toMatchObject({ code: 0, err: '' });
  expect(processes.redisPids()).toEqual([]);
  await expectTheSame({ REDIS_URL: redis.url, SHARDS: '2' }, told);
});

test('what is damaged stays so, and the others are equal', async () => {
  const one = { REDIS_URL: redis.url };
  const told = await fill(one);
  const [stats] = await redis.redis.keys(`ff:{0}:user:ann0:*:stats`);
  await redis.redis.set(stats!, 'x', 'EX', 1000);
  const ended = await run(one, ['--shards', '4', '--key-prefix', 'four']);
  expect(ended).toMatchObject({ code: 0, err: '' });
  const service = await processes.start({ REDIS_URL: redis.url, SHARDS: '4', KEY_PREFIX: 'four' });
  const { status, text } = await ask(service.port, '/v1/user/ann0');
  expect([status, JSON.parse(text).code]).toEqual([500, 'damaged']);
  const path = `/v1/user/${encodeURIComponent(USERS[1]!)}`;
  expect(await read(service, path)).toEqual(told[path]);
});

test('an erasure is remembered by its newest mark, however often shards change', async () => {
  const steps = [
    { SHARDS: '1', KEY_PREFIX: 'ff' },
    { SHARDS: '2', KEY_PREFIX: 'two' },
    { SHARDS: '5', KEY_PREFIX: 'five' },
  ];
  const people = USERS.slice(0, 12);
  for (const [i, step] of steps.entries()) {
    const settings = { REDIS_URL: redis.url, ...step };
    const service = await processes.start(settings);
    for (const user of people) await read(service, `/v1/user/${encodeURIComponent(user)}`, 'DELETE');
    const late = people.map((user_id) => ({
      user_id,
      name: 'Home',
      timestamp: new Date(Date.now() - 1000).toISOString(),
    }));
    service.kill('SIGTERM');
    await service.ended;
    const next = steps[i + 1];
    if (next) await run(settings, ['--shards', next.SHARDS, '--key-prefix', next.KEY_PREFIX]);
    const after = await processes.start({ REDIS_URL: redis.url, ...(next ?? step) });
    expect(JSON.parse(await post(after, '/v1/pages', late))).toMatchObject({
      erased: people.length,
      recorded: 0,
    });
    after.kill('SIGTERM');
    await after.ended;
  }
});

test('what it does not know stays where it is', async () => {
  await fill({ REDIS_URL: redis.url });
  await redis.redis.set('ff:{zz}:mine', 'x');
  const ended = await run({ REDIS_URL: redis.url }, [
    '--shards',
    '2',
    '--key-prefix',
    'two',
    '--drop-source',
  ]);
  expect(ended).toMatchObject({ code: 0, err: '' });
  expect(await redis.redis.keys('ff:*')).toEqual(['ff:{zz}:mine']);
});

test('a Redis that may drop what it gets gets nothing', async () => {
  await fill({ REDIS_URL: redis.url });
  await redis.redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
  const ended = await run({ REDIS_URL: redis.url }, ['--shards', '2', '--key-prefix', 'two']);
  expect(ended).toMatchObject({ code: 1, err: expect.stringContaining('maxmemory-policy allkeys-lru') });
  expect(await keysWith(redis.redis, 'two')).toBe(0);
});

test('one that was cut off can be done again', async () => {
  const told = await fill({ REDIS_URL: redis.url });
  const args = ['--shards', '2', '--key-prefix', 'two'];
  await run({ REDIS_URL: redis.url }, args);
  await redis.redis.del('two:meta'); // it comes last
  expect(await run({ REDIS_URL: redis.url }, args)).toMatchObject({ code: 0, err: '' });
  await expectTheSame({ REDIS_URL: redis.url, SHARDS: '2', KEY_PREFIX: 'two' }, told);
});

test('it does nothing beside a service that runs', async () => {
  const service = await processes.start({ REDIS_URL: redis.url });
  await post(service, '/v1/page', { user_id: 'ann', name: 'Home' });
  const ended = await run({ REDIS_URL: redis.url }, ['--shards', '2', '--key-prefix', 'two']);
  expect(ended.code).toBe(1);
  expect(ended.err).toBe('a service is connected to this Redis: stop it first\n');
  expect(await keysWith(redis.redis, 'two')).toBe(0);
});

test('what waits for the archive is carried first', async () => {
  await fill({ REDIS_URL: redis.url });
  await redis.redis.xadd('ff:{0}:outbox', '1-1', 'event', '{}');
  const args = ['--shards', '2', '--key-prefix', 'two', '--drop-source'];
  const ended = await run({ REDIS_URL: redis.url }, args);
  expect(ended).toMatchObject({ code: 1, err: expect.stringContaining('events wait for the archive') });
  expect(await keysWith(redis.redis, 'two')).toBe(0);
  await redis.redis.xdel('ff:{0}:outbox', '1-1');
  expect(await run({ REDIS_URL: redis.url }, args)).toMatchObject({ code: 0, err: '' });
  expect(await keysWith(redis.redis, 'ff')).toBe(0);
});

test('it does not write into what is there', async () => {
  await fill({ REDIS_URL: redis.url });
  const ended = await run({ REDIS_URL: redis.url }, ['--shards', '2']);
  expect(ended.code).toBe(1);
  expect(ended.err).toContain('there is a ff:meta already where it goes');
});

test.each([[[]], [['--shards']], [['--shard', '2']], [['--shards', '0']]])('%j is told how', async (args) => {
  const ended = await run({ REDIS_URL: redis.url }, args);
  expect(ended.code).toBe(2);
  expect(ended.err).toMatch(/usage: npm run reshard|SHARDS must be/);
});
