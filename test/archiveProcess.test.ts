// The archive as it is run: a service with its worker, or a worker beside it.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ask, figure, metricsOf } from './support/ask.ts';
import { KEY_SETTINGS, KEYS } from './support/marks.ts';
import { queryAt, usePostgres } from './support/postgres.ts';
import { type Begun, type Service, until, useProcesses } from './support/process.ts';
import { startRedis } from './support/redis.ts';

const postgres = usePostgres();
const processes = useProcesses();

const COMMAND = join(__dirname, '../dist/archive/command.js');
const PASSWORD = 's3cret-of-the-archive';

/** The settings of a service with an archive of its own. */
async function settings(more: Record<string, string> = {}): Promise<Record<string, string>> {
  const url = await postgres.freshDatabase();
  return { ...KEY_SETTINGS, DATABASE_URL: url.replace('footfall@', `footfall:${PASSWORD}@`), ...more };
}

/** Its private Redis is in its DATA_DIR, which the command has as well. */
const startCommand = (of: Record<string, string>) =>
  processes.begin(of, { command: [process.execPath, COMMAND] });

const countRows = async (url: string) => {
  const found = await queryAt<{ count: number }>(url, 'SELECT count(*)::int FROM events').catch(() => []);
  return found[0]?.count ?? 0;
};

const send = (port: number, user_id: string, more = {}) =>
  ask(port, '/v1/page', { body: JSON.stringify({ user_id, name: 'Home', ...more }) });

const carriedTo = (url: string, rows: number) =>
  until(`${rows} rows`, async () => (await countRows(url)) === rows);

/** The workers of a service: its children that carry the archive. */
const workersOf = () =>
  processes.pids().filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('archive/command.js');
    } catch {
      return false;
    }
  });

const quiet = (...all: Begun[]) => {
  for (const one of all) {
    expect(one.err()).toBe('');
    expect(one.out()).not.toContain(PASSWORD);
    expect(one.out()).not.toContain('zq7u');
  }
};

describe.each([
  ['one process', {}],
  ['two processes', { WORKERS: '2' }],
])('a service of %s', (_, of) => {
  test('carries what it records, shows the worker’s metrics once, and takes it along when it stops', async () => {
    const set = await settings(of);
    const service = await processes.start(set);
    for (let i = 0; i < 10; i++) expect((await send(service.port, `zq7u${i}`)).status).toBe(202);
    await carriedTo(set.DATABASE_URL!, 10);
    const metrics = await until('nothing waits', async () => {
      const text = await metricsOf(service.port);
      return /^footfall_outbox_entries 0$/m.test(text) ? text : undefined;
    });
    expect(figure(metrics, 'footfall_archive_rows_total{outcome="stored"}')).toBe(10);
    expect(figure(metrics, 'footfall_archive_shards')).toBe(1);
    expect(metrics.match(/^footfall_archive_shards /gm)).toHaveLength(1);
    expect(metrics).toMatch(/^footfall_outbox_age_seconds 0$/m);
    expect(workersOf()).toHaveLength(1);
    service.kill('SIGTERM');
    expect(await service.ended).toMatchObject({ code: 0 });
    expect(processes.pids()).toEqual([]);
    quiet(service);
  });

  test('has another worker where one is killed', async () => {
    const set = await settings(of);
    const service = await processes.start(set);
    await send(service.port, 'zq7u1');
    await carriedTo(set.DATABASE_URL!, 1);
    const [worker] = workersOf();
    process.kill(worker!, 'SIGKILL');
    await send(service.port, 'zq7u2');
    await carriedTo(set.DATABASE_URL!, 2);
    expect(service.said().join()).toContain('the archive worker ended with SIGKILL; another is started');
  });
});

test('a service that is killed leaves no worker behind', async () => {
  const service = await processes.start(await settings());
  await until('its worker runs', () => workersOf().length === 1);
  service.kill('SIGKILL');
  await until('it has gone, too', () => workersOf().length === 0);
});

