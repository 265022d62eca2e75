// Whether anything of a person is left after an erasure, and where.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrate } from '../src/archive/schema.ts';
import { searchFile } from '../src/proof/files.ts';
import type { Place } from '../src/proof/place.ts';
import { prove } from '../src/proof/prove.ts';
import { isProven } from '../src/proof/show.ts';
import { connectRedis } from '../src/redis/connect.ts';
import { checkMeta } from '../src/redis/meta.ts';
import { type Archived, useArchives } from './support/archive.ts';
import { at, click, login, view } from './support/lua.ts';
import { usePostgres } from './support/postgres.ts';
import { sendTo, until, useProcesses } from './support/process.ts';
import { startRedis, useRedis } from './support/redis.ts';
import { startCluster } from './support/topologies.ts';

const server = useRedis({ args: ['--appendonly', 'yes'] });
const postgres = usePostgres();
const archives = useArchives();
let over: Archived;
let databaseUrl: string;

beforeEach(async () => {
  databaseUrl = await postgres.freshDatabase();
  over = archives(server.redis, databaseUrl);
  const client = await over.pool.connect();
  await migrate(client).finally(() => client.release());
  await checkMeta(server.redis, over.keys, { sessionGapSeconds: 1800, lateLoginDays: 35, hasArchive: true });
});

const look = (userId = 'ann') => prove(server.redis, { ...over.settings, redisUrl: server.url }, userId);
const foundIn = (places: Place[]) => places.filter(({ found }) => found > 0).map(({ what }) => what);
const mayBeIn = (places: Place[]) => places.filter(({ mayBe }) => mayBe > 0).map(({ what }) => what);
const missed = (places: Place[]) => places.filter(({ fault }) => fault !== undefined).map(({ what }) => what);

async function carry(): Promise<void> {
  const { worker } = over.work();
  await over.carried();
  await worker.stop();
}

/** Something of a user in every place. */
async function record(userId: string): Promise<void> {
  const page = { url: 'https://example.com/a', siteId: 'shop', path: 'https://example.com/a' };
  await over.recorder.record(view(userId, at('10:00'), page));
  await over.recorder.record(click(userId, at('10:01')));
  await over.recorder.record(login(userId, at('10:00')));
}

/** Of each nature one: a second or two each. */
const IDS = ['ann', 'a:b', '*', '{0}', '\\', '"', '😀', '__proto__', 'user', '019mr8mf4r'];

describe('before and after an erasure', () => {
  test.each(IDS)('%j', async (userId) => {
    await record(userId);
    await record(`x${userId}x`);
    await carry();
    await record(userId); // duplicates, which leave nothing
    await over.recorder.record(view(userId, at('11:00')));
    const before = await look(userId);
    expect(foundIn(before)).toEqual(['names of keys', 'outbox', 'append-only files', 'events, by user']);
    expect(missed(before)).toEqual([]);

    await over.eraser.erase(userId);
    expect(foundIn(await look(userId))).toEqual(['outbox', 'append-only files', 'events, by user']);
    await carry();
    const after = await look(userId);
    expect(foundIn(after)).toEqual([]);
    expect(isProven(after)).toBe(true);
    expect(after.find(({ what }) => what === 'erasures')!.note).toMatch(
      /^erased up to 2026-11-21T12:00:00.000Z/,
    );
    expect(foundIn(await look(`x${userId}x`))).toContain('names of keys');
  });

  test('a name within another is nobody', async () => {
    await record('joanna');
    await over.recorder.record(view('joanna', at('12:00'), { name: 'Joanna and Anna' }));
    await carry();
    const places = await look('ann');
    expect(foundIn(places)).toEqual([]);
    expect(mayBeIn(places)).toEqual(['append-only files']); // bytes do not say where a name ends
    expect(isProven(places)).toBe(true);
  });

  test('of a short id bytes say nothing, and words of a page little', async () => {
    await record('bob');
    await carry();
    expect(mayBeIn(await look('a'))).toEqual(["others' events"]); // https://example.com/a
  });
});

