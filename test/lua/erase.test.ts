import { DAY } from '../../src/time.ts';
import {
  at,
  click,
  HOSTILE_IDS,
  LATE_DAYS,
  login,
  MARGIN,
  MARK_TTL,
  NOW,
  overEachRedis,
  scriptsOn,
  TODAY,
  view,
} from '../support/lua.ts';
import { snapshot } from '../support/redis.ts';

overEachRedis((server) => {
  const { keys, record, profiles, erase } = scriptsOn(server);
  const mark = (userId: string) => server.redis.get(keys.erased(userId));

  test('an unknown user leaves a mark and nothing else', async () => {
    expect(await erase('ann')).toEqual([String(NOW), 0, 0]);
    expect(await server.redis.keys('*')).toEqual([keys.erased('ann')]);
    expect(await mark('ann')).toBe(String(NOW));
  });

  test('a user’s keys are gone, and only theirs', async () => {
    await record([view('bob', at('10:00')), view('ann2', at('10:00')), view('an', at('10:00'))]);
    const others = await snapshot(server.redis);
    await record([view('ann', at('10:00')), view('ann', at('10:00', -6)), view('ann', at('11:00', 1))]);
    expect(await erase('ann')).toEqual([String(at('11:00', 1)), 9, 3]);
    await server.redis.del(keys.erased('ann'));
    expect(await snapshot(server.redis)).toEqual(others);
  });

  test('whatever lies under the keys of the days that are kept is dropped', async () => {
    const all = keys.ofUser('ann', NOW);
    for (const key of all) await server.redis.set(key, 'x');
    expect(all).toContain(keys.visits('ann', TODAY - 8));
    expect(all).toContain(keys.stats('ann', TODAY + 2));
    expect(all).toContain(keys.events('ann', TODAY + 2));
    expect(all).toContain(keys.logins('ann', '2026-10'));
    expect(all).toHaveLength(11 * 4 + 2);
    expect((await erase('ann')).slice(1)).toEqual([11 * 4 + 2, 0]);
    expect(await server.redis.keys('*')).toEqual([keys.erased('ann')]);
  });

  describe('the mark', () => {
    test('names nobody, and goes after two days more than a login may be late', async () => {
      await erase('ann');
      expect(keys.erased('ann')).not.toContain('ann');
      const ttl = await server.redis.pttl(keys.erased('ann'));
      expect(ttl).toBeGreaterThan((LATE_DAYS + 2) * DAY - MARGIN);
      expect(ttl).toBeLessThanOrEqual((LATE_DAYS + 2) * DAY);
    });

    test('outlives every event that could still be accepted', async () => {
      await record([view('ann', at('10:00')), login('ann', at('10:00'))]);
      await erase('ann');
      const later = { now: NOW + 6 * DAY };
      expect(await record([view('ann', at('10:00')), view('ann', at('13:00'))], later)).toEqual([
        'erased',
        'recorded',
      ]);
      const lastMoment = { now: at('23:59:59.999', LATE_DAYS) };
      expect(lastMoment.now - NOW).toBeLessThan(MARK_TTL);
      expect(await record([login('ann', at('10:00')), login('ann', at('13:00'))], lastMoment)).toEqual([
        'erased',
        'recorded',
      ]);
      const tooLate = { now: at('00:00', LATE_DAYS + 1) };
      expect(await record([login('bob', at('23:59'))], tooLate)).toEqual(['expired']);
    });

    test('is set anew by a second erasure', async () => {
      await erase('ann');
      await server.redis.pexpire(keys.erased('ann'), DAY);
      expect(await erase('ann', { now: NOW + 1 })).toEqual([String(NOW + 1), 0, 0]);
      expect(await server.redis.pttl(keys.erased('ann'))).toBeGreaterThan(MARK_TTL - MARGIN);
    });

    test('keeps a time of 16 digits exactly', async () => {
      const now = 8_639_913_600_000_123;
      expect((await erase('ann', { now }))[0]).toBe(String(now));
      expect(await mark('ann')).toBe(String(now));
    });
  });

  describe('erased_at', () => {
    test('is the newest view, if that lies ahead of the clock', async () => {
      const newest = at('12:04:59.999');
      await record([view('ann', newest), view('ann', at('11:00'))]);
      expect(await erase('ann')).toEqual([String(newest), 3, 1]);
      expect(await record([view('ann', newest), view('ann', newest + 1)])).toEqual(['erased', 'recorded']);
    });

    test('is the newest view of tomorrow', async () => {
      await record([view('ann', at('00:00:00.001', 1)), view('ann', at('23:59'))]);
      expect((await erase('ann'))[0]).toBe(String(at('00:00:00.001', 1)));
    });

    test('is the newest view, if that is the first moment of tomorrow', async () => {
      const midnight = at('00:00', 1);
      const now = midnight - 60_000;
      await record([view('ann', midnight)], { now });
      expect((await erase('ann', { now }))[0]).toBe(String(midnight));
      expect(await record([view('ann', midnight)], { now })).toEqual(['erased']);
    });

    test('is the newest event that is no page view, if that is later than every view', async () => {
      await record([view('ann', at('12:01')), click('ann', at('12:04')), click('ann', at('11:00'))]);
      expect((await erase('ann'))[0]).toBe(String(at('12:04')));
      expect(await record([click('ann', at('12:04')), click('ann', at('12:04:00.001'))])).toEqual([
        'erased',
        'recorded',
      ]);
    });

    test('is an earlier erasure’s, if that was later', async () => {
      await erase('ann', { now: NOW + 5000 });
      expect(await erase('ann')).toEqual([String(NOW + 5000), 0, 0]);
    });

    test.each([
      ['visits', () => server.redis.del(keys.visits('ann', TODAY))],
      ['stats', () => server.redis.del(keys.stats('ann', TODAY))],
    ])('is known without %s', async (_, lose) => {
      const newest = at('12:03');
      await record([view('ann', newest)]);
      await lose();
      expect(await erase('ann')).toEqual([String(newest), 2, 1]);
    });
  });

  test.each([
    ['stats', keys.stats('ann', TODAY + 1)],
    ['pages', keys.pages('ann', TODAY + 1)],
    ['visits', keys.visits('ann', TODAY + 1)],
  ])('%s of tomorrow that cannot be read do not silence a user until then', async (_, key) => {
    await server.redis.rpush(key, 'x');
    expect(await erase('ann')).toEqual([String(NOW), 1, 0]);
  });

  test.each(['9e15', 'inf', '1e300'])('a mark of %s is no time to wait for', async (value) => {
    await server.redis.set(keys.erased('ann'), value);
    await server.redis.hset(keys.stats('ann', TODAY), 'last', value);
    expect((await erase('ann'))[0]).toBe(String(NOW));
  });

  test('a mark that cannot be read is replaced', async () => {
    for (const plant of [
      () => server.redis.set(keys.erased('ann'), 'yesterday'),
      () => server.redis.rpush(keys.erased('ann'), '1'),
      () => server.redis.hset(keys.erased('ann'), 'at', '1'),
    ]) {
      await server.redis.del(keys.erased('ann'));
      await plant();
      expect(await erase('ann')).toEqual([String(NOW), 0, 0]);
      expect(await mark('ann')).toBe(String(NOW));
    }
  });

  test.each(HOSTILE_IDS)('erasing %j hurts no other', async (userId) => {
    const others = ['a', 'a:b', 'ab', '*', '{0}', ...HOSTILE_IDS].filter((id) => id !== userId);
    const all = [...new Set(others)];
    await record(all.map((id) => view(id, at('10:00'))));
    const before = await snapshot(server.redis);
    await record([view(userId, at('10:00'))]);
    expect(await erase(userId)).toEqual([String(NOW), 3, 1]);
    await server.redis.del(keys.erased(userId));
    expect(await snapshot(server.redis)).toEqual(before);
    expect(await profiles([userId, all[0]!])).toEqual([
      [0, 0, 0, null],
      [1, 0, 1, 'Home'],
    ]);
  });
});