test('with ARCHIVE_WORKER=off the service carries nothing, and npm run archive does', async () => {
  const set = await settings({ ARCHIVE_WORKER: 'off' });
  const service = await processes.start(set);
  await send(service.port, 'zq7u');
  await until('it waits', async () => figure(await metricsOf(service.port), 'footfall_outbox_entries') === 1);
  expect(workersOf()).toEqual([]);
  const command = startCommand(set);
  await carriedTo(set.DATABASE_URL!, 1);
  command.kill('SIGTERM');
  expect(await command.ended).toMatchObject({ code: 0 });
  expect(command.said()).toEqual(['the archive worker runs', 'SIGTERM: stopping']);
  quiet(service, command);
});

test('npm run archive without DATABASE_URL says what is missing', async () => {
  const ended = await processes.startToEnd({}, { command: [process.execPath, COMMAND] });
  expect(ended).toMatchObject({ code: 1, out: '' });
  expect(ended.err).toMatch(/^DATABASE_URL is not set[^\n]*\n$/);
});

test('npm run archive with other settings than the service’s stops, and says which', async () => {
  const set = await settings();
  const service = await processes.start(set);
  await send(service.port, 'zq7u');
  const ended = await processes.startToEnd({ ...set, SHARDS: '2' }, { command: [process.execPath, COMMAND] });
  expect(ended.code).toBe(1);
  expect(ended.err).toMatch(/^ff:meta in Redis says shards 1, but this start has 2[^\n]*\n$/);
});

test('a service without the archive that another has begun beside it writes nothing more', async () => {
  const store = await startRedis({ args: ['--appendonly', 'yes'] });
  processes.atEnd(store.stop);
  const service = await processes.start({ ...KEY_SETTINGS, REDIS_URL: store.url });
  expect((await send(service.port, 'zq7u')).status).toBe(202);
  await store.redis.hset('ff:meta', 'archive', 'postgres');
  await store.redis.call('CLIENT', 'KILL', 'TYPE', 'normal'); // it looks again at least every 15 s, and at each connection
  const reason = async () => (await service.get('/readyz')).text;
  await until('it has noticed', async () => (await reason()).includes('DATABASE_URL is not set'));
  expect((await send(service.port, 'zq7u')).status).toBe(503);
  expect((await ask(service.port, '/v1/user/zq7u', { method: 'DELETE' })).status).toBe(503);
  expect((await ask(service.port, '/v1/user/zq7u')).status).toBe(200);
});

test('a start that would leave the archive out stops, and says how to mend it', async () => {
  const set = await settings();
  const service = await processes.start(set);
  await send(service.port, 'zq7u');
  service.kill('SIGTERM');
  await service.ended;
  const ended = await processes.startToEnd({ ...set, DATABASE_URL: '' });
  expect(ended.code).toBe(2);
  expect(ended.err).toMatch(
    /^ff:meta in Redis says that there is an archive, but DATABASE_URL is not set.*HDEL ff:meta/,
  );
});

test('Postgres that is away holds up nothing but the archive', async () => {
  const set = await settings({ DATABASE_URL: 'postgres://footfall@127.0.0.1:9/none' });
  const service = await processes.start(set);
  expect((await send(service.port, 'zq7u')).status).toBe(202);
  const erased = await ask(service.port, '/v1/user/zq7u', { method: 'DELETE' });
  const receipt = JSON.parse(erased.text);
  expect([erased.status, receipt.archive]).toEqual([200, 'pending']);
  const state = await ask(service.port, `/v1/erasures/${receipt.erasure_id}`);
  expect([state.status, JSON.parse(state.text)]).toEqual([
    200,
    { erasure_id: receipt.erasure_id, archive: 'pending', done_at: null, rows_deleted: null },
  ]);
  expect((await ask(service.port, '/v1/erasures/0-1-1')).status).toBe(503);
  expect((await service.get('/readyz')).status).toBe(200);
  await until('it is said', () => service.said().some((line) => line.startsWith('the archive waits')));
  quiet(service);
});

