// A public key could bring users without end. Who brings too many, or fills the store, is stopped; known users count on.

import type { Config } from '../src/config.ts';
import {
  type Api,
  emptyProfile,
  expectProblem,
  JSON_TYPE,
  profileWith,
  type Sent,
  sendRequest,
  startApi,
  stopServer,
} from './support/http.ts';
import { type Service, until, useProcesses } from './support/process.ts';
import { snapshot, startRedis, type TestRedis, useRedis } from './support/redis.ts';
import { NOON } from './support/service.ts';

type Send = (sent: Sent) => ReturnType<typeof sendRequest>;
type Body = Record<string, unknown>;

const page = (user_id: string, timestamp = NOON): Body => ({ user_id, name: 'Home', timestamp });
const click = (user_id: string, timestamp = NOON): Body => ({
  ...{ site_id: 'shop', event_type: 'click', path: '/', user_id, timestamp },
});
const login = (user_id: string, login_time = NOON): Body => ({ user_id, login_time });

const SINGLE: [path: string, of: (userId: string, time?: string) => Body][] = [
  ['/v1/page', page],
  ['/v1/event', click],
  ['/event', click],
  ['/v1/user/login', login],
];

const json = (path: string, body: unknown, address?: string): Sent => ({
  method: 'POST',
  path,
  headers: { ...JSON_TYPE, ...(address && { 'X-Forwarded-For': address }) },
  body: JSON.stringify(body),
});

/** Brings users until one is not taken in; how many were. */
async function bringUntilRefused(send: Send, name: string, address?: string): Promise<number> {
  for (let i = 0; i < 200; i++) {
    const reply = await send(json('/v1/page', page(`${name}${i}`), address));
    if (reply.status !== 202) {
      expectProblem(reply, 429, 'too_many_new_users');
      return i;
    }
  }
  throw new Error('nobody was refused');
}

