// What is stored of everybody: what the keys hold, when they go, and that nobody's id is in them.

import { encodeId } from '../../src/redis/keys.ts';
import { DAY, HOUR } from '../../src/time.ts';
import {
  at,
  click,
  LATE_DAYS,
  login,
  MARGIN,
  NOW,
  overEachRedis,
  SITE_DAYS,
  scriptsOn,
  TODAY,
  UNIQUES_DAYS,
  view,
  withoutAChange,
} from '../support/lua.ts';

const SIX_HOURS = 6 * HOUR;
const LONG = 'https://example.com/'.padEnd(60, 'x');

overEachRedis((server) => {
  const { keys, record, folded, visitors, erase } = scriptsOn(server);
  const hash = (key: string) => server.redis.hgetall(key);
  const onSite = (userId: string, when: number, more = {}) =>
    view(userId, when, { siteId: 'shop', url: '/a', path: '/a', ...more });
  const site = (part: 'stats' | 'pages' | 'hll', day = TODAY) => keys.site(0, 'shop', day, part);

  describe('what is stored', () => {
    test('of a view with a url and a site: who saw what, the site’s users, types and paths', async () => {
      await record([onSite('ann', at('10:00')), onSite('bob', at('10:00'))]);
      expect(await hash(keys.visitors(0, TODAY))).toEqual({
        'name:Home': '2',
        'url:/a': '2',
        'site:shop': '2',
        'site:shop:url:/a': '2',
        'site:shop:name:Home': '2',
      });
      expect(await hash(site('stats'))).toEqual({ users: '2', 'type:page_view': '2' });
      expect(await server.redis.zrange(site('pages'), '0', '-1', 'WITHSCORES')).toEqual(['/a', '2']);
      expect(await server.redis.pfcount(site('hll'))).toBe(2);
      expect(await server.redis.exists(keys.returning(0, TODAY))).toBe(0);
      expect(await hash(keys.stats('ann', TODAY))).toMatchObject({
        ...{ seen: '4', 'url:/a': '', 'site:shop': '', 'site:shop:url:/a': '', 'site:shop:name:Home': '' },
      });
    });

    test('of long names: digests, each as it stands for its page alone', async () => {
      await record([onSite('ann', at('10:00'), { url: LONG, name: `${LONG}!` })]);
      const things = Object.keys(await hash(keys.visitors(0, TODAY)));
      expect(things).toHaveLength(5);
      expect(things.filter((thing) => /:#[0-9a-f]{20}$/.test(thing))).toHaveLength(4);
    });

    test('of one who comes again on other days: how many days before it was', async () => {
      for (const days of [-6, -4, 0]) await record([view('ann', at('10:00', days))]);
      const steps = [-6, -5, -4, 0].map((days) => hash(keys.returning(0, TODAY + days)));
      expect(await Promise.all(steps)).toEqual([{}, {}, { '2:name:Home': '1' }, { '4:name:Home': '1' }]);
    });

    test('of a day that comes late: the step over it is split', async () => {
      for (const days of [-6, 0, -4]) await record([view('ann', at('10:00', days))]);
      expect(await hash(keys.returning(0, TODAY))).toEqual({ '4:name:Home': '1' });
      expect(await hash(keys.returning(0, TODAY - 4))).toEqual({ '2:name:Home': '1' });
    });

    test.each([[[-6, -3, -1, 0, 1]], [[1, 0, -1, -3, -6]], [[-1, 1, -6, 0, -3]]])(
      'of days in the order %j: the same',
      async (order) => {
        await record(order.map((days) => view('ann', at('10:00', days))));
        const all = [-6, -3, -1, 0, 1].map((days) => hash(keys.returning(0, TODAY + days)));
        const step = (days: number) => ({ [`${days}:name:Home`]: '1' });
        expect(await Promise.all(all)).toEqual([{}, step(3), step(2), step(1), step(1)]);
      },
    );

    test('of logins: the user’s days as bits, and how many users there were', async () => {
      await record([login('ann', at('10:00')), login('ann', at('10:00', -20)), login('bob', at('11:00'))]);
      expect(await hash(keys.loginCounts(0, '2026-11'))).toEqual({
        ...{ '2026-11-21': '2', '2026-11-01': '1', '2026-11': '2' },
      });
      const bits = (await server.redis.getBuffer(keys.logins('ann', '2026-11')))!;
      expect([...bits]).toEqual([0b1000_0000, 0, 0b0000_1000]);
    });

    test('of an event that is no page view: its moment, its site, and no view', async () => {
      await record([click('ann', at('10:00'))]);
      expect(await server.redis.zrange(keys.events('ann', TODAY), '0', '-1', 'WITHSCORES')).toEqual([
        ...[expect.stringMatching(/^lfls0\.[\w-]{11}$/), String(10 * HOUR)],
      ]);
      expect(await hash(keys.stats('ann', TODAY))).toEqual({ earlier: '', seen: '1', 'site:shop': '' });
      expect(await hash(site('stats'))).toEqual({ users: '1', 'type:click': '1' });
      expect(await server.redis.exists(site('pages'), keys.pages('ann', TODAY))).toBe(0);
    });
  });

  describe('when it goes', () => {
    const goes = async (key: string, now = NOW) => now + (await server.redis.pttl(key));
    const everything = (days: number) => [
      onSite('ann', at('10:00', days)),
      click('ann', at('10:00', days)),
      login('ann', at('10:00', days)),
    ];

    test.each([
      ['today', 0],
      ['the oldest day', -6],
      ['tomorrow', 1],
    ])('counts of %s go by their own day', async (_what, days) => {
      await record(
        [onSite('ann', at('10:00', days - 1)), ...everything(days)].filter(
          ({ at: t }) => t >= at('00:00', -6),
        ),
      );
      const day = TODAY + days;
      for (const key of [keys.visitors(0, day), ...(days > -6 ? [keys.returning(0, day)] : [])]) {
        expect(Math.abs((await goes(key)) - at('00:00', days + 8))).toBeLessThan(MARGIN);
      }
      for (const part of ['stats', 'pages', 'hll'] as const) {
        expect(Math.abs((await goes(site(part, day))) - at('00:00', days + SITE_DAYS))).toBeLessThan(MARGIN);
      }
      const own = await goes(keys.events('ann', day));
      expect(own).toBeGreaterThan(at('00:00', days + 8) - SIX_HOURS - MARGIN);
      expect(own).toBeLessThanOrEqual(at('00:00', days + 8));
      expect(Math.abs(own - (await goes(keys.stats('ann', day))))).toBeLessThan(MARGIN);
    });

    test('logins go by their month', async () => {
      await record([login('ann', at('10:00')), login('ann', at('10:00', -LATE_DAYS))]);
      for (const [month, end] of [
        ['2026-10', Date.parse('2026-11-01T00:00:00Z')],
        ['2026-11', Date.parse('2026-12-01T00:00:00Z')],
      ] as const) {
        const counts = await goes(keys.loginCounts(0, month));
        expect(Math.abs(counts - end - UNIQUES_DAYS * DAY)).toBeLessThan(MARGIN);
        const own = await goes(keys.logins('ann', month));
        expect(own).toBeGreaterThan(end + (LATE_DAYS + 1) * DAY - SIX_HOURS - MARGIN);
        expect(own).toBeLessThanOrEqual(end + (LATE_DAYS + 1) * DAY);
      }
    });

    test('later writes, other users and erasures do not move it', async () => {
      await record([-1, 0].flatMap(everything));
      const all = await server.redis.keys('*');
      const ends = () => Promise.all(all.map((key) => server.redis.pexpiretime(key)));
      const before = await ends();
      const later = { now: at('20:00') };
      const others = [-1, 0].flatMap((days) => [
        onSite('bob', at('15:00', days), { name: 'Other', url: '/b', path: '/b' }),
        onSite('ann', at('15:00', days), { name: 'Other', url: '/b', path: '/b' }),
        click('bob', at('15:00', days), { type: 'buy' }),
        click('ann', at('15:00', days)),
        login('bob', at('15:00', days)),
        login('ann', at('15:00', days - 5)),
      ]);
      expect(new Set(await record(others, later))).toEqual(new Set(['recorded']));
      expect(await ends()).toEqual(before);
      await erase('bob', later);
      expect(await ends()).toEqual(before);
    });

    test('a count that lost all its users comes back with the same end', async () => {
      await record(everything(0));
      const key = keys.visitors(0, TODAY);
      const before = await goes(key);
      await erase('ann');
      expect(await server.redis.exists(key)).toBe(0);
      const now = at('20:00');
      await record([onSite('bob', at('19:00'))], { now });
      expect(Math.abs((await goes(key, now)) - before)).toBeLessThan(MARGIN);
    });

    test('a day that has left the window is not written to any more', async () => {
      await record(
        [-6, -3].flatMap((days) => [onSite('ann', at('10:00', days)), onSite('bob', at('10:00', days))]),
      );
      const tomorrow = { now: NOW + DAY };
      const left = [keys.visitors(0, TODAY - 6), site('stats', TODAY - 6), keys.stats('ann', TODAY - 6)];
      await withoutAChange(server.redis, () => record([onSite('cid', at('10:00', -6))], tomorrow));
      const before = await Promise.all(left.map((key) => server.redis.dumpBuffer(key)));
      await record([onSite('ann', at('10:00', -5)), onSite('ann', at('12:00', 1))], tomorrow);
      const after = await Promise.all(left.map((key) => server.redis.dumpBuffer(key)));
      expect(after.slice(0, 2)).toEqual(before.slice(0, 2));
      expect(await visitors('url:/a', 7, tomorrow.now)).toBe(2);
    });
  });

  test('no key about everybody holds an id of anybody, nor what they did beyond a count', async () => {
    const users = ['019mr8mf4r', 'ann@example.com', 'bob:{0}', '😀 user'];
    for (let days = -6; days <= 1; days++) {
      await record(
        users.flatMap((user, i) => [
          onSite(user, at('10:00', days) + i, { eventId: `id of ${user}` }),
          view(user, at('11:00', days) + i, { name: `Page ${i % 2}` }),
          click(user, at('12:00', days) + i),
          login(user, at('13:00', days) + i),
        ]),
      );
    }
    await erase(users[0]!);
    const shared = (await server.redis.keys('*')).filter((key) => !key.startsWith('ff:{0}:user:'));
    expect(shared.length).toBeGreaterThan(30);
    const dumps = await Promise.all(shared.map((key) => server.redis.dumpBuffer(key)));
    const contents = await Promise.all(
      shared.map(async (key) => {
        const type = await server.redis.type(key);
        if (type === 'hash') return JSON.stringify(await server.redis.hgetall(key));
        return type === 'zset' ? JSON.stringify(await server.redis.zrange(key, '0', '-1')) : '';
      }),
    );
    for (const user of users) {
      for (const id of [user, encodeId(user), Buffer.from(user).toString('hex')]) {
        const told = shared.filter(
          (key, i) => key.includes(id) || contents[i]!.includes(id) || dumps[i]!.includes(id),
        );
        expect([id, told]).toEqual([id, []]);
      }
    }
  });

  describe('names past their limits', () => {
    const at10 = (i: number) => at('10:00') + i;

    test('pages of a user’s day count under (other), and have no visitor', async () => {
      const views = ['A', 'B', 'C', 'D', 'C'].map((name, i) => view('ann', at10(i), { name }));
      expect(await folded(views, { maxPages: 2 })).toEqual([3, 0, 0, 0]);
      expect(await hash(keys.visitors(0, TODAY))).toEqual({ 'name:A': '1', 'name:B': '1' });
      expect(await server.redis.zscore(keys.pages('ann', TODAY), '(other)')).toBe('3');
      expect(await erase('ann')).toEqual([String(NOW), 3, 2]);
      expect(await server.redis.exists(keys.visitors(0, TODAY))).toBe(0);
    });

    test('urls and sites of a user’s day past four times that have no visitor', async () => {
      const views = Array.from({ length: 6 }, (_, i) => view('ann', at10(i), { url: `/${i}` }));
      expect(await folded(views, { maxPages: 1 })).toEqual([0, 2, 0, 0]);
      const things = Object.keys(await hash(keys.visitors(0, TODAY))).sort();
      expect(things).toEqual(['name:Home', 'url:/0', 'url:/1', 'url:/2', 'url:/3']);
      expect(await hash(keys.stats('ann', TODAY))).toMatchObject({ views: '6', seen: '4' });
    });

    test('paths of a site’s day count under (other); known ones go on under their name', async () => {
      const paths = ['/a', '/b', '/c', '/d', '/a'];
      const views = paths.map((path, i) => onSite(`user${i}`, at10(i), { url: undefined, path }));
      for (const one of views.slice(0, 2)) await record([one], { maxPaths: 2 });
      expect(await folded(views.slice(2), { maxPaths: 2 })).toEqual([0, 0, 2, 0]);
      const stored = await server.redis.zrange(site('pages'), '0', '-1', 'WITHSCORES');
      expect(stored).toEqual(['/b', '1', '(other)', '2', '/a', '2']);
      expect(await hash(site('stats'))).toEqual({ users: '5', 'type:page_view': '5' });
    });

    test('a hundred types of a site’s day have a name, further ones are (other)', async () => {
      const clicks = Array.from({ length: 110 }, (_, i) => click('ann', at10(i), { type: `t${i}` }));
      let others = 0;
      for (let i = 0; i < clicks.length; i += 10) others += (await folded(clicks.slice(i, i + 10)))[3]!;
      expect(others).toBe(10);
      const { users, ...types } = await hash(site('stats'));
      expect(users).toBe('1');
      expect(Object.keys(types)).toHaveLength(101);
      expect(types['type:(other)']).toBe('10');
      expect(await folded([click('ann', at10(200), { type: 't0' })])).toEqual([0, 0, 0, 0]);
    });
  });
});
