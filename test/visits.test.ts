// How a profile's numbers came about: what is shown adds up to what is said, whatever came in whatever order.

import fc from 'fast-check';
import type { UserVisits } from '../src/answers.ts';
import type { PageView } from '../src/events/event.ts';
import { Overloaded } from '../src/redis/errors.ts';
import { DAY, dateOf, dayOf, HOUR, MINUTE, SECOND } from '../src/time.ts';
import { emptyProfile, expectProblem, startApi, stopServer, useApi, userPath } from './support/http.ts';
import { at, NOW, overEachRedis, TODAY, view } from './support/lua.ts';
import { createModel } from './support/model.ts';
import { startRedis, type TestRedis, useRedis } from './support/redis.ts';
import { fakeClock, NOON, service } from './support/service.ts';

const server = useRedis();
const api = useApi(server, { timeSpentUnit: 'seconds' });

const visits = async (userId = 'ann') => (await api.read(`${userPath(userId)}/visits`)) as UserVisits;
const record = async (...views: PageView[]) => {
  for (const one of views) expect(await api.services.recorder.record(one)).toBe('recorded');
};
const today = async (userId?: string) => (await visits(userId)).days.at(-1)!;
const stepsOf = ({ days }: UserVisits) => days.flatMap((day) => day.visits);

/** Time counted, seconds. */
const counted = (all: UserVisits) =>
  stepsOf(all).reduce(
    (sum, visit) => sum + (visit.counted ? Math.round(visit.step_seconds! * SECOND) : 0),
    0,
  ) / SECOND;

test('each view, and which step counts', async () => {
  await record(
    view('ann', at('00:10:30.250'), { name: 'Prices' }),
    view('ann', at('23:50', -1)),
    view('ann', at('11:00')),
    view('ann', at('00:10:30.250'), { eventId: 'e1', name: 'Prices' }),
  );
  const empty = (days: number) => ({
    date: dateOf(TODAY - days),
    views: 0,
    seconds: 0,
    left_out: 0,
    visits: [],
  });
  expect(await visits()).toEqual({
    user_id: 'ann',
    session_gap_seconds: 1800,
    pages: [
      { name: 'Home', views: 2 },
      { name: 'Prices', views: 2 },
    ],
    pages_total: 2,
    days: [
      ...[6, 5, 4, 3, 2].map(empty),
      {
        ...{ date: '2026-11-20', views: 1, seconds: 600, left_out: 0 },
        visits: [{ at: '2026-11-20T23:50:00.000Z', page: 'Home', step_seconds: null, counted: false }],
      },
      {
        ...{ date: '2026-11-21', views: 3, seconds: 630, left_out: 0 },
        visits: [
          { at: '2026-11-21T00:10:30.250Z', page: 'Prices', step_seconds: 1230.25, counted: true },
          { at: '2026-11-21T00:10:30.250Z', page: null, step_seconds: 0, counted: true },
          { at: '2026-11-21T11:00:00.000Z', page: 'Home', step_seconds: 38_969.75, counted: false },
        ],
      },
    ],
  });
});

test.each([
  ['of a day', at('10:00'), 30 * MINUTE],
  ['across midnight', at('23:45', -1), 30 * MINUTE],
])('a step %s counts up to the gap, and not 1 ms longer', async (_what, from, gap) => {
  await record(view('ann', from + gap), view('ann', from), view('bob', from), view('bob', from + gap + 1));
  expect(stepsOf(await visits('ann'))[1]).toMatchObject({ step_seconds: 1800, counted: true });
  expect(stepsOf(await visits('bob'))[1]).toMatchObject({ step_seconds: 1800.001, counted: false });
  expect((await api.profile('ann')).time_spent_on_site_in_last_7_days).toBe(1800);
  expect((await api.profile('bob')).time_spent_on_site_in_last_7_days).toBe(0);
});

test('a view that has left the window has no part in a step', async () => {
  api.clock.set(at('23:50', -1));
  await record(view('ann', at('23:59', -7)), view('ann', at('00:01', -6)), view('ann', at('00:03', -6)));
  expect(stepsOf(await visits()).map((one) => one.step_seconds)).toEqual([null, 120, 120]);
  api.clock.set(at('00:00'));
  expect(stepsOf(await visits()).map((one) => one.step_seconds)).toEqual([null, 120]);
  expect(counted(await visits())).toBe(120);
});

test('one that comes late splits a step', async () => {
  await record(view('ann', at('10:00')), view('ann', at('10:40')));
  expect((await today()).visits[1]).toMatchObject({ step_seconds: 2400, counted: false });
  await record(view('ann', at('10:20')));
  expect((await today()).visits.slice(1)).toEqual([
    { at: '2026-11-21T10:20:00.000Z', page: 'Home', step_seconds: 1200, counted: true },
    { at: '2026-11-21T10:40:00.000Z', page: 'Home', step_seconds: 1200, counted: true },
  ]);
});

