// A private redis-server as the service starts it: on a Unix socket, with its append-only file on.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { atEnd, freePort, stopProcess, temporaryFolder } from './processes.mjs';
import { defineScripts } from './scripts.mjs';

const LARGEST_LOG = 256 * 1024 * 1024;

/** `replicas` follow it over TCP. */
export async function startRedis({ appendfsync = 'everysec', replicas = 0 } = {}) {
  const folder = temporaryFolder();
  const socket = join(folder, 'redis.sock');
  const port = replicas > 0 ? await freePort() : 0;
  const settings = {
    port,
    bind: '127.0.0.1',
    'repl-diskless-sync-delay': 0,
    unixsocket: socket,
    dir: folder,
    save: '',
    appendonly: 'yes',
    appendfsync,
    // A rewrite would fall into somebody's measurement; `clear` does it between them.
    'auto-aof-rewrite-percentage': 0,
  };
  const child = spawn(
    'redis-server',
    Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
    { stdio: 'ignore' },
  );
  atEnd(() => stopProcess(child));
  const client = new Redis(socket, { lazyConnect: true, retryStrategy: () => 50, protocol: 2 });
  atEnd(() => client.disconnect());
  client.on('error', () => undefined); // until it listens
  defineScripts(client);
  await new Promise((resolve, reject) => {
    client.once('ready', resolve);
    child.once('error', reject);
    child.once('exit', () => reject(new Error('redis-server ended')));
    client.connect().catch(() => undefined);
  });

  for (let i = 0; i < replicas; i++) await follow(client, port);

  async function figure(section, name) {
    return Number((await client.info(section)).match(new RegExp(`^${name}:([\\d.]+)`, 'm'))[1]);
  }

  return {
    url: `unix://${socket}`,
    client,
    version: (await client.info('server')).match(/^redis_version:(\S+)/m)[1],
    memory: () => figure('memory', 'used_memory'),
    /** CPU used so far in µs, all of it: parsing, scripts, the append-only file. */
    async cpu() {
      const info = await client.info('cpu');
      const seconds = (name) => Number(info.match(new RegExp(`^${name}:([\\d.]+)`, 'm'))[1]);
      return (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1e6;
    },
    /** Empties it, and its log when that has grown. */
    async clear() {
      await client.flushall('SYNC');
      if ((await figure('persistence', 'aof_current_size')) < LARGEST_LOG) return;
      await client.bgrewriteaof();
      do await delay(20);
      while ((await figure('persistence', 'aof_rewrite_in_progress')) === 1);
    },
  };
}

/** Starts a replica, and waits until it has everything. */
async function follow(client, port) {
  const dir = temporaryFolder();
  const of = [
    '--port',
    String(await freePort()),
    '--bind',
    '127.0.0.1',
    '--replicaof',
    '127.0.0.1',
    String(port),
  ];
  const child = spawn('redis-server', [...of, '--dir', dir, '--save', ''], { stdio: 'ignore' });
  atEnd(() => stopProcess(child));
  while (!(await client.info('replication')).includes('state=online')) await delay(20);
}
