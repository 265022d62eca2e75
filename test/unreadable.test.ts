// Counts about everybody that hold something else than they should: whoever asks hears that it is a fault here, and never
// a wrong number.

import { dateOf, dayOf } from '../src/time.ts';
import { expectProblem, useApi } from './support/http.ts';
import { useRedis } from './support/redis.ts';
import { NOON } from './support/service.ts';

const server = useRedis();
const api = useApi(server);
const today = dayOf(Date.parse(NOON));
const keys = () => api.services.keys;

const VISITORS = '/v1/page/visitors?name=Home';
const REPORT = '/v1/site/shop/report';
const DAILY = '/v1/user/uniques/daily?date=2026-11-21';
const MONTHLY = '/v1/user/uniques/monthly?month=2026-11';

test.each<[what: string, key: () => string, paths: string[]]>([
  ['the visitors of a day', () => keys().visitors(0, today), [VISITORS, REPORT]],
  ['those returning on a day', () => keys().returning(0, today), [VISITORS, REPORT]],
  ['the counts of logins', () => keys().loginCounts(0, '2026-11'), [DAILY, MONTHLY]],
  ['a site’s numbers', () => keys().site(0, 'shop', today, 'stats'), [REPORT]],
  ['a site’s paths', () => keys().site(0, 'shop', today, 'pages'), [REPORT]],
])('%s of another type', async (_what, key, paths) => {
  for (const timestamp of ['2026-11-20T12:00:00Z', NOON]) await api.view({ site_id: 'shop', timestamp });
  await api.login();
  await server.redis.del(key());
  await server.redis.rpush(key(), 'ann');
  for (const path of [VISITORS, REPORT, DAILY, MONTHLY]) {
    const reply = await api.send({ path });
    if (paths.includes(path)) expectProblem(reply, 500, 'internal');
    else expect(reply.status).toBe(200);
  }
  expect(api.log.join('')).not.toContain('ann');
  expect(await api.profile('ann')).toMatchObject({ number_pages_viewed_in_the_last_7_days: 2 });
});

test('an estimate of another type', async () => {
  for (const timestamp of ['2026-11-20T12:00:00Z', NOON]) await api.view({ site_id: 'shop', timestamp });
  await server.redis.set(keys().site(0, 'shop', today, 'hll'), 'HYLL but no more');
  expect(await api.read(REPORT)).toMatchObject({ unique_users: 1, exact: true });
  const longer = `${REPORT}?from=${dateOf(today - 7)}`;
  expectProblem(await api.send({ path: longer }), 500, 'internal');
});

test.each<[what: string, key: () => string]>([
  ['the visitors of the day', () => keys().visitors(0, today)],
  ['the site’s numbers', () => keys().site(0, 'shop', today, 'stats')],
])('an event that needs %s is refused until they are mended', async (_what, key) => {
  await server.redis.rpush(key(), 'x');
  const body = JSON.stringify({ user_id: 'ann', name: 'Home', site_id: 'shop', timestamp: NOON });
  expectProblem(await api.post(body), 500, 'damaged');
  expect(await api.profile('ann')).toMatchObject({ number_pages_viewed_in_the_last_7_days: 0 });
  await server.redis.del(key());
  expect(await api.view({ site_id: 'shop' })).toBe('recorded');
});
