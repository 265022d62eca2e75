// Servers' clocks differ by seconds, and around midnight that is a day: what one began, another must find.

import { at, GAP, overEachRedis, scriptsOn, view } from '../support/lua.ts';

const AHEAD = { now: at('00:01') };
const BEHIND = { now: at('23:58', -1) };

overEachRedis((server) => {
  const { record, profiles, days, visitors } = scriptsOn(server);
  const home = (time: string, day: number) => view('ann', at(time, day));
  const on = (day: number) => ({ now: at('12:00', day) });

  /** What both clocks answer of ann and of Home. */
  async function answers() {
    return Promise.all(
      [AHEAD, BEHIND].map(async ({ now }) => {
        const [profile] = await profiles(['ann'], { now });
        const rows = (await days('ann', { now })) as [number, number, string | null][];
        const seen = await Promise.all([1, 2, 3, 4, 5, 6, 7].map((span) => visitors('name:Home', span, now)));
        return { profile, views: rows.map(([views]) => views).join(' '), seen: seen.join(' ') };
      }),
    );
  }

  test('a day that the clock behind begins is known to the day that the clock ahead began', async () => {
    await record([home('12:00', -8)], on(-8)); // the last day that the clock behind can still see
    expect(await record([home('00:00:30', 0)], AHEAD)).toEqual(['recorded']);
    expect(await record([home('23:00', -1)], BEHIND)).toEqual(['recorded']);
    expect(await answers()).toEqual([
      { profile: [2, 0, 2, 'Home'], views: '0 0 0 0 0 1 1', seen: '1 1 1 1 1 1 1' },
      { profile: [1, 0, 1, 'Home'], views: '0 0 0 0 0 0 1', seen: '1 1 1 1 1 1 1' },
    ]);
  });

  test('and to several of them', async () => {
    await record([home('12:00', -8)], on(-8));
    await record([home('00:00:30', 0), home('12:00', -6), home('12:00', -3)], AHEAD);
    await record([home('23:00', -1), home('12:00', -7), home('23:30', -1)], BEHIND);
    const [ahead, behind] = await answers();
    expect(ahead).toEqual({
      profile: [5, GAP, 4, 'Home'],
      views: '1 0 0 1 0 2 1',
      seen: '1 1 1 1 1 1 1',
    });
    expect(behind).toMatchObject({ views: '1 1 0 0 1 0 2', seen: '1 1 1 1 1 1 1' });
  });

  test('a day that has left the window of the clock ahead is still in the one behind', async () => {
    await record([home('12:00', -7), home('12:00', -3)], on(-1));
    await record([home('12:00', -2)], AHEAD);
    expect(await answers()).toEqual([
      { profile: [2, 0, 2, 'Home'], views: '0 0 0 1 1 0 0', seen: '0 0 1 1 1 1 1' },
      { profile: [3, 0, 3, 'Home'], views: '1 0 0 0 1 1 0', seen: '0 1 1 1 1 1 1' },
    ]);
  });
});
