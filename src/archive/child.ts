// The archive's worker as a child of the service: a backlog that it carries must not hold up a request.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import type { Env } from '../env.ts';
import { MINUTE, SECOND } from '../time.ts';

export interface ArchiveChild {
  /** Its metrics; nothing where it does not answer. */
  metrics(): Promise<string>;
  stop(): Promise<void>;
}

interface Scrape {
  footfall: 'archive metrics';
  scrape: number;
  text?: string;
}

const COMMAND = join(import.meta.dirname, 'command.js');
const SHORTEST_PAUSE = SECOND / 5;
const LONGEST_PAUSE = 30 * SECOND;
const SCRAPE_WITHIN = SECOND / 2;
const STOP_WITHIN = 5 * SECOND;

export function startArchiveChild(env: Env, log: Logger): ArchiveChild {
  let stopping = false;
  let pause = SHORTEST_PAUSE;
  let scrapes = 0;
  const waiting = new Map<number, (text: string) => void>();
  let child = launch();

  function launch(): ChildProcess {
    const since = performance.now();
    const launched = fork(COMMAND, { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: [] });
    launched.on('message', (message: Scrape) => waiting.get(message?.scrape)?.(message.text ?? ''));
    launched.once('exit', async (code, signal) => {
      if (stopping) return;
      if (performance.now() - since > MINUTE) pause = SHORTEST_PAUSE;
      const again = pause;
      pause = Math.min(2 * pause, LONGEST_PAUSE);
      log.error(
        `the archive worker ended with ${signal ?? `code ${code}`}; another is started in ${again} ms`,
      );
      await delay(again, undefined, { ref: false });
      if (!stopping) child = launch();
    });
    return launched;
  }

  // However this process ends, it leaves none behind: its end of the channel closes, and the child stops.
  return {
    async metrics() {
      if (!child.connected) return '';
      const scrape = ++scrapes;
      const answer = new Promise<string>((resolve) => waiting.set(scrape, resolve));
      child.send({ footfall: 'archive metrics', scrape } satisfies Scrape, () => undefined);
      const text = await Promise.race([answer, delay(SCRAPE_WITHIN, '', { ref: false })]);
      waiting.delete(scrape);
      return text;
    },
    async stop() {
      stopping = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGTERM'); // it ends what is under way
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN);
      await gone;
      clearTimeout(late);
    },
  };
}

/** In the child. */
export function answerScrapes(registry: Registry): void {
  process.on('message', async (message: Scrape) => {
    if (message?.footfall !== 'archive metrics') return;
    const text = await registry.metrics();
    if (process.connected) process.send?.({ ...message, text } satisfies Scrape);
  });
}
