import { dayOf } from '../src/time.ts';
import {
  emptyProfile,
  expectProblem,
  iso,
  profileWith,
  startApi,
  stopServer,
  useApi,
} from './support/http.ts';
import { snapshot, useRedis } from './support/redis.ts';
import { NOON } from './support/service.ts';

const server = useRedis();
const api = useApi(server);

const now = Date.parse(NOON);
const today = dayOf(now);
const DAY = 86_400_000;

test('a recorded view is in the next read', async () => {
  const reply = await api.post(JSON.stringify({ user_id: '019mr8mf4r', name: 'Home', timestamp: NOON }));
  expect(reply).toMatchObject({ status: 202, text: '{"status":"recorded"}' });
  expect(reply.headers['content-type']).toMatch(/^application\/json(;|$)/);
  expect(await api.profile('019mr8mf4r')).toEqual(profileWith('019mr8mf4r', [1, 0, 1, 'Home']));
});

describe('what a view holds', () => {
  test.each<[what: string, fields: Record<string, unknown>, page: string]>([
    ['a name', { name: 'Home' }, 'Home'],
    [
      'a url for the name',
      { name: undefined, url: 'https://example.com/?a=b#c' },
      'https://example.com/?a=b#c',
    ],
    ['a name beside a url', { name: 'Home', url: 'https://example.com/' }, 'Home'],
    ['a name of 512 characters', { name: 'n'.repeat(512) }, 'n'.repeat(512)],
    ['a name of 512 emoji', { name: '😀'.repeat(512) }, '😀'.repeat(512)],
    ['a url of 2,048 characters', { name: undefined, url: 'u'.repeat(2048) }, 'u'.repeat(2048)],
    ['an event_id of 100 characters', { event_id: 'e'.repeat(100) }, 'Home'],
    ['a site of 64 characters', { site_id: 's'.repeat(64) }, 'Home'],
    ['the longest of everything', { name: '😀'.repeat(512), url: '😀'.repeat(2048) }, '😀'.repeat(512)],
    ['unknown fields', { referrer: 'x', page: { a: [1, { b: null }] }, User_Id: 7, '': 0 }, 'Home'],
    ['a name "null"', { name: 'null' }, 'null'],
    ['a name of white space', { name: ' ' }, ' '],
    ['a name "__proto__"', { name: '__proto__' }, '__proto__'],
    ['a name like a field', { name: 'views' }, 'views'],
    ['a name like a page field', { name: 'page:Home' }, 'page:Home'],
    ['a name in right-to-left', { name: 'דף \u202eהבית' }, 'דף \u202eהבית'],
    ['a name with quotes', { name: `"it's" \\ <b>&amp;` }, `"it's" \\ <b>&amp;`],
    ['a name with a line separator', { name: 'a\u2028b' }, 'a\u2028b'],
  ])('%s is taken', async (_what, fields, page) => {
    expect(await api.view(fields)).toBe('recorded');
    expect(await api.profile('ann')).toEqual(profileWith('ann', [1, 0, 1, page]));
  });

  test('a field given twice counts as given last', async () => {
    await api.post(`{"user_id":"bob","name":"Home","user_id":"ann","name":"Prices"}`);
    expect(await api.profile('ann')).toEqual(profileWith('ann', [1, 0, 1, 'Prices']));
    expect(await api.profile('bob')).toEqual(emptyProfile('bob'));
  });

  test('fields of a prototype are unknown fields', async () => {
    const reply = await api.post('{"user_id":"ann","name":"Home","__proto__":{"timestamp":"never"}}');
    expect(reply).toMatchObject({ status: 202, body: { status: 'recorded' } });
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  test('an unknown field may be as deep as the body is long', async () => {
    const deep = `${'['.repeat(30_000)}${']'.repeat(30_000)}`;
    const reply = await api.post(`{"user_id":"ann","name":"Home","more":${deep}}`);
    expect(reply).toMatchObject({ status: 202, body: { status: 'recorded' } });
  });
});

describe('when a view happened', () => {
  test('without a timestamp, it is now', async () => {
    api.clock.set('2026-11-20T23:59:59.999Z');
    expect(await api.view({ timestamp: undefined })).toBe('recorded');
    api.clock.advance(1);
    expect(await api.view({ timestamp: undefined })).toBe('recorded');
    const days = (await api.days('ann')).map(({ date, views }) => [date, views]);
    expect(days.slice(-2)).toEqual([
      ['2026-11-20', 1],
      ['2026-11-21', 1],
    ]);
  });

  test.each([
    ['a zone east of Greenwich', '2026-11-21T00:30:00+01:00', '2026-11-20'],
    ['a zone west of Greenwich', '2026-11-20T23:30:00-01:00', '2026-11-21'],
    ['the last millisecond of a day', '2026-11-20T23:59:59.999Z', '2026-11-20'],
    ['digits past the last millisecond', '2026-11-20T23:59:59.9999Z', '2026-11-20'],
    ['the first millisecond of a day', '2026-11-21T00:00:00.000Z', '2026-11-21'],
    ['the first of the window', '2026-11-15T00:00:00.000Z', '2026-11-15'],
    ['lower case', '2026-11-20t10:00:00z', '2026-11-20'],
    ['5 minutes ahead', '2026-11-21T12:05:00.000Z', '2026-11-21'],
    ['5 minutes ahead, by less than a millisecond more', '2026-11-21T12:05:00.000999Z', '2026-11-21'],
  ])('%s: %s falls on %s', async (_what, timestamp, date) => {
    expect(await api.view({ timestamp })).toBe('recorded');
    expect((await api.days('ann')).filter(({ views }) => views > 0)).toEqual([
      expect.objectContaining({ date, views: 1 }),
    ]);
  });

  test.each([
    ['1 ms before the window', '2026-11-14T23:59:59.999Z'],
    ['before the window by its zone', '2026-11-15T00:30:00+01:00'],
    ['eight days ago', '2026-11-13T12:00:00Z'],
    ['2012', '2012-02-29T12:00:00Z'],
    ['before 1970', '1969-12-31T23:59:59.999Z'],
    ['the year 1', '0001-01-01T00:00:00Z'],
    ['the year 0', '0000-01-01T00:00:00+23:59'],
  ])('%s is expired, and changes nothing', async (_what, timestamp) => {
    await api.view();
    const before = await snapshot(server.redis);
    expect(await api.view({ timestamp })).toBe('expired');
    expect(await api.view({ timestamp, event_id: 'e1' })).toBe('expired');
    expect(await snapshot(server.redis)).toEqual(before);
  });

  test('one millisecond decides between now and the future', async () => {
    const body = (ms: number) => JSON.stringify({ user_id: 'ann', name: 'Home', timestamp: iso(now + ms) });
    expectProblem(await api.post(body(300_001)), 400, 'timestamp_in_future', ['/timestamp']);
    expect(await api.profile('ann')).toEqual(emptyProfile('ann'));
    expect(await api.post(body(300_000))).toMatchObject({ status: 202, body: { status: 'recorded' } });
    expect(await api.profile('ann')).toEqual(profileWith('ann', [1, 0, 1, 'Home']));
  });

  test('a view of tomorrow, inside the five minutes, shows from midnight on', async () => {
    api.clock.set('2026-11-21T23:57:00Z');
    expect(await api.view({ timestamp: '2026-11-22T00:02:00Z' })).toBe('recorded');
    expect(await api.view({ timestamp: '2026-11-22T00:02:00Z' })).toBe('duplicate');
    expect(await api.profile('ann')).toEqual(emptyProfile('ann'));
    expect((await api.days('ann')).map(({ views }) => views)).toEqual([0, 0, 0, 0, 0, 0, 0]);
    api.clock.set('2026-11-22T00:00:00Z');
    expect(await api.profile('ann')).toEqual(profileWith('ann', [1, 0, 1, 'Home']));
  });
});

describe('the identity of a view', () => {
  const first = { user_id: 'ann', name: 'Home', timestamp: NOON };

  test.each<[what: string, outcome: string, again: Record<string, unknown>]>([
    ['the same view', 'duplicate', {}],
    ['the same moment in another zone', 'duplicate', { timestamp: '2026-11-21T14:00:00.000+02:00' }],
    ['the same millisecond', 'duplicate', { timestamp: '2026-11-21T12:00:00.000999Z' }],
    ['the same moment without a timestamp', 'duplicate', { timestamp: undefined }],
    ['the same view with another url', 'duplicate', { url: '/home' }],
    ['the same view of another site', 'duplicate', { site_id: 'shop' }],
    ['the same page as a url', 'duplicate', { name: undefined, url: 'Home' }],
    ['the next millisecond', 'recorded', { timestamp: '2026-11-21T12:00:00.001Z' }],
    ['the same time of another day', 'recorded', { timestamp: '2026-11-20T12:00:00.000Z' }],
    ['another page', 'recorded', { name: 'home' }],
    ['another user', 'recorded', { user_id: 'Ann' }],
    ['an event_id', 'recorded', { event_id: 'e1' }],
  ])('%s is %s', async (_what, outcome, again) => {
    expect(await api.view(first)).toBe('recorded');
    const before = await snapshot(server.redis);
    expect(await api.view({ ...first, ...again })).toBe(outcome);
    if (outcome === 'duplicate') expect(await snapshot(server.redis)).toEqual(before);
    else expect(await snapshot(server.redis)).not.toEqual(before);
  });

  test.each<[what: string, outcome: string, again: Record<string, unknown>]>([
    ['the same view', 'duplicate', {}],
    ['another page', 'duplicate', { name: 'Prices' }],
    ['another time of the day', 'duplicate', { timestamp: '2026-11-18T00:00:00Z' }],
    ['a time of the day before', 'duplicate', { timestamp: '2026-11-17T00:00:00Z' }],
    ['a time of the day after', 'duplicate', { timestamp: '2026-11-19T23:59:59.999Z' }],
    ['a time two days before', 'recorded', { timestamp: '2026-11-16T23:59:59.999Z' }],
    ['a time two days after', 'recorded', { timestamp: '2026-11-20T00:00:00Z' }],
    ['another user', 'recorded', { user_id: 'bob' }],
    ['another id', 'recorded', { event_id: 'E1' }],
    ['no id', 'recorded', { event_id: undefined }],
  ])('with an event_id, %s and that id is %s', async (_what, outcome, again) => {
    const view = { ...first, timestamp: '2026-11-18T12:00:00Z', event_id: 'e1' };
    expect(await api.view(view)).toBe('recorded');
    const before = await snapshot(server.redis);
    expect(await api.view({ ...view, ...again })).toBe(outcome);
    if (outcome === 'duplicate') expect(await snapshot(server.redis)).toEqual(before);
    else expect(await snapshot(server.redis)).not.toEqual(before);
  });

  test('an event_id of the oldest day is known after midnight has put that day out of the window', async () => {
    expect(await api.view({ timestamp: '2026-11-15T23:59:00Z', event_id: 'e1' })).toBe('recorded');
    api.clock.set('2026-11-22T00:00:00Z');
    expect(await api.view({ timestamp: '2026-11-16T00:00:00Z', event_id: 'e1' })).toBe('duplicate');
  });

  test('an event_id of tomorrow is known today, and the other way round', async () => {
    api.clock.set('2026-11-21T23:58:00Z');
    expect(await api.view({ timestamp: '2026-11-22T00:01:00Z', event_id: 'e1' })).toBe('recorded');
    expect(await api.view({ timestamp: '2026-11-21T23:58:00Z', event_id: 'e1' })).toBe('duplicate');
    expect(await api.view({ timestamp: '2026-11-21T23:58:00Z', event_id: 'e2' })).toBe('recorded');
    expect(await api.view({ timestamp: '2026-11-22T00:01:00Z', event_id: 'e2' })).toBe('duplicate');
  });

  test('an event_id keeps its first name, whichever came', async () => {
    await api.view({ name: 'Prices', event_id: 'e1' });
    await api.view({ name: 'Home', event_id: 'e1' });
    expect(await api.profile('ann')).toEqual(profileWith('ann', [1, 0, 1, 'Prices']));
  });

  test.each(['e:1', '__proto__', '*', '{0}', 'é', 'e\u0301', '😀', ' ', '0', `${today}`])(
    'the event_id %j is an id like any other',
    async (event_id) => {
      expect(await api.view({ event_id })).toBe('recorded');
      expect(await api.view({ event_id })).toBe('duplicate');
      expect(await api.view({ event_id: `${event_id}.` })).toBe('recorded');
    },
  );

  test('of one view posted 50 times at once, through two processes, one is recorded', async () => {
    const other = await startApi(server.redis);
    try {
      const outcomes = await Promise.all(
        Array.from({ length: 50 }, (_, i) => (i % 2 ? api : other).view({ timestamp: NOON })),
      );
      expect(outcomes.filter((outcome) => outcome === 'recorded')).toHaveLength(1);
      expect(outcomes.filter((outcome) => outcome === 'duplicate')).toHaveLength(49);
      expect(await api.profile('ann')).toEqual(profileWith('ann', [1, 0, 1, 'Home']));
    } finally {
      await stopServer(other.server);
    }
  });
});

describe('limits of a user and day', () => {
  const limited = useApi(server, { maxViewsPerUserDay: 3, maxPagesPerUserDay: 2 });
  const at = (second: number, fields = {}) =>
    limited.view({ timestamp: iso(now - 60_000 + second * 1000), ...fields });

  test('views past the most are capped, and change nothing', async () => {
    expect([await at(0), await at(1), await at(2, { event_id: 'e' })]).toEqual(Array(3).fill('recorded'));
    const before = await snapshot(server.redis);
    expect(await at(3)).toBe('capped');
    expect(await at(3, { name: 'Prices' })).toBe('capped');
    expect(await at(3, { event_id: 'f' })).toBe('capped');
    expect(await snapshot(server.redis)).toEqual(before);
    expect(await limited.profile('ann')).toMatchObject({ number_pages_viewed_in_the_last_7_days: 3 });
  });

  test('a view that counted is a duplicate after the cap too', async () => {
    for (const second of [0, 1, 2, 3]) await at(second);
    expect(await at(0)).toBe('duplicate');
    expect(await at(3)).toBe('capped');
  });

  test('another day and another user are not capped', async () => {
    for (const second of [0, 1, 2, 3]) await at(second);
    expect(await limited.view({ timestamp: '2026-11-20T12:00:00Z' })).toBe('recorded');
    expect(await limited.view({ user_id: 'bob' })).toBe('recorded');
  });

  test('pages past the most count under (other), and it never wins', async () => {
    for (const [day, names] of [
      ['19', ['A', 'B', 'C']],
      ['20', ['A', 'B', 'D']],
      ['21', ['B', 'A', 'E']],
    ] as const) {
      for (const [second, name] of names.entries()) {
        const timestamp = `2026-11-${day}T11:00:0${second}Z`;
        expect(await limited.view({ name, timestamp })).toBe('recorded');
      }
    }
    expect(await limited.profile('ann')).toEqual(profileWith('ann', [9, 0, 3, 'A']));
    expect(await server.redis.zscore(limited.services.keys.pages('ann', today), '(other)')).toBe('1');
  });

  test('(other) does not win with more views than any page', async () => {
    for (const [second, name] of ['A', 'B'].entries()) await at(second, { name, user_id: 'bob' });
    await at(2, { name: 'C', user_id: 'bob' });
    for (const day of ['18', '19', '20']) {
      await limited.view({ user_id: 'bob', name: '(other)', timestamp: `2026-11-${day}T11:00:00Z` });
    }
    expect(await limited.profile('bob')).toEqual(profileWith('bob', [6, 0, 4, 'A']));
  });

  test('a page that is kept apart goes on counting when further ones are not', async () => {
    for (const [second, name] of ['A', 'B', 'B'].entries()) await at(second, { name });
    expect(await limited.profile('ann')).toMatchObject({ most_viewed_page_in_last_7_days: 'B' });
  });
});

describe('what is stored', () => {
  test('a view is numbers of the day, a page and a visit, readable by a person', async () => {
    await api.view({ event_id: 'e1' });
    const { keys } = api.services;
    expect(await server.redis.hgetall(keys.stats('ann', today))).toMatchObject({
      views: '1',
      active_ms: '0',
    });
    expect(await server.redis.zrange(keys.pages('ann', today), '0', '-1', 'WITHSCORES')).toEqual([
      'Home',
      '1',
    ]);
    expect(await server.redis.zrange(keys.visits('ann', today), '0', '-1', 'WITHSCORES')).toEqual([
      'e:e1',
      '43200000',
    ]);
    const visitors = keys.visitors(0, today);
    expect(await server.redis.hgetall(visitors)).toEqual({ 'name:Home': '1' });
    expect(await server.redis.dbsize()).toBe(4);
  });

  test.each([
    ['today', NOON, 0],
    ['the oldest day', '2026-11-15T00:00:00Z', 6],
    ['tomorrow', '2026-11-21T12:04:00Z', 0],
  ])('keys of %s go by day + 8, and not before day + 7', async (_what, timestamp, age) => {
    await api.view({ timestamp });
    const stored = await server.redis.keys('*');
    expect(stored).toHaveLength(4); // the user's three, and the day's visitors
    for (const key of stored) {
      const end = now + (await server.redis.pttl(key));
      expect(end).toBeLessThanOrEqual((today - age + 8) * DAY);
      expect(end).toBeGreaterThan((today - age + 7) * DAY);
    }
  });

  test('a later view of the day does not move its end', async () => {
    await api.view({ timestamp: '2026-11-21T08:00:00Z' });
    const stored = await server.redis.keys('*');
    for (const key of stored) await server.redis.pexpire(key, 1_000_000);
    await api.view({ timestamp: '2026-11-21T09:00:00Z', name: 'Prices' });
    for (const key of stored) expect(await server.redis.pttl(key)).toBeLessThanOrEqual(1_000_000);
    expect(await server.redis.keys('*')).toHaveLength(stored.length);
  });
});

// What is asked in one tick goes to Redis in one call, so these views are one group.
describe('a damaged key of one user in a group of events', () => {
  const keys = () => api.services.keys;
  const numbers = { views: 1, active_ms: 0, first: 0, last: 0, pages: 0 };
  const plant: [what: string, () => Promise<unknown>, eventId?: string][] = [
    ['stats of another type', () => server.redis.set(keys().stats('ann', today), 'x')],
    ['pages of another type', () => server.redis.set(keys().pages('ann', today), 'x')],
    ['visits of another type', () => server.redis.set(keys().visits('ann', today), 'x')],
    [
      'visits of the day before of another type',
      () => server.redis.set(keys().visits('ann', today - 1), 'x'),
      'e1',
    ],
    [
      'visits of the day after of another type',
      () => server.redis.set(keys().visits('ann', today + 1), 'x'),
      'e1',
    ],
    ['a mark of another type', () => server.redis.sadd(keys().erased('ann'), 'x')],
    ['a mark that is no time', () => server.redis.set(keys().erased('ann'), 'x')],
    ['stats without their fields', () => server.redis.hset(keys().stats('ann', today), { views: 1 })],
    [
      'views that are no number',
      () => server.redis.hset(keys().stats('ann', today), { ...numbers, views: 'x' }),
    ],
    [
      'stats whose visits are gone',
      () => server.redis.hset(keys().stats('ann', today), { ...numbers, views: 2, last: 43_200_001 }),
    ],
  ];

  test.each(
    plant.flatMap(([what, damage, eventId]) => [0, 1, 2].map((place) => ({ what, damage, eventId, place }))),
  )('$what, at place $place: that event fails alone', async ({ damage, eventId, place }) => {
    await damage();
    const before = await snapshot(server.redis);
    const users = ['bob', 'cec'].toSpliced(place, 0, 'ann');
    const outcomes = await Promise.allSettled(
      users.map((userId) =>
        api.services.recorder.record({ kind: 'view', userId, at: now, name: 'Home', eventId }),
      ),
    );
    const ann = outcomes.splice(place, 1)[0]!;
    expect(ann).toMatchObject({ status: 'rejected', reason: { name: 'Damaged' } });
    expect(outcomes).toEqual(Array(2).fill({ status: 'fulfilled', value: 'recorded' }));
    expect(await api.profile('bob')).toEqual(profileWith('bob', [1, 0, 1, 'Home']));
    expect(await api.profile('cec')).toEqual(profileWith('cec', [1, 0, 1, 'Home']));
    for (const [key, dump] of before) expect((await snapshot(server.redis)).get(key)).toBe(dump);
  });

  test.each(plant.map(([what, damage, eventId]) => ({ what, damage, eventId })))(
    '$what is a 500 for that user, and an erasure repairs it',
    async ({ damage, eventId }) => {
      await damage();
      const body = JSON.stringify({ user_id: 'ann', name: 'Home', timestamp: NOON, event_id: eventId });
      expectProblem(await api.post(body), 500, 'damaged');
      await api.erase('ann');
      api.clock.advance(1000);
      expect(await api.view()).toBe('recorded');
      expect(await api.profile('ann')).toEqual(profileWith('ann', [1, 0, 1, 'Home']));
    },
  );
});
