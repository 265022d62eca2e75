// How many distinct users saw a page, or a site.

import type { Metrics } from '../metrics.ts';
import { answerOf } from '../redis/calls.ts';
import type { EveryShard } from '../redis/everyShard.ts';
import type { Keys } from '../redis/keys.ts';
import type { FootfallRedis } from '../redis/scripts.ts';
import { type Clock, datesBetween, dayOf } from '../time.ts';

export interface Visitors {
  /** Users who saw a thing (see keys.ts) on one of the last days, of which today is one. */
  of(thing: string, days: number): Promise<number>;
  /** The same from one day of the window to another. */
  between(thing: string, from: number, to: number): Promise<number>;
}

export interface VisitorsOptions {
  redis: FootfallRedis;
  keys: Keys;
  everyShard: EveryShard;
  clock: Clock;
  metrics: Metrics;
}

export function createVisitors({ redis, keys, everyShard, clock, metrics }: VisitorsOptions): Visitors {
  const between: Visitors['between'] = (thing, from, to) => {
    const args = [datesBetween(from, to), thing];
    return everyShard.sum((shard) =>
      answerOf(metrics, 'visitors', 1, redis.ffVisitors(keys.shard(shard), args)),
    );
  };
  return {
    between,
    of(thing, days) {
      const today = dayOf(clock());
      return between(thing, today - days + 1, today);
    },
  };
}
