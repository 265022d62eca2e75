// Whether Redis has room for users it does not know yet. Known ones go on counting while there is any room at all.

import type { Redis } from 'ioredis';
import { SECOND } from '../time.ts';

export interface MemoryWatch {
  isTight(): boolean;
  stop(): void;
}

/** `percent` of Redis's maxmemory; a Redis without one is never tight. */
export function watchMemory(redis: Redis, percent: number): MemoryWatch {
  let tight = false;
  async function look(): Promise<void> {
    if (redis.status !== 'ready') return;
    const info = await redis.info('memory').catch(() => '');
    const figure = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
    const most = figure('maxmemory');
    if (info) tight = most > 0 && figure('used_memory') * 100 >= most * percent;
  }
  const timer = setInterval(() => void look(), SECOND).unref();
  redis.on('ready', () => void look());
  return { isTight: () => tight, stop: () => clearInterval(timer) };
}
