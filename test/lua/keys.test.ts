// Redis does not hold a script to its declared keys, so this does: every key that a script names is one that keys.ts
// spells for that user, and lies in the slot of the key that was declared.

import { createKeys, type Keys } from '../../src/redis/keys.ts';
import { DAY } from '../../src/time.ts';
import {
  at,
  type Call,
  callsOver,
  HOSTILE_IDS,
  NOW,
  overEachRedis,
  TODAY,
  traced,
  view,
} from '../support/lua.ts';

overEachRedis((server, cluster) => {
  const slot = (key: string) => server.redis.call('CLUSTER', 'KEYSLOT', key);

  describe.each([1, 7, 256])('with %d shards', (shards) => {
    const keys: Keys = createKeys('ff', shards);
    const calls = callsOver(keys);

    async function touched(userId: string, call: Call): Promise<string[]> {
      const { keys: named } = await traced(server.redis, call);
      const shard = keys.shard(keys.shardOf(userId));
      for (const key of named) expect(key.startsWith(`${shard}:`)).toBe(true);
      if (cluster) {
        const slots = await Promise.all([shard, ...named].map(slot));
        expect(new Set(slots).size).toBe(1);
      }
      return named;
    }

    test.each(HOSTILE_IDS)('%j: every script keeps to the keys of its user', async (userId) => {
      const of = (day: number) => [
        keys.stats(userId, day),
        keys.pages(userId, day),
        keys.visits(userId, day),
      ];
      const beside = [keys.visits(userId, TODAY - 1), keys.visits(userId, TODAY + 1)];
      const stored = of(TODAY);

      const first = calls.record([view(userId, at('10:00'))]);
      expect(await touched(userId, first)).toEqual([keys.erased(userId), ...stored].sort());
      expect((await server.redis.keys('*')).sort()).toEqual(stored.sort());

      const later = calls.record([
        view(userId, at('11:00'), { eventId: 'x' }),
        view(userId, at('10:30')),
        view(userId, at('10:40'), { name: 'Blog' }),
      ]);
      expect(await touched(userId, later)).toEqual([...stored, ...beside].sort());

      const limits = { maxViews: 4, maxPages: 1 };
      const limited = calls.record([view(userId, at('10:00')), view(userId, at('11:30'))], limits);
      expect(new Set(stored)).toEqual(
        new Set([...(await touched(userId, limited)), keys.pages(userId, TODAY)]),
      );

      const old = calls.record([view(userId, at('10:00', -20))]);
      expect(await touched(userId, old)).toEqual([keys.erased(userId)]);
      expect(await touched(userId, calls.record([view(userId, at('10:00', 5))]))).toEqual([]);

      const withId = (days: number) => calls.record([view(userId, at('10:00', days), { eventId: 'y' })]);
      expect(await touched(userId, withId(1))).toEqual(
        [keys.erased(userId), ...of(TODAY + 1), keys.visits(userId, TODAY)].sort(),
      );
      const besideOldest = [keys.visits(userId, TODAY - 7), keys.visits(userId, TODAY - 5)];
      expect(await touched(userId, withId(-6))).toEqual(
        [keys.erased(userId), ...of(TODAY - 6), ...besideOldest].sort(),
      );
      await server.redis.del(...of(TODAY + 1), ...of(TODAY - 6));

      const window = Array.from({ length: 7 }, (_, i) => TODAY - i);
      const stats = window.map((day) => keys.stats(userId, day));
      const read = [...stats, keys.pages(userId, TODAY)].sort();
      expect(await touched(userId, calls.profile([userId]))).toEqual(read);
      expect(await touched(userId, calls.days(userId))).toEqual(read);

      const erase = calls.erase(userId);
      expect(await touched(userId, erase)).toEqual([...erase.keys].sort());
      expect(await server.redis.keys('*')).toEqual([keys.erased(userId)]);
    });

    test('whatever may still be stored is among the keys that an erasure drops', async () => {
      const user = '019mr8mf4r';
      // The oldest day that a recorder may write, and the newest, by clocks a day apart.
      for (const now of [NOW - DAY, NOW, NOW + DAY]) {
        for (let days = -6; days <= 1; days++) {
          const call = calls.record([view(user, now + days * DAY)], { now });
          const { reply, keys: named } = await traced(server.redis, call);
          expect(['recorded', 'duplicate']).toContain((reply as string[])[0]);
          const erasable = [keys.erased(user), ...keys.ofUser(user, NOW)];
          expect(erasable).toEqual(expect.arrayContaining(named));
        }
      }
    });
  });

  test('a script that is traced answers as it does untraced', async () => {
    const keys = createKeys('ff', 1);
    const calls = callsOver(keys);
    const views = [view('ann', at('10:00')), view('bob', at('10:00')), view('ann', at('10:00'))];
    const { reply } = await traced(server.redis, calls.record(views));
    expect(reply).toEqual(['recorded', 'recorded', 'duplicate']);
    expect((await traced(server.redis, calls.profile(['ann']))).reply).toEqual([[1, 0, 1, 'Home']]);
  });
});
