import { Agent, request } from 'node:http';
import { DAY, HOUR, MINUTE } from '../src/time.ts';
import { iso, JSON_TYPE, useApi } from './support/http.ts';
import { useRedis } from './support/redis.ts';
import { NOON } from './support/service.ts';

const server = useRedis();
const api = useApi(server);
const URL_A = 'https://example.com/a';

const now = Date.parse(NOON);
const ago = (days: number) => iso(now - days * DAY);

describe('distinct visitors', () => {
  test('of a url, in exact fields', async () => {
    await api.view({ user_id: 'ann', url: URL_A });
    await api.view({ user_id: 'bob', url: URL_A, name: 'Another name' });
    const reply = await api.send({ path: `/v1/page/visitors?url=${encodeURIComponent(URL_A)}` });
    expect(reply).toMatchObject({
      status: 200,
      text: JSON.stringify({ url: URL_A, days: 7, distinct_visitors: 2, exact: true }),
      headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
    });
  });

  test('of a name, of a site, in so many days', async () => {
    await api.view({ site_id: 'shop' });
    expect(await api.read('/v1/page/visitors', { name: 'Home', site_id: 'shop', days: '3' })).toEqual({
      ...{ name: 'Home', site_id: 'shop', days: 3, distinct_visitors: 1, exact: true },
    });
  });

  test('are nobody where nobody was', async () => {
    await api.view({ url: URL_A });
    expect(await api.visitors({ url: 'https://example.com/b' })).toBe(0);
    expect(await api.visitors({ name: URL_A })).toBe(0);
    expect(await api.visitors({ url: URL_A, site_id: 'shop' })).toBe(0);
  });

  test('count once, however often they come, on however many days', async () => {
    for (const days of [0, 1, 3, 6]) {
      await api.view({ url: URL_A, timestamp: ago(days) });
      await api.view({ url: URL_A, timestamp: iso(now - days * DAY - 1) });
    }
    await api.view({ user_id: 'bob', url: URL_A, timestamp: ago(3) });
    for (let days = 1; days <= 7; days++) {
      expect([days, await api.visitors({ url: URL_A, days: `${days}` })]).toEqual([days, days > 3 ? 2 : 1]);
    }
  });

  test('are those of the days asked for: of others there is no trace', async () => {
    await api.view({ user_id: 'ann', timestamp: ago(6) });
    await api.view({ user_id: 'bob', timestamp: ago(1) });
    await api.view({ user_id: 'cid' });
    const counts = ['7', '6', '2', '1'].map((days) => api.visitors({ name: 'Home', days }));
    expect(await Promise.all(counts)).toEqual([3, 2, 2, 1]);
    api.clock.advance(DAY);
    expect(await api.visitors({ name: 'Home' })).toBe(2);
    api.clock.advance(6 * DAY);
    expect(await api.visitors({ name: 'Home' })).toBe(0);
  });

  test('of a name meet whatever the url, of a url whatever the name, of a site only its own', async () => {
    await api.view({ user_id: 'ann', name: 'Home', url: '/1', site_id: 'shop' });
    await api.view({ user_id: 'bob', name: 'Home', url: '/2', site_id: 'blog' });
    await api.view({ user_id: 'cid', name: 'Start', url: '/1', site_id: 'blog' });
    await api.view({ user_id: 'dan', name: 'Home' });
    const asked = [{ name: 'Home' }, { url: '/1' }, { name: 'Home', site_id: 'shop' }];
    const more = [
      { url: '/1', site_id: 'blog' },
      { name: 'Start', site_id: 'shop' },
    ];
    expect(await Promise.all([...asked, ...more].map(api.visitors))).toEqual([3, 2, 1, 1, 0]);
  });

  test('of a page_view that came as an event are of its path by name, and of its site', async () => {
    await api.event({ event_type: 'page_view', path: '/prices' });
    await api.event({ event_type: 'click', path: '/prices', user_id: 'bob' });
    expect(await api.visitors({ name: '/prices' })).toBe(1);
    expect(await api.visitors({ name: '/prices', site_id: 'shop' })).toBe(1);
    expect(await api.visitors({ url: '/prices' })).toBe(0);
  });

  test('a duplicate, an expired and an erased view are no visit', async () => {
    await api.view({ event_id: 'e1', url: URL_A });
    expect(await api.view({ event_id: 'e1', url: '/other' })).toBe('duplicate');
    expect(await api.view({ url: '/other', timestamp: ago(7) })).toBe('expired');
    await api.erase('ann');
    expect(await api.view({ url: '/other' })).toBe('erased');
    expect(await api.visitors({ url: '/other' })).toBe(0);
  });
});

