import { dayOf } from '../src/time.ts';
import {
  emptyProfile,
  expectProblem,
  JSON_TYPE,
  killRedis,
  profileWith,
  startApi,
  stopServer,
  useApi,
} from './support/http.ts';
import { startRedis, useRedis } from './support/redis.ts';
import { NOON } from './support/service.ts';

const server = useRedis();
const api = useApi(server);

const prefer = (value: string | string[]) => ({ ...JSON_TYPE, Prefer: value });
const PROFILE = prefer('return=representation');
const body = (fields: Record<string, unknown> = {}) =>
  JSON.stringify({ user_id: 'ann', name: 'Home', timestamp: NOON, ...fields });

test('the answer is the profile, the view included, and says why', async () => {
  await api.view({ name: 'Prices', timestamp: '2026-11-21T11:50:00Z' });
  const reply = await api.post(body(), PROFILE);
  expect(reply).toMatchObject({
    status: 200,
    text: JSON.stringify(profileWith('ann', [2, 10, 1, 'Home'])),
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'preference-applied': 'return=representation',
      'footfall-status': 'recorded',
      'cache-control': 'no-store',
    },
  });
  expect(await api.profile('ann')).toEqual(reply.body);
  const again = await api.post(body(), PROFILE);
  expect(again).toMatchObject({ status: 200, body: reply.body, headers: { 'footfall-status': 'duplicate' } });
});

describe('the answer is the profile whatever became of the view', () => {
  test.each<[outcome: string, fields: Record<string, unknown>]>([
    ['duplicate', {}],
    ['expired', { timestamp: '2026-11-14T12:00:00Z' }],
    ['capped', { timestamp: '2026-11-21T11:00:00Z' }],
  ])('%s', async (outcome, fields) => {
    const capped = await startApi(server.redis, { maxViewsPerUserDay: 1 });
    try {
      await capped.view();
      const reply = await capped.post(body(fields), PROFILE);
      expect(reply).toMatchObject({ status: 200, body: profileWith('ann', [1, 0, 1, 'Home']) });
      expect(await capped.view(fields)).toBe(outcome);
    } finally {
      await stopServer(capped.server);
    }
  });

  test('erased', async () => {
    await api.view();
    await api.erase('ann');
    expect(await api.post(body(), PROFILE)).toMatchObject({ status: 200, body: emptyProfile('ann') });
    expect(await api.view()).toBe('erased');
  });
});

test('each of many views at once is in the profile that answers it', async () => {
  const replies = await Promise.all(
    Array.from({ length: 100 }, (_, i) => api.post(body({ event_id: `e${i}` }), PROFILE)),
  );
  const seen = replies.map(
    (reply) => (reply.body as Record<string, number>).number_pages_viewed_in_the_last_7_days!,
  );
  expect(Math.min(...seen)).toBeGreaterThan(0);
  expect(Math.max(...seen)).toBe(100);
  expect(await api.profile('ann')).toEqual(profileWith('ann', [100, 0, 1, 'Home']));
});