test('what the window holds is shown, no day before it and none to come', async () => {
  api.clock.set(at('23:58'));
  await record(view('ann', at('00:01', 1)), view('ann', at('00:00', -6)));
  const { days } = await visits();
  expect(days.map(({ views }) => views)).toEqual([1, 0, 0, 0, 0, 0, 0]);
  api.clock.set(at('00:02', 1));
  expect((await visits()).days.map(({ views }) => views)).toEqual([0, 0, 0, 0, 0, 0, 1]);
});

describe('a day with many views', () => {
  const many = (count: number, day = 0) =>
    Promise.all(
      Array.from({ length: count }, (_, i) =>
        record(view('ann', at('01:00', day) + i * MINUTE, { name: `Page ${i % 3}` })),
      ),
    );

  test.each([
    [199, 0],
    [200, 0],
    [201, 1],
    [230, 30],
  ])('of %i the newest 200 are shown', async (count, leftOut) => {
    await many(count);
    const day = await today();
    expect(day).toMatchObject({ views: count, seconds: 60 * (count - 1), left_out: leftOut });
    expect(day.visits).toHaveLength(count - leftOut);
    expect(day.visits.at(-1)!.at).toBe(new Date(at('01:00') + (count - 1) * MINUTE).toISOString());
    // The view before is known even where it is not shown.
    const first = leftOut > 0 ? { step_seconds: 60, counted: true } : { step_seconds: null, counted: false };
    expect(day.visits[0]).toMatchObject({ ...first, page: `Page ${leftOut % 3}` });
    expect(day.visits.slice(1).every((one) => one.step_seconds === 60 && one.counted)).toBe(true);
  });

  test('the step across midnight is that from its last view', async () => {
    await many(230, -1);
    await record(view('ann', at('00:10')));
    expect((await today()).visits[0]).toMatchObject({ step_seconds: (19 * HOUR) / SECOND + 20 * 60 + 60 });
  });
});

describe('pages', () => {
  test('are listed by views, ties by their bytes', async () => {
    const names = ['～', '😀', 'b', 'a', 'B'];
    for (const [i, name] of names.entries()) await record(view('ann', at('10:00') + i, { name }));
    await record(view('ann', at('10:00', -3), { name: 'b' }));
    const { pages, pages_total } = await visits();
    expect(pages.map(({ name }) => name)).toEqual(['b', 'B', 'a', '～', '😀']);
    expect(pages[0]!.views).toBe(2);
    expect(pages_total).toBe(5);
  });

  test('at most 100 are listed, and all are counted', async () => {
    for (let i = 0; i < 130; i++) await record(view('ann', at('10:00') + i, { name: `Page ${i}` }));
    await record(view('ann', at('09:00'), { name: 'Page 129' }));
    const { pages, pages_total } = await visits();
    expect(pages).toHaveLength(100);
    expect(pages[0]).toEqual({ name: 'Page 129', views: 2 });
    expect(pages_total).toBe(130);
  });

  test('past the cap they are (other), and their views have no page', async () => {
    const small = await startApi(server.redis, { maxPagesPerUserDay: 2 });
    try {
      for (const [i, name] of ['A', 'B', 'C', 'D'].entries())
        await small.view({ name, timestamp: new Date(at('10:00') + i).toISOString() });
      const { pages, days } = (await small.read(`${userPath('ann')}/visits`)) as UserVisits;
      expect(pages).toEqual([
        { name: '(other)', views: 2 },
        { name: 'A', views: 1 },
        { name: 'B', views: 1 },
      ]);
      expect(days.at(-1)!.visits.map(({ page }) => page)).toEqual(['A', 'B', null, null]);
    } finally {
      await stopServer(small.server);
    }
  });

  test.each(['__proto__', '(other)', '"\\', '</script>', 'א‏ ב', '😀\u200d', ' ', 'e:x', '{0}:*'])(
    'a page may be called %j, and a user too',
    async (name) => {
      await record(view(name, at('10:00'), { name }));
      const all = await visits(name);
      expect(all).toMatchObject({ user_id: name, pages: [{ name, views: 1 }], pages_total: 1 });
      expect(stepsOf(all)).toMatchObject([{ page: name }]);
    },
  );
});

test('an event_id that looks like the identity of a page is none', async () => {
  await record(view('ann', at('10:00')));
  const [member] = await server.redis.zrange(api.services.keys.visits('ann', TODAY), '0', '-1');
  await record(view('ann', at('10:01'), { eventId: member!, name: 'Prices' }));
  expect((await today()).visits.map(({ page }) => page)).toEqual(['Home', null]);
});

