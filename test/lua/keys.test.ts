// Redis does not hold a script to its declared keys, so this does: every key that a script names is one that keys.ts
// spells for that user or for a count, and lies in the slot of the key that was declared.

import { createKeys, type Keys, thing } from '../../src/redis/keys.ts';
import { DAY, dayOf } from '../../src/time.ts';
import {
  at,
  type Call,
  callsOver,
  click,
  HOSTILE_IDS,
  LATE_DAYS,
  login,
  NOW,
  overEachRedis,
  TODAY,
  traced,
  view,
} from '../support/lua.ts';

const daysBetween = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => TODAY + from + i);

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

    test.each(HOSTILE_IDS)('%j: every script keeps to the keys of its user and to counts', async (userId) => {
      const shard = keys.shardOf(userId);
      const of = (day: number) => [
        keys.stats(userId, day),
        keys.pages(userId, day),
        keys.visits(userId, day),
      ];
      const counts = (day: number) => [keys.visitors(shard, day), keys.returning(shard, day)];
      const beside = [keys.visits(userId, TODAY - 1), keys.visits(userId, TODAY + 1)];
      const others = daysBetween(-7, 1).filter((day) => day !== TODAY);
      const stored = of(TODAY);

      const first = calls.record([view(userId, at('10:00'))]);
      expect(await touched(userId, first)).toEqual(
        [
          keys.erased(userId),
          ...stored,
          ...others.map((day) => keys.stats(userId, day)),
          keys.logins(userId, '2026-11'),
          ...counts(TODAY),
        ].sort(),
      );
      expect((await server.redis.keys('*')).sort()).toEqual([...stored, keys.visitors(shard, TODAY)].sort());

      const again = calls.record([view(userId, at('11:00')), view(userId, at('10:30'))]);
      expect(await touched(userId, again)).toEqual(stored.toSorted());
      const withAnId = calls.record([view(userId, at('11:10'), { eventId: 'x' })]);
      expect(await touched(userId, withAnId)).toEqual([...stored, ...beside].sort());
      const another = calls.record([view(userId, at('10:40'), { name: 'Blog' })]);
      expect(await touched(userId, another)).toEqual([...stored, ...counts(TODAY)].sort());

      const limits = { maxViews: 5, maxPages: 1 };
      const limited = calls.record([view(userId, at('10:00')), view(userId, at('11:30'))], limits);
      expect(await touched(userId, limited)).toEqual([keys.stats(userId, TODAY), keys.visits(userId, TODAY)]);

      const old = calls.record([view(userId, at('10:00', -20))]);
      expect(await touched(userId, old)).toEqual([keys.erased(userId)]);
      expect(await touched(userId, calls.record([view(userId, at('10:00', 5))]))).toEqual([]);

      const read = [keys.stats(userId, TODAY), keys.pages(userId, TODAY)];
      expect(await touched(userId, calls.profile([userId]))).toEqual(expect.arrayContaining(read));
      expect(await touched(userId, calls.days(userId))).toEqual(expect.arrayContaining(read));
      const window = daysBetween(-6, 0);
      const readable = new Set(window.flatMap(of));
      for (const call of [calls.profile([userId]), calls.days(userId)]) {
        expect((await touched(userId, call)).filter((key) => !readable.has(key))).toEqual([]);
      }
      const asked = [...window.map((day) => keys.visitors(shard, day)), keys.returning(shard, TODAY)];
      expect(await touched(userId, calls.visitors(shard, 'name:Home'))).toEqual(asked.sort());

      const erase = calls.erase(userId);
      const erased = await touched(userId, erase);
      expect(erased).toEqual(expect.arrayContaining([keys.erased(userId), ...keys.ofUser(userId, NOW)]));
      expect(await server.redis.keys('*')).toEqual([keys.erased(userId)]);
    });

    test.each(HOSTILE_IDS)('%j as a user, a site and a url: what everything is kept under', async (id) => {
      const shard = keys.shardOf(id);
      const whole = { url: `https://${id}/`, siteId: id, path: id };
      const events = [
        ...daysBetween(-6, 1).map((day) => view(id, day * DAY + 1, { ...whole, name: id })),
        click(id, at('11:00'), { siteId: id, path: id }),
        login(id, at('11:00')),
        login(id, at('11:00', -LATE_DAYS)),
      ];
      await touched(id, calls.record(events));
      const days = daysBetween(-6, 1);
      const site = (day: number) =>
        (['stats', 'pages', 'hll'] as const).map((p) => keys.site(shard, id, day, p));
      expect((await server.redis.keys('*')).sort()).toEqual(
        [
          ...days.flatMap((day) => [keys.stats(id, day), keys.pages(id, day), keys.visits(id, day)]),
          keys.events(id, TODAY),
          ...days.flatMap((day) => [keys.visitors(shard, day), ...site(day)]),
          ...days.slice(1).map((day) => keys.returning(shard, day)),
          ...['2026-10', '2026-11'].flatMap((month) => [
            keys.logins(id, month),
            keys.loginCounts(shard, month),
          ]),
        ].sort(),
      );
      const counts = thing({ url: whole.url }, id);
      await touched(id, calls.visitors(shard, counts));
      await touched(id, calls.erase(id));
      expect(await server.redis.keys(`${keys.shard(shard)}:user:*`)).toEqual([]);
    });

    test('whatever may still be stored is among the keys that an erasure drops', async () => {
      const user = '019mr8mf4r';
      const common = [keys.erased(user)];
      const own = (key: string) => key.includes(':user:') || common.includes(key);
      // The oldest day that a recorder may write, and the newest, by clocks a day apart.
      for (const now of [NOW - DAY, NOW, NOW + DAY]) {
        const erasable = [...common, ...keys.ofUser(user, NOW)];
        for (const days of [-6, -5, -4, -3, -2, -1, 0, 1]) {
          const events = [view(user, now + days * DAY), click(user, now + days * DAY)];
          const { reply, keys: named } = await traced(server.redis, calls.record(events, { now }));
          expect(['recorded', 'duplicate']).toContain((reply as string[])[0]);
          const wrote = (await server.redis.keys('*')).filter(own);
          expect(erasable).toEqual(expect.arrayContaining(wrote));
          expect(named).toEqual(expect.arrayContaining([keys.stats(user, dayOf(now) + days)]));
        }
        for (const days of [-LATE_DAYS, 1]) {
          const call = calls.record([login(user, now + days * DAY)], { now });
          const { keys: named } = await traced(server.redis, call);
          expect(erasable).toEqual(expect.arrayContaining(named.filter(own)));
        }
      }
    });
  });

  test('a script that is traced answers as it does untraced', async () => {
    const keys = createKeys('ff', 1);
    const calls = callsOver(keys);
    const views = [view('ann', at('10:00')), view('bob', at('10:00')), view('ann', at('10:00'))];
    const { reply } = await traced(server.redis, calls.record(views));
    expect(reply).toEqual(['recorded', 'recorded', 'duplicate', 0, 0, 0, 0]);
    expect((await traced(server.redis, calls.profile(['ann']))).reply).toEqual([[1, 0, 1, 'Home']]);
  });
});