describe('what is asked for comes back as it went in', () => {
  const hostile = [
    ...[
      '{}:*%',
      '{0}',
      '}{',
      '*',
      '%',
      '%25',
      '%2F',
      '?a=b&c=d#e',
      '+',
      'a b',
      '"',
      '\\',
      '[x]',
      '__proto__',
    ],
    ...['#', '#'.padEnd(21, '0'), 'site:shop', 'name:Home', 'url:', '(other)', '😀', 'مرحبا', 'é', 'e\u0301'],
    ...['x'.repeat(40), 'x'.repeat(41), 'x'.repeat(2048), '😀'.repeat(1024), `${'x'.repeat(2047)}%`],
  ];

  test.each(hostile.map((url) => [url.length > 50 ? `${url.slice(0, 9)}… of ${url.length}` : url, url]))(
    'a url of %j',
    async (_what, url) => {
      expect(await api.view({ url, name: 'Page', site_id: 'shop' })).toBe('recorded');
      for (const [i, other] of hostile.entries()) {
        if (other !== url) await api.view({ user_id: 'bob', url: other, timestamp: iso(now - i) });
      }
      expect(await api.read('/v1/page/visitors', { url })).toMatchObject({ url, distinct_visitors: 1 });
      expect(await api.visitors({ url, site_id: 'shop' })).toBe(1);
      const report = await api.read('/v1/site/shop/report');
      expect(report).toMatchObject({
        views: 1,
        top_paths: url === '(other)' ? [] : [{ path: url, views: 1 }],
      });
    },
  );

  test.each(hostile.filter((id) => id.length <= 64))('a site of %j', async (site_id) => {
    await api.view({ site_id, name: 'Home' });
    await api.view({ site_id: 'x', name: 'Home', user_id: 'bob' });
    expect(await api.read('/v1/page/visitors', { name: 'Home', site_id })).toEqual({
      ...{ name: 'Home', site_id, days: 7, distinct_visitors: 1, exact: true },
    });
    const path = `/v1/site/${encodeURIComponent(site_id)}/report`;
    expect(await api.read(path)).toMatchObject({ site_id, views: 1, unique_users: 1 });
  });

  test('a url alone is a page: its name and its path', async () => {
    const url = 'https://example.com/{}:*%?q=1';
    const body = JSON.stringify({ user_id: 'ann', url });
    expect(await api.post(body)).toMatchObject({ status: 202, body: { status: 'recorded' } });
    expect(await api.profile('ann')).toMatchObject({ most_viewed_page_in_last_7_days: url });
    expect(await api.visitors({ name: url })).toBe(1);
    expect(await api.visitors({ url })).toBe(1);
  });

  test('a url of 2,048 characters is a name, too', async () => {
    const url = 'https://example.com/'.padEnd(2048, 'x');
    await api.post(JSON.stringify({ user_id: 'ann', url }));
    expect(await api.profile('ann')).toMatchObject({ most_viewed_page_in_last_7_days: url });
    expect(await api.visitors({ name: url })).toBe(1);
  });
});

describe('around midnight', () => {
  beforeEach(() => api.clock.set('2026-11-21T23:57:00Z'));
  const tomorrow = '2026-11-22T00:01:00Z';

  test('a view of tomorrow is a visit from midnight on, and no window that ends today is disturbed', async () => {
    await api.view({ user_id: 'ann', timestamp: ago(6) });
    await api.view({ user_id: 'ann', timestamp: ago(1) });
    await api.view({ user_id: 'bob', timestamp: ago(2) });
    const counts = () =>
      Promise.all(['1', '2', '3', '6', '7'].map((days) => api.visitors({ name: 'Home', days })));
    const before = await counts();
    expect(before).toEqual([0, 1, 2, 2, 2]);
    for (const user_id of ['ann', 'bob', 'cid']) await api.view({ user_id, timestamp: tomorrow });
    expect(await counts()).toEqual(before);
    api.clock.set('2026-11-22T00:00:00Z');
    expect(await counts()).toEqual([3, 3, 3, 3, 3]);
  });

  test('a day that comes after the next one is between its neighbours', async () => {
    for (const timestamp of [tomorrow, ago(6), '2026-11-21T23:56:00Z']) await api.view({ timestamp });
    for (const days of ['1', '6', '7']) expect(await api.visitors({ name: 'Home', days })).toBe(1);
    api.clock.set('2026-11-22T00:02:00Z');
    for (const days of ['1', '2', '7']) expect(await api.visitors({ name: 'Home', days })).toBe(1);
  });

  test('who is erased just before it is not there after it', async () => {
    await api.view({ timestamp: tomorrow });
    await api.view({ user_id: 'bob', timestamp: tomorrow });
    await api.erase('ann');
    api.clock.set('2026-11-22T00:00:00Z');
    expect(await api.visitors({ name: 'Home' })).toBe(1);
  });
});

