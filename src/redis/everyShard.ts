// A number about everybody is the sum over shards: each user lives in one of them.

import { fromRedis, Overloaded } from './errors.ts';
import type { Keys } from './keys.ts';

export interface EveryShard {
  ask<T>(question: (shard: number) => Promise<T>): Promise<T[]>;
  sum(question: (shard: number) => Promise<number>): Promise<number>;
}

/** No more than so many questions wait at once. */
export function createEveryShard(keys: Keys, mostInFlight: number): EveryShard {
  const { shards } = keys;
  let inFlight = 0;

  async function ask<T>(question: (shard: number) => Promise<T>): Promise<T[]> {
    if (inFlight + shards > mostInFlight) throw new Overloaded('Too many calls are waiting for Redis');
    inFlight += shards;
    try {
      // All of them are waited for: one that fails does not make room for others.
      const answers = await Promise.allSettled(Array.from({ length: shards }, (_, shard) => question(shard)));
      return answers.map((answer) => {
        if (answer.status === 'rejected') throw fromRedis(answer.reason);
        return answer.value;
      });
    } finally {
      inFlight -= shards;
    }
  }

  return {
    ask,
    sum: async (question) => (await ask(question)).reduce((sum, part) => sum + part, 0),
  };
}
