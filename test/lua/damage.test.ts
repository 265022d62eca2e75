// Redis has no rollback, so a damaged key must fail its own event before anything is written, and no other event.

import type { PageView } from '../../src/events/event.ts';
import { Damaged } from '../../src/redis/errors.ts';
import { createKeys } from '../../src/redis/keys.ts';
import type { FootfallRedis } from '../../src/redis/scripts.ts';
import { at, everything, NOW, overEachRedis, scriptsOn, TODAY, view, wrongTypes } from '../support/lua.ts';
import { service } from '../support/service.ts';

const VICTIM = 'mallory';
const OTHERS = ['ann', 'bob', 'cid', 'dan'];

const keys = createKeys('ff', 1);
const stats = keys.stats(VICTIM, TODAY);
const pages = keys.pages(VICTIM, TODAY);
const visits = keys.visits(VICTIM, TODAY);
const mark = keys.erased(VICTIM);
const victims = new Set([mark, ...keys.ofUser(VICTIM, NOW)]);

interface Damage {
  what: string;
  plant(redis: FootfallRedis): Promise<unknown>;
  /** Met only by a user who has no views that day. */
  fresh?: boolean;
  /** Nothing says any more that the victim saw Home, so an erasure can't take them out of its visitors. */
  hides?: boolean;
}

/** Each type but the right one under a key. */
const typesFor = (what: string, key: string, right: string, fresh = false): Damage[] =>
  wrongTypes(right).map(([type, put]) => ({
    what: `${type} for ${what}`,
    plant: (redis) => redis.del(key).then(() => put(redis, key)),
    fresh,
    hides: key === pages && !fresh,
  }));

const valuesFor = (fields: string[], ...values: string[]): Damage[] =>
  fields.flatMap((field) =>
    values.map((value) => ({
      what: `${value || 'nothing'} for ${field}`,
      plant: (redis) => redis.hset(stats, field, value),
    })),
  );

const NEEDED = ['active_ms', 'first', 'last', 'pages'];

const damages: Damage[] = [
  ...typesFor('stats', stats, 'a hash'),
  ...typesFor('stats of a fresh user', stats, 'a hash', true),
  ...typesFor('pages', pages, 'a sorted set'),
  ...typesFor('pages of a fresh user', pages, 'a sorted set', true),
  ...typesFor('visits', visits, 'a sorted set'),
  ...typesFor('visits of a fresh user', visits, 'a sorted set', true),
  ...typesFor('visits of yesterday', keys.visits(VICTIM, TODAY - 1), 'a sorted set'),
  ...typesFor('visits of tomorrow', keys.visits(VICTIM, TODAY + 1), 'a sorted set'),
  ...typesFor('the mark of a fresh user', mark, 'a string', true),
  { what: 'a word for the mark of a fresh user', plant: (redis) => redis.set(mark, 'never'), fresh: true },
  ...valuesFor(['views', ...NEEDED, 'erased_until'], '', 'many'),
  ...NEEDED.map((field) => ({
    what: `no ${field}`,
    plant: (redis: FootfallRedis) => redis.hdel(stats, field),
  })),
];

/** Places in a group of five: each alone, and two at the front, at the ends and inside. */
const PLACES = [[0], [1], [2], [3], [4], [0, 1], [0, 4], [2, 3]];

/** Five events, the victim's at these places. They fall between stored views, and have event_ids: the longest road. */
function group(places: number[]): PageView[] {
  const others = [...OTHERS];
  return Array.from({ length: 5 }, (_, i) =>
    view(places.includes(i) ? VICTIM : others.shift()!, at('10:15') + i, { eventId: `x${i}` }),
  );
}

/** What is stored of the victim, and when it goes; what is stored of the others; how many saw each page today. */
async function state(redis: FootfallRedis) {
  const { stored, ends } = await everything(redis);
  const visitors = keys.visitors(0, TODAY);
  const dumps = [...stored].map(([key, dump], i) => ({ key, dump, end: ends[i] }));
  const others = dumps.filter(({ key }) => !victims.has(key) && key !== visitors);
  return {
    victim: dumps.filter(({ key }) => victims.has(key)),
    others: others.map(({ key, dump }) => ({ key, dump })),
    visitors: await redis.hgetall(visitors),
  };
}

