import { DAY } from '../src/time.ts';
import {
  type EventFields,
  emptyProfile,
  expectProblem,
  iso,
  JSON_TYPE,
  profileWith,
  useApi,
} from './support/http.ts';
import { snapshot, useRedis } from './support/redis.ts';
import { NOON } from './support/service.ts';

const server = useRedis();
const api = useApi(server, { maxViewsPerUserDay: 5 });

const now = Date.parse(NOON);
const ago = (days: number) => iso(now - days * DAY);
const good = { site_id: 'shop', event_type: 'click', path: '/a', user_id: 'ann', timestamp: NOON };
const post = (body: unknown, path = '/v1/event') =>
  api.send({ method: 'POST', path, headers: JSON_TYPE, body: JSON.stringify(body) });
const report = async (siteId = 'shop') =>
  (await api.read(`/v1/site/${siteId}/report`)) as Record<string, unknown>;

describe('an event of a site', () => {
  test.each(['/v1/event', '/event'])('is taken at %s', async (path) => {
    expect(await post(good, path)).toMatchObject({ status: 202, text: '{"status":"recorded"}' });
    expect(await post(good, path)).toMatchObject({ status: 202, text: '{"status":"duplicate"}' });
    expect(await report()).toMatchObject({ views: 0, unique_users: 1, events_by_type: { click: 1 } });
  });

  test('that is no page view is in no profile and has no visitors', async () => {
    await api.event();
    expect(await api.profile('ann')).toEqual(emptyProfile('ann'));
    expect((await api.days('ann')).every(({ views }) => views === 0)).toBe(true);
    expect(await api.visitors({ name: '/' })).toBe(0);
    expect(await report()).toMatchObject({ top_paths: [] });
  });

  test('that is a page view feeds the profile, too: its name is the path', async () => {
    await api.event({ event_type: 'page_view', path: '/a' });
    await api.event({ event_type: 'page_view', path: '/b', timestamp: iso(now - 600_000) });
    await api.event({ event_type: 'page_view', path: '/b', timestamp: ago(1) });
    expect(await api.profile('ann')).toEqual(profileWith('ann', [3, 10, 2, '/b']));
    expect(await report()).toMatchObject({
      ...{ views: 3, unique_users: 1, events_by_type: { page_view: 3 } },
      top_paths: [
        { path: '/b', views: 2 },
        { path: '/a', views: 1 },
      ],
    });
  });

  test('that is a page view is the view of that name at that time, however it comes', async () => {
    expect(await api.view({ name: '/a', site_id: 'shop' })).toBe('recorded');
    expect(await api.event({ event_type: 'page_view', path: '/a' })).toBe('duplicate');
    expect(await report()).toMatchObject({ views: 1, events_by_type: { page_view: 1 } });
  });
});

describe('what is unique about an event that is no page view', () => {
  test.each<[what: string, fields: EventFields]>([
    ['another time', { timestamp: iso(now - 1) }],
    ['another site', { site_id: 'blog' }],
    ['another type', { event_type: 'buy' }],
    ['another path', { path: '/b' }],
    ['another user', { user_id: 'bob' }],
    ['an event_id beside none', { event_id: 'e1' }],
  ])('%s is another event', async (_what, fields) => {
    expect(await api.event()).toBe('recorded');
    expect(await api.event(fields)).toBe('recorded');
    expect(await api.event()).toBe('duplicate');
    expect(await api.event(fields)).toBe('duplicate');
  });

  test.each<[what: string, fields: EventFields, again: EventFields]>([
    ['whatever else it says', {}, { path: '/b', event_type: 'buy', site_id: 'blog' }],
    ['on the day before', {}, { timestamp: ago(1) }],
    ['on the day after', { timestamp: ago(1) }, {}],
    ['on the window’s oldest day', { timestamp: ago(6) }, { timestamp: ago(5) }],
  ])('with an event_id it is a duplicate %s', async (_what, fields, again) => {
    expect(await api.event({ event_id: 'e1', ...fields })).toBe('recorded');
    const before = await snapshot(server.redis);
    expect(await api.event({ event_id: 'e1', ...again })).toBe('duplicate');
    expect(await snapshot(server.redis)).toEqual(before);
  });

  test('two days apart the same event_id is two events', async () => {
    expect(await api.event({ event_id: 'e1', timestamp: ago(2) })).toBe('recorded');
    expect(await api.event({ event_id: 'e1' })).toBe('recorded');
  });

  test('an event_id of a page view is none of another event’s', async () => {
    expect(await api.event({ event_id: 'e1', event_type: 'page_view' })).toBe('recorded');
    expect(await api.event({ event_id: 'e1' })).toBe('recorded');
    expect(await report()).toMatchObject({ events_by_type: { click: 1, page_view: 1 } });
  });
});

