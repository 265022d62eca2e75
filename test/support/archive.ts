// The service with an archive, and its worker in this process.

import pg from 'pg';
import { pino } from 'pino';
import { createArchiveMetrics } from '../../src/archive/metrics.ts';
import type { Outbox } from '../../src/archive/outbox.ts';
import { startWorker, type Worker } from '../../src/archive/worker.ts';
import type { Config } from '../../src/config.ts';
import { createMetrics } from '../../src/metrics.ts';
import type { FootfallRedis } from '../../src/redis/scripts.ts';
import { until } from './process.ts';
import { type FakeClock, fakeClock, service } from './service.ts';

export interface ArchiveRow {
  at: string;
  late: boolean;
  site_id: string | null;
  event_type: string;
  path: string | null;
  name: string | null;
  is_url: boolean;
  user_id: string;
  identity: string;
}

export interface Archived extends ReturnType<typeof service> {
  pool: pg.Pool;
  /** A worker of this process; `outbox` stands for the real one. */
  work(outbox?: Partial<Outbox>): { worker: Worker; metrics(): Promise<string>; log: string[] };
  /** Resolves once nothing waits any more. */
  carried(): Promise<void>;
  /** In order of arrival. */
  rows(): Promise<ArchiveRow[]>;
}

/** Call it at the top of a test file; what a test opens with it ends with the test. */
export function useArchives() {
  let atEnd: (() => unknown)[] = [];
  afterEach(async () => {
    for (const step of atEnd.reverse()) await step();
    atEnd = [];
  });

  return function open(
    redis: FootfallRedis,
    databaseUrl: string,
    { config = {}, clock = fakeClock() }: { config?: Partial<Config>; clock?: FakeClock } = {},
  ): Archived {
    const pool = new pg.Pool({ connectionString: databaseUrl, max: 4 });
    pool.on('error', () => undefined);
    atEnd.push(() => pool.end());
    const served = service(redis, { ...config, databaseUrl }, clock, pool);
    const { outbox } = served.archive!;
    return {
      ...served,
      pool,
      work(replaced = {}) {
        const metrics = createArchiveMetrics();
        const log: string[] = [];
        const worker = startWorker({
          checkSettings: async () => undefined,
          databaseUrl,
          outbox: { ...outbox, ...replaced },
          keys: served.keys,
          clock,
          metrics,
          log: pino({ level: 'trace' }, { write: (line) => log.push(JSON.parse(line).msg) }),
        });
        atEnd.push(() => worker.stop());
        return { worker, metrics: () => metrics.registry.metrics(), log };
      },
      carried: async () => {
        await until('the outbox is empty', async () => (await outbox.backlog()).entries === 0);
      },
      async rows() {
        const { rows } = await pool.query<ArchiveRow>(
          `SELECT to_char(event_time AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at, late, site_id,
             event_type, path, name, is_url, user_id, identity FROM events ORDER BY id`,
        );
        return rows;
      },
    };
  };
}

/** What a service with an archive, and its worker, tell in metrics beside all else. */
export async function metricsOfArchive(): Promise<string> {
  const metrics = createMetrics();
  metrics.watch({
    eventsInFlight: () => 0,
    requestsUnderWay: () => 0,
    shardsAway: () => 0,
    redis: async () => undefined,
    backlog: () => ({ entries: 0, bytes: 0, limit: 1, ageSeconds: 0, dead: 0 }),
  });
  const outbox = (await metrics.text()).match(/^.*footfall_outbox_.*$/gm) ?? [];
  return `${outbox.join('\n')}\n${await createArchiveMetrics().registry.metrics()}`;
}
