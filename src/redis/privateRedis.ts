// A Redis of our own, for those who bring none: a child process on a Unix socket, with its files under DATA_DIR.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { CannotStart } from '../cannotStart.ts';
import type { Config } from '../config.ts';
import { MINUTE, SECOND } from '../time.ts';
import { type DataDir, dataDirAt, lockDataDir, prepareDataDir } from './dataDir.ts';

export interface PrivateRedis {
  url: string;
  pid(): number | undefined;
  stop(): Promise<void>;
}

const START_TIMEOUT = 10 * MINUTE; // a large append-only file takes long to load
const STOP_TIMEOUT = 10 * SECOND;
const LONGEST_PAUSE = 5 * SECOND;

/** Where the private Redis of a DATA_DIR listens, running or not. */
export const privateRedisUrl = (dataDir: string): string => urlOf(dataDirAt(dataDir));

const urlOf = ({ socket }: DataDir) => `unix://${socket.split('/').map(encodeURIComponent).join('/')}`;

/**
 * Starts it, and starts it again if it ends on its own. `say` hears what an operator should know.
 */
export async function startPrivateRedis(
  path: string,
  durability: Config['durability'],
  say: (level: 'info' | 'warn' | 'error', message: string) => void,
): Promise<PrivateRedis> {
  const program = findProgram(['redis-server', 'valkey-server']);
  const dataDir = prepareDataDir(path);
  const unlock = await lockDataDir(dataDir);
  if (await stopLeftover(dataDir)) say('warn', 'stopped the private Redis that a killed service had left');

  let stopping = false;
  let child = launch(program, dataDir, durability);
  // However this process exits: it would live on, since it has a session of its own.
  const endWithUs = () => child.process.kill('SIGTERM');
  process.on('exit', endWithUs);
  await answers(child, dataDir.socket).catch((error) => {
    child.process.kill('SIGKILL');
    unlock();
    throw error;
  });
  void keepRunning();

  async function keepRunning(): Promise<void> {
    let pause = 100;
    while (!stopping) {
      const since = performance.now();
      const reason = await child.ended;
      if (stopping) return;
      if (performance.now() - since > MINUTE) pause = 100;
      say('error', `the private Redis ${reason}; it is started again in ${pause} ms`);
      await delay(pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
      if (stopping) return;
      child = launch(program, dataDir, durability);
      await answers(child, dataDir.socket).then(
        () => say('info', 'the private Redis is back'),
        () => undefined, // it ended again: the next round says so
      );
    }
  }

  return {
    url: urlOf(dataDir),
    pid: () => child.process.pid,
    async stop() {
      stopping = true;
      await end(child.process);
      process.off('exit', endWithUs);
      unlock();
    },
  };
}

function findProgram(names: string[]): string {
  const folders = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  for (const path of names.flatMap((name) => folders.map((folder) => join(folder, name)))) {
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not in this folder
    }
  }
  throw new CannotStart(
    `neither ${names.join(' nor ')} is installed: install one of them, or set REDIS_URL to a Redis that you have`,
  );
}

/** Half of what the machine or the container has, in bytes: the rest is for the copy that rewriting makes, and for us. */
function roomForRedis(): number {
  const limit = process.constrainedMemory?.() || totalmem();
  return Math.floor(Math.min(limit, totalmem()) / 2);
}

interface Child {
  process: ChildProcess;
  /** Resolves when it has ended, with how and its last words. */
  ended: Promise<string>;
}

