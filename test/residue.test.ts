import { dropResidue } from '../src/erasure/residue.ts';
import { LAYOUT_VERSION } from '../src/redis/keys.ts';
import { checkMeta } from '../src/redis/meta.ts';
import type { FootfallRedis } from '../src/redis/scripts.ts';
import { dateOf } from '../src/time.ts';
import { at, HOSTILE_IDS, NOW, overEachRedis, scriptsOn, TODAY, view } from './support/lua.ts';
import { snapshot } from './support/redis.ts';
import { service } from './support/service.ts';

overEachRedis((server) => {
  const { keys, record } = scriptsOn(server);
  const walk = (userId: string, deadline = Number.POSITIVE_INFINITY, redis = server.redis) =>
    dropResidue({ redis, keys, userId, now: NOW, deadline });
  const write = async (...names: string[]) => {
    for (const name of names) await server.redis.set(name, 'old');
  };
  const fill = async (count: number) => {
    const pipeline = server.redis.pipeline();
    for (let i = 0; i < count; i++) pipeline.set(`ff:{0}:user:user${i}:2026-11-21:stats`, 'x');
    await pipeline.exec();
  };

  /** The server's client with some methods replaced. */
  const withMethods = (methods: object): FootfallRedis =>
    new Proxy(server.redis, {
      get(target, name) {
        if (name in methods) return Reflect.get(methods, name);
        const value = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });

  afterEach(() => jest.restoreAllMocks());

  test('nothing is found where nothing is left', async () => {
    await record([view('bob', at('10:00'))]);
    expect(await walk('ann')).toEqual({ scan: 'complete', residue: 0 });
  });

  test('keys of other layouts are dropped, in one slot', async () => {
    await write(
      ...['', ':stats', ':2019-01-01:stats', ':2026-11-21', ':a:b:c'].map((rest) => `ff:{0}:user:ann${rest}`),
    );
    expect(await walk('ann')).toEqual({ scan: 'complete', residue: 5 });
    expect(await server.redis.keys('*')).toEqual([]);
  });

  test('keys of other layouts are dropped, whatever their slots', async () => {
    await write(
      'ff:{0}:user:ann',
      'ff:{1}:user:ann:x',
      'ff:{77}:user:ann',
      'ff:{77}:user:ann:x',
      'ff:v0:user:ann:pages',
    );
    expect(await walk('ann')).toEqual({ scan: 'complete', residue: 5 });
    expect(await server.redis.keys('*')).toEqual([]);
  });

  test('keys of others, of other programs and of other prefixes stay', async () => {
    const ids = ['anna', 'xann', 'ann%3Ab', 'Ann', 'a', 'bob:ann', 'bob:2026-11-21:ann'];
    await write(...ids.map((id) => `ff:{0}:user:${id}:old`));
    await write('ann', 'x:{0}:user:ann', 'ffx:{0}:user:ann:x', 'my:ff:{0}:user:ann', 'user:ann');
    const before = await snapshot(server.redis);
    expect(await walk('ann')).toEqual({ scan: 'complete', residue: 0 });
    expect(await snapshot(server.redis)).toEqual(before);
  });

  test('ids are taken as they stand in keys', async () => {
    await write(...['a%3Ab', '%2A', 'a', 'b', 'a:b'].map((id) => `ff:{0}:user:${id}:old`));
    expect(await walk('a:b')).toEqual({ scan: 'complete', residue: 1 });
    expect(await walk('*')).toEqual({ scan: 'complete', residue: 1 });
    expect(await server.redis.dbsize()).toBe(3);
  });

  test('the user’s keys of the current layout stay: they are a new profile', async () => {
    await record([view('ann', at('10:00')), view('ann', at('10:00', -6)), view('ann', at('10:00', 1))]);
    await write(keys.erased('ann'));
    for (const key of keys.ofUser('ann', NOW)) await server.redis.setnx(key, 'x');
    const before = await snapshot(server.redis);
    await write('ff:{0}:user:ann:old');
    expect(await walk('ann')).toEqual({ scan: 'complete', residue: 1 });
    expect(await snapshot(server.redis)).toEqual(before);
  });

  // An id may be any word of the layout: it must not stand for the keys of everybody.
  test.each([
    ...HOSTILE_IDS,
    ...['stats', 'pages', dateOf(TODAY - 1), String(LAYOUT_VERSION), keys.erased('bob').split(':').at(-1)!],
  ])('erasing %j leaves the current layout of all others, and what it depends on', async (userId) => {
    await checkMeta(server.redis, keys, { sessionGapSeconds: 1800, lateLoginDays: 35 });
    await record(
      ['bob', 'a:b', 'a', `${userId}x`].filter((id) => id !== userId).map((id) => view(id, at('10:00'))),
    );
    await server.redis.set(keys.erased('bob'), String(at('09:00')));
    const before = await snapshot(server.redis);
    const { eraser } = service(server.redis);
    expect(await eraser.erase(userId)).toMatchObject({ scan: 'complete', residue: 0 });
    await server.redis.del(keys.erased(userId));
    expect(await snapshot(server.redis)).toEqual(before);
  });

  test('a large keyspace is walked to its end', async () => {
    await fill(5000);
    await write('ff:{0}:user:ann:old', 'ff:{0}:user:ann:older');
    expect(await walk('ann')).toEqual({ scan: 'complete', residue: 2 });
    expect(await server.redis.dbsize()).toBe(5000);
  });

  describe('the budget', () => {
    test('of nothing walks nowhere', async () => {
      await write('ff:{0}:user:ann:old');
      expect(await walk('ann', performance.now())).toEqual({ scan: 'incomplete', residue: null });
      const { eraser } = service(server.redis, { eraseScanMs: 0 });
      expect(await eraser.erase('ann')).toMatchObject({ scan: 'incomplete', residue: null });
      expect(await server.redis.exists('ff:{0}:user:ann:old')).toBe(1);
    });

    test('ends a walk between two steps', async () => {
      await fill(5000);
      let now = 0;
      jest.spyOn(performance, 'now').mockImplementation(() => now);
      const scan = jest.fn((...args: Parameters<FootfallRedis['scan']>) => {
        now += 10;
        return server.redis.scan(...args);
      });
      expect(await walk('ann', 25, withMethods({ scan }))).toEqual({ scan: 'incomplete', residue: null });
      expect(scan).toHaveBeenCalledTimes(3);
    });

    test('that is enough to reach the end is a complete walk, though it is used up then', async () => {
      let now = 0;
      jest.spyOn(performance, 'now').mockImplementation(() => now);
      const scan = (...args: Parameters<FootfallRedis['scan']>) => {
        now += 10;
        return server.redis.scan(...args);
      };
      expect(await walk('ann', 5, withMethods({ scan }))).toEqual({ scan: 'complete', residue: 0 });
    });
  });

  test('a walk that fails does not unsay the erasure', async () => {
    await record([view('ann', at('10:00'))]);
    const scan = () => Promise.reject(new Error('Connection is closed.'));
    const { eraser } = service(withMethods({ scan }));
    expect(await eraser.erase('ann')).toMatchObject({ keys_deleted: 3, scan: 'incomplete', residue: null });
    expect(await server.redis.keys('*')).toEqual([keys.erased('ann')]);
  });

  test('walks take turns, and one that fails does not hold up the next', async () => {
    let under = 0;
    let most = 0;
    let count = 0;
    const scan = async (...args: Parameters<FootfallRedis['scan']>) => {
      most = Math.max(most, ++under);
      try {
        if (++count === 2) throw new Error('Connection is closed.');
        return await server.redis.scan(...args);
      } finally {
        under--;
      }
    };
    const { eraser } = service(withMethods({ scan }));
    const users = ['ann', 'bob', 'cid', 'dan'];
    const receipts = await Promise.all(users.map((user) => eraser.erase(user)));
    expect(receipts.map(({ user_id }) => user_id)).toEqual(users);
    expect(receipts.map((receipt) => receipt.scan)).toEqual([
      'complete',
      'incomplete',
      'complete',
      'complete',
    ]);
    expect(most).toBe(1);
  });

  test('a view that comes during the walk stays', async () => {
    await record([view('ann', at('10:00'))]);
    const { recorder } = service(server.redis);
    const scan = async (...args: Parameters<FootfallRedis['scan']>) => {
      expect(await recorder.record(view('ann', NOW + 1))).toBe('recorded');
      return server.redis.scan(...args);
    };
    const { eraser, profiles } = service(withMethods({ scan }));
    expect(await eraser.erase('ann')).toMatchObject({ scan: 'complete', residue: 0 });
    expect(await profiles.of('ann')).toMatchObject({ number_pages_viewed_in_the_last_7_days: 1 });
  });
});
