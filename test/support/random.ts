// Chance that can be had again.

export interface Random {
  /** From 0, below 1. */
  next(): number;
  chance(share: number): boolean;
  /** A whole number from `least`, below `end`. */
  from(least: number, end: number): number;
  pick<T>(values: readonly T[]): T;
  weighted<T>(values: readonly (readonly [weight: number, value: T])[]): T;
}

/** The chance of one of many: neighbours have nothing in common. */
export function randomOf(seed: number, number: number): Random {
  let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b)) >>> 0;
  // mulberry32
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const from = (least: number, end: number) => least + Math.floor(next() * (end - least));
  return {
    next,
    from,
    chance: (share) => next() < share,
    pick: (values) => values[from(0, values.length)]!,
    weighted(values) {
      let left = next() * values.reduce((sum, [weight]) => sum + weight, 0);
      for (const [weight, value] of values) {
        left -= weight;
        if (left < 0) return value;
      }
      return values.at(-1)![1];
    },
  };
}

/** FUZZ_SEED, or one of the clock. */
export const seedOf = (given: string | undefined) =>
  given ? Number(given) >>> 0 : (Date.now() ^ (process.pid << 16)) >>> 0;
