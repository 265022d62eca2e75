// What goes away in Redis when a test moves its clock by days.
//
// Redis counts the lives of keys by its own clock. Here each key's end is written down, by the test's clock, as soon as
// the key is there, and the key is dropped when that clock gets so far. A key's end may be set once: whoever moves it
// with a later write, or forgets it, is found out.

import type { FootfallRedis } from '../../src/redis/scripts.ts';
import { DAY } from '../../src/time.ts';
import type { FakeClock } from './service.ts';

export interface Ageing {
  /** Takes note of the keys that have come. Call it after each write. */
  settle(): Promise<void>;
  /** Drops what has ended. Call it after the clock was moved. */
  pass(): Promise<void>;
}

// Gives every key with a life, and what is left of it, and stops Redis's own clock for it; then the keys without one.
const TAKE_NOTE = `
  local mortal, immortal = {}, {}
  for _, key in ipairs(redis.call('KEYS', '*')) do
    local left = redis.call('PTTL', key)
    if left >= 0 then
      mortal[#mortal + 1], mortal[#mortal + 2] = key, left
      redis.call('PERSIST', key)
    else
      immortal[#immortal + 1] = key
    end
  end
  return { mortal, immortal }`;

const SECOND = 1000; // what may pass between a write and its note; ends by a day's midnight are to the second

export function createAgeing(redis: FootfallRedis, clock: FakeClock): Ageing {
  const ends = new Map<string, number>();

  function note(key: string, left: number): void {
    const end = Math.round((clock() + left) / SECOND) * SECOND;
    const known = ends.get(key);
    // The mark of an erasure is set anew by the next one.
    if (known !== undefined && Math.abs(known - end) > SECOND && !key.includes(':erased:')) {
      throw new Error(`${key} was to go at ${iso(known)}, now at ${iso(end)}`);
    }
    if (end > clock() + 500 * DAY) throw new Error(`${key} goes at ${iso(end)} only`);
    ends.set(key, end);
  }

  return {
    async settle() {
      const [mortal, immortal] = (await redis.eval(TAKE_NOTE, 0)) as [(string | number)[], string[]];
      for (let i = 0; i < mortal.length; i += 2) note(mortal[i] as string, mortal[i + 1] as number);
      const never = immortal.filter((key) => !ends.has(key));
      if (never.length > 0) throw new Error(`never goes: ${never.join(', ')}`);
    },
    async pass() {
      const ended = [...ends].filter(([, end]) => end <= clock()).map(([key]) => key);
      for (const key of ended) ends.delete(key);
      if (ended.length > 0) await redis.unlink(ended);
    },
  };
}

const iso = (ms: number) => new Date(ms).toISOString();
