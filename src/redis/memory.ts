// Whether Redis has room for users it does not know yet, and for names. Known users go on counting while there is any room at
// all.

import { SECOND } from '../time.ts';
import { primariesOf } from './nodes.ts';
import type { FootfallRedis } from './scripts.ts';

export interface MemoryWatch {
  /** No room for new users. */
  isTight(): boolean;
  /** No room for new names, either: half of what was left then is gone. */
  isScarce(): boolean;
  stop(): void;
}

export interface Memory {
  used: number;
  /** 0 where there is no bound. */
  most: number;
}

/** Of each node that answers, bytes. */
export async function memoryOf(redis: FootfallRedis): Promise<Memory[]> {
  const infos = primariesOf(redis)
    .filter(({ status }) => status === 'ready')
    .map((node) => node.info('memory').catch(() => ''));
  return (await Promise.all(infos)).filter(Boolean).map((info) => {
    const figure = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
    return { used: figure('used_memory'), most: figure('maxmemory') };
  });
}

/** `percent` of Redis's maxmemory, of a cluster the fullest node's; a Redis without one is never tight. */
export function watchMemory(redis: FootfallRedis, percent: number): MemoryWatch {
  let used = 0; // percent of maxmemory
  async function look(): Promise<void> {
    const nodes = await memoryOf(redis);
    if (nodes.length > 0)
      used = Math.max(...nodes.map(({ used, most }) => (most > 0 ? (100 * used) / most : 0)));
  }
  const timer = setInterval(() => void look(), SECOND).unref();
  redis.on('ready', () => void look());
  return {
    isTight: () => used >= percent,
    isScarce: () => used >= (percent + 100) / 2,
    stop: () => clearInterval(timer),
  };
}
