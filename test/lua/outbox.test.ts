// What waits for the archive, by the contracts on top of record.lua and erase.lua.

import type { Event } from '../../src/events/event.ts';
import { DAY } from '../../src/time.ts';
import {
  at,
  click,
  everything,
  LATE_DAYS,
  login,
  NOW,
  overEachRedis,
  scriptsOn,
  view,
} from '../support/lua.ts';

const ROOM = 1024 ** 2;
const archived = { outboxLimit: ROOM };

overEachRedis((server) => {
  const { keys, record, folded, erase } = scriptsOn(server);
  const outbox = keys.outbox(0);

  /** What stands in it: an entry each, as [field, event or erasure] by turns. */
  async function entries(): Promise<[field: string, value: unknown][][]> {
    const found = await server.redis.xrange(outbox, '-', '+');
    return found.map(([, fields]) =>
      Array.from({ length: fields.length / 2 }, (_, i) => [fields[2 * i]!, JSON.parse(fields[2 * i + 1]!)]),
    );
  }
  const plain = (event: Event) => JSON.parse(JSON.stringify(event));

  test('without an archive there is none', async () => {
    await record([view('ann', at('10:00')), click('ann', at('10:00')), login('ann', at('10:00'))]);
    await erase('ann');
    expect(await server.redis.exists(outbox)).toBe(0);
  });

  test('what is recorded stands there as it was given, the events of a call in one entry', async () => {
    const events = [
      view('ann', at('10:00'), { url: 'https://a/', siteId: 'shop', path: 'https://a/' }),
      click('bob', at('10:01')),
      login('ann', at('10:02')),
      view('__proto__', at('10:03'), { name: '"\\ 😀' }),
    ];
    expect(await record(events, archived)).toEqual(events.map(() => 'recorded'));
    expect(await record([view('ann', at('11:00'))], archived)).toEqual(['recorded']);
    expect(await entries()).toEqual([
      events.map((event) => ['event', plain(event)]),
      [['event', plain(view('ann', at('11:00')))]],
    ]);
    expect(await server.redis.ttl(outbox)).toBe(-1);
  });

  test('what is too late to count stands there as late', async () => {
    const [old, oldClick, oldLogin] = [
      view('ann', at('10:00', -7)),
      click('ann', at('10:00', -400)),
      login('ann', at('10:00', -LATE_DAYS - 1)),
    ];
    expect(await record([old, oldClick, view('ann', NOW), oldLogin], archived)).toEqual([
      ...['expired', 'expired', 'recorded', 'expired'],
    ]);
    expect(await entries()).toEqual([
      [
        ['late', plain(old)],
        ['late', plain(oldClick)],
        ['event', plain(view('ann', NOW))],
        ['late', plain(oldLogin)],
      ],
    ]);
  });

  test('what does not count for any other reason is not there', async () => {
    await record([view('ann', at('10:00')), login('ann', at('10:00'))], archived);
    await erase('eve', { now: at('11:00'), ...archived });
    await server.redis.set(keys.visits('dan', Math.floor(NOW / DAY)), 'no sorted set');
    const before = await server.redis.xlen(outbox);
    const outcomes = await record(
      [
        view('ann', at('10:00')),
        login('ann', at('10:30')),
        view('eve', at('10:59')),
        view('eve', at('10:00', -30)),
        view('ann', at('10:00', 2)),
        view('dan', at('10:00')),
      ],
      archived,
    );
    expect(outcomes).toEqual(['duplicate', 'duplicate', 'erased', 'erased', 'future', 'damaged']);
    expect(await record([view('ann', at('10:05'))], { ...archived, maxViews: 1 })).toEqual(['capped']);
    expect(await server.redis.xlen(outbox)).toBe(before);
  });

  test('more events than a command may take are all there, in their order', async () => {
    const events = Array.from({ length: 1100 }, (_, i) => view('ann', at('00:00') + i));
    await record(events, { ...archived, maxViews: 2000 });
    expect((await entries()).flat().map(([, event]) => (event as Event).at)).toEqual(events.map((e) => e.at));
  });

  test('names past a cap count folded, and stand there as they came', async () => {
    const views = ['a', 'b', 'c'].map((name) => view('ann', at('10:00'), { name }));
    expect(await folded(views, { ...archived, maxPages: 1 })).toEqual([2, 0, 0, 0]);
    expect((await entries()).flat()).toEqual(views.map((one) => ['event', plain(one)]));
  });

  describe('with more in it than it may hold', () => {
    const full = { outboxLimit: 1000 };
    beforeEach(() => record([view('ann', NOW, { name: 'x'.repeat(2000) })], archived));

    test('nothing is recorded, and nothing changes', async () => {
      const before = await everything(server.redis);
      for (const event of [
        view('bob', NOW),
        click('bob', NOW),
        login('bob', NOW),
        view('ann', at('10:00', -30)),
      ]) {
        await expect(record([event], full)).rejects.toThrow(/^OUTBOX/);
      }
      expect(await everything(server.redis)).toEqual(before);
    });

    test('a person is erased all the same, and the archive is told', async () => {
      expect(await erase('ann', { ...full, now: NOW })).toEqual([String(NOW), 3, 1, expect.any(String)]);
      expect((await entries()).at(-1)).toEqual([['erasure', { user_id: 'ann', erased_at: NOW }]]);
    });

    test('it goes on once there is room', async () => {
      await server.redis.xtrim(outbox, 'MAXLEN', 0);
      expect(await record([view('bob', NOW)], full)).toEqual(['recorded']);
    });
  });

  test('a key of another type in its place fails the call, before anything is done', async () => {
    await server.redis.set(outbox, 'no stream');
    const before = await everything(server.redis);
    await expect(record([view('ann', NOW)], archived)).rejects.toThrow(/WRONGTYPE/);
    expect(await everything(server.redis)).toEqual(before);
  });

  test('an erasure stands behind all that came before it, under the id that is answered', async () => {
    await record([view('a"\\b', at('11:30'))], archived);
    const reply = await erase('a"\\b', { now: at('11:00'), ...archived });
    const found = await server.redis.xrange(outbox, '-', '+');
    expect(reply[3]).toBe(found.at(-1)![0]);
    expect((await entries()).at(-1)).toEqual([['erasure', { user_id: 'a"\\b', erased_at: at('11:30') }]]);
  });
});
