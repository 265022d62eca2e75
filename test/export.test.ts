// All that is held of a person, as one answer.

import { once } from 'node:events';
import type { Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { migrate } from '../src/archive/schema.ts';
import { createFastServer } from '../src/http/fastServer.ts';
import { DAY, HOUR } from '../src/time.ts';
import { type Archived, useArchives } from './support/archive.ts';
import { expectProblem, iso, sendRequest, stopServer, useApi } from './support/http.ts';
import { at, click, HOSTILE_IDS, login, NOW, TODAY, view, withoutAChange } from './support/lua.ts';
import { usePostgres } from './support/postgres.ts';
import { until } from './support/process.ts';
import { useRedis } from './support/redis.ts';

const server = useRedis();
const postgres = usePostgres();

type Line = Record<string, unknown>;

const linesOf = (text: string): Line[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
const pathOf = (userId: string) => `/v1/user/${encodeURIComponent(userId)}/export`;
const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

describe('without an archive', () => {
  const api = useApi(server);
  const read = async (userId = 'ann') => linesOf((await api.send({ path: pathOf(userId) })).text);

  test('Redis is told, day by day', async () => {
    await api.view({ timestamp: iso(NOW - DAY), url: 'https://example.com/', site_id: 'a:b' });
    await api.view({ timestamp: iso(NOW), name: 'Prices', event_id: 'e1' });
    await api.view({ timestamp: iso(NOW + 90_000), name: 'Prices' });
    await api.event({ timestamp: iso(NOW), event_id: 'c1' });
    await api.login();
    await api.login('ann', iso(NOW - 30 * DAY));
    await api.view({ user_id: 'joanna' });
    const reply = await withoutAChange(server.redis, () => api.send({ path: pathOf('ann') }));
    expect(reply).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' },
    });
    expect(linesOf(reply.text)).toEqual([
      {
        ...{ from: 'redis', is: 'profile', user_id: 'ann', views: 3, seconds: 90, days: 2 },
        most_viewed_page: 'Prices',
      },
      {
        ...{ from: 'redis', is: 'day', date: '2026-11-20', views: 1, seconds: 0, pages: { Home: 1 } },
        ...{ first_view: iso(NOW - DAY), last_view: iso(NOW - DAY), other_days: ['2026-11-21'] },
        views_at: [{ time: iso(NOW - DAY), page: 'Home' }],
        seen: [
          ...['site:a%3Ab', 'site:a%3Ab:name:Home', 'site:a%3Ab:url:https://example.com/'],
          'url:https://example.com/',
        ],
        kept_until: TIME,
      },
      {
        ...{ from: 'redis', is: 'day', date: '2026-11-21', views: 2, seconds: 90, pages: { Prices: 2 } },
        ...{ first_view: iso(NOW), last_view: iso(NOW + 90_000), other_days: ['2026-11-20'] },
        views_at: [
          { time: iso(NOW), event_id: 'e1' },
          { time: iso(NOW + 90_000), page: 'Prices' },
        ],
        seen: ['site:shop'],
        other_events_at: [{ time: iso(NOW), event_id: 'c1' }],
        kept_until: TIME,
      },
      { from: 'redis', is: 'logins', dates: ['2026-10-22'], kept_until: TIME },
      { from: 'redis', is: 'logins', dates: ['2026-11-21'], kept_until: TIME },
      { is: 'end', lines: 5 },
    ]);
  });

  test('when a day goes is told as it will be', async () => {
    await api.view();
    const [, day] = await read();
    const goes = await server.redis.pexpiretime(api.services.keys.stats('ann', TODAY));
    const told = Date.parse(String(day!.kept_until)) - api.clock() + Date.now();
    expect(Math.abs(told - goes)).toBeLessThan(1000);
  });

  test('of somebody unknown there is nothing, and that is said', async () => {
    expect(await read('nobody')).toEqual([
      {
        ...{ from: 'redis', is: 'profile', user_id: 'nobody', views: 0, seconds: 0, days: 0 },
        most_viewed_page: null,
      },
      { is: 'end', lines: 1 },
    ]);
  });

  test('an erasure is told, and nothing of before it', async () => {
    await api.view();
    await api.erase('ann');
    expect((await read()).slice(1)).toEqual([
      { from: 'redis', is: 'erasure', refused_until: iso(NOW), kept_until: TIME },
      { is: 'end', lines: 2 },
    ]);
    api.clock.advance(HOUR);
    await api.view();
    expect((await read())[1]).toMatchObject({ is: 'day', views: 1, refused_until: iso(NOW) });
  });

  test('what cannot be read is said, beside all that can', async () => {
    await api.view({ event_id: 'e1' });
    await api.login();
    const { keys } = api.services;
    await server.redis.set(keys.pages('ann', TODAY), 'x');
    await server.redis.set(keys.stats('ann', TODAY - 2), 'x');
    await server.redis.del(keys.logins('ann', '2026-11'));
    await server.redis.hset(keys.logins('ann', '2026-11'), 'x', 'y');
    const why = 'WRONGTYPE';
    expect(await read()).toEqual([
      { from: 'redis', is: 'unreadable', what: 'profile', why: 'damaged' },
      { from: 'redis', is: 'unreadable', what: 'stats of 2026-11-19', why },
      expect.objectContaining({ is: 'day', views: 1, views_at: [{ time: iso(NOW), event_id: 'e1' }] }),
      { from: 'redis', is: 'unreadable', what: 'pages of 2026-11-21', why },
      { from: 'redis', is: 'unreadable', what: 'logins of 2026-11', why },
      { is: 'end', lines: 5 },
    ]);
  });

  test('ids and pages come back as they went in', async () => {
    for (const user_id of HOSTILE_IDS) {
      await api.view({ user_id, name: user_id });
      const [profile, day, end] = await read(user_id);
      expect(profile).toMatchObject({ user_id, views: 1, most_viewed_page: user_id });
      expect(Object.entries(day!.pages as object)).toEqual([[user_id, 1]]);
      expect(end).toEqual({ is: 'end', lines: 2 });
    }
  });

  test('a HEAD has no body', async () => {
    await api.view();
    const reply = await api.send({ method: 'HEAD', path: pathOf('ann') });
    expect(reply).toMatchObject({ status: 200, text: '', headers: { 'cache-control': 'no-store' } });
  });
});

