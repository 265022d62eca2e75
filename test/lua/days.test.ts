import { DAY, MINUTE } from '../../src/time.ts';
import { at, GAP, NOW, overEachRedis, scriptsOn, TODAY, view, withoutAChange } from '../support/lua.ts';

const EMPTY = [0, 0, null];

overEachRedis((server) => {
  const { keys, record, profiles, days } = scriptsOn(server);
  const rows = (userId: string, now = NOW) => withoutAChange(server.redis, () => days(userId, { now }));

  test('an unknown user has seven empty rows', async () => {
    expect(await rows('ann')).toEqual(Array(7).fill(EMPTY));
  });

  test('each day has its own row, oldest first', async () => {
    await record([
      view('ann', at('00:00', -6), { name: 'First' }),
      view('ann', at('10:00', -2)),
      view('ann', at('10:10', -2)),
      view('ann', at('10:20', -2), { name: 'Blog' }),
      view('ann', at('23:59:59.999'), { name: 'Last' }),
      view('ann', at('00:01', 1), { name: 'Tomorrow' }),
    ]);
    expect(await rows('ann')).toEqual([
      [1, 0, 'First'],
      EMPTY,
      EMPTY,
      EMPTY,
      [3, 20 * MINUTE, 'Home'],
      EMPTY,
      [1, 0, 'Last'],
    ]);
  });

  test('the day before the window has no row', async () => {
    await record([view('ann', at('10:00', -6))]);
    expect(await rows('ann', NOW + DAY)).toEqual(Array(7).fill(EMPTY));
  });

  test('a page of one day is not the page of another', async () => {
    const views = [
      ...['10:00', '11:00', '12:00'].map((time) => view('ann', at(time, -1))),
      view('ann', at('10:00'), { name: 'Blog' }),
    ];
    await record(views);
    expect((await rows('ann')).slice(5)).toEqual([
      [3, 0, 'Home'],
      [1, 0, 'Blog'],
    ]);
  });

  test.each([
    ['as long as the gap is split at midnight', GAP, [10 * MINUTE, GAP - 10 * MINUTE]],
    ['a millisecond longer counts for neither day', GAP + 1, [0, 0]],
  ])('a step across midnight %s', async (_, length, [before, after]) => {
    const last = at('23:50', -3);
    await record([view('ann', last), view('ann', last + length)]);
    expect((await rows('ann')).slice(3, 5)).toEqual([
      [1, before, 'Home'],
      [1, after, 'Home'],
    ]);
  });

  test('the days add up to the profile', async () => {
    const users = ['ann', 'bob', 'cid'];
    const quarters = 7 * 24 * 4; // of an hour, in the window
    const views = users.flatMap((user, u) =>
      Array.from({ length: 200 }, (_, i) =>
        view(user, at('00:00', -6) + ((i * 7919 + u * 101) % quarters) * 15 * MINUTE),
      ),
    );
    await record(views);
    const sum = (all: [number, number, unknown][], i: 0 | 1) => all.reduce((total, row) => total + row[i], 0);
    const profilesOfAll = await profiles(users);
    for (const [i, user] of users.entries()) {
      const all = (await days(user)) as [number, number, string | null][];
      const active = all.filter(([views]) => views > 0).length;
      expect([sum(all, 0), sum(all, 1), active, 'Home']).toEqual(profilesOfAll[i]);
    }
    const withinDays = await Promise.all(
      users.map((user) => server.redis.hget(keys.stats(user, TODAY), 'active_ms')),
    );
    expect(withinDays.every((ms) => Number(ms) > 0)).toBe(true);
  });

  test.each([
    ['a string', (key: string) => server.redis.set(key, '5')],
    [
      'a word for a count',
      (key: string) => server.redis.hset(key, { views: 'many', active_ms: 0, first: 0, last: 0 }),
    ],
  ])('%s on any day of the window is damaged, on another it is not looked at', async (_, plant) => {
    for (let day = TODAY - 8; day <= TODAY + 2; day++) {
      await server.redis.flushall();
      await plant(keys.stats('ann', day));
      const inWindow = day >= TODAY - 6 && day <= TODAY;
      expect(await rows('ann')).toEqual(inWindow ? 'damaged' : Array(7).fill(EMPTY));
      expect(await rows('bob')).toEqual(Array(7).fill(EMPTY));
    }
  });
});
