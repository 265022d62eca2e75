// What became of an erasure in the archive.

import { setTimeout as delay } from 'node:timers/promises';
import type { ErasureState } from '../answers.ts';
import { SECOND } from '../time.ts';
import { parseReceiptId } from './carry.ts';
import { fromDatabase, LOOK_UP_WITHIN, type Queryable, within } from './database.ts';
import type { Outbox } from './outbox.ts';

export interface Erasures {
  /** Undefined where there was no such erasure. */
  state(id: string): Promise<ErasureState | undefined>;
  /** Whether it is done within a moment. */
  isDoneSoon(id: string): Promise<boolean>;
}

const RECEIPT = 'SELECT done_at, rows_deleted FROM erasure_receipts WHERE id = $1';
const SOON = SECOND;
const LOOK_EVERY = SECOND / 20;

export function createErasures(database: Queryable, outbox: Outbox, shards: number): Erasures {
  async function done(id: string): Promise<ErasureState | undefined> {
    const { rows } = await database
      .query<{ done_at: Date; rows_deleted: string }>(within(LOOK_UP_WITHIN, RECEIPT, [id]))
      .catch((error) => {
        throw fromDatabase(error);
      });
    const [row] = rows;
    if (!row) return undefined;
    const { done_at, rows_deleted } = row;
    return {
      erasure_id: id,
      archive: 'done',
      done_at: done_at.toISOString(),
      rows_deleted: Number(rows_deleted),
    };
  }

  async function state(id: string): Promise<ErasureState | undefined> {
    const place = parseReceiptId(id);
    if (!place) return undefined;
    // It leaves the outbox last, when what was put aside is searched, too. There may have been more shards once.
    const isPending = place.shard < shards && (await outbox.has(place.shard, place.entry));
    return isPending ? { erasure_id: id, archive: 'pending', done_at: null, rows_deleted: null } : done(id);
  }

  async function isDone(id: string, late: number): Promise<boolean> {
    while (performance.now() < late) {
      if ((await state(id))?.archive === 'done') return true;
      await delay(LOOK_EVERY);
    }
    return false;
  }

  return {
    state,
    isDoneSoon(id) {
      // A database that is away, or stands still, is no reason to keep the caller.
      const late = delay(SOON, false, { ref: false });
      return Promise.race([late, isDone(id, performance.now() + SOON).catch(() => false)]);
    },
  };
}
