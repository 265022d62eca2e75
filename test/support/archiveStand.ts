// The built service with an archive, workers that are processes of their own, and whether Postgres has each event once.

import { join } from 'node:path';
import { Client } from 'pg';
import type { FootfallRedis } from '../../src/redis/scripts.ts';
import {
  type Conclusion,
  conclude,
  type FaultStand,
  type FaultStandOptions,
  startFaultStand,
} from './faultStand.ts';
import { type Ledger, type Running, userId } from './ledger.ts';
import { queryAt, type usePostgres } from './postgres.ts';
import { type Begun, type Processes, type Service, type Settings, until } from './process.ts';
import { type Proxy as Between, startProxy } from './proxy.ts';
import { count } from './rows.ts';

export const OUTBOX = 'ff:{0}:outbox';
export const DEAD = `${OUTBOX}:dead`;

const COMMAND = join(__dirname, '../../dist/archive/command.js');

export interface ArchiveStand extends FaultStand {
  /** Of a database of its own. */
  url: string;
  /** Stands before Postgres if it was asked for. */
  between: Between;
}

export interface ArchiveStandOptions extends FaultStandOptions {
  /** Postgres is behind `between`. */
  cutOff?: boolean;
}

export async function startArchiveStand(
  processes: Processes,
  ledger: Ledger,
  postgres: ReturnType<typeof usePostgres>,
  { cutOff = false, settings, ...options }: ArchiveStandOptions = {},
): Promise<ArchiveStand> {
  const url = await postgres.freshDatabase();
  const between = await startProxy({ port: Number(new URL(url).port) });
  processes.atEnd(between.stop);
  const through = Object.assign(new URL(url), { port: between.port }).href;
  const stand = await startFaultStand(processes, ledger, {
    ...options,
    settings: { DATABASE_URL: cutOff ? through : url, ...settings },
  });
  return { ...stand, url, between };
}

/** Waits until all is acknowledged and carried, and reports of row 15. */
export async function concludeArchive(
  fault: string,
  stand: ArchiveStand,
  running: Running,
  { held, figures = [], ...conclusion }: Conclusion,
): Promise<void> {
  const { acknowledged } = await running.finish(30_000);
  await drained(stand.server.client, 60_000);
  const { rows, lost, doubled, strange } = await auditArchive(running, stand.url);
  await conclude('15', fault, stand, running, {
    ...conclusion,
    held: {
      'nothing is lost in Postgres': lost === 0,
      'nothing is doubled in Postgres': doubled === 0,
      'nothing else is in Postgres': strange === 0 && rows === acknowledged,
      ...held,
    },
    figures: [`in Postgres ${count(rows)} rows, ${count(lost)} lost, ${count(doubled)} doubled`, ...figures],
  });
}

export interface Readiness {
  /** When it was first said, of `performance.now()`. */
  since(status: string): number | undefined;
  last(): string | undefined;
  /** All that was said. */
  stop(): string[];
}

/** What /readyz says, again and again. */
export function watchReadiness(processes: Processes, { get }: Service): Readiness {
  const first = new Map<string, number>();
  let last: string | undefined;
  const timer = setInterval(async () => {
    const said = await get('/readyz').then(
      ({ text }) => String(JSON.parse(text).status),
      () => 'no answer',
    );
    last = said;
    if (!first.has(said)) first.set(said, performance.now());
  }, 50);
  const stop = () => clearInterval(timer);
  processes.atEnd(stop);
  return {
    since: (status) => first.get(status),
    last: () => last,
    stop() {
      stop();
      return [...first.keys()];
    },
  };
}

/** As `npm run archive` does. */
export const beginWorker = (processes: Processes, settings: Settings): Begun =>
  processes.begin(settings, { command: [process.execPath, COMMAND] });

/** Sessions of workers in pg_stat_activity. */
export const OF_WORKER = `application_name = 'footfall-archive' AND datname = current_database()`;

/** Resolves once a statement of a worker waits for a table. */
export async function waitsForLock(url: string): Promise<void> {
  const waiting = `SELECT FROM pg_stat_activity WHERE ${OF_WORKER} AND wait_event_type = 'Lock'`;
  await until('its statement waits', async () => (await queryAt(url, waiting)).length > 0);
}

/** Nobody else gets at a table until it is released. */
export async function holdTable(
  processes: Processes,
  url: string,
  table: string,
): Promise<{ release(): Promise<void> }> {
  const client = new Client({ connectionString: url });
  client.on('error', () => undefined);
  const release = () => client.end().catch(() => undefined);
  processes.atEnd(release);
  await client.connect();
  await client.query(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
  return { release };
}

/** Resolves once a worker has the shard, with the session that has it. */
export const shardIsHeld = (url: string): Promise<number> =>
  until('a worker has the shard', async () => {
    const held = `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
    return (await queryAt<{ pid: number }>(url, held).catch(() => []))[0]?.pid;
  });

/** All that was in the outbox by then has left it, whatever has come since. Gives how long that took from then on, ms. */
export async function drained(redis: FootfallRedis, within: number): Promise<number> {
  const since = performance.now();
  const [now] = await redis.time();
  const [last] = await redis.xrevrange(OUTBOX, '+', '-', 'COUNT', 1);
  if (last === undefined) return 0;
  await until(
    `the outbox has drained of what it had at ${now}`,
    async () => (await redis.xrange(OUTBOX, '-', last[0], 'COUNT', 1)).length === 0,
    { within, every: 20 },
  );
  return performance.now() - since;
}

export interface ArchiveAudit {
  rows: number;
  /** Acknowledged events that are not there. */
  lost: number;
  /** Rows beyond one of an event. */
  doubled: number;
  /** Rows of nothing that may be there. */
  strange: number;
}

/** When nothing waits any more. */
export async function auditArchive({ events, options }: Running, url: string): Promise<ArchiveAudit> {
  const found = await queryAt<{ key: string; count: number }>(
    url,
    `SELECT user_id || ' ' || identity AS key, count(*)::int FROM events GROUP BY user_id, identity`,
  );
  const stored = new Map(found.map(({ key, count }) => [key, count]));
  const audit: ArchiveAudit = { rows: 0, lost: 0, doubled: 0, strange: 0 };
  for (const { id, user, acknowledged, doubtful } of events) {
    const key = `${userId(options.seed, user)} e:${id}`;
    const count = stored.get(key) ?? 0;
    audit.rows += count;
    if (count === 0 && acknowledged) audit.lost++;
    if (count > 0 && (acknowledged || doubtful)) {
      stored.delete(key);
      audit.doubled += count - 1;
    }
  }
  for (const count of stored.values()) audit.strange += count;
  return audit;
}
