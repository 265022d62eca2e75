// How many users logged in, on a day and in a month.

import type { EveryShard } from '../redis/everyShard.ts';
import type { Keys } from '../redis/keys.ts';
import type { FootfallRedis } from '../redis/scripts.ts';
import { type Clock, dateOf, dayOf, monthOf } from '../time.ts';

export interface Uniques {
  /** The oldest day that is answered for. */
  oldest(): number;
  daily(day: number): Promise<number>;
  /** By any day of the month. */
  monthly(day: number): Promise<number>;
}

export interface UniquesOptions {
  redis: FootfallRedis;
  keys: Keys;
  everyShard: EveryShard;
  clock: Clock;
  retentionDays: number;
}

export function createUniques({ redis, keys, everyShard, clock, retentionDays }: UniquesOptions): Uniques {
  const count = async (day: number, field: string) => {
    if (day > dayOf(clock())) return 0; // a login of a clock that is ahead shows from its midnight on
    return everyShard.sum(async (shard) =>
      Number((await redis.hget(keys.loginCounts(shard, monthOf(day)), field)) ?? 0),
    );
  };
  return {
    oldest: () => dayOf(clock()) - retentionDays,
    daily: (day) => count(day, dateOf(day)),
    monthly: (day) => count(day, monthOf(day)),
  };
}
