import { dayOf } from '../src/time.ts';
import { emptyProfile, expectProblem, profileWith, useApi, userPath } from './support/http.ts';
import { snapshot, useRedis } from './support/redis.ts';
import { NOON } from './support/service.ts';

const server = useRedis();
const api = useApi(server);

const today = dayOf(Date.parse(NOON));

/** Views at these times of 2026-11, `21T08:30:00`, each of its own page or of Home. */
async function viewsAt(times: string[], name: (i: number) => string = () => 'Home', through = api) {
  for (const [i, time] of times.entries()) {
    expect(await through.view({ name: name(i), timestamp: `2026-11-${time}Z` })).toBe('recorded');
  }
}

const minutes = async () => (await api.profile('ann')).time_spent_on_site_in_last_7_days;

test("the profile has the document's five fields and no other, in its order", async () => {
  const blog = 'Blog: better B2B customer experience';
  const { view } = api;
  for (const [day, views] of [
    [17, 7],
    [19, 7],
    [21, 7],
  ] as const) {
    for (let i = 0; i < views; i++) {
      const timestamp = `2026-11-${day}T10:0${i}:00Z`;
      await view({ user_id: '019mr8mf4r', name: i % 2 ? blog : `Page ${i}`, timestamp });
    }
  }
  const reply = await api.send({ path: userPath('019mr8mf4r') });
  expect(reply).toMatchObject({
    status: 200,
    text: JSON.stringify({
      user_id: '019mr8mf4r',
      number_pages_viewed_in_the_last_7_days: 21,
      time_spent_on_site_in_last_7_days: 18,
      number_of_days_active_in_last_7_days: 3,
      most_viewed_page_in_last_7_days: blog,
    }),
  });
  expect(reply.headers['content-type']).toMatch(/^application\/json(;|$)/);
});

test('a user who is not known has zeros and null, and seven empty days', async () => {
  expect(await api.profile('nobody')).toEqual(emptyProfile('nobody'));
  expect(await api.days('nobody')).toEqual(
    [15, 16, 17, 18, 19, 20, 21].map((day) => ({
      date: `2026-11-${day}`,
      views: 0,
      seconds: 0,
      most_viewed_page: null,
    })),
  );
});

test('reading changes nothing', async () => {
  await api.view();
  const before = await snapshot(server.redis);
  await api.profile('ann');
  await api.days('ann');
  await api.profile('nobody');
  await api.send({ method: 'HEAD', path: userPath('ann') });
  expect(await snapshot(server.redis)).toEqual(before);
});

test('a query changes nothing about a read', async () => {
  await api.view();
  expect((await api.send({ path: `${userPath('ann')}?user_id=bob&days=1` })).body).toEqual(
    await api.profile('ann'),
  );
});

describe('the window', () => {
  test('is today and the six days before it, to the millisecond', async () => {
    await viewsAt(['15T00:00:00.000', '21T12:00:00.000']);
    expect(await api.view({ timestamp: '2026-11-14T23:59:59.999Z' })).toBe('expired');
    expect(await api.profile('ann')).toEqual(profileWith('ann', [2, 0, 2, 'Home']));
  });

  test('leaves its oldest day behind at midnight', async () => {
    await viewsAt(['15T10:00:00', '15T10:10:00', '16T10:00:00'], (i) => (i < 2 ? 'Old' : 'New'));
    api.clock.set('2026-11-21T23:59:59.999Z');
    expect(await api.profile('ann')).toEqual(profileWith('ann', [3, 10, 2, 'Old']));
    api.clock.set('2026-11-22T00:00:00.000Z');
    expect(await api.profile('ann')).toEqual(profileWith('ann', [1, 0, 1, 'New']));
    api.clock.set('2026-11-23T00:00:00.000Z');
    expect(await api.profile('ann')).toEqual(emptyProfile('ann'));
  });

  test('does not count the step into its oldest day', async () => {
    await viewsAt(['15T23:50:00', '16T00:10:00', '16T00:15:00']);
    expect(await minutes()).toBe(25);
    api.clock.set('2026-11-22T12:00:00Z');
    expect(await minutes()).toBe(5);
  });

  test('goes over the ends of months and years', async () => {
    api.clock.set('2027-01-02T12:00:00Z');
    await api.view({ timestamp: '2026-12-31T23:55:00Z' });
    await api.view({ timestamp: '2027-01-01T00:05:00Z' });
    expect(await api.profile('ann')).toEqual(profileWith('ann', [2, 10, 2, 'Home']));
    expect((await api.days('ann')).map(({ date }) => date)).toEqual([
      '2026-12-27',
      '2026-12-28',
      '2026-12-29',
      '2026-12-30',
      '2026-12-31',
      '2027-01-01',
      '2027-01-02',
    ]);
  });
});