describe('an erasure over HTTP', () => {
  let service: Service;
  let set: Record<string, string>;
  beforeEach(async () => {
    set = await settings();
    service = await processes.start(set);
  });

  test('is done in the archive, too, and its state can be asked for with an admin key', async () => {
    await send(service.port, 'zq7u');
    await carriedTo(set.DATABASE_URL!, 1);
    const { text } = await ask(service.port, '/v1/user/zq7u', { method: 'DELETE' });
    const receipt = JSON.parse(text);
    expect(receipt).toMatchObject({
      user_id: 'zq7u',
      archive: 'done',
      erasure_id: expect.stringMatching(/^0-\d+-\d+$/),
    });
    const path = `/v1/erasures/${receipt.erasure_id}`;
    const { status, headers, text: told } = await ask(service.port, path);
    expect([status, headers['cache-control']]).toEqual([200, 'no-store']);
    expect(JSON.parse(told)).toMatchObject({ archive: 'done', rows_deleted: 1, done_at: expect.any(String) });
    expect((await ask(service.port, path, { key: KEYS.read })).status).toBe(403);
    expect((await ask(service.port, path, { key: '' })).status).toBe(401);
    for (const none of ['0-1-1', 'x', '%00', '0-1-1%20', '999-1-1']) {
      const { status, text } = await ask(service.port, `/v1/erasures/${none}`);
      expect([none, status, JSON.parse(text).code]).toEqual([none, 404, 'not_found']);
    }
  });

  test('by npm run erase it is as well', async () => {
    await send(service.port, 'zq7u');
    await carriedTo(set.DATABASE_URL!, 1);
    const erase = join(__dirname, '../dist/erasure/command.js');
    const ended = await processes.startToEnd(set, { command: [process.execPath, erase, 'zq7u'] });
    expect(JSON.parse(ended.out)).toMatchObject({ user_id: 'zq7u', archive: 'done', keys_deleted: 3 });
  });
});

test('at OUTBOX_LIMIT events are refused, reads and erasures go on; it is said before', async () => {
  const set = await settings({
    ARCHIVE_WORKER: 'off',
    OUTBOX_LIMIT: '1mb',
    UNLIMITED_CLIENTS: '127.0.0.0/8',
  });
  const service = await processes.start(set);
  const { port } = service;
  const batch = (n: number) =>
    JSON.stringify(
      Array.from({ length: 100 }, (_, i) => ({
        user_id: `zq7u${i}`,
        name: 'x'.repeat(400),
        event_id: `${n}-${i}`,
      })),
    );
  const statuses: number[] = [];
  while (!statuses.includes(503) && statuses.length < 200) {
    statuses.push((await ask(port, '/v1/pages', { body: batch(statuses.length) })).status);
    if (statuses.length === 15) {
      const degraded = async () => JSON.parse((await service.get('/readyz')).text).status === 'degraded';
      await until('degraded is said', degraded);
    }
  }
  expect(statuses.length).toBeGreaterThan(15);
  expect(statuses.slice(0, -1).every((status) => status === 202)).toBe(true);
  const refused = await send(port, 'zq7u1', { event_id: 'x' });
  expect(refused.status).toBe(503);
  expect(refused.headers['retry-after']).toMatch(/^[1-9]\d*$/);
  expect((await ask(port, '/v1/user/zq7u1')).status).toBe(200);
  expect((await ask(port, '/v1/user/zq7u1', { method: 'DELETE' })).status).toBe(200);
  expect(figure(await metricsOf(port), 'footfall_redis_failures_total{why="OUTBOX"}')).toBeGreaterThan(0);
  expect((await service.get('/readyz')).text).toContain('the archive is behind');

  const command = startCommand(set);
  await until('it is taken again', async () => (await send(port, 'zq7u2', { event_id: 'y' })).status === 202);
  quiet(service, command);
});
