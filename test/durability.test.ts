// What 'recorded' promises, by DURABILITY.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMetrics } from '../src/metrics.ts';
import { onReplica } from '../src/redis/durability.ts';
import { ask, figure, metricsOf } from './support/ask.ts';
import { type Service, until, useProcesses } from './support/process.ts';
import { freePort, startRedis, stopProcess, type TestRedis } from './support/redis.ts';

const processes = useProcesses();

const post = (service: Service, event_id: string) =>
  ask(service.port, '/v1/page', {
    method: 'POST',
    body: JSON.stringify({ user_id: 'ann', name: 'Home', event_id }),
  });

const statusOf = async (service: Service, event_id: string) => {
  const { status, text } = await post(service, event_id);
  return status === 202 ? JSON.parse(text).status : status;
};

const readyz = async (service: Service) => JSON.parse((await ask(service.port, '/readyz')).text);

let redis: TestRedis;
afterEach(() => redis.stop());

describe('disk', () => {
  test('a Redis that does not sync records nothing until it does; it is read and erased from', async () => {
    redis = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'everysec'] });
    const service = await processes.start({ REDIS_URL: redis.url, DURABILITY: 'disk' });
    expect(await statusOf(service, 'a')).toBe(503);
    expect(await readyz(service)).toEqual({
      status: 'unready',
      reason:
        'DURABILITY=disk, but Redis does not sync before it answers (appendfsync everysec): redis-cli CONFIG SET appendonly yes, and CONFIG SET appendfsync always',
    });
    expect(await redis.redis.keys('ff:{*')).toEqual([]);
    expect((await ask(service.port, '/v1/user/ann')).status).toBe(200);
    expect((await ask(service.port, '/v1/user/ann', { method: 'DELETE' })).status).toBe(200);

    await redis.redis.config('SET', 'appendfsync', 'always');
    await until('it is ready', async () => (await readyz(service)).status === 'ready');
    expect(await statusOf(service, 'b')).toBe('recorded');
  });

  test('nor does one without a file', async () => {
    redis = await startRedis({ args: ['--appendfsync', 'always'] });
    const service = await processes.start({ REDIS_URL: redis.url, DURABILITY: 'disk' });
    expect((await readyz(service)).reason).toContain('(appendonly no)');
    expect(await statusOf(service, 'a')).toBe(503);
  });

  test('the private Redis syncs', async () => {
    redis = await startRedis();
    const service = await processes.start({ DURABILITY: 'disk' });
    expect(await readyz(service)).toEqual({ status: 'ready' });
    expect(await statusOf(service, 'a')).toBe('recorded');
  });
});

describe('replica', () => {
  /** Follows the test's Redis; gives its pid. */
  async function startReplica(): Promise<number> {
    const dir = mkdtempSync(join(tmpdir(), 'ff-test-'));
    const of = ['--replicaof', '127.0.0.1', new URL(redis.url).port, '--save', '', '--dir', dir];
    const child = spawn('redis-server', ['--port', String(await freePort()), '--bind', '127.0.0.1', ...of], {
      stdio: 'ignore',
    });
    processes.atEnd(async () => {
      await stopProcess(child);
      rmSync(dir, { recursive: true, force: true });
    });
    // Online it is as soon as it was sent everything. For up to a second more it does not say what it has, which WAIT asks.
    await until('it follows', async () => {
      await redis.redis.publish('nobody', 'hears it');
      return /state=online,offset=[1-9]/.test(await redis.redis.info('replication'));
    });
    return child.pid!;
  }

  async function start(): Promise<Service> {
    redis = await startRedis({ tcp: true, args: ['--repl-diskless-sync-delay', '0'] });
    return processes.start({ REDIS_URL: redis.url, DURABILITY: 'replica' });
  }

  test('without one nothing is recorded for good, which /readyz says, and everything is read', async () => {
    const service = await start();
    expect(await readyz(service)).toEqual({
      status: 'degraded',
      reason: 'Redis has no replica: events are refused',
    });
    expect(await statusOf(service, 'a')).toBe(503);
    expect((await ask(service.port, '/v1/user/ann')).status).toBe(200);
    await startReplica();
    expect(await statusOf(service, 'a')).toBe('duplicate');
    expect(await statusOf(service, 'b')).toBe('recorded');
    await until('it is ready', async () => (await readyz(service)).status === 'ready');
  });

  test('while it sleeps, what is new, what is a duplicate and an erasure all wait, and reads do not', async () => {
    const service = await start();
    const replica = await startReplica();
    expect(await statusOf(service, 'a')).toBe('recorded');
    process.kill(replica, 'SIGSTOP');
    const order: string[] = [];
    const write = (id: string) => statusOf(service, id).finally(() => order.push('write'));
    const writes = Promise.all([write('b'), write('a')]);
    const { status, text } = await ask(service.port, '/v1/user/ann');
    order.push('read');
    expect([status, JSON.parse(text).number_pages_viewed_in_the_last_7_days]).toEqual([200, 2]);
    expect(await writes).toEqual([503, 503]);
    expect(order).toEqual(['read', 'write', 'write']);
    expect(
      figure(await metricsOf(service.port), 'footfall_redis_failures_total{why="no_replica"}'),
    ).toBeGreaterThan(0);
    expect((await ask(service.port, '/v1/user/bob', { method: 'DELETE' })).status).toBe(503);

    process.kill(replica, 'SIGCONT');
    await until('it has caught up', async () => (await redis.redis.wait(1, 100)) === 1);
    expect(await statusOf(service, 'b')).toBe('duplicate');
    expect((await ask(service.port, '/v1/user/bob', { method: 'DELETE' })).status).toBe(200);
  });

  test('who was made a replica after the write promises nothing, for now', async () => {
    redis = await startRedis({ tcp: true });
    const confirm = onReplica(redis.redis, 100, createMetrics());
    const reply = await redis.redis.role();
    await redis.redis.replicaof('127.0.0.1', 1);
    await expect(confirm(reply)).rejects.toMatchObject({ name: 'Unavailable' });
  });

  test('a reply of a connection that is no more promises nothing', async () => {
    redis = await startRedis({ tcp: true });
    const confirm = onReplica(redis.redis, 100, createMetrics());
    const reply = await redis.redis.role();
    const closed = new Promise((resolve) => redis.redis.once('close', resolve));
    await redis.redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'no').catch(() => undefined);
    await closed;
    await until('it is connected again', () => redis.redis.status === 'ready');
    await expect(confirm(reply)).rejects.toMatchObject({ name: 'Unavailable' });
  });

  test('any time that a call may take will do', async () => {
    redis = await startRedis({ tcp: true, args: ['--repl-diskless-sync-delay', '0'] });
    await startReplica();
    const settings = { REDIS_URL: redis.url, DURABILITY: 'replica', REDIS_TIMEOUT_MS: '333' };
    expect(await statusOf(await processes.start(settings), 'a')).toBe('recorded');
  });

  test('it is asked once for many', async () => {
    const service = await start();
    await startReplica();
    await statusOf(service, 'warm');
    await redis.redis.config('RESETSTAT');
    const all = await Promise.all(Array.from({ length: 200 }, (_, i) => statusOf(service, `e${i}`)));
    expect(new Set(all)).toEqual(new Set(['recorded']));
    const calls = Number(/^cmdstat_wait:calls=(\d+)/m.exec(await redis.redis.info('commandstats'))?.[1]);
    expect(calls).toBeGreaterThan(0);
    expect(calls).toBeLessThan(100);
  });
});
