import { DAY, dateOf, HOUR, MINUTE } from '../../src/time.ts';
import {
  at,
  GAP,
  NOW,
  overEachRedis,
  scriptsOn,
  TODAY,
  view,
  withoutAChange,
  wrongTypes,
} from '../support/lua.ts';

const WINDOW = Array.from({ length: 7 }, (_, i) => dateOf(TODAY - i));

overEachRedis((server) => {
  const { keys, record, profiles, erase } = scriptsOn(server);
  const profile = async (userId: string, now = NOW) =>
    (await withoutAChange(server.redis, () => profiles([userId], { now })))[0];
  const views = (...names: string[]) => names.map((name, i) => view('ann', at('10:00') + i * HOUR, { name }));

  test('an unknown user has zeros and no page', async () => {
    expect(await profile('ann')).toEqual([0, 0, 0, null]);
  });

  test('views, active time, days with a view and the page with the most views', async () => {
    await record([
      view('ann', at('09:00', -6)),
      view('ann', at('10:00', -2), { name: 'Blog' }),
      view('ann', at('10:10', -2), { name: 'Blog' }),
      view('ann', at('11:00')),
      view('ann', at('11:05'), { name: 'Blog' }),
    ]);
    expect(await profile('ann')).toEqual([5, 15 * MINUTE, 3, 'Blog']);
  });

  test('each user of a call has an answer, in the order asked, however often', async () => {
    await record([view('ann', at('10:00')), view('bob', at('10:00'), { name: 'Blog' })]);
    const ann = [1, 0, 1, 'Home'];
    expect(await profiles(['ann', 'nobody', 'bob', 'ann'])).toEqual([
      ann,
      [0, 0, 0, null],
      [1, 0, 1, 'Blog'],
      ann,
    ]);
  });

  test('nobody asked for is an empty answer', async () => {
    const { args } = scriptsOn(server).calls.profile(['ann']);
    expect(await server.redis.ffProfile(keys.shard(0), args.slice(0, 2))).toEqual([]);
  });

  describe('the window', () => {
    test('begins with its oldest midnight and ends with today', async () => {
      await record([view('ann', at('00:00', -6)), view('ann', at('23:59:59.999'))]);
      expect(await profile('ann')).toEqual([2, 0, 2, 'Home']);
    });

    test('leaves tomorrow out until it is today, and the eighth day', async () => {
      await record([view('ann', at('00:00', -6)), view('ann', at('00:01', 1), { name: 'Blog' })]);
      expect(await profile('ann')).toEqual([1, 0, 1, 'Home']);
      expect(await profile('ann', NOW + DAY)).toEqual([1, 0, 1, 'Blog']);
      expect(await profile('ann', NOW + 8 * DAY)).toEqual([0, 0, 0, null]);
    });
  });

  describe('a step across midnight', () => {
    test.each([
      ['as long as the gap counts', GAP, GAP],
      ['a millisecond longer does not', GAP + 1, 0],
    ])('%s', async (_, length, active) => {
      const last = at('23:50', -3);
      await record([view('ann', last), view('ann', last + length)]);
      expect(await profile('ann')).toEqual([2, active, 2, 'Home']);
    });

    test('counts each time, between the neighbours and not over an empty day', async () => {
      await record([
        ...[-5, -4, -3, -1, 0].flatMap((day) => [
          view('ann', at('00:05', day)),
          view('ann', at('12:00', day)),
          view('ann', at('23:55', day)),
        ]),
      ]);
      expect(await profile('ann')).toEqual([15, 3 * 10 * MINUTE, 5, 'Home']);
    });

    test('into the window does not count', async () => {
      await record([view('ann', at('23:55', -7))], { now: NOW - DAY });
      await record([view('ann', at('00:05', -6))]);
      expect(await profile('ann')).toEqual([1, 0, 1, 'Home']);
      expect(await profile('ann', NOW - DAY)).toEqual([2, 10 * MINUTE, 2, 'Home']);
    });
  });

  describe('the most viewed page', () => {
    test('is by the views of all days together', async () => {
      await record([
        ...[0, 1].map((i) => view('ann', at('10:00', -1) + i, { name: 'Blog' })),
        view('ann', at('10:00', -2)),
        view('ann', at('11:00', -2)),
        view('ann', at('10:00')),
      ]);
      expect((await profile('ann'))?.[3]).toBe('Home');
    });

    test.each([
      ['an upper case letter before a lower case one', ['a', 'B'], 'B'],
      ['a name before what it begins', ['Home page', 'Home'], 'Home'],
      ['bytes, not UTF-16 units', ['\u{1f600}', '\uffe6'], '\uffe6'],
      ['bytes, not an alphabet', ['é', 'z'], 'z'],
      ['decomposed before composed', ['é', 'e\u0301'], 'e\u0301'],
      ['nothing before something', ['\u0001', ''], ''],
      ['NUL as any byte', ['a\u0000b', 'a\u0000a', 'a\u0001'], 'a\u0000a'],
      ['the last of many bytes', [`${'x'.repeat(511)}b`, `${'x'.repeat(511)}a`], `${'x'.repeat(511)}a`],
    ])('a tie goes to the name that sorts first: %s', async (_, names, first) => {
      await record(views(...names));
      expect((await profile('ann'))?.[3]).toBe(first);
      await server.redis.flushall();
      await record(views(...names.toReversed()));
      expect((await profile('ann'))?.[3]).toBe(first);
    });

    test('is never (other), however many views that has', async () => {
      await record(views('A', 'B', 'C', 'D'), { maxPages: 1 });
      expect(await profile('ann')).toEqual([4, 0, 1, 'A']);
    });

    test('is none where all there is is (other)', async () => {
      await record(views('(other)'));
      expect(await profile('ann')).toEqual([1, 0, 1, null]);
    });
  });

  test('a profile after an erasure holds what came after it', async () => {
    await record([view('ann', at('10:00')), view('ann', at('10:00', -3))]);
    await erase('ann');
    expect(await profile('ann')).toEqual([0, 0, 0, null]);
    await record([view('ann', NOW + 1, { name: 'Blog' })]);
    expect(await profile('ann')).toEqual([1, 0, 1, 'Blog']); // erased_until is no page
  });

  describe.each([
    ['stats', (day: number) => keys.stats('bob', day), ['a hash']],
    // ZUNION takes a plain set for a sorted one with scores of 1.
    ['pages', (day: number) => keys.pages('bob', day), ['a sorted set', 'a set']],
  ])('%s that are', (_, keyOf, right) => {
    test.each(wrongTypes(...right))(
      '%s are damaged on any day of the window, for their user alone',
      async (_, put) => {
        await record([view('ann', at('10:00')), view('cid', at('10:00'))]);
        const sound = [1, 0, 1, 'Home'];
        for (let day = TODAY - 6; day <= TODAY; day++) {
          await record([view('bob', day * DAY)]);
          await server.redis.del(keyOf(day));
          await put(server.redis, keyOf(day));
          const asked = () => profiles(['ann', 'bob', 'cid', 'bob']);
          expect(await withoutAChange(server.redis, asked)).toEqual([sound, 'damaged', sound, 'damaged']);
          await server.redis.del(...keys.ofUser('bob', NOW));
        }
      },
    );
  });

  test.each(['views', 'active_ms', 'first', 'last'])(
    'a word for %s is damaged, and so is none',
    async (field) => {
      await record([view('ann', at('10:00')), view('bob', at('10:00', -3))]);
      await server.redis.hset(keys.stats('bob', TODAY - 3), field, 'many');
      expect(await profiles(['bob', 'ann'])).toEqual(['damaged', [1, 0, 1, 'Home']]);
      if (field === 'views') return; // without it there is no day
      await server.redis.hdel(keys.stats('bob', TODAY - 3), field);
      expect(await profiles(['bob', 'ann'])).toEqual(['damaged', [1, 0, 1, 'Home']]);
    },
  );

  test('keys outside the window, visits, other events and logins are not looked at', async () => {
    await record([view('ann', at('10:00'))]);
    const unread = keys
      .ofUser('ann', NOW)
      .filter((key) => /:(visits|events)$/.test(key) || !WINDOW.some((date) => key.includes(date)));
    const [days, months] = [keys.storedDays(NOW).length, keys.storedMonths(NOW).length];
    expect(unread).toHaveLength(4 * (days - 7) + 2 * 7 + months);
    await server.redis.del(...unread);
    for (const key of [...unread, keys.erased('ann')]) await server.redis.rpush(key, 'x');
    expect(await profile('ann')).toEqual([1, 0, 1, 'Home']);
  });
});