describe('time spent', () => {
  test.each<[what: string, spent: number, times: string[]]>([
    ['one view', 0, ['21T10:00:00']],
    ['a step of 10 minutes', 10, ['21T10:00:00', '21T10:10:00']],
    ['a step of 30 minutes', 30, ['21T10:00:00', '21T10:30:00']],
    ['a step of 30 minutes and 1 ms', 0, ['21T10:00:00', '21T10:30:00.001']],
    ['two steps with a long one between', 20, ['21T08:00:00', '21T08:10:00', '21T10:00:00', '21T10:10:00']],
    ['29.999 seconds', 0, ['21T10:00:00', '21T10:00:29.999']],
    ['30 seconds', 1, ['21T10:00:00', '21T10:00:30']],
    ['89.999 seconds', 1, ['21T10:00:00', '21T10:01:29.999']],
    ['90 seconds', 2, ['21T10:00:00', '21T10:01:30']],
    [
      '20 seconds on each of three days',
      1,
      ['19T10:00:00', '19T10:00:20', '20T10:00:00', '20T10:00:20', '21T10:00:00', '21T10:00:20'],
    ],
    ['a step over midnight', 20, ['20T23:50:00', '21T00:10:00']],
    ['a step of 30 minutes over midnight', 30, ['20T23:45:00', '21T00:15:00']],
    ['a step of 30 minutes and 1 ms over midnight', 0, ['20T23:45:00', '21T00:15:00.001']],
    ['a step to midnight', 10, ['20T23:50:00', '21T00:00:00']],
    ['the same time on two days', 0, ['20T10:00:00', '21T10:00:00']],
    ['a day without views between', 0, ['19T23:50:00', '21T00:10:00']],
    ['a view between two', 40, ['21T10:00:00', '21T10:40:00', '21T10:20:00']],
    ['a view before the first', 10, ['21T10:10:00', '21T10:00:00']],
    ['the last first', 30, ['21T10:30:00', '21T10:20:00', '21T10:10:00', '21T10:00:00']],
  ])('%s: %d minutes', async (_what, spent, times) => {
    await viewsAt(times);
    expect(await minutes()).toBe(spent);
  });

  test('views in one millisecond add nothing', async () => {
    await viewsAt(['21T10:00:00', '21T10:00:00', '21T10:05:00', '21T10:05:00'], (i) => `Page ${i}`);
    expect(await minutes()).toBe(5);
  });

  test('does not depend on the order of arrival', async () => {
    const times = [
      '20T23:40:00',
      '20T23:59:59.999',
      '21T00:00:00',
      '21T00:29:00',
      '21T01:00:00',
      '21T01:20:00',
    ];
    for (const [round, order] of permutations(times).entries()) {
      if (round % 24 > 0) continue; // 30 of 720
      await server.redis.flushall();
      await viewsAt(order);
      expect(await api.profile('ann')).toEqual(profileWith('ann', [6, 69, 2, 'Home']));
    }
  });

  test('a duplicate adds nothing', async () => {
    await viewsAt(['21T10:00:00', '21T10:20:00', '21T10:10:00']);
    for (const minute of ['00', '10', '20']) {
      expect(await api.view({ timestamp: `2026-11-21T10:${minute}:00Z` })).toBe('duplicate');
    }
    expect(await api.profile('ann')).toEqual(profileWith('ann', [3, 20, 1, 'Home']));
  });

  describe('in seconds, with a gap of its own', () => {
    const other = useApi(server, { timeSpentUnit: 'seconds', sessionGapSeconds: 60 });

    test('counts steps up to that gap, rounded to the second', async () => {
      await viewsAt(['21T10:00:00', '21T10:01:00', '21T10:02:00.001', '21T10:02:00.500'], undefined, other);
      expect(await other.profile('ann')).toEqual(profileWith('ann', [4, 60, 1, 'Home']));
      await viewsAt(['21T10:02:00.501'], undefined, other);
      expect(await other.profile('ann')).toEqual(profileWith('ann', [5, 61, 1, 'Home']));
    });
  });
});

