// Carries the outboxes to Postgres, for as long as it runs.
//
// Order matters: an erasure must find all that came before it, and nothing of that may come after it. So a shard is one
// worker's at a time, and its lock is held by the very connection that it inserts through: who has lost the lock can insert
// nothing. Whatever is done twice changes nothing: rows that are there are left out, and an erasure finds nobody left.

import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import type { Logger } from 'pino';
import { CannotStart } from '../cannotStart.ts';
import type { Keys } from '../redis/keys.ts';
import { type Clock, SECOND } from '../time.ts';
import { createCarrier, type Load } from './carry.ts';
import { connectWorker, wordOf } from './database.ts';
import type { ArchiveMetrics } from './metrics.ts';
import type { Outbox } from './outbox.ts';
import { createPartitions, prepareInsert } from './rows.ts';
import { migrated } from './schema.ts';

export interface WorkerOptions {
  databaseUrl: string;
  outbox: Outbox;
  keys: Keys;
  clock: Clock;
  metrics: ArchiveMetrics;
  log: Logger;
  /** Throws a CannotStart where the settings are not those of what is stored. */
  checkSettings(): Promise<void>;
}

export interface Worker {
  /** Resolves once what is under way is done. */
  stop(): Promise<void>;
  /** Resolves when it has stopped; rejects with a CannotStart where no waiting helps. */
  ended: Promise<void>;
}

const FIRST_PAUSE = SECOND / 5;
const LONGEST_PAUSE = 5 * SECOND;
/** Without events the outboxes are looked at so often; in a cluster they are many. */
const SHORTEST_REST = SECOND / 20;
const LONGEST_REST = SECOND / 2;
/** Those that another worker had may be free. */
const LOOK_FOR_SHARDS = SECOND;
const ENTRIES = 100; // of all shards, at once; each has up to 128 events

export function startWorker(options: WorkerOptions): Worker {
  const { databaseUrl, outbox, keys, clock, metrics, log, checkSettings } = options;
  const space = createHash('sha256').update(`footfall ${keys.prefix}`).digest().readInt32BE();
  const tries = new Map<string, number>();
  const end = new AbortController();
  const { signal } = end;
  const rest = (ms: number) => delay(ms, undefined, { signal }).catch(() => undefined);
  let trouble: string | undefined;

  function say(now: string | undefined): void {
    if (now !== undefined && trouble === undefined) log.warn(`the archive waits: ${now}`);
    if (now === undefined && trouble !== undefined) log.info('the archive goes on');
    trouble = now;
  }

  async function run(): Promise<void> {
    let pause = FIRST_PAUSE;
    while (!signal.aborted) {
      let client: pg.Client | undefined;
      let away = "Redis can't be reached, ";
      try {
        await checkSettings();
        away = "Postgres can't be reached, ";
        await migrated(databaseUrl);
        client = await connectWorker(databaseUrl);
        await prepareInsert(client);
        away = '';
        await work(client, () => {
          pause = FIRST_PAUSE;
          say(undefined);
        });
      } catch (error) {
        if (error instanceof CannotStart) throw error;
        say(away + wordOf(error));
        metrics.retried();
      } finally {
        metrics.holds(0);
        if (client)
          await Promise.race([client.end().catch(() => undefined), delay(SECOND, undefined, { ref: false })]);
      }
      if (!signal.aborted) await rest(pause * (0.5 + Math.random() / 2));
      pause = Math.min(2 * pause, LONGEST_PAUSE);
    }
  }

  async function work(client: pg.Client, allIsWell: () => void): Promise<void> {
    const partitions = createPartitions();
    const { carry } = createCarrier({ client, partitions, outbox, clock, metrics, log, tries });
    const held = new Set<number>();
    let lookAt = 0;
    let restMs = SHORTEST_REST;
    while (!signal.aborted) {
      if (performance.now() >= lookAt) {
        await takeShards(client, held);
        await partitions.ahead(client, clock());
        metrics.holds(held.size);
        lookAt = performance.now() + LOOK_FOR_SHARDS;
      }
      const loads = await readAll(held);
      const isWhole = await carry(loads);
      allIsWell();
      if (!isWhole) await rest(FIRST_PAUSE);
      restMs = loads.length > 0 ? SHORTEST_REST : Math.min(2 * restMs, LONGEST_REST);
      if (loads.length === 0) await rest(restMs);
    }
  }

  /** It also tells Postgres, which ends a session that stands still, that this one does not. */
  async function takeShards(client: pg.Client, held: Set<number>): Promise<void> {
    const others = Array.from({ length: keys.shards }, (_, shard) => shard).filter(
      (shard) => !held.has(shard),
    );
    const { rows } = await client.query<{ shard: number; taken: boolean }>(
      'SELECT shard, pg_try_advisory_lock($1::int, shard) AS taken FROM unnest($2::int[]) AS shard',
      [space, others],
    );
    for (const { shard, taken } of rows) if (taken) held.add(shard);
  }

  async function readAll(held: Set<number>): Promise<Load[]> {
    const most = Math.ceil(ENTRIES / Math.max(1, held.size));
    const loads = await Promise.all(
      [...held].map(async (shard) => ({ shard, entries: await outbox.read(shard, most) })),
    );
    return loads.filter(({ entries }) => entries.length > 0);
  }

  const ended = run();
  ended.catch(() => undefined); // whoever waits for it hears it
  return {
    ended,
    stop() {
      end.abort();
      return ended.catch(() => undefined);
    },
  };
}
