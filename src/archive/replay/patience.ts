// Redis and Postgres may be away for a while.

import { setTimeout as delay } from 'node:timers/promises';
import { Unavailable } from '../../redis/errors.ts';
import { MINUTE, SECOND } from '../../time.ts';

export type Patiently = <T>(work: () => Promise<T>) => Promise<T>;

const PATIENCE = MINUTE;
const FIRST_PAUSE = SECOND / 5;
const LONGEST_PAUSE = 5 * SECOND;

/** Tries again what does not get through, until it does, it is time to stop, or a minute has passed. */
export const createPatience =
  (stopped: () => boolean, patience = PATIENCE): Patiently =>
  async (work) => {
    const late = performance.now() + patience;
    for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof Unavailable) || stopped() || performance.now() + pause > late) throw error;
        await delay(pause);
      }
    }
  };
