// What the flags on a script's first line promise, and what a Redis that forgets its scripts changes: nothing.

import { Unavailable } from '../../src/redis/errors.ts';
import { assemble } from '../../src/redis/scripts.ts';
import { at, callsOver, NOW, overEachRedis, scriptsOn, view, withoutAChange } from '../support/lua.ts';
import { service } from '../support/service.ts';

overEachRedis((server) => {
  const { keys, record, profiles, days, visitors, erase } = scriptsOn(server);

  describe('when memory is full', () => {
    beforeEach(async () => {
      await record([view('ann', at('10:00')), view('bob', at('10:00'))]);
      await server.redis.config('SET', 'maxmemory', '1');
      await expect(server.redis.set('any', 'thing')).rejects.toThrow(/^OOM/);
    });
    afterEach(() => server.redis.config('SET', 'maxmemory', '0'));

    test('recording is refused before it changes anything, and the caller hears that it will pass', async () => {
      const { recorder } = service(server.redis);
      await withoutAChange(server.redis, async () => {
        await expect(record([view('ann', at('11:00'))])).rejects.toThrow(/^OOM/);
        const views = [view('ann', at('11:00')), view('cid', at('11:00'))];
        for (const { status, reason } of (await Promise.allSettled(
          views.map((v) => recorder.record(v)),
        )) as PromiseRejectedResult[]) {
          expect(status).toBe('rejected');
          expect(reason).toBeInstanceOf(Unavailable);
        }
      });
      expect(recorder.inFlight()).toBe(0);
    });

    test('reading goes on, also after the scripts were flushed', async () => {
      const reader = service(server.redis).profiles;
      await server.redis.script('FLUSH');
      expect(await profiles(['ann', 'nobody'])).toEqual([
        [1, 0, 1, 'Home'],
        [0, 0, 0, null],
      ]);
      expect(await days('ann')).toHaveLength(7);
      expect(await visitors('name:Home')).toBe(2);
      expect(await reader.of('ann')).toMatchObject({ most_viewed_page_in_last_7_days: 'Home' });
      expect(await reader.daysOf('ann')).toHaveLength(7);
    });

    test('a person can be erased, also after the scripts were flushed', async () => {
      await server.redis.script('FLUSH');
      expect(await erase('ann')).toEqual([String(NOW), 3, 1]);
      expect(await server.redis.get(keys.erased('ann'))).toBe(String(NOW));
      const { eraser } = service(server.redis);
      expect(await eraser.erase('bob')).toMatchObject({ keys_deleted: 3, scan: 'complete', residue: 0 });
    });

    test('recording goes on once there is room', async () => {
      await server.redis.config('SET', 'maxmemory', '0');
      expect(await record([view('ann', at('11:00'))])).toEqual(['recorded']);
    });
  });

  test.each(['profile', 'days', 'visitors'] as const)(
    '%s runs where writes are forbidden, the others do not',
    async (name) => {
      const calls = callsOver(keys);
      const readOnly = (script: string, { keys, args }: { keys: string[]; args: string[] }) =>
        server.redis.call('EVAL_RO', assemble(script), keys.length, ...keys, ...args);
      const reads = {
        profile: calls.profile(['ann']),
        days: calls.days('ann'),
        visitors: calls.visitors(0, 'name:Home'),
      };
      expect(await readOnly(name, reads[name])).toEqual(name === 'visitors' ? 0 : expect.any(Array));
      for (const write of [calls.record([view('ann', NOW)]), calls.erase('ann')]) {
        await expect(readOnly(write.script, write)).rejects.toThrow();
      }
      expect(await server.redis.dbsize()).toBe(0);
    },
  );

  test('a Redis that forgot its scripts is told them again', async () => {
    const forget = () => server.redis.script('FLUSH');
    await forget();
    expect(await record([view('ann', at('10:00'))])).toEqual(['recorded']);
    await forget();
    expect(await record([view('ann', at('10:00')), view('ann', at('10:10'))])).toEqual([
      'duplicate',
      'recorded',
    ]);
    await forget();
    expect(await profiles(['ann'])).toEqual([[2, 600_000, 1, 'Home']]);
    await forget();
    expect((await days('ann')).at(-1)).toEqual([2, 600_000, 'Home']);
    await forget();
    expect(await erase('ann')).toEqual([String(NOW), 3, 1]);
    await forget();
    expect(await profiles(['ann'])).toEqual([[0, 0, 0, null]]);
  });
});