describe('new users from one client', () => {
  const server = useRedis();
  const LIMIT = 5; // a minute
  let started: Api[] = [];
  afterEach(async () => {
    for (const api of started) await stopServer(api.server);
    started = [];
  });

  async function start(config: Partial<Config> = {}): Promise<Api> {
    const api = await startApi(server.redis, {
      ...{ unlimitedClients: [], trustProxy: 1, limitUser: 0, limitNewUsers: LIMIT },
      ...config,
    });
    started.push(api);
    return api;
  }

  test('are so many a minute; those after them are told to come later', async () => {
    const api = await start();
    const since = performance.now();
    const brought = await bringUntilRefused(api.send, 'user');
    const minutes = (performance.now() - since) / 60_000;
    expect(brought).toBeGreaterThanOrEqual(LIMIT);
    expect(brought).toBeLessThanOrEqual(LIMIT * (1 + minutes) + 2);
    const reply = await api.send(json('/v1/page', page('eve')));
    expectProblem(reply, 429, 'too_many_new_users');
    expect(reply.headers['retry-after']).toMatch(/^[1-9]\d*$/);
    expect(reply.text).not.toContain('eve');
  });

  test.each(SINGLE)(
    'past that, POST %s: a known user counts, an unknown one changes nothing',
    async (path, of) => {
      const api = await start();
      await bringUntilRefused(api.send, 'user');
      const before = await snapshot(server.redis);
      expectProblem(await api.send(json(path, of('eve'))), 429, 'too_many_new_users');
      expect(await snapshot(server.redis)).toEqual(before);
      const reply = await api.send(json(path, of('user0', '2026-11-21T11:00:00Z')));
      expect(reply).toMatchObject({ status: 202, body: { status: 'recorded' } });
    },
  );

  test('past that, Prefer: return=representation is no way round', async () => {
    const api = await start();
    await bringUntilRefused(api.send, 'user');
    const prefer = { ...JSON_TYPE, Prefer: 'return=representation' };
    expectProblem(await api.post(JSON.stringify(page('eve')), prefer), 429, 'too_many_new_users');
    const known = await api.post(JSON.stringify(page('user0', '2026-11-21T11:00:00Z')), prefer);
    expect(known).toMatchObject({ status: 200, body: profileWith('user0', [2, 0, 1, 'Home']) });
  });

  test('in a batch, only the unknown ones are rejected, each by its place', async () => {
    const api = await start();
    await bringUntilRefused(api.send, 'user');
    const time = '2026-11-21T11:00:00Z';
    const reply = await api.send(
      json('/v1/pages', [
        page('eve', time),
        page('user0', time),
        { type: 'login', ...login('eve', time) },
        { type: 'event', ...click('user1', time) },
        { type: 'login', ...login('user0', time) },
      ]),
    );
    const rejection = (index: number) => ({
      ...{ index, code: 'too_many_new_users', pointer: '' },
      detail: expect.stringContaining('too many new users'),
    });
    expect(reply).toMatchObject({
      status: 202,
      body: { recorded: 3, duplicate: 0, rejected: [rejection(0), rejection(2)] },
    });
    expect(await api.profile('eve')).toEqual(emptyProfile('eve'));
  });

  test('a batch with nobody else is refused as a whole', async () => {
    const api = await start();
    await bringUntilRefused(api.send, 'user');
    const strangers = [page('eve'), { ...page('bad'), name: '' }, page('mal')];
    const reply = await api.send(json('/v1/pages', strangers));
    expectProblem(reply, 429, 'too_many_new_users');
    expect(reply.headers['retry-after']).toMatch(/^[1-9]\d*$/);
  });

  test('do not hinder reads and erasures; who was erased is new again', async () => {
    const api = await start();
    await bringUntilRefused(api.send, 'user');
    expect(await api.profile('user0')).toEqual(profileWith('user0', [1, 0, 1, 'Home']));
    api.clock.advance(1000);
    expect(await api.erase('user0')).toMatchObject({ user_id: 'user0' });
    api.clock.advance(1000);
    const reply = await api.send(json('/v1/page', page('user0', '2026-11-21T12:00:02Z')));
    expectProblem(reply, 429, 'too_many_new_users');
  });

  test('are counted by address: another client brings its own', async () => {
    const api = await start();
    await bringUntilRefused(api.send, 'a', '192.0.2.1');
    expect(await bringUntilRefused(api.send, 'b', '192.0.2.2')).toBeGreaterThanOrEqual(LIMIT);
    expectProblem(await api.send(json('/v1/page', page('eve'), '192.0.2.1')), 429, 'too_many_new_users');
  });

  test('who sends what does not count brings nobody', async () => {
    const api = await start();
    for (let i = 0; i < 3 * LIMIT; i++) {
      const reply = await api.send(json('/v1/page', page(`late${i}`, '2026-11-01T12:00:00Z')));
      expect(reply.body).toEqual({ status: 'expired' });
      await api.send(json('/v1/page', { ...page(`bad${i}`), name: '' }));
    }
    expect(await bringUntilRefused(api.send, 'user')).toBeGreaterThanOrEqual(LIMIT);
  });

  test('known users cost none of them', async () => {
    const api = await start();
    await api.send(json('/v1/page', page('ann')));
    for (let i = 0; i < 3 * LIMIT; i++) {
      const time = `2026-11-21T10:00:${String(i).padStart(2, '0')}Z`;
      expect((await api.send(json('/v1/page', page('ann', time)))).body).toEqual({ status: 'recorded' });
    }
    expect(await bringUntilRefused(api.send, 'user')).toBeGreaterThanOrEqual(LIMIT - 1);
  });

  test('may come again after a while', async () => {
    const api = await start({ limitNewUsers: 60 });
    await bringUntilRefused(api.send, 'user');
    await until(
      'another may come',
      async () => (await api.send(json('/v1/page', page('eve')))).status === 202,
    );
  });

  test('are counted, and so are those who were refused', async () => {
    const api = await start();
    const brought = await bringUntilRefused(api.send, 'user');
    const { text } = await api.send({ path: '/metrics' });
    expect(text).toContain('footfall_limited_total{limit="new_users"} 1\n');
    expect(text).toContain('footfall_events_total{outcome="refused"} 1\n');
    expect(text).toContain(`footfall_events_total{outcome="recorded"} ${brought}\n`);
  });

  test.each<[what: string, config: Partial<Config>]>([
    ['0 is no limit', { limitNewUsers: 0 }],
    ['clients without limits have none', { unlimitedClients: ['127.0.0.0/8'] }],
  ])('%s', async (_what, config) => {
    const api = await start(config);
    for (let i = 0; i < 5 * LIMIT; i++) {
      expect((await api.send(json('/v1/page', page(`user${i}`)))).status).toBe(202);
    }
  });
});

