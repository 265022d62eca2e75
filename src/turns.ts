import { Overloaded } from './redis/errors.ts';

/** Does a work when it is its turn. */
export type InTurn = <T>(work: () => Promise<T>) => Promise<T>;

/** So many at once; so many more wait, in the order they came; the rest is refused. */
export function createTurns(atOnce: number, mostWaiting: number): InTurn {
  let underWay = 0;
  const waiting: (() => void)[] = [];

  return async (work) => {
    if (underWay < atOnce) underWay++;
    else {
      if (waiting.length >= mostWaiting) throw new Overloaded('Too much waits for its turn');
      await new Promise<void>((itsTurn) => waiting.push(itsTurn));
    }
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else underWay--;
    }
  };
}
