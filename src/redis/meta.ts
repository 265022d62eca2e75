// What the stored numbers depend on is stored beside them: a start with other settings would misread them all.

import type { Redis } from 'ioredis';
import { type Keys, LAYOUT_VERSION } from './keys.ts';

export class MetaMismatch extends Error {
  override name = 'MetaMismatch';
}

interface Meta {
  value: string;
  mend(stored: string): string;
}

/** Writes `ff:meta` on the first start; on every later one, throws a MetaMismatch if it disagrees. */
export async function checkMeta(redis: Redis, keys: Keys, sessionGapSeconds: number): Promise<void> {
  const expected: Record<string, Meta> = {
    layout: {
      value: String(LAYOUT_VERSION),
      mend: (stored) =>
        `run the version of Footfall that writes layout ${stored}, or choose another KEY_PREFIX`,
    },
    shards: {
      value: String(keys.shards),
      mend: (stored) => `set SHARDS=${stored}, or choose another KEY_PREFIX`,
    },
    session_gap_seconds: {
      value: String(sessionGapSeconds),
      mend: (stored) => `set SESSION_GAP_SECONDS=${stored}, or choose another KEY_PREFIX`,
    },
  };
  for (const [field, { value, mend }] of Object.entries(expected)) {
    await redis.hsetnx(keys.meta, field, value);
    const stored = (await redis.hget(keys.meta, field)) ?? '';
    if (stored !== value) {
      throw new MetaMismatch(
        `${keys.meta} says ${field} ${stored}, the settings say ${value}: ${mend(stored)}`,
      );
    }
  }
}