describe('with an archive', () => {
  const archives = useArchives();
  let over: Archived;
  let http: Server;

  beforeEach(async () => {
    over = archives(server.redis, await postgres.freshDatabase());
    const client = await over.pool.connect();
    await migrate(client).finally(() => client.release());
    http = createFastServer(over.app).listen(0, '127.0.0.1');
    await once(http, 'listening');
  });
  afterEach(() => stopServer(http));

  /** Until nothing waits, and then no more. */
  async function carry(): Promise<void> {
    const { worker } = over.work();
    await over.carried();
    await worker.stop();
  }

  const run = (sql: string) => over.pool.query(sql);
  const port = () => (http.address() as AddressInfo).port;
  const ask = (userId = 'ann') => sendRequest(port(), { path: pathOf(userId) });
  const read = async (userId?: string) => linesOf((await ask(userId)).text);
  const record = (...events: Parameters<typeof over.recorder.record>[0][]) =>
    Promise.all(events.map((event) => over.recorder.record(event)));
  const from = (lines: Line[], place: string) => lines.filter((line) => line.from === place);

  test('it is told in order of time, with what came too late to count', async () => {
    await record(
      view('ann', at('10:00'), { url: 'https://example.com/a', name: 'A', siteId: 'a:b', eventId: 'e1' }),
      view('ann', at('09:00'), { name: 'Home' }),
      view('ann', at('09:00', -400), { name: 'Old' }),
      click('ann', at('11:00'), { type: 'end', path: '/cart' }),
      login('ann', at('08:00')),
      view('joanna', at('09:00')),
    );
    await carry();
    const received_at = TIME;
    const lines = await read();
    expect(from(lines, 'archive')).toEqual([
      {
        ...{ from: 'archive', is: 'page_view', time: iso(at('09:00', -400)), name: 'Old' },
        received_at,
        late: true,
      },
      { from: 'archive', is: 'login', time: iso(at('08:00')), received_at, late: false },
      {
        ...{ from: 'archive', is: 'page_view', time: iso(at('09:00')), name: 'Home' },
        received_at,
        late: false,
      },
      {
        ...{ from: 'archive', is: 'page_view', time: iso(at('10:00')), name: 'A', received_at, late: false },
        ...{ url: 'https://example.com/a', site_id: 'a:b', event_id: 'e1' },
      },
      {
        ...{ from: 'archive', is: 'event', time: iso(at('11:00')), event_type: 'end', path: '/cart' },
        ...{ site_id: 'shop', received_at, late: false },
      },
    ]);
    expect(from(lines, 'redis').map(({ is }) => is)).toEqual(['profile', 'day', 'logins']);
    expect(lines.at(-1)).toEqual({ is: 'end', lines: lines.length - 1 });
  });

  test('an event of a moment ago is told, wherever it is', async () => {
    await record(view('ann', at('10:00'), { name: 'A' }));
    await carry();
    await record(view('ann', at('09:00'), { name: 'B', eventId: 'b' }), view('bob', at('09:00')));
    const lines = await read();
    expect(from(lines, 'outbox')).toEqual([
      {
        ...{ from: 'outbox', is: 'page_view', time: iso(at('09:00')), name: 'B', event_id: 'b', late: false },
        received_at: TIME,
      },
    ]);
    expect(from(lines, 'archive')).toHaveLength(1);
  });

  test('an event that moves on meanwhile is not left out', async () => {
    await record(view('ann', at('10:00'), { name: 'A' }));
    await carry();
    await record(view('ann', at('09:00'), { name: 'B' })); // in order of time it would have been before
    const names: unknown[] = [];
    for await (const line of over.exporter.of('ann')) {
      names.push(line.name);
      if (line.name === 'A') await carry();
    }
    expect(names).toContain('B');
  });

  test('long histories come whole, a page at a time', async () => {
    const rows = 3500;
    // Many of one moment, so that a page ends between two of them.
    await run(`INSERT INTO events (event_time, received_at, late, is_url, event_type, path, user_id, identity)
      SELECT '2024-01-01T00:00:00Z'::timestamptz + (n / 700) * interval '1 day', now(), true, false, 'page_view', 'P' || n, 'ann', 'e:' || n
      FROM generate_series(1, ${rows}) AS n`);
    await run(`INSERT INTO events (event_time, received_at, late, is_url, event_type, path, user_id, identity)
      VALUES ('0001-01-01 00:00:00.123457 BC', now(), true, false, 'login', NULL, 'ann', 'login'),
             ('9999-12-31 23:59:59.998993', now(), true, false, 'login', NULL, 'ann', 'login')`);
    const told = from(await read(), 'archive');
    expect(told).toHaveLength(rows + 2);
    expect(new Set(told.map(({ name }) => name)).size).toBe(rows + 1);
    const times = told.map(({ time }) => Date.parse(String(time)));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect([told[0], told.at(-1)].map((line) => line!.time)).toEqual([
      '0000-01-01T00:00:00.123Z',
      '9999-12-31T23:59:59.999Z',
    ]);
  });

  test('an erasure that waits, and what was put aside, is told to whom it is about', async () => {
    await record(view('ann', at('10:00')));
    await over.eraser.erase('ann');
    for (const value of [
      '{"kind":"view","user_id":"ann","at":"x"}',
      '{"kind":"view","user_id":"bob","name":"ann"}',
      '{"user_id":"ann", and bob',
    ]) {
      await server.redis.xadd(over.keys.dead(0), '*', 'entry', '1795228645033-0', 'event', value);
    }
    expect(from(await read(), 'outbox').map(({ received_at: _, ...line }) => line)).toEqual([
      { from: 'outbox', is: 'page_view', time: iso(at('10:00')), name: 'Home', late: false },
      { from: 'outbox', is: 'erasure', refused_until: iso(NOW) },
      { from: 'outbox', is: 'unreadable', what: { kind: 'view', user_id: 'ann', at: 'x' } },
      { from: 'outbox', is: 'unreadable', what: 'an entry with this id in it' },
    ]);
    expect(JSON.stringify(await read('joanna'))).not.toContain('bob');
  });

  test('Postgres away: a 503, and nothing before it', async () => {
    await record(view('ann', at('10:00')));
    await run('ALTER TABLE events RENAME TO elsewhere');
    expectProblem(await ask(), 503, 'unavailable');
    const { app } = archives(server.redis, 'postgres://127.0.0.1:1/nobody');
    const other = createFastServer(app).listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    expectProblem(await sendRequest(port, { path: pathOf('ann') }), 503, 'unavailable');
    await stopServer(other);
  });

  /** More than any buffer on the way takes. */
  const fill = () =>
    run(`INSERT INTO events (event_time, received_at, late, is_url, event_type, path, user_id, identity)
      SELECT '2024-01-01T00:00:00Z'::timestamptz + n * interval '1 second', now(), true, false, 'page_view',
        repeat('x', 2000), 'ann', 'e:' || n FROM generate_series(1, 30000) AS n`);

  /** A client that takes nothing more after the first bytes. */
  async function slowClient() {
    const socket = connect(port(), '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(`GET ${pathOf('ann')} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    await once(socket, 'data');
    socket.pause();
    return Object.assign(socket, { text: () => text });
  }

  test('it is read no faster than it is taken, and no connection is held meanwhile', async () => {
    await fill();
    const client = await slowClient();
    const query = jest.spyOn(over.pool, 'query');
    let last = -1;
    await until(
      'it stands still',
      () => {
        const before = last;
        last = query.mock.calls.length;
        return before === last;
      },
      { every: 300 },
    );
    expect(last).toBeLessThan(15);
    expect(over.pool.totalCount - over.pool.idleCount).toBe(0);
    client.resume();
    await once(client, 'close');
    expect(client.text().match(/"from":"archive"/g)).toHaveLength(30_000);
    expect(client.text()).toContain('{"is":"end","lines":30001}\n');
    query.mockRestore();
  });

  test('for a client that has gone nothing more is asked', async () => {
    await fill();
    const client = await slowClient();
    const query = jest.spyOn(over.pool, 'query');
    client.destroy();
    await until('nobody is asked any more', () => over.overload.underWay() === 0);
    const calls = query.mock.calls.length;
    expect((await ask('bob')).status).toBe(200);
    expect(query.mock.calls.length).toBe(calls + 2);
    await until('every connection is free', () => over.pool.totalCount === over.pool.idleCount);
    query.mockRestore();
  });

  test('an archive that fails in the middle cuts the answer off', async () => {
    await fill();
    const client = await slowClient();
    await run('ALTER TABLE events RENAME TO elsewhere');
    client.resume();
    await once(client, 'close');
    expect(client.text()).toContain('"from":"archive"');
    expect(client.text()).not.toContain('"is":"end"');
    expect(client.text()).not.toMatch(/\r\n0\r\n\r\n$/);
  });
});
