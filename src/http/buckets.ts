// Token buckets, one for each of many names: so much a second, and so much at once.

import { LRUCache } from 'lru-cache';

export interface Buckets {
  /**
   * Takes so much, if that much is there: 0; otherwise the seconds until it will be, and nothing is taken. What was `paid`
   * before, for the same, has to be there again then.
   */
  take(name: string, amount: number, paid?: number): number;
  /** Whether anything is there. */
  has(name: string): boolean;
  /** Takes so much whether it is there or not: what was spent elsewhere. */
  charge(name: string, amount: number): void;
  readonly perSecond: number;
  readonly most: number;
}

/** Names past this number push out those that were idle longest, which then begin with a full bucket. */
const NAMES_KEPT = 50_000;

/** How many seconds' worth a full bucket holds. */
export function createBuckets(perSecond: number, seconds: number): Buckets {
  const most = perSecond * seconds;
  // Per name the moment, in seconds, at which its bucket will be full again: all that there is to know.
  const fullAt = new LRUCache<string, number>({ max: NAMES_KEPT });
  const now = () => performance.now() / 1000;
  const missing = (name: string, at: number) => Math.max(0, (fullAt.get(name) ?? 0) - at) * perSecond;

  function set(name: string, at: number, missing: number): void {
    fullAt.set(name, at + missing / perSecond);
  }

  return {
    perSecond,
    most,
    take(name, amount, paid = 0) {
      const at = now();
      const gone = missing(name, at);
      const wanted = Math.min(amount, most - paid); // what is larger than a bucket waits for a full one
      if (gone + wanted > most) return (gone + wanted + paid - most) / perSecond;
      set(name, at, gone + amount);
      return 0;
    },
    has: (name) => missing(name, now()) < most,
    charge(name, amount) {
      const at = now();
      set(name, at, missing(name, at) + amount);
    },
  };
}