describe('what becomes of an event', () => {
  test('it may be older than the window, or of somebody who was erased', async () => {
    expect(await api.event({ timestamp: '2026-11-14T23:59:59.999Z' })).toBe('expired');
    await api.event();
    await api.erase('ann');
    expect(await api.event({ timestamp: iso(now - 1) })).toBe('erased');
    expect(await api.event({ timestamp: '2012-12-21T00:00:00Z' })).toBe('erased');
    api.clock.advance(1);
    expect(await api.event()).toBe('recorded');
  });

  test('a user has as many other events a day as page views', async () => {
    const times = Array.from({ length: 6 }, (_, i) => iso(now - i));
    const outcomes = ['recorded', 'recorded', 'recorded', 'recorded', 'recorded', 'capped'];
    for (const [i, timestamp] of times.entries()) expect(await api.event({ timestamp })).toBe(outcomes[i]);
    for (const [i, timestamp] of times.entries()) expect(await api.view({ timestamp })).toBe(outcomes[i]);
    expect(await api.event()).toBe('duplicate');
    expect(await api.event({ timestamp: ago(1) })).toBe('recorded');
    expect(await report()).toMatchObject({ events_by_type: { click: 6 } });
  });

  test('an erasure takes the person out of the site’s users; events and views stay', async () => {
    for (const user_id of ['ann', 'bob']) {
      await api.event({ user_id });
      await api.view({ user_id, site_id: 'shop', timestamp: ago(1) });
    }
    await api.erase('ann');
    expect(await report()).toMatchObject({
      ...{ views: 2, unique_users: 1, exact: true, events_by_type: { click: 2, page_view: 2 } },
    });
  });
});

describe('a bad event', () => {
  const without = (field: string) =>
    Object.fromEntries(Object.entries(good).filter(([name]) => name !== field));

  test.each(Object.keys(good))('without %s is refused', async (field) => {
    expectProblem(await post(without(field)), 400, 'invalid_body', [`/${field}`]);
    expect(await server.redis.dbsize()).toBe(0);
  });

  test('names all that is missing', async () => {
    expectProblem(
      await post({}),
      400,
      'invalid_body',
      Object.keys(good).map((field) => `/${field}`),
    );
  });

  test.each<[field: string, value: unknown]>([
    ...[' ', 'page view', 'a/b', 'Grüße', '😀', '(other)', '{a}', '*', 'x'.repeat(65), 7, null, []].map(
      (value): [string, unknown] => ['event_type', value],
    ),
    ...['', 'null', 'undefined', '.', '..', 'a\u0000b', '\ud800', 'x'.repeat(65), 7].map(
      (value): [string, unknown] => ['site_id', value],
    ),
    ...['', 'a\nb', '\udc00', 'x'.repeat(2049), 7, {}].map((value): [string, unknown] => ['path', value]),
    ...['', 'NaN', 'x'.repeat(129)].map((value): [string, unknown] => ['user_id', value]),
    ...['now', '2026-02-30T00:00:00Z', '2026-11-21', 7].map((value): [string, unknown] => [
      'timestamp',
      value,
    ]),
    ...['', 'x'.repeat(101), 7].map((value): [string, unknown] => ['event_id', value]),
  ])('whose %s is %j is refused', async (field, value) => {
    expectProblem(await post({ ...good, [field]: value }), 400, 'invalid_body', [`/${field}`]);
    expect(await server.redis.dbsize()).toBe(0);
  });

  test.each([
    'a',
    'A-Z_0.9:x',
    'page-view',
    '__proto__',
    'constructor',
    'type:page_view',
    'x'.repeat(64),
    '7',
  ])('is none whose event_type is %j', async (event_type) => {
    expect(await api.event({ event_type })).toBe('recorded');
    const { events_by_type } = await report();
    expect(Object.entries(events_by_type as object)).toEqual([[event_type, 1]]);
  });

  test('that is too far ahead is a mistake', async () => {
    const ahead = { ...good, timestamp: '2026-11-21T12:05:00.001Z' };
    expectProblem(await post(ahead), 400, 'timestamp_in_future', ['/timestamp']);
  });

  test.each(['/v1/page', '/v1/event'])('with a url or site that is none, at %s', async (path) => {
    const page = { ...good, name: 'Home', url: '' };
    if (path === '/v1/page') expectProblem(await post(page, path), 400, 'invalid_body', ['/url']);
    expectProblem(await post({ ...good, name: 'Home', site_id: '..' }, path), 400, 'invalid_body', [
      '/site_id',
    ]);
  });

  test('at /v1/page needs a name or a url', async () => {
    expectProblem(await post({ user_id: 'ann' }, '/v1/page'), 400, 'invalid_body', ['/name']);
    expectProblem(await post({ user_id: 'ann', site_id: 'shop' }, '/v1/page'), 400, 'invalid_body', [
      '/name',
    ]);
  });
});

test.each([
  ['/v1/event', 'GET', 'OPTIONS, POST'],
  ['/event', 'PUT', 'OPTIONS, POST'],
  ['/v1/user/login', 'PUT', 'DELETE, GET, HEAD, OPTIONS, POST'],
  ['/v1/page/visitors', 'POST', 'GET, HEAD, OPTIONS'],
  ['/v1/user/uniques/daily', 'DELETE', 'GET, HEAD, OPTIONS'],
  ['/v1/user/uniques/monthly', 'POST', 'GET, HEAD, OPTIONS'],
  ['/v1/site/shop/report', 'PATCH', 'GET, HEAD, OPTIONS'],
])('%s is not for %s', async (path, method, allow) => {
  const reply = await api.send({ method, path, headers: JSON_TYPE, body: JSON.stringify(good) });
  expectProblem(reply, 405, 'method_not_allowed');
  expect(reply.headers.allow).toBe(allow);
  expect(await api.send({ method: 'OPTIONS', path })).toMatchObject({ status: 204, headers: { allow } });
});