describe('the header', () => {
  test.each<[value: string | string[]]>([
    ['return=representation'],
    ['Return=Representation'],
    ['RETURN=REPRESENTATION'],
    ['return="representation"'],
    ['return = representation'],
    ['return=representation; foo'],
    ['return=representation;foo="a, b"'],
    ['return=representation, respond-async'],
    ['respond-async, wait=10, return=representation'],
    ['respond-async,return=representation,handling=lenient'],
    ['foo="a, \\"return=minimal", return=representation'],
    ['foo; bar, return=representation'],
    ['returns=minimal, return=representation'],
    ['return=representation, return=minimal'],
    [['respond-async', 'return=representation']],
  ])('%j asks for the profile', async (value) => {
    const reply = await api.post(body(), prefer(value));
    expect(reply).toMatchObject({ status: 200, body: profileWith('ann', [1, 0, 1, 'Home']) });
    expect(reply.headers['preference-applied']).toBe('return=representation');
  });

  test.each<[value: string | string[]]>([
    [''],
    [','],
    ['return'],
    ['return='],
    ['return=minimal'],
    ['return=representations'],
    ['return=representation-of'],
    ['return="representation'],
    ['return=representation x'],
    ['return:representation'],
    ['no-return=representation'],
    ['representation'],
    ['foo=return=representation'],
    ['foo; return=representation'],
    ['foo="return=representation"'],
    ['foo="a, return=representation"'],
    ['foo="a\\", return=representation"'],
    ['return=minimal, return=representation'],
    ['return; of=representation, return=representation'],
    [['return=minimal', 'return=representation']],
    ['"'.repeat(8000)],
    ['"\\'.repeat(4000)],
    [`return${' '.repeat(8000)}x`],
  ])('%j does not', async (value) => {
    const reply = await api.post(body(), prefer(value));
    expect(reply).toMatchObject({ status: 202, text: '{"status":"recorded"}' });
    expect(reply.headers).not.toHaveProperty('preference-applied');
  });
});

describe('what goes wrong is no profile', () => {
  test('a view of the future', async () => {
    const reply = await api.post(body({ timestamp: '2026-11-21T12:05:00.001Z' }), PROFILE);
    expectProblem(reply, 400, 'timestamp_in_future', ['/timestamp']);
    expect(reply.headers).not.toHaveProperty('preference-applied');
    expect(await server.redis.dbsize()).toBe(0);
  });

  test('a view that only Redis finds to lie in the future', async () => {
    const redis = Object.create(server.redis, { ffRecord: { value: async () => ['future'] } });
    const own = await startApi(redis);
    try {
      expectProblem(await own.post(body(), PROFILE), 400, 'timestamp_in_future', ['/timestamp']);
    } finally {
      await stopServer(own.server);
    }
  });

  test('a bad view', async () => {
    expectProblem(await api.post('{"name":"Home"}', PROFILE), 400, 'invalid_body', ['/user_id']);
  });

  test('a damaged user', async () => {
    await server.redis.set(api.services.keys.stats('ann', dayOf(Date.parse(NOON))), 'x');
    expectProblem(await api.post(body(), PROFILE), 500, 'damaged');
  });

  test('Redis is away', async () => {
    const own = await startRedis();
    const dying = await startApi(own.redis);
    try {
      await killRedis(own);
      const reply = await dying.post(body(), PROFILE);
      expectProblem(reply, 503, 'unavailable');
      expect(reply.headers['retry-after']).toMatch(/^[1-9]\d?$/);
      expect(dying.services.recorder.inFlight()).toBe(0);
    } finally {
      await stopServer(dying.server);
      await own.stop();
    }
  });
});

describe('a view that is settled is said to be, though its profile cannot be read', () => {
  test('when Redis goes between the write and the read', async () => {
    const own = await startRedis();
    const redis = Object.create(own.redis, {
      ffRecord: {
        value: async (...call: [string, string[]]) => {
          const outcomes = await own.redis.ffRecord(...call);
          await killRedis(own);
          return outcomes;
        },
      },
    });
    const dying = await startApi(redis);
    try {
      const reply = await dying.post(body(), PROFILE);
      expect(reply).toMatchObject({ status: 202, text: '{"status":"recorded"}' });
      expect(reply.headers).not.toHaveProperty('preference-applied');
    } finally {
      await stopServer(dying.server);
      await own.stop();
    }
  });

  test('when another day of the user is damaged', async () => {
    for (const day of [19, 21]) await api.view({ timestamp: `2026-11-${day}T11:00:00Z` });
    await server.redis.set(api.services.keys.stats('ann', dayOf(Date.parse(NOON)) - 2), 'x');
    expect(await api.post(body(), PROFILE)).toMatchObject({ status: 202, text: '{"status":"recorded"}' });
  });
});