test('one who comes every day for ten weeks is one visitor on each of them', async () => {
  for (let day = 0; day < 70; day++) {
    expect(await api.view({ url: URL_A, site_id: 'shop' })).toBe('recorded');
    const counts = ['1', '2', '7'].map((days) => api.visitors({ url: URL_A, site_id: 'shop', days }));
    expect([iso(api.clock()), await Promise.all(counts)]).toEqual([iso(api.clock()), [1, 1, 1]]);
    api.clock.advance(DAY);
  }
});

describe('erase, come back, erase again', () => {
  const fieldsBelowOne = async () => {
    const keys = [...(await server.redis.keys('*:visitors')), ...(await server.redis.keys('*:returning'))];
    const hashes = await Promise.all(keys.map((key) => server.redis.hgetall(key)));
    return hashes.flatMap(Object.entries).filter(([, count]) => !(Number(count) > 0));
  };

  test('leaves the counts of others as they are, each time', async () => {
    const bobs = [0, 2, 5];
    for (const days of bobs)
      await api.view({ user_id: 'bob', url: URL_A, site_id: 'shop', timestamp: ago(days) });
    for (let round = 0; round < 4; round++) {
      // Late views of the window are erased by the mark, so each round has its own days.
      for (const ms of [0, 1, HOUR])
        await api.view({ url: URL_A, site_id: 'shop', timestamp: iso(api.clock() - ms) });
      expect(await api.visitors({ url: URL_A })).toBe(2);
      expect((await api.erase('ann')).counts_corrected).toBe(6); // Home, the url and the site, each of the site; users
      expect((await api.erase('ann')).counts_corrected).toBe(0);
      expect(await api.visitors({ url: URL_A })).toBe(1);
      expect(await fieldsBelowOne()).toEqual([]);
      api.clock.advance(DAY + 2 * HOUR);
    }
  });

  test('of one alone leaves no count at all', async () => {
    for (let days = 6; days >= 0; days--) await api.view({ url: URL_A, timestamp: ago(days) });
    await api.erase('ann');
    expect(await server.redis.keys('*')).toEqual([api.services.keys.erased('ann')]);
  });

  test('takes a visitor out of each count that still names a day of theirs, and says of how many', async () => {
    await api.view({ url: URL_A, site_id: 'shop' });
    await api.view({ url: URL_A, site_id: 'shop', timestamp: ago(1) });
    await api.view({ url: '/b', name: 'B', timestamp: ago(1) });
    await api.event({ site_id: 'blog' });
    await api.login();
    await api.login('ann', ago(1));
    // Home, the url, both on the site, the site and its users, twice; B and its url; the blog and its users; two days, a month.
    expect(await api.erase('ann')).toMatchObject({ counts_corrected: 2 * 6 + 2 + 2 + 3 });
  });
});

test(
  '500 clients at once on one page: exact',
  async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 500 });
    const post = (body: object) =>
      new Promise<number>((resolve, reject) => {
        const options = { host: '127.0.0.1', port: api.port, method: 'POST', path: '/v1/page', agent };
        const req = request({ ...options, headers: JSON_TYPE }, (res) => {
          res.resume().on('end', () => resolve(res.statusCode!));
        });
        req.on('error', reject);
        req.end(JSON.stringify(body));
      });
    try {
      // Each comes on three days, each day twice and in any order; every tenth is the same user as the one before.
      const statuses = await Promise.all(
        Array.from({ length: 500 }, (_, client) => client).map(async (client) => {
          const user_id = `user${client - (client % 10 === 9 ? 1 : 0)}`;
          const days = [client % 7, 0, (client * 3) % 7];
          const of = (day: number) => ({ user_id, url: URL_A, site_id: 'shop', timestamp: ago(day) });
          return Promise.all(days.flatMap((day) => [of(day), of(day)]).map(post));
        }),
      );
      expect(new Set(statuses.flat())).toEqual(new Set([202]));
    } finally {
      agent.destroy();
    }
    expect(await api.visitors({ url: URL_A })).toBe(450);
    expect(await api.visitors({ url: URL_A, site_id: 'shop', days: '1' })).toBe(450);
    const report = (await api.read('/v1/site/shop/report')) as { unique_users: number; exact: boolean };
    expect(report).toMatchObject({ unique_users: 450, exact: true });
  },
  MINUTE,
);
