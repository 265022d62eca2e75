// record.lua by its contract: which users are new to who asks, and what happens to those who must be known and are not.

import type { Event } from '../../src/events/event.ts';
import { encodeId } from '../../src/redis/keys.ts';
import type { RecordOutcome } from '../../src/redis/scripts.ts';
import { DAY } from '../../src/time.ts';
import {
  at,
  click,
  HOSTILE_IDS,
  login,
  NOW,
  overEachRedis,
  scriptsOn,
  TODAY,
  traced,
  view,
  withoutAChange,
} from '../support/lua.ts';

/** Of an event whose user must be known; of whom it is said whether they are new; of anybody. */
type Door = '-' | '+' | '';

const HEADER = 12; // arguments before the first event

overEachRedis((server) => {
  const { keys, calls, erase } = scriptsOn(server);

  /** The call with what is to stand before the kind of each event. */
  function callOf(events: [door: Door, event: Event][], now = NOW) {
    const parts = events.map(([door, event]) => {
      const [kind, ...rest] = calls.record([event], { now }).args.slice(HEADER);
      return [door + kind, ...rest];
    });
    const call = calls.record([events[0]![1]], { now });
    return { ...call, args: [...call.args.slice(0, HEADER), ...parts.flat()] };
  }

  async function run(events: [door: Door, event: Event][], now = NOW): Promise<RecordOutcome[]> {
    const { keys: ks, args } = callOf(events, now);
    const reply = await server.redis.ffRecord(ks[0]!, args);
    expect(reply).toHaveLength(events.length + 4);
    return reply.slice(0, events.length) as RecordOutcome[];
  }

  /** Of anybody, saying of whom nothing was known. */
  const record = (...events: Event[]) => run(events.map((event) => ['+', event]));

  /** Of known users only. */
  const strict = (...events: Event[]) => run(events.map((event) => ['-', event]));

  const visit = (userId: string, when: number) => view(userId, when, { url: '/', siteId: 'shop' });

  /** Each kind of event, at a time. */
  const KINDS: [kind: string, of: (userId: string, when: number) => Event][] = [
    ['view', view],
    ['visit', visit],
    ['event', click],
    ['login', login],
  ];

  describe.each(KINDS)('a %s', (_kind, of) => {
    test('of a user who is not known is new, once', async () => {
      expect(await record(of('ann', at('10:00')), of('ann', at('10:01')))).toEqual(
        of === login ? ['new', 'duplicate'] : ['new', 'recorded'],
      );
      expect(await record(of('ann', at('10:00', -1)), of('bob', at('10:00')))).toEqual(['recorded', 'new']);
    });

    test('of a user who must be known and is not: unknown, and nothing changes', async () => {
      await record(view('eve', at('09:00')), visit('eve', at('09:00')), click('eve', at('09:00')));
      await record(login('eve', at('09:00')));
      for (const days of [-6, -1, 0, 1]) {
        const answer = await withoutAChange(server.redis, () => strict(of('ann', at('00:01', days))));
        expect(answer).toEqual(['unknown']);
      }
    });

    test('into an empty Redis leaves it empty', async () => {
      expect(await strict(of('ann', at('10:00')), of('bob', at('10:00')))).toEqual(['unknown', 'unknown']);
      expect(await server.redis.dbsize()).toBe(0);
    });

    test.each(KINDS)('of a user who is known by a %s counts', async (_known, by) => {
      for (const days of [-6, -3, -1, 0]) {
        const user = `ann${days}`;
        expect(await record(by(user, at('08:00', days)))).toEqual(['new']);
        const again = of === login && by === login && days === 0;
        expect(await strict(of(user, at('10:00')))).toEqual([again ? 'duplicate' : 'recorded']);
      }
    });

    test('of a user who is known by a later day counts', async () => {
      for (const [, by] of KINDS.slice(0, 3)) {
        await server.redis.flushall();
        await record(by('ann', at('00:01', 1)));
        expect(await strict(of('ann', at('10:00', -3)))).toEqual(['recorded']);
      }
    });

    test('of a user who was erased is as of one never seen', async () => {
      await record(view('ann', at('10:00')), login('ann', at('10:00')));
      await erase('ann');
      const after = of('ann', NOW + 1000);
      expect(await withoutAChange(server.redis, () => strict(after))).toEqual(['unknown']);
      expect(await strict(of('ann', at('10:00')))).toEqual(['erased']);
      expect(await record(after)).toEqual(['new']);
    });

    test('that cannot count anyway says why, not that its user is unknown', async () => {
      const early = of === login ? at('10:00', -36) : at('10:00', -7);
      expect(await strict(of('ann', early), of('ann', at('10:00', 2)))).toEqual(['expired', 'future']);
      expect(await server.redis.dbsize()).toBe(0);
    });

    test('does not wait for its user to become known by the same call', async () => {
      const events: [Door, Event][] = [
        ['-', of('ann', at('09:00'))],
        ['+', of('ann', at('10:00', -1))],
        ['-', of('ann', at('11:00'))],
      ];
      expect(await run(events)).toEqual(['unknown', 'new', 'recorded']);
    });

    test('names the keys that it may', async () => {
      await record(of('bob', at('10:00')));
      const { reply, keys: named } = await traced(server.redis, callOf([['-', of('ann', at('10:00'))]]));
      expect((reply as string[])[0]).toBe('unknown');
      const own = [...keys.ofUser('ann', NOW), keys.erased('ann')];
      const shared = [keys.loginCounts(0, '2026-11')];
      for (const key of named) expect([...own, ...shared]).toContain(key);
    });
  });

  test('in a group, those who are known count and the others change nothing', async () => {
    await record(view('ann', at('09:00')));
    const outcomes = await run([
      ['-', view('ann', at('10:00'))],
      ['-', view('bob', at('10:00'))],
      ['+', visit('eve', at('10:00'))],
      ['-', click('bob', at('10:00'))],
      ['-', click('ann', at('10:00'))],
      ['-', view('ann', at('10:00'))],
      ['-', login('bob', at('10:00'))],
      ['-', login('ann', at('10:00'))],
      ['-', visit('bob', at('10:00'))],
    ]);
    expect(outcomes).toEqual([
      ...['recorded', 'unknown', 'new', 'unknown', 'recorded', 'duplicate', 'unknown', 'recorded', 'unknown'],
    ]);
    expect(await server.redis.keys('*:user:bob:*')).toEqual([]);
    expect(await server.redis.hgetall(keys.visitors(0, TODAY))).toMatchObject({ 'name:Home': '2' });
    expect(await server.redis.hget(keys.loginCounts(0, '2026-11'), '2026-11-21')).toBe('1');
  });

  test('nobody is called new unless that was asked', async () => {
    const outcomes = await run([
      ['', view('ann', at('10:00'))],
      ['', login('bob', at('10:00'))],
      ['+', view('bob', at('10:00'))],
      ['+', click('eve', at('10:00'))],
      ['', visit('mia', at('10:00'))],
    ]);
    expect(outcomes).toEqual(['recorded', 'recorded', 'recorded', 'new', 'recorded']);
  });

  test('a new user is one also if the event finds no room for its names', async () => {
    const pages = (count: number) =>
      Array.from({ length: count }, (_, i) => view('ann', at('10:00') + i, { name: `page ${i}` }));
    expect(await record(...pages(101), view('bob', NOW))).toEqual([
      'new',
      ...new Array(100).fill('recorded'),
      'new',
    ]);
  });

  test('a damaged key makes its event damaged, whether its user must be known or not', async () => {
    await server.redis.set(keys.visits('ann', TODAY), 'x');
    expect(await run([['', view('ann', NOW)]])).toEqual(['damaged']);
    await server.redis.set(keys.stats('bob', TODAY), 'x');
    expect(await strict(view('bob', NOW), view('eve', NOW))).toEqual(['damaged', 'unknown']);
  });

  test('over the end of a month a login makes its user known still', async () => {
    const first = Date.parse('2026-12-02T12:00:00Z');
    expect(await run([['+', login('ann', first - 5 * DAY)]], first)).toEqual(['new']);
    expect(await run([['-', view('ann', first)]], first)).toEqual(['recorded']);
    expect(await run([['-', login('ann', first)]], first)).toEqual(['recorded']);
    expect(await run([['-', login('bob', first)]], first)).toEqual(['unknown']);
  });

  test.each(HOSTILE_IDS)('the user %j makes nobody else known', async (id) => {
    const same = [id, encodeId(id)];
    await record(view(id, at('10:00')), login(id, at('10:00')));
    const others = HOSTILE_IDS.filter((other) => !same.includes(other));
    const outcomes = await strict(...others.map((other) => view(other, NOW)));
    expect(new Set(outcomes)).toEqual(new Set(['unknown']));
    expect(await strict(view(id, NOW))).toEqual(['recorded']);
  });
});
