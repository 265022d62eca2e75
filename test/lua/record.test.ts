import { EXPIRY_SPREAD_HOURS } from '../../src/redis/keys.ts';
import { DAY, HOUR, MINUTE } from '../../src/time.ts';
import {
  at,
  GAP,
  MARGIN,
  NOW,
  overEachRedis,
  scriptsOn,
  TODAY,
  view,
  withoutAChange,
} from '../support/lua.ts';
import { snapshot } from '../support/redis.ts';

const SPREAD = EXPIRY_SPREAD_HOURS * HOUR;

const permutations = <T>(items: T[]): T[][] =>
  items.length < 2
    ? [items]
    : items.flatMap((item, i) => permutations(items.toSpliced(i, 1)).map((rest) => [item, ...rest]));

overEachRedis((server) => {
  const { keys, record, erase } = scriptsOn(server);
  const ofUsers = async () => (await server.redis.keys('*:user:*')).sort();
  const keysOf = (userId: string, day: number) => [
    keys.pages(userId, day),
    keys.stats(userId, day),
    keys.visits(userId, day),
  ];
  const stored = (userId: string, day = TODAY) => server.redis.hgetall(keys.stats(userId, day));
  const pages = (userId: string, day = TODAY) =>
    server.redis.zrange(keys.pages(userId, day), '0', '-1', 'WITHSCORES');
  const visits = (userId: string, day = TODAY) =>
    server.redis.zrange(keys.visits(userId, day), '0', '-1', 'WITHSCORES');

  describe('what is stored', () => {
    test('a first view makes the three keys of its day, and no other of the user', async () => {
      expect(await record([view('ann', at('10:00'))])).toEqual(['recorded']);
      const ms = String(10 * HOUR);
      expect(await stored('ann')).toEqual({
        earlier: '',
        views: '1',
        active_ms: '0',
        first: ms,
        last: ms,
        pages: '1',
      });
      expect(await pages('ann')).toEqual(['Home', '1']);
      expect(await visits('ann')).toEqual([expect.stringMatching(/^lfls0\.[\w-]{11}$/), ms]);
      expect(await ofUsers()).toEqual(keysOf('ann', TODAY));
    });

    test('views and pages are counted, and repeated pages are one page', async () => {
      await record([
        view('ann', at('10:00')),
        view('ann', at('10:01')),
        view('ann', at('10:02'), { name: 'Blog' }),
      ]);
      expect(await stored('ann')).toMatchObject({ views: '3', pages: '2' });
      expect(await pages('ann')).toEqual(['Blog', '1', 'Home', '2']);
      expect(await server.redis.zcard(keys.visits('ann', TODAY))).toBe(3);
    });

    test('a view with an event_id is remembered by it', async () => {
      await record([view('ann', at('10:00'), { eventId: 'x{1}:*' })]);
      expect(await visits('ann')).toEqual(['e:x{1}:*', String(10 * HOUR)]);
    });

    test.each([
      ['the window’s oldest midnight', at('00:00', -6), 0],
      ['the last moment of yesterday', at('23:59:59.999', -1), DAY - 1],
      ['midnight', at('00:00'), 0],
      ['the last moment of tomorrow', at('23:59:59.999', 1), DAY - 1],
    ])('a view at %s is stored under its own day', async (_, when, ms) => {
      expect(await record([view('ann', when)])).toEqual(['recorded']);
      const day = Math.floor(when / DAY);
      expect(await stored('ann', day)).toMatchObject({ views: '1', first: String(ms), last: String(ms) });
      expect(await ofUsers()).toEqual(keysOf('ann', day));
    });

    test('page names that are like fields or Lua’s own words are names', async () => {
      const names = ['views', 'page:', '', '__index', 'Grüße 😀', 'a\u0000b', '%s'];
      const views = names.map((name, i) => view('ann', at('10:00') + i, { name }));
      expect(new Set(await record(views))).toEqual(new Set(['recorded']));
      expect(await stored('ann')).toMatchObject({ views: '7', active_ms: '6', pages: '7' });
      expect(new Set(await pages('ann'))).toEqual(new Set([...names, '1']));
    });
  });

  describe('active time', () => {
    test.each([
      ['as long as the gap counts', GAP, GAP],
      ['a millisecond longer does not count', GAP + 1, 0],
    ])('a step %s, forwards, backwards and between', async (_, length, active) => {
      const start = at('10:00');
      await record([view('forth', start), view('forth', start + length)]);
      await record([view('back', start + length), view('back', start)]);
      await record([view('mid', start), view('mid', start + length + HOUR), view('mid', start + length)]);
      expect((await stored('forth')).active_ms).toBe(String(active));
      expect((await stored('back')).active_ms).toBe(String(active));
      expect((await stored('mid')).active_ms).toBe(String(active));
    });

    test('a view in the middle of a counted step changes nothing but the count', async () => {
      await record([view('ann', at('10:00')), view('ann', at('10:20')), view('ann', at('10:07'))]);
      expect(await stored('ann')).toMatchObject({
        views: '3',
        active_ms: String(20 * MINUTE),
        first: String(10 * HOUR),
        last: String(10 * HOUR + 20 * MINUTE),
      });
    });

    test('views of one moment on two pages add no time', async () => {
      const moment = at('10:00');
      const outcomes = await record([
        view('ann', moment),
        view('ann', moment, { name: 'Blog' }),
        view('ann', moment + MINUTE),
        view('ann', moment, { name: 'Shop' }),
        view('ann', moment + MINUTE, { name: 'Blog' }),
      ]);
      expect(outcomes).toEqual(Array(5).fill('recorded'));
      expect(await stored('ann')).toMatchObject({ views: '5', active_ms: String(MINUTE) });
    });

    test('the day is the same whatever the order of arrival', async () => {
      const times = ['10:00', '10:10', '10:41', '11:05', '11:05:00.001'].map((time, i) => ({
        time: at(time),
        name: `Page ${i}`,
      }));
      const orders = permutations(times);
      await record(
        orders.flatMap((order, i) => order.map(({ time, name }) => view(`user${i}`, time, { name }))),
      );
      const days = await Promise.all(orders.map((_, i) => stored(`user${i}`)));
      expect(days[0]).toMatchObject({ active_ms: String(34 * MINUTE + 1) });
      for (const day of days) expect(day).toEqual(days[0]);
    });
  });

  describe('expiry', () => {
    const ends = (userId: string, day = TODAY) =>
      Promise.all(keysOf(userId, day).map((key) => server.redis.pexpiretime(key)));
    /** When a day's keys go by the clock that was passed in. */
    const goesAt = async (userId: string, day: number, now: number) =>
      now + (await server.redis.pttl(keys.stats(userId, day)));

    test.each([
      ['today', 0],
      ['the oldest day', -6],
      ['tomorrow', 1],
    ])('the keys of %s go together, within the six hours before its midnight + 8 days', async (_, days) => {
      await record([view('ann', at('10:00', days))]);
      const together = await ends('ann', TODAY + days);
      expect(Math.max(...together) - Math.min(...together)).toBeLessThan(MARGIN);
      const end = await goesAt('ann', TODAY + days, NOW);
      expect(end).toBeGreaterThan(at('00:00', days + 8) - SPREAD - MARGIN);
      expect(end).toBeLessThanOrEqual(at('00:00', days + 8));
    });

    test('the clock that is passed in decides, not the time of day at which a day begins', async () => {
      const early = at('00:00:00.001');
      const late = at('23:59');
      await record([view('ann', early)], { now: early });
      const fromEarly = await goesAt('ann', TODAY, early);
      await server.redis.flushall();
      await record([view('ann', early)], { now: late });
      expect(Math.abs((await goesAt('ann', TODAY, late)) - fromEarly)).toBeLessThan(MARGIN);
    });

    test('later writes do not move it', async () => {
      await record([view('ann', at('10:00'))]);
      const before = await ends('ann');
      const later = { now: at('20:00', 1) };
      expect(await record([view('ann', at('11:00')), view('ann', at('09:00'))], later)).toEqual([
        'recorded',
        'recorded',
      ]);
      expect(await record([view('ann', at('11:00')), view('ann', at('00:00', -6))], later)).toEqual([
        'duplicate',
        'expired',
      ]);
      expect(await ends('ann')).toEqual(before);
    });

    test('users’ ends are spread over the six hours, none outside', async () => {
      const users = Array.from({ length: 200 }, (_, i) => `user${i}`);
      await record(users.map((user) => view(user, at('10:00'))));
      const goes = await Promise.all(users.map((user) => goesAt(user, TODAY, NOW)));
      const before = goes.map((end) => at('00:00', 8) - end);
      expect(Math.min(...before)).toBeGreaterThanOrEqual(0);
      expect(Math.max(...before)).toBeLessThan(SPREAD + MARGIN);
      for (let hour = 0; hour < EXPIRY_SPREAD_HOURS; hour++) {
        const within = before.filter((ms) => Math.floor(ms / HOUR) === hour).length;
        expect(within).toBeGreaterThan(10); // 33 on average
      }
    });
  });

  describe('duplicate', () => {
    test.each([
      ['the same time and page', view('ann', at('10:00')), view('ann', at('10:00'))],
      [
        'the same event_id with another name and time',
        view('ann', at('10:00'), { eventId: 'x' }),
        view('ann', at('17:00'), { eventId: 'x', name: 'Blog' }),
      ],
      [
        'an event_id of the day before',
        view('ann', at('00:00', -1), { eventId: 'x' }),
        view('ann', at('23:59'), { eventId: 'x' }),
      ],
      [
        'an event_id of the day after',
        view('ann', at('10:00'), { eventId: 'x' }),
        view('ann', at('10:00', -1), { eventId: 'x' }),
      ],
      [
        'an event_id of tomorrow',
        view('ann', at('00:01', 1), { eventId: 'x' }),
        view('ann', at('23:59'), { eventId: 'x' }),
      ],
      [
        'an event_id of today, tomorrow',
        view('ann', at('23:59'), { eventId: 'x' }),
        view('ann', at('00:01', 1), { eventId: 'x' }),
      ],
    ])('%s', async (_, first, again) => {
      expect(await record([first])).toEqual(['recorded']);
      expect(await withoutAChange(server.redis, () => record([again]))).toEqual(['duplicate']);
    });

    test('an event_id is looked up in the day before the window too', async () => {
      await record([view('ann', at('10:00', -6), { eventId: 'x' })]);
      const again = () => record([view('ann', at('10:00', -5), { eventId: 'x' })], { now: NOW + DAY });
      expect(await withoutAChange(server.redis, again)).toEqual(['duplicate']);
    });

    test.each([
      ['another time', view('ann', at('10:00:00.001'))],
      ['another page', view('ann', at('10:00'), { name: 'Blog' })],
      ['the same time of another day', view('ann', at('10:00', -1))],
      ['another user', view('bob', at('10:00'))],
      ['an event_id beside none', view('ann', at('10:00'), { eventId: 'x' })],
    ])('%s is no duplicate', async (_, other) => {
      expect(await record([view('ann', at('10:00')), other])).toEqual(['recorded', 'recorded']);
    });

    test('an event_id is its user’s own, and two days away it is another view', async () => {
      const views = [
        view('ann', at('10:00', -2), { eventId: 'x' }),
        view('bob', at('10:00', -2), { eventId: 'x' }),
        view('ann', at('10:00'), { eventId: 'x' }),
      ];
      expect(await record(views)).toEqual(['recorded', 'recorded', 'recorded']);
    });
  });

  describe('capped', () => {
    beforeEach(() => record([view('ann', at('10:00')), view('ann', at('10:01'), { eventId: 'x' })]));

    test('a view past the cap changes nothing', async () => {
      const past = () =>
        record([view('ann', at('10:02')), view('ann', at('10:03'), { eventId: 'y' })], { maxViews: 2 });
      expect(await withoutAChange(server.redis, past)).toEqual(['capped', 'capped']);
    });

    test('what was counted before is a duplicate still', async () => {
      const again = () =>
        record([view('ann', at('10:00')), view('ann', at('11:00'), { eventId: 'x' })], { maxViews: 2 });
      expect(await withoutAChange(server.redis, again)).toEqual(['duplicate', 'duplicate']);
    });

    test('other days and other users are not capped', async () => {
      const views = [view('ann', at('10:00', -1)), view('bob', at('10:00'))];
      expect(await record(views, { maxViews: 2 })).toEqual(['recorded', 'recorded']);
    });
  });

  describe('pages past their limit', () => {
    const limit = { maxPages: 2 };
    const names = (...all: string[]) => all.map((name, i) => view('ann', at('10:00') + i * MINUTE, { name }));

    test('count under (other), known ones go on under their name', async () => {
      const views = names('A', 'B', 'C', 'D', 'A', 'C');
      expect(await record(views, limit)).toEqual(Array(6).fill('recorded'));
      expect(await stored('ann')).toMatchObject({ views: '6', pages: '2' });
      expect(await pages('ann')).toEqual(['B', '1', 'A', '2', '(other)', '3']);
    });

    test('a page that is named (other) takes no place of theirs', async () => {
      await record(names('(other)', 'A', 'B', 'C'), limit);
      expect(await stored('ann')).toMatchObject({ views: '4', pages: '2' });
      expect(await pages('ann')).toEqual(['A', '1', 'B', '1', '(other)', '2']);
    });

    test('a duplicate of such a view is one', async () => {
      await record(names('A', 'B', 'C'), limit);
      const again = () => record(names('A', 'B', 'C'), limit);
      expect(await withoutAChange(server.redis, again)).toEqual(Array(3).fill('duplicate'));
    });
  });

  describe('erased', () => {
    const erasedAt = at('11:00');
    beforeEach(async () => {
      await record([view('ann', at('10:00')), view('bob', at('10:00'))]);
      await erase('ann', { now: erasedAt });
    });

    test.each([
      ['at the erasure', erasedAt],
      ['earlier that day', at('09:00')],
      ['on another day', at('23:00', -3)],
      ['before the window: erased comes before expired', at('10:00', -20)],
    ])('a view %s changes nothing', async (_, when) => {
      expect(await withoutAChange(server.redis, () => record([view('ann', when)]))).toEqual(['erased']);
    });

    test('a view a millisecond later begins a new profile, and earlier ones are still refused', async () => {
      const views = [view('ann', erasedAt + 1), view('ann', erasedAt), view('ann', at('10:00'))];
      expect(await record(views)).toEqual(['recorded', 'erased', 'erased']);
      expect(await stored('ann')).toEqual({
        earlier: '',
        views: '1',
        active_ms: '0',
        first: String(11 * HOUR + 1),
        last: String(11 * HOUR + 1),
        pages: '1',
        erased_until: String(erasedAt),
      });
      expect(
        await withoutAChange(server.redis, () => record([view('ann', erasedAt), view('ann', at('00:00'))])),
      ).toEqual(['erased', 'erased']);
    });

    test('only the day of the erasure keeps when it was', async () => {
      await record([view('ann', at('00:01', 1))]);
      expect(await stored('ann', TODAY + 1)).not.toHaveProperty('erased_until');
      const nextDay = { now: at('12:00', 1) };
      expect(await record([view('ann', at('09:00')), view('ann', at('10:00', 1))], nextDay)).toEqual([
        'erased',
        'recorded',
      ]);
    });

    test('an erasure at midnight refuses midnight and nothing later', async () => {
      await erase('cid', { now: at('00:00') });
      const views = [view('cid', at('00:00')), view('cid', at('00:00:00.001')), view('cid', at('00:00'))];
      expect(await record(views)).toEqual(['erased', 'recorded', 'erased']);
      expect(await stored('cid')).toMatchObject({ erased_until: String(at('00:00')) });
    });

    test('a known event_id does not come back', async () => {
      await record([view('cid', at('10:00'), { eventId: 'x' })]);
      await erase('cid', { now: erasedAt });
      expect(await record([view('cid', at('10:00'), { eventId: 'x' })])).toEqual(['erased']);
    });

    test('others are not concerned', async () => {
      expect(
        await record([view('bob', at('10:00')), view('bob', at('10:30')), view('cid', at('10:00'))]),
      ).toEqual(['duplicate', 'recorded', 'recorded']);
    });
  });

  describe('outside the days that are kept', () => {
    test.each([
      ['a moment before the window', at('23:59:59.999', -7), 'expired'],
      ['a year ago', at('10:00', -365), 'expired'],
      ['of a clock that was never set', 0, 'expired'],
      ['in 1969', -1, 'expired'],
      ['the day after tomorrow', at('00:00', 2), 'future'],
      ['in a thousand years', at('10:00', 365_000), 'future'],
    ])('a view %s stores nothing', async (_, when, outcome) => {
      expect(await record([view('ann', when), view('ann', when, { eventId: 'x' })])).toEqual([
        outcome,
        outcome,
      ]);
      expect(await server.redis.dbsize()).toBe(0);
    });
  });

  describe('several events in one call', () => {
    test('have one result each, in their order, and later ones see earlier ones', async () => {
      await erase('eve', { now: NOW - 1 });
      const outcomes = await record(
        [
          view('ann', at('10:00')),
          view('ann', at('10:00')),
          view('bob', at('10:00')),
          view('ann', at('10:05')),
          view('ann', at('10:06')),
          view('ann', at('10:05')),
          view('eve', at('10:00')),
          view('ann', at('10:00', -9)),
          view('ann', at('10:00', 3)),
          view('eve', NOW),
        ],
        { maxViews: 2 },
      );
      expect(outcomes).toEqual([
        ...['recorded', 'duplicate', 'recorded', 'recorded', 'capped'],
        ...['duplicate', 'erased', 'expired', 'future', 'recorded'],
      ]);
      expect(await stored('ann')).toMatchObject({ views: '2', active_ms: String(5 * MINUTE) });
    });

    test('leave what the same events leave one by one', async () => {
      const views = Array.from({ length: 40 }, (_, i) =>
        view(`user${i % 3}`, at('10:00', (i * 5) % 7) - 6 * DAY + ((i * 37) % 11) * 7 * MINUTE, {
          name: `Page ${i % 4}`,
          eventId: i % 3 === 0 ? `x${i % 9}` : undefined,
        }),
      );
      const together = await record(views);
      const contents = () => snapshot(server.redis);
      const afterTogether = await contents();
      await server.redis.flushall();
      const oneByOne = [];
      for (const one of views) oneByOne.push(...(await record([one])));
      expect(together).toEqual(oneByOne);
      expect(new Set(together)).toEqual(new Set(['recorded', 'duplicate']));
      expect(await contents()).toEqual(afterTogether);
    });

    test('none is an empty answer', async () => {
      const { args, keys: shard } = scriptsOn(server).calls.record([view('ann', NOW)]);
      const settings = args.slice(0, args.indexOf('view'));
      expect(await server.redis.ffRecord(shard[0]!, settings)).toEqual([0, 0, 0, 0]);
    });
  });

  test('a day that begins anew after its keys went is a fresh day', async () => {
    await record([view('ann', at('10:00'))]);
    await server.redis.unlink(...keysOf('ann', TODAY));
    expect(await record([view('ann', at('10:00'))])).toEqual(['recorded']);
    expect(await stored('ann')).toMatchObject({ views: '1' });
  });
});