describe('a Redis that is nearly full', () => {
  const processes = useProcesses();
  const MAXMEMORY = 24 * 1024 * 1024;
  const BALLAST = 'ballast';
  let redis: TestRedis;
  beforeEach(async () => {
    redis = await startRedis({ args: ['--maxmemory', String(MAXMEMORY)] });
  });
  afterEach(() => redis.stop());

  const sendTo =
    ({ port }: Service): Send =>
    (sent) =>
      sendRequest(port, sent);
  const now = (secondsAgo = 0) => new Date(Date.now() - 1000 * secondsAgo).toISOString();

  async function usedMemory(): Promise<number> {
    return Number(/^used_memory:(\d+)/m.exec(await redis.redis.info('memory'))![1]);
  }

  /** Fills Redis to a share of what it may take. */
  async function fill(percent: number): Promise<void> {
    const piece = 'x'.repeat(100_000);
    while ((await usedMemory()) * 100 < MAXMEMORY * percent) await redis.redis.rpush(BALLAST, piece);
  }

  const isClosed = (send: Send) =>
    until('unknown users are refused', async () => {
      return (await send(json('/v1/page', page(`probe${Math.random()}`, now())))).status === 503;
    });

  test.each(['1', '2'])('takes in no new users, and known ones count on; WORKERS=%s', async (workers) => {
    const service = await processes.start({
      ...{ REDIS_URL: redis.url, WORKERS: workers, NEW_USERS_MEMORY_PERCENT: '60' },
    });
    const send = sendTo(service);
    for (const user of ['ann', 'bob']) {
      expect((await send(json('/v1/page', page(user, now(60))))).status).toBe(202);
    }

    await fill(75);
    await isClosed(send);
    // With several workers each finds out for itself.
    const [path, of] = SINGLE[0]!;
    await until('all refuse them', async () => {
      const replies = await Promise.all(
        Array.from({ length: 10 }, (_, i) => send(json(path, of(`many${i}-${Math.random()}`, now())))),
      );
      return replies.every(({ status }) => status === 503);
    });

    for (const [path, of] of SINGLE) {
      const reply = await send(json(path, of('eve', now())));
      expectProblem(reply, 503, 'store_full');
      expect(reply.headers['retry-after']).toMatch(/^[1-9]\d*$/);
      expect((await send(json(path, of('ann', now())))).status).toBe(202);
    }
    const events = [page('eve', now()), page('ann', now(30)), { type: 'login', ...login('eve', now()) }];
    const batch = await send(json('/v1/pages', events));
    expect(batch).toMatchObject({
      status: 202,
      body: {
        recorded: 1,
        rejected: [
          { index: 0, code: 'store_full' },
          { index: 2, code: 'store_full' },
        ],
      },
    });
    const { body } = await send({ path: '/v1/user/ann' });
    expect(body).toMatchObject({ number_pages_viewed_in_the_last_7_days: 3 });
    expect(await send({ path: '/v1/user/eve' })).toMatchObject({ status: 200, body: emptyProfile('eve') });
    expect(await send({ method: 'DELETE', path: '/v1/user/bob' })).toMatchObject({ status: 200 });
    expect((await send({ path: '/readyz' })).status).toBe(200);

    await redis.redis.del(BALLAST);
    await until('it takes them in again', async () => {
      return (await send(json('/v1/page', page('eve', now())))).status === 202;
    });
  });

  test('then takes in no new names either: those of known users count under (other)', async () => {
    const service = await processes.start({ REDIS_URL: redis.url, NEW_USERS_MEMORY_PERCENT: '60' });
    const send = sendTo(service);
    const view = (name: string, more = {}) =>
      send(json('/v1/page', { ...page('ann'), ...more, timestamp: now(), name }));
    const folded = async (kind: string) => {
      const { text } = await send({ path: '/metrics' });
      return Number(
        new RegExp(`^footfall_names_folded_total\\{kind="${kind}"\\} (\\d+)$`, 'm').exec(text)?.[1],
      );
    };
    await view('Home', { url: 'https://shop.example/', site_id: 'shop' });
    await fill(70);
    await isClosed(send);
    await view('Before');
    expect(await folded('page')).toBe(0);

    await fill(90);
    let views = 2;
    await until('names are folded', async () => {
      expect((await view(`New ${++views}`)).status).toBe(202);
      return (await folded('page')) > 0;
    });
    const sizes = async () => ({
      names: await redis.redis.zcard((await redis.redis.keys('ff:*:user:ann:*:pages'))[0]!),
      fields: await redis.redis.hlen((await redis.redis.keys('ff:*:user:ann:*:stats'))[0]!),
      paths: await redis.redis.zcard((await redis.redis.keys('ff:*:site:shop:*:pages'))[0]!),
    });
    const before = await sizes();
    for (let i = 0; i < 20; i++) {
      const more = { url: `https://shop.example/${i}`, site_id: 'shop' };
      expect((await view(`Invented ${i}`, more)).status).toBe(202);
      views++;
    }
    expect(await folded('url_or_site')).toBeGreaterThanOrEqual(20);
    expect(await folded('path')).toBe(20);
    const after = await sizes();
    expect(after).toEqual({ ...before, paths: before.paths + 1 }); // (other)
    for (let i = 0; i < 50; i++) expect((await view('Home', { event_id: `home${i}` })).status).toBe(202);
    const { body } = await send({ path: '/v1/user/ann' });
    expect(body).toMatchObject({
      number_pages_viewed_in_the_last_7_days: views + 50,
      most_viewed_page_in_last_7_days: 'Home',
    });

    await redis.redis.del(BALLAST);
    await until('it takes names in again', async () => {
      views++;
      await view(`Again ${views}`);
      return (await sizes()).names > after.names;
    });
  });

  test('up to the last byte: known users are 503 then, and reads and erasures go on', async () => {
    const service = await processes.start({ REDIS_URL: redis.url, NEW_USERS_MEMORY_PERCENT: '60' });
    const send = sendTo(service);
    await send(json('/v1/page', page('ann', now(60))));
    await fill(90);
    await isClosed(send);
    await redis.redis.config('SET', 'maxmemory', String(Math.round((await usedMemory()) / 2)));
    expectProblem(await send(json('/v1/page', page('ann', now()))), 503, 'unavailable');
    expect(await send({ path: '/v1/user/ann' })).toMatchObject({
      status: 200,
      body: profileWith('ann', [1, 0, 1, 'Home']),
    });
    expect(await send({ method: 'DELETE', path: '/v1/user/ann' })).toMatchObject({ status: 200 });
    expect(await send({ path: '/v1/user/ann' })).toMatchObject({ body: emptyProfile('ann') });
  });

  test('a Redis without a maxmemory is never full', async () => {
    await redis.redis.config('SET', 'maxmemory', '0');
    const service = await processes.start({ REDIS_URL: redis.url, NEW_USERS_MEMORY_PERCENT: '1' });
    await redis.redis.rpush(BALLAST, 'x'.repeat(4_000_000));
    // It is looked at once a second.
    const before = Date.now();
    await until('it was looked at', async () => {
      expect((await sendTo(service)(json('/v1/page', page(`user${Math.random()}`, now())))).status).toBe(202);
      return Date.now() - before > 2500;
    });
  });
});

test('a full Redis that has forgotten the scripts says that it is full, whatever is under way', async () => {
  const redis = await startRedis();
  const api = await startApi(redis.redis, { shards: 16 });
  try {
    const view = (i: number) => api.send(json('/v1/page', page(`user${i}`)));
    expect((await view(0)).status).toBe(202);
    await redis.redis.config('SET', 'maxmemory', '1');
    await redis.redis.script('FLUSH');
    const replies = await Promise.all(Array.from({ length: 40 }, (_, i) => view(i)));
    for (const reply of replies) expectProblem(reply, 503, 'unavailable');
    await redis.redis.config('SET', 'maxmemory', '0');
    expect((await view(1)).status).toBe(202);
  } finally {
    await stopServer(api.server);
    await redis.stop();
  }
});