describe('what is left over is found', () => {
  test.each<[what: string, plant: () => Promise<unknown>, found: string[], mayBe: string[]]>([
    [
      'a key',
      () => server.redis.set('ff:{0}:user:a%3Ab:2026-01-01:stats', 'x'),
      ['names of keys', 'append-only files'],
      [],
    ],
    [
      'a key of an older layout',
      () => server.redis.set('ff:{0}:seen:a%3Ab', 'x'),
      ['names of keys'],
      ['append-only files'],
    ],
    [
      "somebody else's key",
      () => server.redis.set('session/a:b', 'x'),
      [],
      ['names of keys', 'append-only files'],
    ],
    [
      'an event in the outbox',
      () => server.redis.xadd('ff:{0}:outbox', '*', 'event', '{"kind":"login","user_id":"a:b","at":1}'),
      ['outbox', 'append-only files'],
      [],
    ],
    [
      'a page in the outbox that is named so',
      () => server.redis.xadd('ff:{0}:outbox', '*', 'event', '{"user_id":"bob","name":"/of/a%3Ab"}'),
      [],
      ['outbox', 'append-only files'],
    ],
    [
      'a dead letter that is no JSON',
      () => server.redis.xadd('ff:{0}:outbox:dead', '*', 'entry', '1-0', 'event', '{"user_id":"a:b",'),
      ['dead letters', 'append-only files'],
      [],
    ],
  ])('%s', async (_what, plant, found, mayBe) => {
    await plant();
    const places = await look('a:b');
    expect(foundIn(places)).toEqual(found);
    expect(mayBeIn(places)).toEqual(mayBe);
    expect(isProven(places)).toBe(found.length === 0);
  });

  test('in a file that lies beside', async () => {
    const [, dir] = (await server.redis.config('GET', 'dir')) as string[];
    const stray = join(dir!, 'appendonlydir', 'copy.aof');
    writeFileSync(stray, '$36\r\nff:{0}:user:ann:2026-11-21:stats\r\n');
    expect(foundIn(await look())).toEqual(['append-only files']);
    rmSync(stray);
    expect(isProven(await look())).toBe(true);
  });

  const row = (userId: string, path: string, identity = 'x') =>
    over.pool.query(
      `INSERT INTO events (event_time, received_at, late, is_url, event_type, path, user_id, identity)
       VALUES ('2026-11-21T10:00:00Z', now(), false, false, 'page_view', $2, $1, $3)`,
      [userId, path, identity],
    );

  test('in Postgres: rows, and what pages are named after', async () => {
    await row('bob', '/user/ann/cart');
    await row('eve', '/user/joanna');
    await row('eva', '/', 'e:ann');
    expect(mayBeIn(await look())).toEqual(["others' events"]);
    expect((await look()).find(({ what }) => what === "others' events")).toMatchObject({
      mayBe: 2,
      found: 0,
    });
    await row('ann', '/');
    expect(foundIn(await look())).toEqual(['events, by user']);
  });

  test("in the planner's samples, and deleted rows are told of, until VACUUM", async () => {
    for (let i = 0; i < 20; i++) await row('ann', '/', String(i));
    await over.pool.query('ANALYZE events');
    await over.pool.query(`DELETE FROM events WHERE user_id = 'ann'`);
    await until('Postgres has counted', async () => {
      const places = await look();
      expect(foundIn(places)).toEqual(["planner's samples"]);
      return /^20, of whomever/.test(places.find(({ what }) => what === 'deleted rows')!.note!);
    });
    await over.pool.query('VACUUM (ANALYZE) events');
    await until('Postgres has counted', async () => {
      const places = await look();
      return /^none; VACUUM was last there at /.test(
        places.find(({ what }) => what === 'deleted rows')!.note!,
      );
    });
    expect(foundIn(await look())).toEqual(["planner's samples"]); // of an empty table they stay
    await row('bob', '/');
    await over.pool.query('VACUUM (ANALYZE) events');
    expect(isProven(await look())).toBe(true);
  });

  test('in what Redis has compressed', async () => {
    const entry = (i: number) =>
      JSON.stringify({ kind: 'login', user_id: i % 2 ? 'ann' : 'bob', at: 1e12 + i });
    for (let i = 0; i < 200; i++) await server.redis.xadd('ff:{0}:outbox', '*', 'event', entry(i));
    const files = (await look()).find(({ what }) => what === 'append-only files')!;
    const [, dir] = (await server.redis.config('GET', 'dir')) as string[];
    const folder = join(dir!, 'appendonlydir');
    const plain = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1'));
    expect(plain.join('').match(/"user_id":"ann"/g)?.length ?? 0).toBeLessThan(100);
    expect(files.found).toBeGreaterThanOrEqual(100);
  });
});

