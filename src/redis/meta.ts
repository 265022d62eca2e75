// What the stored numbers depend on is stored beside them: a start with other settings would misread them all.

import type { Redis } from 'ioredis';
import { CannotStart } from '../cannotStart.ts';
import type { Config } from '../config.ts';
import { type Keys, LAYOUT_VERSION } from './keys.ts';

/** What stored numbers depend on. */
export interface StoredSettings {
  sessionGapSeconds: number;
  /** Who logged in is remembered so long; a longer time would let who is forgotten count again. */
  lateLoginDays: number;
  /** What is recorded goes to an archive as well. */
  hasArchive?: boolean;
}

export const storedSettings = ({
  sessionGapSeconds,
  lateLoginDays,
  databaseUrl,
}: Pick<Config, 'sessionGapSeconds' | 'lateLoginDays' | 'databaseUrl'>): StoredSettings => ({
  sessionGapSeconds,
  lateLoginDays,
  hasArchive: databaseUrl !== undefined,
});

const ARCHIVE = 'archive';

/** Writes `ff:meta` on the first start; on every later one, throws if it disagrees. */
export async function checkMeta(redis: Redis, keys: Keys, depends: StoredSettings): Promise<void> {
  const { sessionGapSeconds, lateLoginDays, hasArchive = false } = depends;
  const rows = [
    { field: 'layout', value: LAYOUT_VERSION, mend: 'run the version of Footfall that wrote it' },
    { field: 'shards', value: keys.shards, mend: 'set SHARDS as it was' },
    { field: 'session_gap_seconds', value: sessionGapSeconds, mend: 'set SESSION_GAP_SECONDS as it was' },
    { field: 'late_login_days', value: lateLoginDays, mend: 'set LATE_LOGIN_DAYS as it was' },
  ];
  for (const { field, value, mend } of rows) {
    let stored = await read(redis, keys, field);
    // Not tried where it is there: a Redis that is full refuses every write, and can still be read and erased from.
    if (stored === null) {
      await redis.hsetnx(keys.meta, field, value);
      stored = await read(redis, keys, field);
    }
    if (stored !== String(value)) {
      throw new CannotStart(
        `${keys.meta} in Redis says ${field} ${stored}, but this start has ${value}: ${mend}, or choose another KEY_PREFIX`,
      );
    }
  }
  await checkArchive(redis, keys, hasArchive);
}

/** One start without the archive would leave a gap in it, and erasures would not reach it. */
async function checkArchive(redis: Redis, keys: Keys, hasArchive: boolean): Promise<void> {
  if ((await read(redis, keys, ARCHIVE)) !== null) {
    if (hasArchive) return;
    throw new CannotStart(
      `${keys.meta} in Redis says that there is an archive, but DATABASE_URL is not set, so events and erasures would not reach it: set it, or give the archive up (redis-cli HDEL ${keys.meta} ${ARCHIVE})`,
    );
  }
  if (hasArchive) await redis.hsetnx(keys.meta, ARCHIVE, 'postgres');
}

function read(redis: Redis, keys: Keys, field: string): Promise<string | null> {
  return redis.hget(keys.meta, field).catch((error: Error) => {
    if (!error.message.startsWith('WRONGTYPE')) throw error;
    throw new CannotStart(
      `${keys.meta} in Redis is not of Footfall (WRONGTYPE): choose another KEY_PREFIX, or another Redis`,
    );
  });
}
