// What other services of this kind got wrong, each with its own test.

import { emptyProfile, iso, JSON_TYPE, profileWith, startApi, stopServer, useApi } from './support/http.ts';
import { useRedis } from './support/redis.ts';
import { NOON } from './support/service.ts';

const server = useRedis();
const api = useApi(server);

test('a day is a day of UTC, not the first nine letters of a timestamp', async () => {
  await api.view({ timestamp: '2026-11-20T10:00:00.000Z' });
  await api.view({ timestamp: '2026-11-21T10:00:00.000Z' });
  await api.view({ timestamp: '2026-11-21T01:00:00.000+02:00' }); // still the 20th
  expect(await api.profile('ann')).toMatchObject({ number_of_days_active_in_last_7_days: 2 });
  const days = await api.days('ann');
  expect(days.filter(({ views }) => views > 0)).toEqual([
    expect.objectContaining({ date: '2026-11-20', views: 2 }),
    expect.objectContaining({ date: '2026-11-21', views: 1 }),
  ]);
});

test('two views in one millisecond both count', async () => {
  expect(await api.view({ name: 'Home' })).toBe('recorded');
  expect(await api.view({ name: 'Prices' })).toBe('recorded');
  expect(await api.profile('ann')).toEqual(profileWith('ann', [2, 0, 1, 'Home']));
});

test('500 views posted at once all count', async () => {
  const start = Date.parse(NOON) - 500;
  const outcomes = await Promise.all(
    Array.from({ length: 500 }, (_, i) => api.view({ name: `Page ${i % 7}`, timestamp: iso(start + i) })),
  );
  expect(new Set(outcomes)).toEqual(new Set(['recorded']));
  expect(await api.profile('ann')).toEqual(profileWith('ann', [500, 0, 1, 'Page 0']));
});

test('500 views posted at once through two processes all count', async () => {
  const other = await startApi(server.redis);
  try {
    const start = Date.parse(NOON) - 500;
    await Promise.all(
      Array.from({ length: 500 }, (_, i) => (i % 2 ? api : other).view({ timestamp: iso(start + i) })),
    );
    expect(await api.profile('ann')).toEqual(profileWith('ann', [500, 0, 1, 'Home']));
  } finally {
    await stopServer(other.server);
  }
});

test("the document's own sample user is taken", async () => {
  const body = {
    user_id: '019mr8mf4r',
    name: 'Blog: better B2B customer experience',
    timestamp: '2026-11-21T11:00:00.000Z',
  };
  const reply = await api.post(JSON.stringify(body), JSON_TYPE);
  expect(reply).toMatchObject({ status: 202, body: { status: 'recorded' } });
  expect(await api.profile('019mr8mf4r')).toEqual(profileWith('019mr8mf4r', [1, 0, 1, body.name]));
});

test('a timestamp without a fraction is taken', async () => {
  expect(await api.view({ timestamp: '2026-11-21T11:00:00Z' })).toBe('recorded');
  expect(await api.view({ timestamp: '2026-11-21T11:00:00.000Z' })).toBe('duplicate');
});

test('views of the future do not count', async () => {
  const tomorrow = JSON.stringify({ user_id: 'ann', name: 'Home', timestamp: '2026-11-22T12:00:00Z' });
  expect(await api.post(tomorrow)).toMatchObject({ status: 400, body: { code: 'timestamp_in_future' } });
  expect(await api.profile('ann')).toEqual(emptyProfile('ann'));
  api.clock.set('2026-11-22T13:00:00Z');
  expect(await api.profile('ann')).toEqual(emptyProfile('ann'));
});

test('a user with only old views has an empty profile', async () => {
  await api.view();
  api.clock.set('2026-11-28T00:00:00Z'); // the day's keys are still there
  expect(await server.redis.dbsize()).toBeGreaterThan(0);
  expect(await api.profile('ann')).toEqual(emptyProfile('ann'));
});

test('an unknown user has an empty profile', async () => {
  expect(await api.profile('nobody')).toEqual(emptyProfile('nobody'));
});

test('views of one page count each, not once a page', async () => {
  await api.view({ timestamp: '2026-11-21T11:00:00Z' });
  await api.view({ timestamp: '2026-11-21T11:00:01Z' });
  await api.view({ timestamp: '2026-11-21T11:00:02Z' });
  expect(await api.profile('ann')).toMatchObject({ number_pages_viewed_in_the_last_7_days: 3 });
});
