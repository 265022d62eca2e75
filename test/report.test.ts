import type { SiteReport } from '../src/answers.ts';
import { DAY, dateOf, dayOf } from '../src/time.ts';
import { expectProblem, iso, startApi, stopServer, useApi } from './support/http.ts';
import { useRedis } from './support/redis.ts';
import { NOON } from './support/service.ts';

const server = useRedis();
const api = useApi(server);

const now = Date.parse(NOON);
const ago = (days: number) => iso(now - days * DAY);
const date = (days: number) => dateOf(dayOf(now) - days);
const report = async (query?: Record<string, string>, site = 'shop') =>
  (await api.read(`/v1/site/${site}/report`, query)) as SiteReport;
const visit = (user_id: string, days = 0, more = {}) =>
  api.view({ user_id, site_id: 'shop', timestamp: ago(days), ...more });

describe('a site’s report', () => {
  test('has exact fields', async () => {
    await visit('ann', 1);
    await visit('ann', 0, { name: 'Prices', url: '/prices' });
    await visit('bob', 0, { name: 'Prices', url: '/prices' });
    await api.event({ user_id: 'cid' });
    const reply = await api.send({ path: '/v1/site/shop/report?from=2026-11-19&to=2026-11-21' });
    expect(reply.text).toBe(
      JSON.stringify({
        site_id: 'shop',
        from: '2026-11-19',
        to: '2026-11-21',
        views: 3,
        unique_users: 3,
        exact: true,
        events_by_type: { page_view: 3, click: 1 },
        top_paths: [
          { path: '/prices', views: 2 },
          { path: 'Home', views: 1 },
        ],
        days: [
          { date: '2026-11-19', views: 0, unique_users: 0 },
          { date: '2026-11-20', views: 1, unique_users: 1 },
          { date: '2026-11-21', views: 2, unique_users: 3 },
        ],
      }),
    );
    expect(reply).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
    });
  });

  test('spans the last seven days unless told otherwise', async () => {
    const { from, to, days } = await report();
    expect([from, to, days.length]).toEqual(['2026-11-15', '2026-11-21', 7]);
    expect(await report({ to: '2026-11-10' })).toMatchObject({ from: '2026-11-04', to: '2026-11-10' });
    expect(await report({ from: '2026-11-20' })).toMatchObject({ from: '2026-11-20', to: '2026-11-21' });
  });

  test('is zeros where there was no traffic', async () => {
    await api.view({ site_id: 'blog' });
    expect(await report({ from: date(34), to: date(0) })).toEqual({
      site_id: 'shop',
      from: date(34),
      to: date(0),
      views: 0,
      unique_users: 0,
      exact: true,
      events_by_type: {},
      top_paths: [],
      days: Array.from({ length: 35 }, (_, i) => ({ date: date(34 - i), views: 0, unique_users: 0 })),
    });
  });

  test('counts users by any event, and paths by page views alone', async () => {
    await api.event({ user_id: 'ann', path: '/a' });
    await api.event({ user_id: 'ann', path: '/a', timestamp: ago(1) });
    await api.event({ user_id: 'bob', path: '/b', event_type: 'page_view' });
    expect(await report()).toMatchObject({
      ...{ views: 1, unique_users: 2, top_paths: [{ path: '/b', views: 1 }] },
      events_by_type: { click: 2, page_view: 1 },
    });
  });

  test('has the path of a view by its url, or by its name where there is none', async () => {
    await visit('ann', 0, { name: 'Start', url: '/' });
    await visit('ann', 0, { name: '/' });
    await visit('bob', 0, { name: 'Start' });
    const { top_paths } = await report();
    expect(top_paths).toEqual([
      { path: '/', views: 2 },
      { path: 'Start', views: 1 },
    ]);
  });

  test('has the ten paths with the most views; a tie goes to the one that sorts first by its bytes', async () => {
    const paths = ['\u{1f600}', '\uffe6', 'b', 'a', 'B', 'é', 'z', '/1', '/2', '/3', '/4', '/5'];
    for (const [i, path] of paths.entries()) {
      await api.event({ event_type: 'page_view', path, timestamp: iso(now - i) });
    }
    await api.event({ event_type: 'page_view', path: 'z', user_id: 'bob' });
    const { top_paths } = await report();
    expect(top_paths.map(({ path }) => path)).toEqual([
      'z',
      '/1',
      '/2',
      '/3',
      '/4',
      '/5',
      'B',
      'a',
      'b',
      'é',
    ]);
    expect(top_paths[0]).toEqual({ path: 'z', views: 2 });
  });

  test('adds up the days and not those outside', async () => {
    for (const [i, days] of [6, 5, 5, 2, 0].entries()) await visit('ann', days, { event_id: `e${i}` });
    const inside = await report({ from: date(5), to: date(2) });
    expect(inside.views).toBe(3);
    expect(inside.days.map(({ views }) => views)).toEqual([2, 0, 0, 1]);
  });
});