describe('the most viewed page', () => {
  test.each<[what: string, names: string[], page: string]>([
    ['more views win', ['A', 'B', 'B'], 'B'],
    ['capitals sort before small letters', ['a', 'Z'], 'Z'],
    ['a beginning sorts before the whole', ['Home page', 'Home'], 'Home'],
    ['a space sorts before letters', ['AA', 'A A'], 'A A'],
    ['accents sort after all of ASCII', ['é', 'z'], 'z'],
    ['past the 16 bits, bytes decide and not UTF-16', ['😀', '\uff5e'], '\uff5e'],
    ['NFC and NFD are two pages', ['\u00e9', 'e\u0301', 'e\u0301', '\u00e9', '\u00e9'], '\u00e9'],
    [
      'a long name differs in its last letter',
      [`${'x'.repeat(511)}b`, `${'x'.repeat(511)}a`],
      `${'x'.repeat(511)}a`,
    ],
    ['names that look like numbers sort as text', ['9', '10'], '10'],
    ['(other) does not win a tie', ['(other)', 'z'], 'z'],
  ])('%s', async (_what, names, page) => {
    for (const order of [names, names.toReversed()]) {
      await server.redis.flushall();
      await viewsAt(
        order.map((_, i) => `21T10:00:0${i}`),
        (i) => order[i]!,
      );
      expect((await api.profile('ann')).most_viewed_page_in_last_7_days).toBe(page);
    }
  });

  test('is that of the window, not of a day', async () => {
    const names = ['A', 'A', 'B', 'B', 'C', 'C', 'D', 'D', 'D'];
    const days = ['17', '18', '19', '20', '20', '20', '21', '21', '21'];
    await viewsAt(
      days.map((day, i) => `${day}T10:0${i}:00`),
      (i) => names[i]!,
    );
    expect((await api.profile('ann')).most_viewed_page_in_last_7_days).toBe('D');
    await viewsAt(['16T10:00:00', '15T10:00:00'], () => 'A');
    expect((await api.profile('ann')).most_viewed_page_in_last_7_days).toBe('A');
  });
});

describe('the days', () => {
  test('are seven rows with exact fields, oldest first', async () => {
    await viewsAt(['15T10:00:00', '15T10:00:59.600', '21T10:00:00', '21T11:00:00'], (i) =>
      i < 2 ? 'Old' : 'New',
    );
    const reply = await api.send({ path: `${userPath('ann')}/days` });
    const empty = { views: 0, seconds: 0, most_viewed_page: null };
    expect(reply.status).toBe(200);
    expect(reply.text).toBe(
      JSON.stringify([
        { date: '2026-11-15', views: 2, seconds: 60, most_viewed_page: 'Old' },
        ...['16', '17', '18', '19', '20'].map((day) => ({ date: `2026-11-${day}`, ...empty })),
        { date: '2026-11-21', views: 2, seconds: 0, most_viewed_page: 'New' },
      ]),
    );
  });

  test('share a step over midnight, and add up to the profile', async () => {
    await viewsAt(['19T23:50:00', '20T00:05:00', '20T23:59:00', '21T00:02:00']);
    const days = await api.days('ann');
    expect(days.map(({ seconds }) => seconds)).toEqual([0, 0, 0, 0, 600, 360, 120]);
    expect(await minutes()).toBe((600 + 360 + 120) / 60);
  });

  test('share no step that is too long', async () => {
    await viewsAt(['20T23:45:00', '21T00:15:00.001']);
    expect((await api.days('ann')).map(({ seconds }) => seconds)).toEqual([0, 0, 0, 0, 0, 0, 0]);
  });

  test('share no step with the day before the window', async () => {
    await viewsAt(['15T23:50:00', '16T00:10:00']);
    api.clock.set('2026-11-22T12:00:00Z');
    expect((await api.days('ann')).map(({ seconds }) => seconds)).toEqual([0, 0, 0, 0, 0, 0, 0]);
  });

  test('each name their own most viewed page, a tie going to the first by bytes', async () => {
    await viewsAt(
      ['20T10:00:00', '20T10:01:00', '21T10:00:00', '21T10:01:00'],
      (i) => ['b', 'A', 'b', 'b'][i]!,
    );
    expect((await api.days('ann')).slice(-2).map(({ most_viewed_page }) => most_viewed_page)).toEqual([
      'A',
      'b',
    ]);
  });
});

