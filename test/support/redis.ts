// Redis servers of the tests' own, on Unix sockets or free ports in temporary folders.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connectRedis } from '../../src/redis/connect.ts';
import type { FootfallRedis } from '../../src/redis/scripts.ts';
import { startTopology, topology } from './anyRedis.ts';

export interface TestRedis {
  url: string;
  pid: number;
  /** A client as the service has it. */
  redis: FootfallRedis;
  stop(): Promise<void>;
}

export interface TestRedisOptions {
  /** One node that owns all slots; it listens on TCP, since a cluster must. */
  cluster?: boolean;
  tcp?: boolean;
  /** Further arguments, `['--maxmemory', '10mb']`. */
  args?: string[];
}

export async function startRedis(options: TestRedisOptions = {}): Promise<TestRedis> {
  // What asks for something of its own gets that.
  if (topology && Object.keys(options).length === 0) return startTopology(topology);
  const { cluster, tcp, args = [] } = options;
  const dir = mkdtempSync(join(tmpdir(), 'ff-test-'));
  const port = cluster || tcp ? await freePort() : 0;
  const socket = join(dir, 'redis.sock');
  const child = spawn(
    'redis-server',
    [
      ['--port', String(port), '--bind', '127.0.0.1', '--unixsocket', socket, '--dir', dir, '--save', ''],
      cluster ? ['--cluster-enabled', 'yes'] : [],
      args,
    ].flat(),
    { stdio: 'ignore' },
  );
  const url = port > 0 ? `redis://127.0.0.1:${port}` : `unix://${socket}`;
  const redis = connectRedis({ url }, 5000, 'footfall-test');
  redis.on('error', () => undefined); // until it listens
  const stop = async () => {
    redis.disconnect();
    await stopProcess(child);
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const ready = new Promise<void>((resolve, reject) => {
      redis.once('ready', resolve);
      child.once('error', reject);
      child.once('exit', () => reject(new Error('redis-server ended')));
    });
    redis.connect().catch(() => undefined);
    await ready;
    if (cluster) {
      await redis.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
      while (!String(await redis.call('CLUSTER', 'INFO')).includes('cluster_state:ok')) await delay(20);
    }
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, pid: child.pid!, redis, stop };
}

export async function stopProcess(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill(signal);
  await gone;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** One Redis for a test file, emptied before each test. */
export function useRedis(options?: TestRedisOptions): { redis: FootfallRedis; url: string; pid: number } {
  let server: TestRedis;
  beforeAll(async () => {
    server = await startRedis(options);
  });
  beforeEach(async () => {
    await server.redis.flushall();
  });
  afterAll(() => server?.stop());
  return {
    get redis() {
      return server.redis;
    },
    get url() {
      return server.url;
    },
    get pid() {
      return server.pid;
    },
  };
}

/** Everything in Redis: two snapshots are equal if and only if nothing changed but TTLs. */
export async function snapshot(redis: FootfallRedis): Promise<Map<string, string>> {
  const keys = (await redis.keys('*')).sort();
  const contents = await Promise.all(keys.map((key) => contentOf(redis, key)));
  return new Map(keys.map((key, i) => [key, contents[i]!]));
}

/** As DUMP sees it, but for hashes: their fields have no order. */
async function contentOf(redis: FootfallRedis, key: string): Promise<string> {
  if ((await redis.type(key)) !== 'hash') return (await redis.dumpBuffer(key)).toString('base64');
  return JSON.stringify(Object.entries(await redis.hgetall(key)).sort(([a], [b]) => (a < b ? -1 : 1)));
}
