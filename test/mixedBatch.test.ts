import {
  type Api,
  expectProblem,
  iso,
  JSON_TYPE,
  profileWith,
  startApi,
  stopServer,
  useApi,
} from './support/http.ts';
import { useRedis } from './support/redis.ts';
import { NOON } from './support/service.ts';

const server = useRedis();
const api = useApi(server);

const now = Date.parse(NOON);
const ago = (minutes: number) => iso(now - minutes * 60_000);

const page = (more: object = {}) => ({ user_id: 'ann', name: 'Home', timestamp: NOON, ...more });
const event = (more: object = {}) => ({
  ...{ type: 'event', site_id: 'shop', event_type: 'click', path: '/', user_id: 'ann', timestamp: NOON },
  ...more,
});
const login = (more: object = {}) => ({ type: 'login', user_id: 'ann', login_time: NOON, ...more });

const postTo = (to: Pick<Api, 'send'>, events: unknown[]) =>
  to.send({ method: 'POST', path: '/v1/pages', headers: JSON_TYPE, body: JSON.stringify(events) });
const post = (events: unknown[]) => postTo(api, events);

const counts = (fields: object, rejected: [index: number, code: string, pointer: string][] = []) => ({
  ...{ recorded: 0, duplicate: 0, erased: 0, expired: 0, capped: 0 },
  ...fields,
  rejected: rejected.map(([index, code, pointer]) => ({
    index,
    code,
    pointer,
    detail: expect.stringMatching(/./),
  })),
});

describe('a batch of events of all types', () => {
  test('counts each where it belongs; what says no type is a page', async () => {
    const reply = await post([
      login(),
      page(),
      page({ type: 'page', url: '/a', name: 'A', site_id: 'shop' }),
      event({ timestamp: ago(1) }),
      event({ event_type: 'page_view', path: '/b', timestamp: ago(10) }),
    ]);
    expect(reply).toMatchObject({ status: 202, body: counts({ recorded: 5 }) });
    expect(await api.profile('ann')).toEqual(profileWith('ann', [3, 10, 1, '/b']));
    expect(await api.visitors({ url: '/a', site_id: 'shop' })).toBe(1);
    expect(await api.read('/v1/user/uniques/daily', { date: '2026-11-21' })).toMatchObject({
      unique_users: 1,
    });
    expect(await api.read('/v1/site/shop/report')).toMatchObject({
      ...{ views: 2, unique_users: 1, events_by_type: { page_view: 2, click: 1 } },
    });
  });

  test('as NDJSON', async () => {
    const body = [page(), event(), login()].map((one) => JSON.stringify(one)).join('\n');
    const headers = { 'Content-Type': 'application/x-ndjson' };
    const reply = await api.send({ method: 'POST', path: '/v1/pages', headers, body });
    expect(reply).toMatchObject({ status: 202, body: counts({ recorded: 3 }) });
  });

  test('says what became of each, as if it had come alone', async () => {
    const strict = await startApi(server.redis, { maxViewsPerUserDay: 1 });
    try {
      await strict.erase('eve');
      const reply = await postTo(strict, [
        ...[page(), page(), page({ timestamp: ago(1) })], // recorded, duplicate, capped
        ...[event(), event({ path: '/b' }), event()], // recorded, capped, duplicate
        ...[login(), login({ login_time: ago(5) })], // recorded, duplicate
        ...[page({ user_id: 'eve' }), event({ user_id: 'eve' }), login({ user_id: 'eve' })], // erased
        page({ timestamp: '2026-11-14T00:00:00Z' }), // expired, as the next two
        event({ timestamp: '2026-11-14T00:00:00Z' }),
        login({ login_time: '2026-10-16T00:00:00Z' }),
      ]);
      const expected = counts({ recorded: 3, duplicate: 3, capped: 2, erased: 3, expired: 3 });
      expect(reply).toMatchObject({ status: 202, body: expected });
    } finally {
      await stopServer(strict.server);
    }
  });

  test('in one tick of one user: later ones see what earlier ones did', async () => {
    const days = [21, 19, 20, 15, 21, 19];
    const events = days.flatMap((day, i) => [
      page({ timestamp: `2026-11-${day}T10:0${i}:00Z`, url: '/a', site_id: 'shop' }),
      login({ login_time: `2026-11-${day}T10:0${i}:00Z` }),
    ]);
    expect((await post(events)).body).toEqual(counts({ recorded: 10, duplicate: 2 }));
    for (let span = 1; span <= 7; span++) {
      expect(await api.visitors({ url: '/a', site_id: 'shop', days: `${span}` })).toBe(1);
    }
    expect(await api.read('/v1/user/uniques/monthly', { month: '2026-11' })).toMatchObject({
      unique_users: 1,
    });
  });
});