describe('a file', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'ff-test-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  test('is searched in steps, and what lies across two is found once', async () => {
    const path = join(dir, 'a.aof');
    for (let before = 0; before < 70; before++) {
      writeFileSync(path, `${'x'.repeat(before)}}:user:a%3Ab:${'y'.repeat(100)}`);
      expect(await searchFile(path, 'a:b', 64)).toEqual({ bytes: before + 113, found: 1, mayBe: 0 });
    }
  });

  test('of bytes of every kind is read to its end', async () => {
    const path = join(dir, 'a.rdb');
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i % 3 ? (i * 7919) % 256 : 0xc3)));
    writeFileSync(path, bytes);
    expect(await searchFile(path, 'ann', 4096)).toMatchObject({ bytes: 100_000, found: 0 });
  });
});

describe('what could not be looked at', () => {
  test('is said, and nothing is proven', async () => {
    await server.redis.call(
      'ACL',
      'SETUSER',
      'weak',
      'on',
      'nopass',
      '~*',
      '+@all',
      '-config',
      '-bgrewriteaof',
    );
    const weak = connectRedis({ url: server.url, username: 'weak', password: 'x' }, 5000);
    await weak.connect();
    try {
      const places = await prove(weak, { ...over.settings, redisUrl: server.url }, 'ann');
      expect(missed(places)).toEqual(['rewriting', 'append-only files']);
      expect(isProven(places)).toBe(false);
    } finally {
      weak.disconnect();
    }
  });

  test('of another Redis, which has files of the same name, nothing is taken for this one', async () => {
    const other = await startRedis({ args: ['--appendonly', 'yes'] });
    try {
      await other.redis.set('ff:{0}:user:ann:2026-11-21:stats', 'x');
      const [, dir] = (await other.redis.config('GET', 'dir')) as string[];
      jest
        .spyOn(server.redis, 'config')
        .mockResolvedValue(['dir', dir, 'appenddirname', 'appendonlydir', 'dbfilename', 'dump.rdb'] as never);
      const places = await look();
      expect([foundIn(places), missed(places)]).toEqual([[], ['append-only files']]);
    } finally {
      jest.restoreAllMocks();
      await other.stop();
    }
  });

  test('Postgres away, or not told of', async () => {
    const settings = { ...over.settings, redisUrl: server.url };
    const away = { ...settings, databaseUrl: 'postgres://127.0.0.1:1/footfall' };
    expect(missed(await prove(server.redis, away, 'ann'))).toEqual(['events']);
    expect(missed(await prove(server.redis, { ...settings, databaseUrl: undefined }, 'ann'))).toEqual([
      'events',
    ]);
  });
});

test('a rewriting that is under way is waited for, and another one made', async () => {
  await record('ann');
  await over.eraser.erase('ann');
  await carry();
  await server.redis.config('SET', 'rdb-key-save-delay', '2000'); // µs a key: one takes its time
  const first = server.redis.call('BGREWRITEAOF');
  const places = look();
  await first;
  await server.redis.config('SET', 'rdb-key-save-delay', '0');
  expect(isProven(await places)).toBe(true);
});

