// What is looked at again and again while a fault test runs, and reported once.

import type { Held } from './rows.ts';

export interface Checks {
  /** `where` is named if it did not hold. */
  check(what: string, holds: boolean, where: string): void;
  /** All that was checked, and whether it held each time. */
  held(): Held;
  /** Some places where it did not. */
  shown(): string;
}

const SHOWN = 5;

export function createChecks(): Checks {
  const amiss = new Map<string, string[]>();
  return {
    check(what, holds, where) {
      const places = amiss.get(what) ?? [];
      if (!holds) places.push(where);
      amiss.set(what, places);
    },
    held: () => Object.fromEntries([...amiss].map(([what, places]) => [what, places.length === 0])),
    shown: () =>
      [...amiss.values()]
        .flat()
        .slice(0, SHOWN)
        .map((where) => `; ${where}`)
        .join(''),
  };
}
