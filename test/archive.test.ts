// From the outbox to Postgres: each event once, in order, whatever fails on the way.

import pg from 'pg';
import { migrate, steps } from '../src/archive/schema.ts';
import { DEAD_DAYS } from '../src/redis/keys.ts';
import { DAY, MINUTE } from '../src/time.ts';
import { useArchives } from './support/archive.ts';
import { figure } from './support/ask.ts';
import { at, click, HOSTILE_IDS, login, NOW, view } from './support/lua.ts';
import { usePostgres } from './support/postgres.ts';
import { until } from './support/process.ts';
import { useRedis } from './support/redis.ts';

const server = useRedis();
const postgres = usePostgres();
const open = useArchives();

const fresh = async (options = {}) => open(server.redis, await postgres.freshDatabase(), options);
const visit = (userId: string, when: number, more = {}) =>
  view(userId, when, { url: 'https://a/', siteId: 'shop', path: 'https://a/', ...more });

/** As Postgres does with the session of a worker that stands still. */
const END_SESSIONS = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE application_name = 'footfall-archive' AND datname = current_database()`;

describe('what is recorded', () => {
  test('is a row each, of every kind, in order of arrival', async () => {
    const { recorder, work, carried, rows } = await fresh();
    const events = [
      view('ann', at('10:00')),
      visit('ann', at('09:00:00.123'), { eventId: 'x' }),
      click('ann', at('10:00'), { eventId: 'x' }),
      login('ann', at('10:00')),
      view('bob', at('10:00', -30)),
    ];
    for (const event of events) await recorder.record(event);
    work();
    await carried();
    const common = { late: false, site_id: null, path: null, name: null, is_url: false };
    expect(await rows()).toEqual([
      {
        ...common,
        at: '2026-11-21T10:00:00.000Z',
        event_type: 'page_view',
        path: 'Home',
        user_id: 'ann',
        identity: expect.stringMatching(/^\w+\.[\w-]{11}$/),
      },
      {
        ...{ ...common, at: '2026-11-21T09:00:00.123Z', event_type: 'page_view', site_id: 'shop' },
        ...{ path: 'https://a/', name: 'Home', is_url: true, user_id: 'ann', identity: 'e:x' },
      },
      {
        ...{ ...common, at: '2026-11-21T10:00:00.000Z', event_type: 'click', site_id: 'shop' },
        ...{ path: '/', user_id: 'ann', identity: 'event:e:x' },
      },
      { ...common, at: '2026-11-21T10:00:00.000Z', event_type: 'login', user_id: 'ann', identity: 'login' },
      {
        ...{ ...common, at: '2026-10-22T10:00:00.000Z', late: true, event_type: 'page_view', path: 'Home' },
        ...{ user_id: 'bob', identity: expect.any(String) },
      },
    ]);
  });

  test('is there once, however often it is sent', async () => {
    const { recorder, work, carried, rows, archive } = await fresh();
    work();
    for (let i = 0; i < 3; i++) {
      await Promise.all(
        [visit('ann', at('10:00')), view('bob', at('10:00', -30))].map((e) => recorder.record(e)),
      );
      await carried();
    }
    expect((await rows()).map((row) => row.user_id)).toEqual(['ann', 'bob']);
    expect(await archive!.outbox.backlog()).toEqual({
      entries: 0,
      bytes: 0,
      since: undefined,
      fullest: 0,
      dead: 0,
    });
  });

  test('is there once where Redis was lost and its sender sent again, at another time', async () => {
    const { recorder, work, carried, rows } = await fresh();
    work();
    const again = async (...events: ReturnType<typeof view>[]) => {
      for (const event of events) expect(await recorder.record(event)).toBe('recorded');
      await carried();
      await server.redis.flushall();
    };
    await again(view('ann', at('23:59:59', -1), { eventId: 'x' }), view('ann', at('10:00')));
    await again(view('ann', at('00:00:05'), { eventId: 'x' }), view('ann', at('10:00')));
    await again(view('ann', at('00:00', -5), { eventId: 'x' }));
    await again(view('bob', at('00:00:05'), { eventId: 'x' }));
    expect((await rows()).map((row) => [row.user_id, row.at.slice(0, 10)])).toEqual([
      ['ann', '2026-11-20'],
      ['ann', '2026-11-21'],
      ['ann', '2026-11-16'],
      ['bob', '2026-11-21'],
    ]);
  });

  test('comes back as it went in, whatever it holds', async () => {
    const { recorder, work, carried, rows } = await fresh();
    const hostile = [...HOSTILE_IDS, '{a,b}', 'NULL', '""', "a','b", '\\x00', '$1', 'é'.repeat(128)];
    for (const id of hostile)
      await recorder.record(visit(id, at('10:00'), { name: id, siteId: id.slice(0, 64) }));
    work();
    await carried();
    expect((await rows()).map((row) => [row.user_id, row.name, row.site_id])).toEqual(
      hostile.map((id) => [id, id, id.slice(0, 64)]),
    );
  });

  test('is there with the longest of everything', async () => {
    const { recorder, work, carried, rows } = await fresh();
    const long = '\u{1f600}'.repeat(1024);
    const id = '\u{1f600}'.repeat(64);
    await recorder.record(visit(id, at('10:00'), { url: long, path: long, eventId: '\u{1f600}'.repeat(50) }));
    work();
    await carried();
    expect((await rows()).map((row) => [row.user_id, row.path])).toEqual([[id, long]]);
  });

  test('lies in a partition of its month, far off in the default one', async () => {
    const { recorder, work, carried, pool } = await fresh();
    const times = ['2026-11-21T10:00:00Z', '2026-10-31T23:59:59.999Z', '2026-01-01T00:00:00Z'];
    const far = ['2012-12-21T10:00:00Z', '0000-01-01T00:00:00Z', '1969-12-31T23:59:59.999Z'];
    for (const time of [...times, ...far]) await recorder.record(view('ann', Date.parse(time)));
    work();
    await carried();
    const { rows } = await pool.query(
      'SELECT tableoid::regclass::text AS part, count(*)::int FROM events GROUP BY 1 ORDER BY 1',
    );
    expect(rows).toEqual([
      { part: 'events_2026_01', count: 1 },
      { part: 'events_2026_10', count: 1 },
      { part: 'events_2026_11', count: 1 },
      { part: 'events_default', count: 3 },
    ]);
    const next = await pool.query("SELECT FROM pg_class WHERE relname = 'events_2026_12'");
    expect(next.rowCount).toBe(1); // before its first event
  });

  test('with many shards, each shard’s is there', async () => {
    const { recorder, work, carried, rows } = await fresh({ config: { shards: 7 } });
    const users = Array.from({ length: 300 }, (_, i) => `user ${i}`);
    await Promise.all(users.map((user) => recorder.record(visit(user, at('10:00')))));
    work();
    await carried();
    expect((await rows()).map((row) => row.user_id).sort()).toEqual(users.sort());
  });
});

describe('an erasure', () => {
  test('takes all that came before it, and nothing that is newer', async () => {
    const { recorder, eraser, work, carried, rows, clock, pool } = await fresh();
    await recorder.record(visit('ann', at('10:00')));
    await recorder.record(click('ann', at('10:00')));
    await recorder.record(view('ann', at('10:00', -400)));
    await recorder.record(login('ann', NOW + 4 * MINUTE)); // the clock of its sender is ahead
    await recorder.record(visit('anna', at('10:00')));
    const { archive } = await eraser.erase('ann');
    expect(archive).toBe('pending'); // nobody carries it
    clock.advance(1);
    await recorder.record(visit('ann', NOW + 1));
    work();
    await carried();
    expect((await rows()).map((row) => [row.user_id, row.at])).toEqual([
      ['anna', '2026-11-21T10:00:00.000Z'],
      ['ann', '2026-11-21T12:00:00.001Z'],
    ]);
    const { rows: totals } = await pool.query(
      'SELECT site_id, day::text, event_type, events::int FROM forgotten ORDER BY 3',
    );
    expect(totals).toEqual([
      { site_id: 'shop', day: '2026-11-21', event_type: 'click', events: 1 },
      { site_id: 'shop', day: '2026-11-21', event_type: 'page_view', events: 1 },
    ]);
  });

  test('is answered done where the worker is at it, and its receipt says when', async () => {
    const { recorder, eraser, work, carried, archive } = await fresh();
    work();
    await recorder.record(visit('ann', at('10:00')));
    await carried();
    const { archive: state, erasure_id } = await eraser.erase('ann');
    expect(state).toBe('done');
    expect(await archive!.erasures.state(erasure_id!)).toEqual({
      erasure_id,
      archive: 'done',
      done_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      rows_deleted: 1,
    });
  });

  test('is pending while what was put aside is not searched yet', async () => {
    const { eraser, work, archive, pool } = await fresh();
    const { erasure_id } = await eraser.erase('ann');
    let release = () => {};
    work({
      exhume: () =>
        new Promise((resolve) => {
          release = resolve;
        }),
    });
    await until('its rows are gone', async () => {
      const found = await pool.query('SELECT FROM erasure_receipts').catch(() => undefined);
      return found?.rowCount === 1;
    });
    await expect(archive!.erasures.state(erasure_id!)).resolves.toMatchObject({ archive: 'pending' });
    release();
    await until('it is done', async () => (await archive!.erasures.state(erasure_id!))?.archive === 'done');
  });

  test('is pending until it is done, and one that never was is not known', async () => {
    const { eraser, work, carried, archive } = await fresh();
    const { erasure_id } = await eraser.erase('ann');
    const { state } = archive!.erasures;
    await expect(state(erasure_id!)).resolves.toMatchObject({ archive: 'pending', done_at: null });
    work();
    await carried();
    await expect(state(erasure_id!)).resolves.toMatchObject({ archive: 'done', rows_deleted: 0 });
    for (const none of ['0-1-0', '1-1-0', 'x', '0-1', `${erasure_id}0`, '', "0-1-0'"]) {
      await expect(state(none)).resolves.toBeUndefined();
    }
  });

  test('keeps out for good what comes late, though Redis has forgotten its mark', async () => {
    const { recorder, eraser, work, carried, rows, clock } = await fresh();
    work();
    await recorder.record(visit('ann', at('10:00')));
    await eraser.erase('ann');
    await carried();
    clock.advance(60 * DAY);
    await server.redis.flushall(); // as the mark goes by then
    expect(await recorder.record(visit('ann', at('11:00')))).toBe('expired');
    expect(await recorder.record(visit('ann', at('12:00:00.001')))).toBe('expired');
    await carried();
    expect((await rows()).map((row) => row.at)).toEqual(['2026-11-21T12:00:00.001Z']);
  });

  test('done again, by a worker that did not hear that it was done, takes nothing more', async () => {
    const { recorder, eraser, work, carried, rows, clock, archive } = await fresh();
    await recorder.record(visit('ann', at('10:00')));
    await eraser.erase('ann');
    clock.advance(1);
    await recorder.record(visit('ann', NOW + 1));
    let failures = 3;
    const { metrics } = work({
      async drop(...ids) {
        if (failures-- > 0) throw new Error('Redis is away');
        await archive!.outbox.drop(...ids);
      },
    });
    await carried();
    expect((await rows()).map((row) => row.at)).toEqual(['2026-11-21T12:00:00.001Z']);
    expect(figure(await metrics(), 'footfall_archive_rows_total{outcome="stored"}')).toBeGreaterThanOrEqual(
      2,
    );
  });
});

describe('what can’t be read', () => {
  const outbox = 'ff:{0}:outbox';
  const dead = `${outbox}:dead`;

  test('is tried five times and put aside, with an end; its neighbours are stored', async () => {
    const { recorder, work, carried, rows, clock } = await fresh();
    clock.set(Date.now());
    await recorder.record(view('ann', clock()));
    await server.redis.xadd(
      outbox,
      '*',
      'event',
      'no JSON',
      'event',
      '{"kind":"login","user_id":"bob","at":1}',
    );
    await recorder.record(view('cid', clock()));
    const { metrics, log } = work();
    await carried();
    expect((await rows()).map((row) => row.user_id)).toEqual(['ann', 'bob', 'cid']);
    const [[, fields]] = (await server.redis.xrange(dead, '-', '+')) as [[string, string[]]];
    expect(fields).toEqual(['entry', expect.stringMatching(/^\d+-\d+$/), 'event', 'no JSON']);
    expect(await server.redis.pttl(dead)).toBeGreaterThan((DEAD_DAYS - 1) * DAY);
    expect(figure(await metrics(), 'footfall_archive_dead_letters_total')).toBe(1);
    expect(figure(await metrics(), 'footfall_archive_retries_total')).toBe(4);
    expect(log.join()).toContain('put aside 1');
    expect(log.join()).not.toContain('JSON');
  });

  test('of somebody who was erased is not put aside by a worker that comes late', async () => {
    const { archive } = await fresh();
    const fields = ['event', '{"user_id":"ann"}'];
    await server.redis.xadd(outbox, '1-1', ...fields);
    expect(await archive!.outbox.bury(0, '1-1', fields)).toBe(true);
    await archive!.outbox.exhume(0, 'ann');
    expect(await archive!.outbox.bury(0, '1-1', fields)).toBe(false);
    expect(await server.redis.xlen(dead)).toBe(0);
    expect(await server.redis.xlen(outbox)).toBe(0);
  });

  test('is tried in the same rounds, however much of it there is', async () => {
    const { recorder, work, carried, rows, clock } = await fresh();
    clock.set(Date.now());
    for (let i = 0; i < 100; i++) await server.redis.xadd(outbox, '*', 'event', `${i} is no event`);
    await recorder.record(view('ann', clock()));
    work();
    await carried(); // one after the other they would take longer than this waits
    expect(await server.redis.xlen(dead)).toBe(100);
    expect((await rows()).map((row) => row.user_id)).toEqual(['ann']);
  });

  test('of others stays where one of them is erased', async () => {
    const { archive } = await fresh();
    const bad = (user_id: string) => JSON.stringify({ user_id, of: 'an older version' });
    const fields = ['event', bad('1'), 'late', bad('bob'), 'event', 'e', 'event', bad('1')];
    await server.redis.xadd(outbox, '1-1', ...fields);
    await server.redis.xadd(outbox, '2-1', 'event', bad('event'));
    await archive!.outbox.bury(0, '1-1', fields);
    await archive!.outbox.bury(0, '2-1', ['event', bad('event')]);
    for (const user of ['1', 'e', 'entry', 'late']) await archive!.outbox.exhume(0, user);
    const left = (await server.redis.xrange(dead, '-', '+')).map(([, found]) => found.slice(2));
    expect(left).toEqual([
      ['event', bad('event')],
      ['late', bad('bob'), 'event', 'e'],
    ]);
    expect(await server.redis.pttl(dead)).toBeGreaterThan(0);
  });

  test('of two people is not put back by a worker that slept while the other one was erased', async () => {
    const { archive, keys } = await fresh();
    const [ann, bob] = ['ann', 'bob'].map((user_id) => JSON.stringify({ user_id, of: 'an older version' }));
    const fields = ['event', ann!, 'event', bob!];
    await server.redis.xadd(outbox, '1-1', ...fields);
    await archive!.outbox.bury(0, '1-1', fields);
    const [[id, found]] = (await server.redis.xrange(dead, '-', '+')) as [[string, string[]]];
    const ofBob = [...found.slice(0, 2), 'event', bob!]; // what a sleeper has in its hands, who is to take ann out
    await archive!.outbox.exhume(0, 'ann');
    await archive!.outbox.exhume(0, 'bob');
    expect(await server.redis.ffExhume(keys.shard(0), [id, ...ofBob])).toBe(0);
    expect(await server.redis.xlen(dead)).toBe(0);
  });

  test('and what Postgres refuses is put aside alike', async () => {
    const { recorder, work, carried, rows, clock, pool, archive } = await fresh();
    clock.set(Date.now());
    const first = work();
    await recorder.record(view('ann', clock()));
    await carried();
    await first.worker.stop();
    await pool.query(`ALTER TABLE events ADD CHECK (path <> 'poison')`);
    const users = ['bob', 'cid', 'dan'];
    await Promise.all(
      users.map((user) => recorder.record(view(user, clock(), user === 'cid' ? { name: 'poison' } : {}))),
    );
    await recorder.record(view('eve', clock()));
    expect((await archive!.outbox.backlog()).entries).toBe(2);
    const { metrics } = work();
    await carried();
    expect((await rows()).map((row) => row.user_id)).toEqual(['ann', 'bob', 'dan', 'eve']);
    expect(figure(await metrics(), 'footfall_archive_dead_letters_total')).toBe(1);
    expect(JSON.stringify(await server.redis.xrange(dead, '-', '+'))).toContain('poison');
  });

  test('of somebody goes with them', async () => {
    const { eraser, work, carried, clock } = await fresh();
    clock.set(Date.now());
    const odd = 'a"\\b';
    for (const user of [odd, 'bob']) {
      await server.redis.xadd(
        outbox,
        '*',
        'event',
        JSON.stringify({ user_id: user, of: 'an older version' }),
      );
    }
    work();
    await carried();
    expect(await server.redis.xlen(dead)).toBe(2);
    await eraser.erase(odd);
    await carried();
    expect(JSON.stringify(await server.redis.xrange(dead, '-', '+'))).toMatch(/^((?!a\\).)*bob((?!a\\).)*$/);
  });
});

test('a month that begins while somebody reads for long holds up nobody', async () => {
  const { recorder, work, carried, rows, pool, clock } = await fresh();
  const { worker } = work();
  await recorder.record(view('ann', at('10:00')));
  await carried();
  await worker.stop();
  const reader = await pool.connect();
  try {
    await reader.query('BEGIN; SELECT FROM events');
    clock.set('2027-03-01T12:00:00Z');
    work();
    await recorder.record(view('bob', clock()));
    await carried();
    expect((await rows()).map((row) => row.user_id)).toEqual(['ann', 'bob']);
  } finally {
    reader.release(true);
  }
});

describe('workers', () => {
  test('one has a shard at a time; another takes over where its session ends', async () => {
    const { recorder, work, carried, rows, pool } = await fresh({ config: { shards: 2 } });
    const both = [work(), work()];
    const holds = async () =>
      (await Promise.all(both.map(({ metrics }) => metrics()))).map((text) =>
        figure(text, 'footfall_archive_shards'),
      );
    await until('all shards are held, each once', async () => (await holds()).reduce((a, b) => a + b) === 2);
    for (let i = 0; i < 4; i++) {
      await pool.query(END_SESSIONS);
      await Promise.all(
        Array.from({ length: 50 }, (_, j) => recorder.record(view(`user ${j}`, at('10:00') + i))),
      );
    }
    await carried();
    expect(await rows()).toHaveLength(200);
    expect((await holds()).reduce((a, b) => a + b)).toBeLessThanOrEqual(2);
  });

  test('without Postgres it waits, and goes on when it is there', async () => {
    const { recorder, work, carried, rows } = await fresh();
    await recorder.record(view('ann', at('10:00')));
    await postgres.kill('SIGKILL');
    const { log } = work();
    await until('it says so', () => log.length > 0);
    await recorder.record(view('bob', at('10:00')));
    await postgres.restart();
    await carried();
    expect((await rows()).map((row) => row.user_id)).toEqual(['ann', 'bob']);
    expect(log).toEqual([
      expect.stringContaining("the archive waits: Postgres can't be reached"),
      'the archive goes on',
    ]);
  });

  test('killed between its commit and the deletion, nothing is there twice', async () => {
    const { recorder, work, carried, rows, pool } = await fresh();
    for (let i = 0; i < 20; i++) await recorder.record(view('ann', at('10:00') + i));
    let killed: ((error: Error) => void) | undefined;
    work({
      drop: () =>
        new Promise((_, reject) => {
          killed = reject; // it never comes to that
        }),
    });
    await until('it has committed', () => killed);
    await pool.query(END_SESSIONS);
    work();
    await carried();
    expect(await rows()).toHaveLength(20);
    killed!(new Error('killed'));
  });
});

describe('the tables', () => {
  const connected = async (url: string, work: (client: pg.Client) => Promise<void>) => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await work(client).finally(() => client.end());
  };

  test('are made once, however many make them', async () => {
    const url = await postgres.freshDatabase();
    await Promise.all(Array.from({ length: 5 }, () => connected(url, migrate)));
    await connected(url, async (client) => {
      const { rows } = await client.query('SELECT version, name FROM footfall_schema ORDER BY version');
      expect(rows).toEqual(steps());
    });
  });

  test('of a newer version stop it', async () => {
    const url = await postgres.freshDatabase();
    await connected(url, async (client) => {
      await migrate(client);
      await client.query(`INSERT INTO footfall_schema (version, name) VALUES (999, '999-later.sql')`);
      await expect(migrate(client)).rejects.toThrow('of a newer Footfall (999');
    });
    const { worker } = open(server.redis, url).work();
    await expect(worker.ended).rejects.toThrow('of a newer Footfall');
  });
});