describe('unique users of a span', () => {
  beforeEach(async () => {
    for (const days of [0, 1, 2, 3]) await visit('ann', days);
    for (const days of [2, 3]) await visit('bob', days);
  });

  test.each([
    ['that ends today', 6, 0, 2],
    ['that ends today and is short', 1, 0, 1],
    ['inside the window', 3, 1, 2],
    ['of one day', 2, 2, 2],
    ['in which one day alone is busy', 6, 3, 2],
    ['that ends after today', 1, -3, 1],
  ])('%s are exact', async (_what, from, to, users) => {
    expect(await report({ from: date(from), to: date(to) })).toMatchObject({
      unique_users: users,
      exact: true,
    });
  });

  test('that begins before the window are an estimate', async () => {
    expect(await report({ from: date(7), to: date(0) })).toMatchObject({ unique_users: 2, exact: false });
    api.clock.advance(5 * DAY);
    expect(await report({ from: date(3), to: date(0) })).toMatchObject({ unique_users: 2, exact: false });
    expect(await report({ from: date(3), to: date(3) })).toMatchObject({ unique_users: 2, exact: true });
  });

  test('lose who is erased; an estimate does not, and says that it is one', async () => {
    await api.erase('bob');
    expect(await report()).toMatchObject({ views: 6, unique_users: 1, exact: true });
    expect(await report({ from: date(7) })).toMatchObject({ views: 6, unique_users: 2, exact: false });
  });

  test('of days that nothing of theirs names any more keep who is erased', async () => {
    api.clock.advance(8 * DAY);
    await server.redis.unlink(...api.services.keys.ofUser('bob', now)); // Redis's own clock did not move
    expect(await api.erase('bob')).toMatchObject({ counts_corrected: 0 });
    expect(await report({ from: date(3), to: date(3) })).toMatchObject({ views: 2, unique_users: 2 });
  });
});

test('an estimate of 5,000 users is right to two in a hundred', async () => {
  const users = Array.from({ length: 5000 }, (_, i) => `user${i}`);
  const { recorder } = api.services;
  for (const days of [0, 6]) {
    const at = now - days * DAY;
    const views = users.map(
      (userId) => ({ kind: 'view', userId, at, name: 'Home', path: '/', siteId: 'shop' }) as const,
    );
    for (let i = 0; i < views.length; i += 1000)
      await Promise.all(views.slice(i, i + 1000).map(recorder.record));
  }
  expect(await report()).toMatchObject({ unique_users: 5000, exact: true });
  const { unique_users, exact } = await report({ from: date(7) });
  expect(exact).toBe(false);
  expect(Math.abs(unique_users - 5000)).toBeLessThanOrEqual(100);
});

test('what is ahead of the clock shows from midnight on', async () => {
  api.clock.set('2026-11-21T23:58:00Z');
  await api.view({ site_id: 'shop', timestamp: '2026-11-22T00:02:00Z' });
  await api.event({ user_id: 'bob', timestamp: '2026-11-22T00:02:00Z' });
  const span = { from: '2026-11-20', to: '2026-11-23' };
  const nothing = { views: 0, unique_users: 0, exact: true, events_by_type: {}, top_paths: [] };
  const before = await report(span);
  expect(before).toMatchObject(nothing);
  expect(before.days).toEqual(
    ['2026-11-20', '2026-11-21', '2026-11-22', '2026-11-23'].map((day) => ({
      date: day,
      views: 0,
      unique_users: 0,
    })),
  );
  api.clock.set('2026-11-22T00:00:00Z');
  expect(await report(span)).toMatchObject({
    ...{ views: 1, unique_users: 2, events_by_type: { click: 1, page_view: 1 } },
    top_paths: [{ path: 'Home', views: 1 }],
  });
});

describe('a span that is none', () => {
  test.each<[what: string, query: Record<string, string>, pointers: string[]]>([
    ['from after to', { from: '2026-11-21', to: '2026-11-20' }, ['/from']],
    ['from after today', { from: '2026-11-22' }, ['/from']],
    ['36 days', { from: '2026-10-17', to: '2026-11-21' }, ['/from']],
    ['36 days from today', { from: '2026-11-21', to: '2026-12-26' }, ['/from']],
    ['from before what is kept', { from: '2026-10-17', to: '2026-10-20' }, ['/from']],
    ['to long ago', { to: '2012-12-21' }, ['/from']],
    ['a day that there is not', { from: '2026-02-30' }, ['/from']],
    ['no leap year', { to: '2027-02-29' }, ['/to']],
    ['a month', { from: '2026-11' }, ['/from']],
    ['a time', { from: '2026-11-21T00:00:00Z' }, ['/from']],
    ['words', { from: 'yesterday', to: 'today' }, ['/from', '/to']],
    ['nothing', { from: '', to: '' }, ['/from', '/to']],
    ['spaces', { from: ' 2026-11-20' }, ['/from']],
    ['other digits', { from: '２０２６-11-20' }, ['/from']],
  ])('%s', async (_what, query, pointers) => {
    const path = `/v1/site/shop/report?${new URLSearchParams(query)}`;
    expectProblem(await api.send({ path }), 400, 'invalid_query', pointers);
  });

  test('a field that is given twice', async () => {
    const path = '/v1/site/shop/report?from=2026-11-20&from=2026-11-19';
    expectProblem(await api.send({ path }), 400, 'invalid_query', ['/from']);
  });

  test('the longest ones that are', async () => {
    expect((await report({ from: date(34) })).days).toHaveLength(35);
    expect((await report({ from: date(0), to: date(-34) })).days).toHaveLength(35);
  });

  test('what is kept longer can be asked for longer ago, 35 days at a time', async () => {
    const longer = await startApi(server.redis, { siteRetentionDays: 100 });
    try {
      const path = '/v1/site/shop/report';
      expect(await longer.read(path, { from: date(99), to: date(65) })).toMatchObject({ views: 0 });
      const tooOld = `${path}?from=${date(100)}&to=${date(99)}`;
      expectProblem(await longer.send({ path: tooOld }), 400, 'invalid_query', ['/from']);
    } finally {
      await stopServer(longer.server);
    }
  });
});

test.each(['%00', 'x'.repeat(65), 'null', '%2E%2E', 'undefined'])('a site that is none: %s', async (site) => {
  expectProblem(await api.send({ path: `/v1/site/${site}/report` }), 400, 'invalid_path', ['/site_id']);
});
