// A batch of entries from the outbox into Postgres, and then out of the outbox.

import type { Logger } from 'pino';
import { type Clock, SECOND } from '../time.ts';
import { inTransaction, isOfData, type Queryable } from './database.ts';
import { readEntry, rowOf } from './entry.ts';
import type { ArchiveMetrics } from './metrics.ts';
import type { Entry, Outbox } from './outbox.ts';
import { type Arrived, type Forgetting, forget, insertRows, type Partitions, receivedUs } from './rows.ts';

/** What an entry says: events, or who is to be forgotten. */
interface Read {
  shard: number;
  id: string;
  rows: Arrived[];
  /** The fields that the rows were read from, in their order. */
  fields: string[];
  erasure: Forgetting | undefined;
  unreadable: string[];
}

/** What one shard has for a batch. */
export interface Load {
  shard: number;
  entries: Entry[];
}

export interface Carrier {
  /** Says whether all of it was carried. Throws where the database, or Redis, fails; nothing is lost by that. */
  carry(loads: Load[]): Promise<boolean>;
}

export interface CarrierOptions {
  client: Queryable;
  partitions: Partitions;
  outbox: Outbox;
  clock: Clock;
  metrics: ArchiveMetrics;
  log: Logger;
  /** How often entries that can't be read were tried, by shard and id. It outlives a connection. */
  tries: Map<string, number>;
}

/** Another version may know what this one can't read. */
const TRIES = 5;

export function createCarrier(options: CarrierOptions): Carrier {
  const { client, partitions, outbox, clock, metrics, log, tries } = options;

  async function store(batch: Read[]): Promise<void> {
    const since = performance.now();
    const all = batch.flatMap(({ rows }) => rows);
    await partitions.prepare(client, all, clock());
    let stored = 0;
    if (batch.some(({ erasure }) => erasure)) stored = await inTransaction(client, () => inOrder(batch));
    else stored = await insertRows(client, all);
    metrics.batch((performance.now() - since) / SECOND, stored, all.length - stored);
  }

  async function inOrder(batch: Read[]): Promise<number> {
    let stored = 0;
    let waiting: Arrived[] = [];
    for (const { rows, erasure } of batch) {
      waiting.push(...rows);
      if (!erasure) continue;
      stored += await insertRows(client, waiting);
      waiting = [];
      await forget(client, erasure);
    }
    return stored + (await insertRows(client, waiting));
  }

  /** After it is stored: whatever fails from here on is done again, and changes nothing. */
  async function finish(batch: Read[]): Promise<void> {
    const ids = new Map<number, string[]>();
    for (const { shard, id, unreadable, erasure } of batch) {
      if (unreadable.length > 0) await bury(shard, id, unreadable);
      if (erasure) {
        await outbox.exhume(shard, erasure.userId);
        metrics.erased();
      }
      tries.delete(nameOf(shard, id));
      const of = ids.get(shard) ?? [];
      of.push(id);
      ids.set(shard, of);
    }
    await Promise.all([...ids].map(([shard, of]) => outbox.drop(shard, of)));
  }

  async function bury(shard: number, id: string, fields: string[]): Promise<void> {
    if (!(await outbox.bury(shard, id, fields))) return; // another worker has, while this one stood still
    const count = fields.length / 2;
    metrics.buried(count);
    log.error(`the archive put aside ${count} of an outbox that can't be read`);
  }

  /** Whether it has been tried often enough. */
  function isHopeless({ shard, id }: Read): boolean {
    const name = nameOf(shard, id);
    const count = (tries.get(name) ?? 0) + 1;
    tries.set(name, count);
    if (count < TRIES) metrics.retried();
    return count >= TRIES;
  }

  /** Postgres takes all of a batch or nothing: where a value of it is refused, each entry goes by itself. */
  async function oneByOne(batch: Read[]): Promise<boolean> {
    const stuck = new Set<number>(); // shards: nothing may overtake what is tried again
    for (const read of batch) {
      if (stuck.has(read.shard)) continue;
      try {
        await store([read]);
      } catch (error) {
        if (!isOfData(error) || read.erasure) throw error; // of an erasure nothing is left out
        if (!isHopeless(read)) {
          stuck.add(read.shard);
          continue;
        }
        await rowByRow(read);
      }
      await finish([read]);
    }
    return stuck.size === 0;
  }

  async function rowByRow(read: Read): Promise<void> {
    for (const [i, row] of read.rows.entries()) {
      try {
        await store([{ ...read, rows: [row], erasure: undefined }]);
      } catch (error) {
        if (!isOfData(error)) throw error;
        read.unreadable.push(read.fields[2 * i]!, read.fields[2 * i + 1]!);
      }
    }
  }

  return {
    async carry(loads) {
      const batch: Read[] = [];
      let isWhole = true;
      for (const { shard, entries } of loads) {
        let isStuck = false; // nothing may overtake what is tried again; what else is to be is tried in the same round
        for (const entry of entries) {
          const read = readAll(shard, entry);
          if (read.unreadable.length > 0 && !isHopeless(read)) isStuck = true;
          if (!isStuck) batch.push(read);
        }
        if (isStuck) isWhole = false;
      }
      if (batch.length === 0) return isWhole;
      try {
        await store(batch);
      } catch (error) {
        if (!isOfData(error)) throw error;
        return (await oneByOne(batch)) && isWhole;
      }
      await finish(batch);
      return isWhole;
    },
  };
}

const nameOf = (shard: number, id: string) => `${shard} ${id}`;

function readAll(shard: number, { id, fields }: Entry): Read {
  const read: Read = { shard, id, rows: [], fields: [], erasure: undefined, unreadable: [] };
  const received = receivedUs(id);
  for (let i = 0; i < fields.length; i += 2) {
    const [field, value] = [fields[i]!, fields[i + 1]!];
    try {
      const found = readEntry(field, value);
      if (found.is === 'erasure') {
        const { userId, erasedAt } = found;
        read.erasure = { id: receiptId(shard, id), userId, erasedAt, receivedUs: received };
      } else {
        read.rows.push({ ...rowOf(found), receivedUs: received });
        read.fields.push(field, value);
      }
    } catch {
      read.unreadable.push(field, value);
    }
  }
  return read;
}

/** Of an erasure, by which its state can be asked for: where it stands in the outbox. */
export const receiptId = (shard: number, entry: string) => `${shard}-${entry}`;

/** What a receipt's id says, or undefined if it is none. */
export function parseReceiptId(id: string): { shard: number; entry: string } | undefined {
  const [, shard, entry] = /^(\d{1,3})-(\d{1,15}-\d{1,15})$/.exec(id) ?? [];
  return shard === undefined ? undefined : { shard: Number(shard), entry: entry! };
}
