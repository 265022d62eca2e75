// What lies in Redis, key by key: whether each is one of the dictionary's (src/redis/keys.ts), and whether it goes.

import type { Redis } from 'ioredis';
import type { FootfallRedis } from '../../src/redis/scripts.ts';

export interface Survey {
  keys: number;
  /** Keys without a TTL, ff:meta and outboxes not among them. */
  staying: string[];
  /** Keys that the dictionary does not have. */
  foreign: string[];
  /** The longest time that any has left, days. */
  longestDays: number;
}

const ID = '[^:*?[\\]\\\\{}]+'; // percent-encoded
const DAY = '\\d{4}-\\d\\d-\\d\\d';
const MONTH = '\\d{4}-\\d\\d';

const KNOWN = new RegExp(
  `^ff:\\{\\d+\\}:(?:${[
    `user:${ID}:${DAY}:(?:stats|pages|visits|events)`,
    `user:${ID}:${MONTH}:logins`,
    'erased:[0-9a-f]{40}',
    `${DAY}:(?:visitors|returning)`,
    `${MONTH}:logins`,
    `site:${ID}:${DAY}:(?:stats|pages|hll)`,
    'outbox(?::dead)?',
  ].join('|')})$`,
  's',
);

const OUTBOX = /^ff:\{\d+\}:outbox$/;
const A_DAY = 24 * 60 * 60 * 1000;

export async function survey(redis: Redis): Promise<Survey> {
  const found: Survey = { keys: 0, staying: [], foreign: [], longestDays: 0 };
  let cursor = '0';
  do {
    const [next, keys] = await redis.scan(cursor, 'COUNT', 1000);
    const pipeline = redis.pipeline();
    for (const key of keys) pipeline.pttl(key);
    const replies = keys.length > 0 ? await pipeline.exec() : [];
    keys.forEach((key, i) => {
      const left = Number(replies?.[i]?.[1]);
      found.keys++;
      if (key === 'ff:meta') return;
      if (left === -1 && !OUTBOX.test(key)) found.staying.push(key);
      if (!KNOWN.test(key)) found.foreign.push(key);
      found.longestDays = Math.max(found.longestDays, left / A_DAY);
    });
    cursor = next;
  } while (cursor !== '0');
  return found;
}

/** The bytes that some keys take. */
export async function memoryOf(redis: FootfallRedis, keys: string[]): Promise<number> {
  const sizes = await Promise.all(keys.map((key) => redis.memory('USAGE', key, 'SAMPLES', 0)));
  return sizes.reduce<number>((sum, size) => sum + Number(size ?? 0), 0);
}
