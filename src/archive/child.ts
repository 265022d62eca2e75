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
  let child: ChildProcess | undefined;
  launch();

  function launch(): void {
    const since = performance.now();
    let hasEnded = false;
    const ended = (how: string) => {
      if (stopping || hasEnded) return;
      hasEnded = true;
      if (performance.now() - since > MINUTE) pause = SHORTEST_PAUSE;
      log.error(`the archive worker ended with ${how}; another is started in ${pause} ms`);
      setTimeout(() => {
        if (!stopping) launch();
      }, pause).unref();
      pause = Math.min(2 * pause, LONGEST_PAUSE);
    };
    const failed = ({ code, name }: NodeJS.ErrnoException) => ended(code ?? name); // no room for a process, say
    try {
      child = fork(COMMAND, { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: [] });
      child.on('message', (message: Scrape) => waiting.get(message?.scrape)?.(message.text ?? ''));
      child.on('error', failed);
      child.once('exit', (code, signal) => ended(signal ?? `code ${code}`));
    } catch (error) {
      failed(error as Error);
    }
  }

  // However this process ends, it leaves none behind: its end of the channel closes, and the child stops.
  return {
    async metrics() {
      const asked = child;
      if (!asked?.connected) return '';
      const scrape = ++scrapes;
      const answer = new Promise<string>((resolve) => waiting.set(scrape, resolve));
      asked.send({ footfall: 'archive metrics', scrape } satisfies Scrape, () => undefined);
      const text = await Promise.race([answer, delay(SCRAPE_WITHIN, '', { ref: false })]);
      waiting.delete(scrape);
      return text;
    },
    async stop() {
      stopping = true;
      const last = child;
      if (last?.pid === undefined || last.exitCode !== null || last.signalCode !== null) return;
      const gone = once(last, 'exit');
      last.kill('SIGTERM'); // it ends what is under way
      const late = setTimeout(() => last.kill('SIGKILL'), STOP_WITHIN);
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
