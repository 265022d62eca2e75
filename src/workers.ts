// Several serving processes that share one port. The primary serves nothing: it starts them, replaces one that died, passes
// on the order to stop, and adds up their metrics.

import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import type { ArchiveChild } from './archive/child.ts';
import { type Config, envOfSecrets } from './config.ts';
import type { Env } from './env.ts';
import type { KeySettings } from './http/keys.ts';
import type { Limits, Spent } from './http/limits.ts';
import { addUpMetrics } from './scrape.ts';
import { MINUTE, SECOND } from './time.ts';

export const { isWorker } = cluster;

const LONGEST_PAUSE = 5 * SECOND;

/** The exit code of a process that is set up wrongly and has said so. */
export const CANNOT_START = 2;

/** The first worker could not start and has said why. */
export class WorkerFailed extends Error {
  override name = 'WorkerFailed';
  readonly code: number;
  constructor(code: number) {
    super();
    this.code = code;
  }
}

export interface Workers {
  port: number;
  replaceKeys(keys: KeySettings): void;
  stop(): Promise<void>;
}

export interface WorkersOptions {
  config: Config;
  env: Env;
  log: Logger;
  giveUp(error: WorkerFailed): void;
  archive: ArchiveChild | undefined;
}

/**
 * Starts the workers, the first alone: what is wrong with the settings is said once. One that comes later has the
 * settings of the others and the keys of now, whatever the files hold by then.
 */
export async function startWorkers({ config, env, log, giveUp, archive }: WorkersOptions): Promise<Workers> {
  let stopping = false;
  let pause = 100;
  addUpMetrics(archive);
  passOnWhatWasSpent();

  let current = config; // with the keys of now
  const fork = () => cluster.fork({ ...env, ...envOfSecrets(current) });
  const first = fork();
  const ended = once(first, 'exit').then(([code]) => {
    throw new WorkerFailed(code ?? 1);
  });
  const [{ port }] = (await Promise.race([once(first, 'listening'), ended])) as [AddressInfo];
  ended.catch(() => undefined); // from here on it is one of many
  watch(first);
  const others = Array.from({ length: config.workers - 1 }, fork);
  for (const worker of others) watch(worker);
  await Promise.all(others.map((worker) => Promise.race([once(worker, 'listening'), once(worker, 'exit')])));

  function watch(worker: Worker): void {
    const since = performance.now();
    worker.once('exit', (code, signal) => {
      if (stopping) return;
      if (code === CANNOT_START) {
        giveUp(new WorkerFailed(code)); // another would find the same
        return;
      }
      if (performance.now() - since > MINUTE) pause = 100;
      log.error(`a worker ended with ${signal ?? `code ${code}`}; another is started in ${pause} ms`);
      setTimeout(() => {
        if (!stopping) watch(fork());
      }, pause);
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    });
  }

  // However the primary ends, it leaves none behind. After an orderly stop there are none.
  process.once('exit', () => {
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGKILL');
  });

  return {
    port,
    replaceKeys(keys) {
      current = { ...current, ...keys } as Config;
      for (const worker of Object.values(cluster.workers ?? {})) {
        if (worker?.isConnected()) worker.send({ footfall: 'keys', keys } satisfies NewKeys);
      }
    },
    async stop() {
      stopping = true;
      const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
      const gone = workers.map((worker) => once(worker.process, 'exit'));
      for (const worker of workers) worker.process.kill('SIGTERM');
      await Promise.all(gone);
    },
  };
}

// Limits are one however many processes there are: each tells the others, over the primary, what was spent with it.

interface WasSpent {
  footfall: 'spent';
  spent: Spent;
}

const TELL_EVERY = SECOND / 5;

function passOnWhatWasSpent(): void {
  cluster.on('message', (from, message: WasSpent) => {
    if (message?.footfall !== 'spent') return;
    for (const worker of Object.values(cluster.workers ?? {})) {
      if (worker && worker !== from && worker.isConnected()) worker.send(message);
    }
  });
}

/** In a worker. */
export function shareLimits(limits: Limits): void {
  setInterval(() => {
    const spent = limits.spent();
    if (spent.length > 0 && process.connected) {
      process.send?.({ footfall: 'spent', spent } satisfies WasSpent);
    }
  }, TELL_EVERY).unref();
  process.on('message', (message: WasSpent) => {
    if (message?.footfall === 'spent') limits.hear(message.spent);
  });
}

interface NewKeys {
  footfall: 'keys';
  keys: KeySettings;
}

/** In a worker: hears of new keys. */
export function onNewKeys(replace: (keys: KeySettings) => void): void {
  process.on('message', (message: NewKeys) => {
    if (message?.footfall === 'keys') replace(message.keys);
  });
}
