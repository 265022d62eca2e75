// Keys beside a user's page views that hold something else than they should, also those about everybody: what needs one
// is damaged and leaves nothing behind, what does not is whole.

import type { Event } from '../../src/events/event.ts';
import { createKeys } from '../../src/redis/keys.ts';
import type { FootfallRedis } from '../../src/redis/scripts.ts';
import {
  at,
  click,
  everything,
  login,
  NOW,
  overEachRedis,
  scriptsOn,
  TODAY,
  view,
  wrongTypes,
} from '../support/lua.ts';

const keys = createKeys('ff', 1);
const MALLORY = 'mallory';

const visit = (userId: string, when: number, more = {}) =>
  view(userId, when, { siteId: 'shop', url: '/a', path: '/a', ...more });

/** What everybody did before. Mallory and ann were here on three days, and mallory on tomorrow. */
const BEFORE: Event[] = [
  ...[-3, -1, 0].flatMap((days) => [visit(MALLORY, at('08:00', days)), visit('ann', at('08:00', days))]),
  visit(MALLORY, at('00:01', 1)),
  visit(MALLORY, at('00:02', 1), { url: '/b', name: 'Tomorrow', path: '/b' }),
  click(MALLORY, at('08:01')),
  click('ann', at('08:01')),
  login(MALLORY, at('08:00')),
  login('ann', at('08:00', -1)),
];

interface Damage {
  what: string;
  key: string;
  right: string;
  /** Events that need the key, and such that do not. */
  needing: Event[];
  others: Event[];
}

const ofOthers = [
  visit('bob', at('10:00', -2)),
  click('bob', at('10:00', -2)),
  login('bob', at('10:00', -25)),
  view('ann', at('10:00')), // a page that she saw already
];

const newPage = view(MALLORY, at('10:00'), { name: 'New' });
const newUrl = visit(MALLORY, at('10:01'), { url: '/new', path: '/new' });
const newSite = click(MALLORY, at('10:02'), { siteId: 'blog' });
const seenAgain = [visit(MALLORY, at('10:03')), click(MALLORY, at('10:03'))];

const damages: Damage[] = [
  {
    what: 'the user’s other events',
    key: keys.events(MALLORY, TODAY),
    right: 'a sorted set',
    needing: [click(MALLORY, at('10:00')), newSite],
    others: [newPage, login(MALLORY, at('10:00', -1))],
  },
  {
    what: 'the user’s other events of yesterday, where an event_id is looked up',
    key: keys.events(MALLORY, TODAY - 1),
    right: 'a sorted set',
    needing: [click(MALLORY, at('10:00'), { eventId: 'x' })],
    others: [click(MALLORY, at('10:01')), visit(MALLORY, at('10:02'), { eventId: 'x' })],
  },
  {
    what: 'the user’s logins',
    key: keys.logins(MALLORY, '2026-11'),
    right: 'a string',
    needing: [login(MALLORY, at('10:00')), login(MALLORY, at('10:00', -20))],
    others: [newPage, login(MALLORY, at('10:00', -25))],
  },
  {
    what: 'the user’s pages of an earlier day',
    key: keys.pages(MALLORY, TODAY - 1),
    right: 'a sorted set',
    needing: [newPage, view(MALLORY, at('10:00'), { name: 'New', siteId: 'shop', path: 'New' })],
    others: [...seenAgain, view(MALLORY, at('10:00', -3))],
  },
  {
    what: 'the user’s stats of an earlier day',
    key: keys.stats(MALLORY, TODAY - 1),
    right: 'a hash',
    needing: [newUrl, newSite],
    others: seenAgain,
  },
  {
    what: 'the user’s stats of an earlier day, when a day begins',
    key: keys.stats(MALLORY, TODAY - 3),
    right: 'a hash',
    needing: [visit(MALLORY, at('10:00', -2)), click(MALLORY, at('10:00', -2))],
    others: seenAgain,
  },
  {
    what: 'the user’s pages of tomorrow',
    key: keys.pages(MALLORY, TODAY + 1),
    right: 'a sorted set',
    needing: [newPage],
    others: seenAgain,
  },
  {
    what: 'the visitors of the day',
    key: keys.visitors(0, TODAY),
    right: 'a hash',
    needing: [newPage, newUrl, newSite, visit('bob', at('10:00'))],
    others: [...seenAgain, login('bob', at('10:00'))],
  },
  {
    what: 'those returning on the day',
    key: keys.returning(0, TODAY),
    right: 'a hash',
    needing: [newPage, newUrl, newSite, visit('bob', at('10:00'))],
    others: [...seenAgain, login('bob', at('10:00'))],
  },
  {
    what: 'those returning on the day after',
    key: keys.returning(0, TODAY + 1),
    right: 'a hash',
    needing: [view(MALLORY, at('10:00'), { name: 'Tomorrow' }), visit(MALLORY, at('10:00'), { url: '/b' })],
    others: [newPage, newUrl],
  },
  {
    what: 'the counts of logins',
    key: keys.loginCounts(0, '2026-11'),
    right: 'a hash',
    needing: [login(MALLORY, at('10:00', -1)), login('bob', at('10:00'))],
    others: [newPage, newUrl],
  },
  ...(['stats', 'pages', 'hll'] as const).map((part) => ({
    what: `a site’s ${part}`,
    key: keys.site(0, 'shop', TODAY, part),
    right: part === 'pages' ? 'a sorted set' : part === 'stats' ? 'a hash' : 'no HyperLogLog',
    needing: [newUrl, ...seenAgain, visit('bob', at('10:00')), click('bob', at('10:00'))],
    others: [newPage, newSite],
  })),
];