describe('what is rejected of a batch', () => {
  test('is named one by one; the good ones count', async () => {
    const reply = await post([
      page({ type: 'view' }),
      page({ type: 7 }),
      page({ type: null }),
      login({ login_time: undefined }),
      login({ login_time: '2026-11-21T12:05:00.001Z' }),
      event({ event_type: 'a b' }),
      event({ site_id: 'null' }),
      event({ timestamp: '2026-11-21T12:05:00.001Z' }),
      page({ name: undefined }),
      page({ name: undefined, url: '' }),
      { type: 'login', user_id: 'ann', name: 'Home' },
      'page',
      null,
      [login()],
      page(),
    ]);
    expect(reply).toMatchObject({ status: 202 });
    expect(reply.body).toEqual(
      counts({ recorded: 1 }, [
        [0, 'invalid_body', '/type'],
        [1, 'invalid_body', '/type'],
        [2, 'invalid_body', '/type'],
        [3, 'invalid_body', '/login_time'],
        [4, 'timestamp_in_future', '/login_time'],
        [5, 'invalid_body', '/event_type'],
        [6, 'invalid_body', '/site_id'],
        [7, 'timestamp_in_future', '/timestamp'],
        [8, 'invalid_body', '/name'],
        [9, 'invalid_body', '/url'],
        [10, 'invalid_body', '/login_time'],
        [11, 'invalid_body', ''],
        [12, 'invalid_body', ''],
        [13, 'invalid_body', ''],
      ]),
    );
  });

  test.each(['__proto__', 'constructor', 'toString', 'Page', ''])('a type of %j is none', async (type) => {
    expect((await post([page({ type }), page()])).body).toEqual(
      counts({ recorded: 1 }, [[0, 'invalid_body', '/type']]),
    );
  });

  test('a batch of none that is good is refused whole, and names them', async () => {
    const reply = await post([login({ login_time: 'now' }), event({ path: '' }), page({ type: 'x' })]);
    expectProblem(reply, 400, 'invalid_body', ['/0/login_time', '/1/path', '/2/type']);
  });

  test('what is damaged of one user is rejected, and nothing of another', async () => {
    const { keys } = api.services;
    await server.redis.rpush(keys.logins('mallory', '2026-11'), 'x');
    await server.redis.rpush(keys.events('mallory', Math.floor(now / 86_400_000)), 'x');
    const reply = await post([
      login({ user_id: 'mallory' }),
      login(),
      event({ user_id: 'mallory' }),
      event(),
      page({ user_id: 'mallory' }),
      page(),
    ]);
    expect(reply).toMatchObject({ status: 202 });
    expect(reply.body).toEqual(
      counts({ recorded: 4 }, [
        [0, 'damaged', ''],
        [2, 'damaged', ''],
      ]),
    );
    const alone = JSON.stringify({ user_id: 'mallory', login_time: NOON });
    expectProblem(
      await api.send({ method: 'POST', path: '/v1/user/login', headers: JSON_TYPE, body: alone }),
      500,
      'damaged',
    );
  });
});