describe('an id', () => {
  const ids = [
    '__proto__',
    'constructor',
    'toString',
    '*',
    '?',
    'a:b',
    'a',
    'b',
    '{0}',
    '}{',
    '[a-z]',
    '%',
    '%2A',
    '%252A',
    'a%3Ab',
    '\\',
    '\\*',
    'a/b',
    '/',
    '//',
    '...',
    ' ',
    'a b',
    'a+b',
    'a&b=c#d',
    '"',
    "'; DROP TABLE users; --",
    '<script>',
    '$(x)',
    'Null',
    'nan',
    'false',
    '0',
    '-1',
    '😀',
    '👩‍👩‍👧‍👦',
    '\u202eevil',
    'שלום',
    '\u00e9',
    'e\u0301',
    'İ',
    'ı',
    'ﬁ',
    '\ufeff',
    '\u2028',
    '\uffff',
    '\u00a0',
    '😀'.repeat(128),
    'a'.repeat(128),
    'ann:2026-11-21',
    'ann:2026-11-21:visits',
  ];

  test('of any kind is stored and comes back as it was sent', async () => {
    for (const id of ids) {
      expect(await api.view({ user_id: id, name: `Page of ${id.slice(0, 20)}` })).toBe('recorded');
    }
    for (const id of ids) {
      expect(await api.profile(id)).toEqual(profileWith(id, [1, 0, 1, `Page of ${id.slice(0, 20)}`]));
      expect((await api.days(id)).at(-1)).toMatchObject({ views: 1 });
    }
  });

  test('never shares a key with another id', async () => {
    const { keys } = api.services;
    const all = ids.flatMap((id) => [keys.erased(id), ...keys.ofUser(id, Date.parse(NOON))]);
    expect(new Set(all).size).toBe(all.length);
    for (const id of ids) await api.view({ user_id: id });
    const stored = await server.redis.keys('*');
    const ofUsers = stored.filter((key) => key.includes(':user:'));
    expect(ofUsers).toHaveLength(3 * ids.length);
    expect(ofUsers.filter((key) => !all.includes(key))).toEqual([]);
  });

  test('in a path may be encoded more than it needs', async () => {
    await api.view();
    expect((await api.send({ path: '/v1/user/%61n%6E' })).body).toEqual(await api.profile('ann'));
    expect(await api.profile('ann')).toMatchObject({ number_pages_viewed_in_the_last_7_days: 1 });
  });

  test('in a path is decoded once', async () => {
    await api.view({ user_id: '%41' });
    expect((await api.send({ path: '/v1/user/%2541' })).body).toEqual(profileWith('%41', [1, 0, 1, 'Home']));
    expect((await api.send({ path: '/v1/user/%41' })).body).toEqual(emptyProfile('A'));
  });
});

describe('a damaged user', () => {
  test.each<[what: string, () => Promise<unknown>]>([
    ['stats of another type', () => server.redis.set(api.services.keys.stats('ann', today), 'x')],
    ['pages of another type', () => server.redis.set(api.services.keys.pages('ann', today - 1), 'x')],
    [
      'stats without a field of theirs',
      () => server.redis.hdel(api.services.keys.stats('ann', today - 6), 'first'),
    ],
    [
      'views that are no number',
      () => server.redis.hset(api.services.keys.stats('ann', today - 3), 'views', 'x'),
    ],
  ])('%s: reads are a 500 for that user alone, and erasing repairs it', async (_what, damage) => {
    await viewsAt(['15T10:00:00', '18T10:00:00', '20T10:00:00']);
    await api.view({ user_id: 'bob' });
    await damage();
    for (const path of [userPath('ann'), `${userPath('ann')}/days`]) {
      expectProblem(await api.send({ path }), 500, 'damaged');
    }
    const [ann, bob] = await Promise.allSettled(['ann', 'bob'].map((id) => api.services.profiles.of(id)));
    expect(ann).toMatchObject({ status: 'rejected', reason: { name: 'Damaged' } });
    expect(bob).toEqual({ status: 'fulfilled', value: profileWith('bob', [1, 0, 1, 'Home']) });
    expect(await api.erase('ann')).toMatchObject({ user_id: 'ann' });
    expect(await api.profile('ann')).toEqual(emptyProfile('ann'));
  });
});

test('500 users are read at once, each their own', async () => {
  const users = Array.from({ length: 500 }, (_, i) => `user ${i}`);
  await Promise.all(users.map((user_id, i) => api.view({ user_id, name: `Page ${i}` })));
  const profiles = await Promise.all(users.map((id) => api.profile(id)));
  expect(profiles).toEqual(users.map((id, i) => profileWith(id, [1, 0, 1, `Page ${i}`])));
});

function permutations<T>(items: T[]): T[][] {
  if (items.length < 2) return [items];
  return items.flatMap((item, i) => permutations(items.toSpliced(i, 1)).map((rest) => [item, ...rest]));
}
