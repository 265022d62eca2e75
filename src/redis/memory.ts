// Whether Redis has room for users it does not know yet, and for names. Known users go on counting while there is any room at
// all.

import type { Redis } from 'ioredis';
import { SECOND } from '../time.ts';

export interface MemoryWatch {
  /** No room for new users. */
  isTight(): boolean;
  /** No room for new names, either: half of what was left then is gone. */
  isScarce(): boolean;
  stop(): void;
}

/** `percent` of Redis's maxmemory; a Redis without one is never tight. */
export function watchMemory(redis: Redis, percent: number): MemoryWatch {
  let used = 0; // percent of maxmemory
  async function look(): Promise<void> {
    if (redis.status !== 'ready') return;
    const info = await redis.info('memory').catch(() => '');
    const figure = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
    const most = figure('maxmemory');
    if (info) used = most > 0 ? (100 * figure('used_memory')) / most : 0;
  }
  const timer = setInterval(() => void look(), SECOND).unref();
  redis.on('ready', () => void look());
  return {
    isTight: () => used >= percent,
    isScarce: () => used >= (percent + 100) / 2,
    stop: () => clearInterval(timer),
  };
}
