// All that is held of a person, a line each, in words that a person understands.
//
// Redis comes first, then what waits for the archive, then the archive: an event goes this way, so one that moves on
// meanwhile is told twice rather than never.

import type pg from 'pg';
import { fromDatabase, LOOK_UP_WITHIN, within } from '../archive/database.ts';
import type { Outbox } from '../archive/outbox.ts';
import { readUser } from '../inspect/read.ts';
import { fromRedis } from '../redis/errors.ts';
import type { Keys } from '../redis/keys.ts';
import type { FootfallRedis } from '../redis/scripts.ts';
import { type Clock, SECOND } from '../time.ts';
import { archivedLines } from './archived.ts';
import type { Line } from './line.ts';
import { storedLines } from './stored.ts';
import { waitingLines } from './waiting.ts';

export interface Exporter {
  /** It fails before the first line where a store does not answer. The last line says how many came before it. */
  of(userId: string): AsyncGenerator<Line>;
}

export interface ExporterOptions {
  redis: FootfallRedis;
  keys: Keys;
  clock: Clock;
  sessionGapSeconds: number;
  /** Where there is an archive. */
  archive: { database: pg.Pool; outbox: Outbox } | undefined;
}

export function createExporter(options: ExporterOptions): Exporter {
  const { redis, keys, clock, sessionGapSeconds, archive } = options;

  async function* linesOf(userId: string): AsyncGenerator<Line> {
    const layout = { keys, gap: sessionGapSeconds * SECOND };
    const user = await readUser(redis, layout, userId, clock()).catch((error) => {
      throw fromRedis(error);
    });
    if (archive) await mustAnswer(archive.database);
    yield* storedLines(userId, user);
    if (!archive) return;
    yield* waitingLines(archive.outbox, keys.shardOf(userId), userId);
    yield* archivedLines(archive.database, userId);
  }

  return {
    async *of(userId) {
      let lines = 0;
      for await (const line of linesOf(userId)) {
        lines++;
        yield line;
      }
      yield { is: 'end', lines };
    },
  };
}

/** Asked before anything is sent: half of an answer is none. */
async function mustAnswer(database: pg.Pool): Promise<void> {
  await database.query(within(LOOK_UP_WITHIN, 'SELECT FROM events LIMIT 0')).catch((error) => {
    throw fromDatabase(error);
  });
}
