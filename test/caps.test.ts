// Names have no end; what is kept of them does. What finds no place of its own is counted as such, where an operator
// sees it.

import type { SiteReport } from '../src/answers.ts';
import { type Api, iso, startApi, stopServer } from './support/http.ts';
import { useRedis } from './support/redis.ts';
import { NOON } from './support/service.ts';

const server = useRedis();
let api: Api;
beforeEach(async () => {
  api = await startApi(server.redis, { maxPagesPerUserDay: 2, maxPathsPerSiteDay: 3 });
});
afterEach(() => stopServer(api.server));

const at = (i: number) => iso(Date.parse(NOON) - i * 1000);
const report = async () => (await api.read('/v1/site/shop/report')) as SiteReport;

/** How often each kind of name found no place. */
async function folded(): Promise<Record<string, number>> {
  const { text } = await api.send({ path: '/metrics' });
  const samples = text.matchAll(/^footfall_names_folded_total\{kind="(\w+)"\} (\d+)$/gm);
  return Object.fromEntries(
    [...samples].map(([, kind, count]) => [kind, Number(count)]).filter(([, n]) => n),
  );
}

test('as long as there is room, none is counted', async () => {
  await api.view({ url: '/a', site_id: 'shop' });
  await api.event();
  await api.login();
  expect(await folded()).toEqual({});
});

test('page names of a user’s day: views count, the name has no visitor', async () => {
  for (const [i, name] of ['A', 'B', 'C', 'D', 'C', 'A'].entries())
    await api.view({ name, timestamp: at(i) });
  expect(await folded()).toEqual({ page: 3 });
  expect(await api.profile('ann')).toMatchObject({
    ...{ number_pages_viewed_in_the_last_7_days: 6, most_viewed_page_in_last_7_days: 'A' },
  });
  const visitors = ['A', 'B', 'C', 'D', '(other)'].map((name) => api.visitors({ name }));
  expect(await Promise.all(visitors)).toEqual([1, 1, 0, 0, 0]);
});

test('urls and sites of a user’s day: four times as many have visitors', async () => {
  for (let i = 0; i < 10; i++) await api.view({ url: `/${i}`, timestamp: at(i) });
  expect(await folded()).toEqual({ url_or_site: 2 });
  const visitors = Array.from({ length: 10 }, (_, i) => api.visitors({ url: `/${i}` }));
  expect(await Promise.all(visitors)).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 0, 0]);
  expect(await api.view({ url: '/0', timestamp: at(60) })).toBe('recorded');
  expect(await folded()).toEqual({ url_or_site: 2 });
});

test('paths of a site’s day: views count, and known paths go on', async () => {
  for (const [i, path] of ['/a', '/b', '/c', '/d', '/e', '/a'].entries()) {
    await api.event({ event_type: 'page_view', path, user_id: `user${i}` });
  }
  expect(await folded()).toEqual({ path: 2 });
  expect(await report()).toMatchObject({
    ...{ views: 6, unique_users: 6 },
    top_paths: [
      { path: '/a', views: 2 },
      { path: '/b', views: 1 },
      { path: '/c', views: 1 },
    ],
  });
});

test('a path that is called (other) is one of those without a place', async () => {
  for (const [i, path] of ['(other)', '/a', '/b', '/c', '/d'].entries()) {
    await api.event({ event_type: 'page_view', path, user_id: `user${i}` });
  }
  const { views, top_paths } = await report();
  expect(views).toBe(5);
  expect(top_paths.map(({ path }) => path)).not.toContain('(other)');
});

test('types of a site’s day: a hundred', async () => {
  for (let i = 0; i < 103; i++) await api.event({ event_type: `t${i}`, timestamp: at(i) });
  expect(await folded()).toEqual({ event_type: 3 });
  const { events_by_type, unique_users } = await report();
  expect(unique_users).toBe(1);
  expect(events_by_type).toMatchObject({ t0: 1, t99: 1, '(other)': 3 });
  expect(Object.keys(events_by_type)).toHaveLength(101);
});

test('each day, each user and each site has limits of its own', async () => {
  for (const timestamp of [NOON, '2026-11-20T12:00:00Z']) {
    for (const user_id of ['ann', 'bob']) {
      for (const site_id of ['shop', 'blog']) {
        for (const name of ['A', 'B']) await api.view({ name, user_id, site_id, timestamp });
      }
    }
  }
  expect(await folded()).toEqual({});
});

test('an erasure takes out no more than was counted', async () => {
  for (let i = 0; i < 12; i++) {
    await api.view({ name: `${i}`, url: `/${i}`, site_id: 'shop', timestamp: at(i) });
    await api.view({ name: `${i}`, url: `/${i}`, site_id: 'shop', timestamp: at(i), user_id: 'bob' });
  }
  const hashes = async () => {
    const keys = (await server.redis.keys('*:visitors')).concat(await server.redis.keys('*:shop:*:stats'));
    return Promise.all(keys.sort().map((key) => server.redis.hgetall(key)));
  };
  const two = await hashes();
  await api.erase('ann');
  const one = await hashes();
  for (const [i, counts] of two.entries()) {
    const isOfUsers = (field: string) => !field.startsWith('type:');
    const less = Object.entries(counts).map(([field, n]) => [
      field,
      isOfUsers(field) ? Number(n) - 1 : Number(n),
    ]);
    expect(one[i]).toEqual(Object.fromEntries(less.map(([field, n]) => [field, `${n}`])));
  }
  await api.erase('bob');
  expect(await server.redis.keys('*:visitors')).toEqual([]);
});