test('without an append-only file there is nothing to write anew', async () => {
  const plain = await startRedis({ tcp: true });
  try {
    await plain.redis.set('ff:{0}:user:ann:2026-11-21:stats', 'x');
    const settings = { ...over.settings, databaseUrl: undefined, redisUrl: plain.url };
    expect(foundIn(await prove(plain.redis, settings, 'ann'))).toEqual(['names of keys']);
    await plain.redis.call('SAVE');
    await plain.redis.flushall();
    const places = await prove(plain.redis, settings, 'ann');
    expect(foundIn(places)).toEqual(['snapshot']);
    expect(places[0]!.note).toBe('it keeps no append-only file (appendonly no)');
  } finally {
    await plain.stop();
  }
});

test('on a cluster every node is looked at, replicas too', async () => {
  const cluster = await startCluster();
  try {
    const nodes = cluster.seeds.map((seed) => ({
      host: seed.split(':')[0]!,
      port: Number(seed.split(':')[1]),
    }));
    const redis = connectRedis({ nodes }, 5000);
    redis.on('error', () => undefined);
    const ready = new Promise((resolve) => redis.once('ready', resolve));
    await redis.connect();
    await ready;
    try {
      await redis.set('ff:{0}:user:ann:2026-11-21:stats', 'x');
      await redis.set('ff:{1}:user:ann:2026-11-21:stats', 'x');
      await cluster.settled();
      const settings = { ...over.settings, databaseUrl: undefined, redisCluster: nodes };
      const places = await prove(redis, settings, 'ann');
      expect(missed(places)).toEqual([]);
      expect(new Set(places.map((place) => place.at)).size).toBe(6);
      expect(foundIn(places).filter((what) => what === 'names of keys')).toHaveLength(4);
      expect(foundIn(places).filter((what) => what === 'append-only files')).toHaveLength(4);
      await redis.unlink('ff:{0}:user:ann:2026-11-21:stats');
      await redis.unlink('ff:{1}:user:ann:2026-11-21:stats');
      await cluster.settled();
      expect(isProven(await prove(redis, settings, 'ann'))).toBe(true);
    } finally {
      redis.disconnect();
    }
  } finally {
    await cluster.stop();
  }
});

describe('npm run prove-erased', () => {
  const processes = useProcesses();
  const COMMAND = [process.execPath, join(__dirname, '../dist/proof/command.js')];
  const run = (settings: Record<string, string>, ...args: string[]) =>
    processes.startToEnd(settings, { command: [...COMMAND, ...args] });

  test('tells of the private Redis, before and after', async () => {
    const { port, view } = await processes.start();
    expect(await view('ann', 'e1')).toEqual([202, 'recorded']);
    const before = await run({}, 'ann');
    expect(before).toMatchObject({ code: 1, err: '' });
    expect(before.out).toMatch(/^"ann": where it was looked for at \d{4}-.*Z\n\nThe private Redis\n/);
    expect(before.out).toMatch(
      /\n {2}names of keys {6}FOUND 3 times in 5 keys\n +-> npm run erase -- USER\n/,
    );
    expect(before.out).toMatch(/\nFound in 2 places.\n$/);
    await sendTo(port, 'DELETE', '/v1/user/ann');
    const after = await run({}, 'ann');
    expect(after).toMatchObject({ code: 0, err: '' });
    expect(after.out).toMatch(/\n {2}append-only files {2}not found in 2 files, \d+ bytes\n/);
    expect(after.out).toMatch(/\nFound nowhere.\n$/);
  });

  test('tells of REDIS_URL and DATABASE_URL', async () => {
    await record('ann');
    const settings = { REDIS_URL: server.url, DATABASE_URL: databaseUrl };
    expect(await run(settings, 'ann')).toMatchObject({
      code: 1,
      out: expect.stringContaining('\nPostgres\n'),
    });
    await over.eraser.erase('ann');
    await carry();
    expect(await run(settings, 'ann')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/Found nowhere\.\n$/),
    });
  });

  test.each([[[]], [['ann', 'bob']], [['null']]])('is misused with %j', async (args) => {
    expect(await run({}, ...args)).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringContaining('usage: npm run'),
    });
  });
});