function launch(program: string, { files, socket }: DataDir, durability: Config['durability']): Child {
  const settings: [name: string, value: string][] = [
    ['--port', '0'],
    ['--unixsocket', socket],
    ['--unixsocketperm', '700'],
    ['--dir', files],
    ['--pidfile', join(files, 'redis.pid')],
    // Every event is handed to the append-only file before it is answered; snapshots would only repeat that.
    ['--appendonly', 'yes'],
    ['--appendfsync', durability === 'disk' ? 'always' : 'everysec'],
    ['--save', ''],
    // Every profile key has a TTL, so any other policy might drop profiles in silence.
    ['--maxmemory-policy', 'noeviction'],
    ['--maxmemory', String(roomForRedis())],
    // A day's counts about everybody may be large when it goes; it must not hold up the rest.
    ['--lazyfree-lazy-expire', 'yes'],
    ['--daemonize', 'no'],
  ];
  // A session of its own: a Ctrl-C in the terminal must not end it before the service has finished with it.
  const child = spawn(program, settings.flat(), { detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  let words = 'without a word';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const lines = text.split('\n').filter((line) => / [#*] /.test(line));
    words = lines.at(-1)?.replace(/^.* [#*] /, '') ?? words;
  });
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`did not start: ${error.message}`));
    child.once('close', (code, signal) => resolve(`ended with ${signal ?? `code ${code}`}: ${words}`));
  });
  return { process: child, ended };
}

/** Resolves once it serves, which is after it has loaded its files. */
async function answers(child: Child, socket: string): Promise<void> {
  let ended: string | undefined;
  void child.ended.then((reason) => {
    ended = reason;
  });
  const deadline = performance.now() + START_TIMEOUT;
  while (performance.now() < deadline) {
    if (ended !== undefined) throw new CannotStart(`the private Redis ${ended}`);
    const redis = await reach(socket);
    if (redis) {
      const pong = await redis.ping().catch(() => undefined);
      redis.disconnect();
      if (pong === 'PONG') return;
    }
    await delay(10);
  }
  throw new CannotStart(`the private Redis did not answer within ${START_TIMEOUT / MINUTE} minutes`);
}

/** A client, or undefined if nobody listens. */
async function reach(socket: string): Promise<Redis | undefined> {
  const redis = new Redis({
    path: socket,
    lazyConnect: true,
    retryStrategy: null,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    commandTimeout: 2 * SECOND,
    protocol: 2,
  });
  redis.on('error', () => undefined);
  try {
    await redis.connect();
    return redis;
  } catch {
    redis.disconnect();
    return undefined;
  }
}

/** A service that was killed leaves its Redis running: it is told to stop, so that ours can take over its files. */
async function stopLeftover({ files, socket }: DataDir): Promise<boolean> {
  const deadline = performance.now() + STOP_TIMEOUT;
  const pid = pidOfRedis(files, socket);
  if (pid !== undefined) {
    process.kill(pid, 'SIGTERM'); // it writes and syncs its append-only file, then ends
    process.kill(pid, 'SIGCONT'); // should it stand still
    while (isRedisOn(socket, pid)) {
      const late = performance.now() - deadline;
      if (late > SECOND) throw new CannotStart(doesNotStop(socket));
      if (late > 0) process.kill(pid, 'SIGKILL');
      await delay(20);
    }
    return true;
  }
  let found = false;
  for (let redis = await reach(socket); redis; redis = await reach(socket)) {
    found = true;
    await redis.shutdown().catch(() => undefined); // it closes the connection in place of a reply
    redis.disconnect();
    if (performance.now() > deadline) {
      throw new CannotStart(doesNotStop(socket));
    }
    await delay(20);
  }
  return found;
}

const doesNotStop = (socket: string) =>
  `a Redis that does not stop holds ${socket}: end it, or choose another DATA_DIR`;

/** The pid that a Redis wrote down, if that is still the Redis on this socket. */
function pidOfRedis(files: string, socket: string): number | undefined {
  try {
    const pid = Number(readFileSync(join(files, 'redis.pid'), 'utf8'));
    return isRedisOn(socket, pid) ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** By its command line, which one that has ended no longer has, even where nobody collects it. */
function isRedisOn(socket: string, pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(socket);
  } catch {
    return false;
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM'); // it writes and syncs its append-only file, then ends
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT);
  await gone;
  clearTimeout(late);
}