overEachRedis((server) => {
  const { record } = scriptsOn(server);

  /** Everybody has a morning, but for a fresh victim; then the damage. */
  async function given({ plant, fresh }: Pick<Damage, 'plant' | 'fresh'>) {
    await server.redis.flushall();
    const users = fresh ? OTHERS : [...OTHERS, VICTIM];
    await record(users.flatMap((user) => [view(user, at('10:00')), view(user, at('10:40'))]));
    await plant(server.redis);
  }

  const known = new Map<string, Pick<Awaited<ReturnType<typeof state>>, 'others' | 'visitors'>>();

  /** What the others' events leave in a run without the victim's. A fresh victim is in no count. */
  async function othersWithout(all: PageView[], { fresh = false }: Pick<Damage, 'fresh'>) {
    const views = all.filter(({ userId }) => userId !== VICTIM);
    const name = JSON.stringify([fresh, views]);
    let left = known.get(name);
    if (!left) {
      await given({ plant: async () => undefined, fresh });
      await record(views);
      const { others, visitors } = await state(server.redis);
      left = { others, visitors };
      known.set(name, left);
    }
    return left;
  }

  test.each(damages)('$what fails its own events, at any place of a group', async (damage) => {
    for (const places of PLACES) {
      const views = group(places);
      const expected = await othersWithout(views, damage);
      await given(damage);
      const { victim } = await state(server.redis);
      expect(await record(views)).toEqual(
        views.map(({ userId }) => (userId === VICTIM ? 'damaged' : 'recorded')),
      );
      expect(await state(server.redis)).toEqual({ victim, ...expected });
    }
  });

  test.each(damages)('$what is a Damaged error for its callers alone', async (damage) => {
    const views = group([1, 3]);
    const expected = await othersWithout(views, damage);
    await given(damage);
    const { recorder } = service(server.redis);
    const outcomes = await Promise.allSettled(views.map((v) => recorder.record(v)));
    expect(outcomes).toEqual(
      views.map(({ userId }) =>
        userId === VICTIM
          ? { status: 'rejected', reason: expect.any(Damaged) }
          : { status: 'fulfilled', value: 'recorded' },
      ),
    );
    expect(await state(server.redis)).toMatchObject(expected);
    expect(recorder.inFlight()).toBe(0);
  });

  test.each(damages)('$what is repaired by an erasure', async (damage) => {
    await given(damage);
    const { others } = await state(server.redis);
    const { eraser, recorder, profiles } = service(server.redis);
    const { erased_at, scan } = await eraser.erase(VICTIM);
    expect(scan).toBe('complete');
    const visitors = { 'name:Home': String(OTHERS.length + (damage.hides ? 1 : 0)) };
    expect(await state(server.redis)).toMatchObject({ others, visitors });
    const next = view(VICTIM, Date.parse(erased_at) + 1, { eventId: 'next' });
    expect(await recorder.record(next)).toBe('recorded');
    expect(await profiles.of(VICTIM)).toMatchObject({ number_pages_viewed_in_the_last_7_days: 1 });
  });

  test.each(typesFor('pages', pages, 'a sorted set'))(
    '$what fails views of pages past their limit',
    async (damage) => {
      await given(damage);
      const { victim } = await state(server.redis);
      const more = [VICTIM, 'ann'].map((user) => view(user, at('10:15'), { name: 'New' }));
      expect(await record(more, { maxPages: 1 })).toEqual(['damaged', 'recorded']);
      expect((await state(server.redis)).victim).toEqual(victim);
    },
  );

  test.each(typesFor('visits', visits, 'a sorted set'))('$what fails views past the cap', async (damage) => {
    await given(damage);
    const more = [VICTIM, 'ann'].map((user) => view(user, at('10:15')));
    expect(await record(more, { maxViews: 2 })).toEqual(['damaged', 'capped']);
  });

  test.each(typesFor('the mark', mark, 'a string', true))(
    '$what fails views that are older than the window',
    async (damage) => {
      await given(damage);
      const views = [view(VICTIM, at('10:15', -9)), view('ann', at('10:15', -9)), view('ann', at('10:15'))];
      expect(await record(views)).toEqual(['damaged', 'expired', 'recorded']);
    },
  );

  test.each([
    ['the neighbour’s visits are not asked', keys.visits(VICTIM, TODAY - 1)],
    ['the mark is not asked once the day is there', mark],
  ])('without an event_id %s', async (_, key) => {
    await given({ plant: (redis) => redis.rpush(key, '7') });
    expect(await record([view(VICTIM, at('10:15'))])).toEqual(['recorded']);
  });

  // What follows can be read, but is wrong: the victim's own answer may be either, no other event may suffer.
  const disagreements: Damage[] = [
    { what: 'no stats', plant: (redis) => redis.del(stats) },
    { what: 'no pages', plant: (redis) => redis.del(pages) },
    { what: 'no visits', plant: (redis) => redis.del(visits) },
    { what: 'visits without the first view', plant: (redis) => redis.zremrangebyrank(visits, 0, 0) },
    { what: 'visits without the last view', plant: (redis) => redis.zremrangebyrank(visits, -1, -1) },
    { what: 'stats without views', plant: (redis) => redis.hdel(stats, 'views') },
    ...valuesFor(['views', ...NEEDED, 'erased_until'], 'nan', 'inf', '1e300', '-7'),
  ];

  test.each(disagreements)('$what: no other event fails', async (damage) => {
    for (const places of [[0], [1, 3]]) {
      const views = group(places);
      const expected = await othersWithout(views, damage);
      await given(damage);
      const { victim } = await state(server.redis);
      const outcomes = await record(views);
      for (const [i, { userId }] of views.entries()) {
        expect([userId, outcomes[i]]).toEqual([userId, userId === VICTIM ? expect.any(String) : 'recorded']);
      }
      const after = await state(server.redis);
      expect(after.others).toEqual(expected.others);
      const counted = views.some(({ userId }, i) => userId === VICTIM && outcomes[i] === 'recorded');
      if (!counted) expect(after).toMatchObject({ victim, visitors: expected.visitors });
    }
  });

  test.each(disagreements)('$what: an erasure repairs it', async (damage) => {
    await given(damage);
    const { eraser, recorder, profiles } = service(server.redis);
    await eraser.erase(VICTIM);
    expect(await recorder.record(view(VICTIM, at('23:59', 1)))).toBe('recorded');
    expect(await profiles.of(VICTIM)).toMatchObject({ number_pages_viewed_in_the_last_7_days: 0 });
  });
});
