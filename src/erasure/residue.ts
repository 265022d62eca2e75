// Keys of a user that today's layout does not know (an older version's, say). They can only be found by walking the
// whole keyspace, so the walk has a budget.

import type { Residue } from '../answers.ts';
import { fromRedis } from '../redis/errors.ts';
import { encodeId, type Keys } from '../redis/keys.ts';
import { keysOn, primariesOf } from '../redis/nodes.ts';
import type { FootfallRedis } from '../redis/scripts.ts';

export interface ResidueOptions {
  redis: FootfallRedis;
  keys: Keys;
  userId: string;
  now: number;
  /** When to give up, by `performance.now()`. */
  deadline: number;
}

export async function dropResidue({ redis, keys, userId, now, deadline }: ResidueOptions): Promise<Residue> {
  // What the current layout can hold is never touched: by now it may be a new profile.
  const current = new Set(keys.ofUser(userId, now));
  const id = encodeId(userId);
  // By its place, not anywhere: an id may well be `user`, `stats` or a date, and stand in everybody's keys.
  const pattern = `${keys.prefix}:*:user:${id}*`;
  const isTheirs = (key: string) => {
    const [, , kind, owner] = key.split(':');
    return kind === 'user' && owner === id;
  };
  let isLate = false;
  const isInTime = () => {
    isLate = performance.now() >= deadline;
    return !isLate;
  };
  let dropped = 0;
  try {
    for (const node of primariesOf(redis)) {
      for await (const found of keysOn(node, pattern, isInTime)) {
        const left = found.filter((key) => isTheirs(key) && !current.has(key));
        // One by one: a key of another layout may lie in any slot.
        for (const key of left) dropped += await redis.unlink(key);
      }
      if (isLate) return { scan: 'incomplete', residue: null };
    }
  } catch (error) {
    throw fromRedis(error);
  }
  return { scan: 'complete', residue: dropped };
}