describe('a user', () => {
  const nothing = { pages: [], pages_total: 0 };

  test('who is not known has seven empty days', async () => {
    const all = await visits('nobody');
    expect(all).toMatchObject({ user_id: 'nobody', ...nothing });
    expect(all.days.map(({ date }) => date)).toEqual([6, 5, 4, 3, 2, 1, 0].map((ago) => dateOf(TODAY - ago)));
    expect(all.days.every((day) => day.views === 0 && day.seconds === 0 && day.visits.length === 0)).toBe(
      true,
    );
  });

  test('who was erased, too, and what comes later is alone', async () => {
    await record(view('ann', at('10:00')), view('ann', at('10:10')));
    await api.erase('ann');
    expect(await visits()).toMatchObject(nothing);
    expect(await api.profile('ann')).toEqual(emptyProfile('ann'));
    api.clock.advance(MINUTE);
    await record(view('ann', at('12:00:30')));
    expect((await today()).visits).toMatchObject([{ step_seconds: null }]);
  });

  test('who only logged in or clicked has no views', async () => {
    await api.login();
    await api.event();
    expect(await visits()).toMatchObject(nothing);
    expect(stepsOf(await visits())).toEqual([]);
  });

  const {
    stats,
    pages,
    visits: views,
  } = {
    stats: 'stats',
    pages: 'pages',
    visits: 'visits',
  } as const;
  test.each<[what: string, spoil: (key: (part: 'stats' | 'pages' | 'visits') => string) => Promise<unknown>]>(
    [
      ['stats are no hash', (key) => server.redis.set(key(stats), 'x')],
      ['pages are no sorted set', (key) => server.redis.set(key(pages), 'x')],
      ['views are no sorted set', (key) => server.redis.set(key(views), 'x')],
      ['views are gone', (key) => server.redis.del(key(views))],
      ['views are more than said', (key) => server.redis.zadd(key(views), 7, 'x')],
      ['a view is of another day', (key) => server.redis.zadd(key(views), 'XX', DAY, `e:e`)],
      ['a view is of no time', (key) => server.redis.zadd(key(views), 'XX', 'inf', `e:e`)],
    ],
  )('whose %s is damaged, for their call alone', async (_what, spoil) => {
    await record(
      view('ann', at('10:00', -2)),
      view('ann', at('10:00', -2), { eventId: 'e' }),
      view('bob', at('10:00')),
    );
    await spoil((part) => api.services.keys[part]('ann', TODAY - 2));
    const reply = await api.send({ path: `${userPath('ann')}/visits` });
    expectProblem(reply, 500, 'damaged');
    expect(api.log.join()).not.toContain('ann');
    expect((await visits('bob')).pages_total).toBe(1);
  });
});

describe('what Redis does for it', () => {
  let own: TestRedis;
  beforeAll(async () => {
    own = await startRedis({ tcp: true });
  });
  afterAll(() => own.stop());

  test('one transaction that writes nothing and reads no more of a long day than is shown', async () => {
    const it = service(own.redis);
    for (let i = 0; i < 300; i++) await it.recorder.record(view('ann', at('01:00') + i));
    await own.redis.config('SET', 'slowlog-log-slower-than', 0, 'slowlog-max-len', 1000);
    await own.redis.call('SLOWLOG', 'RESET');
    await it.visits.of('ann');
    const log = (await own.redis.call('SLOWLOG', 'GET', '-1')) as [number, number, number, string[]][];
    const seen = log.map(([, , , args]) => args).filter(([name]) => !/^(info|slowlog|config)$/i.test(name!));
    const names = seen.map(([name]) => name!.toLowerCase());
    expect(new Set(names)).toEqual(new Set(['multi', 'zrange', 'eval_ro', 'hmget', 'zunion']));
    expect(names.filter((name) => name === 'multi')).toHaveLength(1);
    const ranges = seen.filter(([name]) => name!.toLowerCase() === 'zrange');
    expect(ranges).toHaveLength(14);
    expect(new Set(ranges.map((range) => range.slice(2).join(' ')))).toEqual(
      new Set(['-1001 -1 WITHSCORES', '-201 -1 WITHSCORES']),
    );
  });

  test('a Redis that refuses for now is a 503', async () => {
    const other = await startApi(own.redis);
    try {
      await own.redis.config('SET', 'replica-serve-stale-data', 'no');
      await own.redis.replicaof('127.0.0.1', 1);
      expectProblem(await other.send({ path: `${userPath('ann')}/visits` }), 503, 'unavailable');
    } finally {
      await own.redis.replicaof('NO', 'ONE');
      await stopServer(other.server);
    }
  });
});