const rows = damages.flatMap(({ right, ...damage }) =>
  wrongTypes(right).map(([type, put]) => ({ ...damage, what: `${type} for ${damage.what}`, put })),
);

overEachRedis((server) => {
  const { record, erase } = scriptsOn(server);

  async function given({
    key,
    put,
  }: {
    key: string;
    put(redis: FootfallRedis, key: string): Promise<unknown>;
  }) {
    await server.redis.flushall();
    const outcomes = await record(BEFORE);
    expect(new Set(outcomes)).toEqual(new Set(['recorded']));
    await server.redis.del(key);
    await put(server.redis, key);
    await server.redis.pexpire(key, 1_000_000);
  }

  /** But for the ends: they are counted from now, by Redis's own clock. */
  const stored = async () => {
    const all = await everything(server.redis);
    return { contents: all.stored, mortal: all.ends.map((end) => end > 0) };
  };

  test.each(rows)('$what fails what needs it, and nothing else', async ({ needing, others, ...damage }) => {
    const sound = [...others, ...ofOthers];
    await given(damage);
    const before = await stored();
    expect(await record(needing)).toEqual(needing.map(() => 'damaged'));
    expect(await stored()).toEqual(before);

    await record(sound);
    const without = await stored();
    await given(damage);
    // One after the other, so that each stands before, between and behind sound ones.
    const mixed = sound.flatMap((event, i) => [event, ...(needing[i] ? [needing[i]] : [])]);
    const expected = mixed.map((event) => (needing.includes(event) ? 'damaged' : 'recorded'));
    expect(await record(mixed)).toEqual(expected);
    expect(await stored()).toEqual(without);
  });

  test.each(rows)('$what: an erasure drops all of the user, and leaves the others', async ({ key, put }) => {
    await given({ key, put });
    const ofAnn = async () => {
      const { stored, ends } = await everything(server.redis);
      return [...stored]
        .map((entry, i) => [...entry, ends[i]])
        .filter(([name]) => `${name}`.includes(':ann:'));
    };
    const planted = await server.redis.dumpBuffer(key);
    const before = await ofAnn();
    expect(before.length).toBeGreaterThan(10);
    const [erasedAt] = await erase(MALLORY);
    expect(Number(erasedAt)).toBeGreaterThanOrEqual(NOW);
    expect(await server.redis.keys(`*:user:${MALLORY}:*`)).toEqual([]);
    expect(await server.redis.get(keys.erased(MALLORY))).toBe(erasedAt);
    expect(await ofAnn()).toEqual(before);
    if (!key.includes(MALLORY)) expect(await server.redis.dumpBuffer(key)).toEqual(planted);
    expect(await record([login(MALLORY, at('08:00')), visit('cid', at('10:00', -2))])).toEqual([
      'erased',
      'recorded',
    ]);
  });

  test.each([
    ['a word', 'many'],
    ['nothing', ''],
    ['a fraction', '1.5e'],
  ])('%s for how much a day has seen fails what it sees for the first time', async (_what, value) => {
    await given({ key: 'x', put: (redis) => redis.hset(keys.stats(MALLORY, TODAY), 'seen', value) });
    expect(await record([newUrl, newSite, ...seenAgain])).toEqual([
      ...['damaged', 'damaged', 'recorded', 'recorded'],
    ]);
  });

  test('a word where a count should be stays, and the counts beside it go on', async () => {
    const put = (redis: FootfallRedis) => redis.hset(keys.visitors(0, TODAY), 'name:Home', 'many');
    await given({ key: 'x', put });
    expect(await record([visit('bob', at('10:00'))])).toEqual(['recorded']);
    expect(await server.redis.hgetall(keys.visitors(0, TODAY))).toMatchObject({
      'name:Home': 'many',
      'url:/a': '3',
    });
    await erase('bob');
    expect(await server.redis.hgetall(keys.visitors(0, TODAY))).toMatchObject({
      'name:Home': 'many',
      'url:/a': '2',
    });
  });
});
