// A Redis of our own, for those who bring none: a child process on a Unix socket, with its files under DATA_DIR.

import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { accessSync, constants, lstatSync, mkdirSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { Redis } from 'ioredis';

/** Why a private Redis cannot be had, in one line that says how to mend it. */
export class PrivateRedisError extends Error {
  override name = 'PrivateRedisError';
}

export interface PrivateRedis {
  url: string;
  pid: number;
  stop(): Promise<void>;
}

const START_TIMEOUT = 60_000; // loading a large append-only file takes a while
const STOP_TIMEOUT = 10_000;
const SOCKET_PATH_LIMIT = 100; // the system's is 107 bytes on Linux, 103 on a Mac

export async function startPrivateRedis(dataDir: string): Promise<PrivateRedis> {
  const program = findProgram(['redis-server', 'valkey-server']);
  const dir = resolve(dataDir, 'redis');
  makeFolder(dir);
  const socket = join(socketFolder(dir), 'redis.sock');
  await stopLeftover(socket);
  const child = spawn(
    program,
    [
      ['--port', '0'],
      ['--unixsocket', socket],
      ['--unixsocketperm', '700'],
      ['--dir', dir],
      // Every event is handed to the append-only file before it is answered; snapshots would only repeat that.
      ['--appendonly', 'yes'],
      ['--appendfsync', 'everysec'],
      ['--save', ''],
      // Every profile key has a TTL, so any other policy might drop profiles in silence.
      ['--maxmemory-policy', 'noeviction'],
      ['--lazyfree-lazy-expire', 'yes'],
      ['--daemonize', 'no'],
    ].flat(),
    // A session of its own: a Ctrl-C in the terminal must not end it before the service has finished with it.
    { detached: true, stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const said: string[] = [];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    said.push(...text.split('\n').filter(Boolean));
    said.splice(0, said.length - 20);
  });
  await Promise.race([answers(socket), failure(child, said)]);
  return { url: `unix://${encodeURI(socket)}`, pid: child.pid!, stop: () => stop(child) };
}

function findProgram(names: string[]): string {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  for (const path of names.flatMap((name) => folders.map((folder) => join(folder, name)))) {
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {}
  }
  throw new PrivateRedisError(
    `neither ${names.join(' nor ')} is installed: install one of them, or set REDIS_URL to a Redis that you have`,
  );
}

function makeFolder(dir: string): void {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    accessSync(dir, constants.W_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new PrivateRedisError(
      `DATA_DIR can't be written (${code} at ${dir}): make it writable, or choose another`,
    );
  }
}

/** The data's own folder, or one of ours in the temporary folder where that would make the socket's path too long. */
function socketFolder(dir: string): string {
  if (Buffer.byteLength(join(dir, 'redis.sock')) <= SOCKET_PATH_LIMIT) return dir;
  const { uid } = userInfo();
  const name = `footfall-${uid}-${createHash('sha256').update(dir).digest('hex').slice(0, 16)}`;
  const folder = join(tmpdir(), name);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { uid: owner, mode } = lstatSync(folder);
  if (owner !== uid || (mode & 0o077) !== 0) {
    throw new PrivateRedisError(`${folder} is not ours alone: remove it, or choose a shorter DATA_DIR`);
  }
  return folder;
}

const quick = (socket: string) =>
  new Redis(socket, {
    lazyConnect: true,
    retryStrategy: null,
    enableOfflineQueue: false,
    commandTimeout: 2000,
  }).on('error', () => undefined);

/** A service that was killed leaves its Redis running: it is told to save and stop, so that ours can take over. */
async function stopLeftover(socket: string): Promise<void> {
  const redis = quick(socket);
  try {
    await redis.connect();
    await redis.shutdown().catch(() => undefined); // it closes the connection in place of a reply
    await waitUntil(() => redis.status === 'end' || redis.status === 'close', STOP_TIMEOUT);
  } catch {
    // nobody is there
  } finally {
    redis.disconnect();
  }
}

async function answers(socket: string): Promise<void> {
  const ready = await waitUntil(async () => {
    const redis = quick(socket);
    try {
      await redis.connect(); // resolves once Redis has loaded its files
      return (await redis.ping()) === 'PONG';
    } catch {
      return false;
    } finally {
      redis.disconnect();
    }
  }, START_TIMEOUT);
  if (!ready)
    throw new PrivateRedisError(`the private Redis did not answer within ${START_TIMEOUT / 1000} s`);
}

async function failure(child: ChildProcess, said: string[]): Promise<never> {
  const reason = await Promise.race([
    once(child, 'exit').then(([code, signal]) => `ended with ${code ?? signal}`),
    once(child, 'error').then(([error]) => `did not start: ${error.message}`),
  ]);
  throw new PrivateRedisError(`the private Redis ${reason}: ${said.at(-1)?.trim() ?? 'it said nothing'}`);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM'); // it writes and syncs its append-only file, then ends
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT);
  await gone;
  clearTimeout(late);
}

async function waitUntil(condition: () => boolean | Promise<boolean>, timeout: number): Promise<boolean> {
  const deadline = performance.now() + timeout;
  while (performance.now() < deadline) {
    if (await condition()) return true;
    await new Promise((done) => setTimeout(done, 20));
  }
  return false;
}