interface Sent {
  daysAgo: number;
  ms: number;
  page: number;
  id: number | null;
}

const PAGES = ['Home', '(other)', '～', '😀', '__proto__'];
const GAP = 30 * MINUTE;
const SPOTS = [0, 1, GAP, GAP + 1, 2 * GAP, DAY - 1, DAY - GAP, DAY - 1 - GAP, 10 * HOUR, 10 * HOUR + 500];

const history: fc.Arbitrary<Sent[]> = fc.array(
  fc.record({
    daysAgo: fc.constantFrom(0, 0, 0, 1, 1, 2, 5, 6, 7),
    ms: fc.oneof(fc.constantFrom(...SPOTS), fc.integer({ min: 0, max: 3 * HOUR })),
    page: fc.nat({ max: PAGES.length - 1 }),
    id: fc.option(fc.nat({ max: 5 }), { freq: 3 }),
  }),
  { maxLength: 30 },
);

test('one is read at a time, some wait, and many at once are refused: Redis has more to do', async () => {
  await api.view();
  const asked = Array.from({ length: 20 }, () => api.services.visits.of('ann'));
  const answers = await Promise.allSettled(asked);
  const refused = answers.filter(({ status }) => status === 'rejected');
  expect(refused).toHaveLength(11);
  for (const { reason } of refused as PromiseRejectedResult[]) expect(reason).toBeInstanceOf(Overloaded);
  expect((await visits()).pages_total).toBe(1); // there is room again
});

test('whatever comes in whatever order, it adds up to the profile', async () => {
  const settings = { maxViewsPerUserDay: 12, maxPagesPerUserDay: 3, sessionGapSeconds: 1800 };
  const clock = fakeClock(at('23:59:59.999'));
  const it = service(server.redis, { ...settings, timeSpentUnit: 'seconds' }, clock);
  await fc.assert(
    fc.asyncProperty(history, async (sent) => {
      await server.redis.flushall();
      const model = createModel({ ...settings, timeSpentUnit: 'seconds' });
      const stored: PageView[] = [];
      for (const { daysAgo, ms, page, id } of sent) {
        const one = view('ann', (TODAY - daysAgo) * DAY + ms, {
          name: PAGES[page]!,
          ...(id !== null && { eventId: `e${id}` }),
        });
        const outcome = await it.recorder.record(one);
        expect(outcome).toBe(model.record(one, clock()));
        if (outcome === 'recorded') stored.push(one);
      }
      const all = await it.visits.of('ann');
      const profile = await it.profiles.of('ann');
      expect(profile).toEqual(model.profile('ann', clock()));

      expect(all.days.map(({ date, views, seconds }) => ({ date, views, seconds }))).toEqual(
        model.days('ann', clock()).map(({ date, views, seconds }) => ({ date, views, seconds })),
      );
      expect(Math.round(counted(all))).toBe(profile.time_spent_on_site_in_last_7_days);
      const total = all.pages.reduce((sum, { views }) => sum + views, 0);
      expect(total).toBe(profile.number_pages_viewed_in_the_last_7_days);
      const best = all.pages.find(({ name }) => name !== '(other)')?.name ?? null;
      expect(best).toBe(profile.most_viewed_page_in_last_7_days);

      const named = all.days.map(({ date }) => model.pages('ann', date));
      const shown = stepsOf(all).map((one) => `${one.at} ${one.page}`);
      const expected = stored
        .map((one) => ({ one, names: named[dayOf(one.at) - TODAY + 6]! }))
        .map(({ one, names }) => {
          const isKnown = one.eventId === undefined && Object.hasOwn(names, one.name);
          return `${new Date(one.at).toISOString()} ${isKnown ? one.name : null}`;
        });
      expect(shown.toSorted()).toEqual(expected.toSorted());
      expect(stepsOf(all).map((one) => one.at)).toEqual(
        stored.map((one) => new Date(one.at).toISOString()).sort(),
      );
    }),
    { numRuns: 150 },
  );
});

overEachRedis((redis, cluster) => {
  test('all of it lies in one slot', async () => {
    const it = service(redis.redis, { shards: cluster ? 256 : 1 }, fakeClock(NOON));
    for (let i = 0; i < 20; i++) {
      await it.recorder.record(view(`user ${i}`, at('10:00', -1)));
      await it.recorder.record(view(`user ${i}`, NOW - MINUTE));
      const all = await it.visits.of(`user ${i}`);
      expect(all.days.map(({ views }) => views)).toEqual([0, 0, 0, 0, 0, 1, 1]);
      expect(all.pages).toEqual([{ name: 'Home', views: 2 }]);
    }
  });
});
