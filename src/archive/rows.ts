// Rows into the archive, a batch in one statement; and out of it, where somebody is erased.

import { userHash } from '../redis/keys.ts';
import { crc16 } from '../redis/shards.ts';
import { MINUTE, SECOND } from '../time.ts';
import { inTransaction, type Queryable } from './database.ts';
import type { Row } from './entry.ts';
import { SCHEMA_LOCK } from './schema.ts';

/** A row with when Redis took it, µs since 1970. */
export interface Arrived extends Row {
  receivedUs: number;
}

// What is there already, and what is of somebody who was erased since, is left out. An event_id is unique over the days
// beside, as in Redis: where a Redis was lost and its sender sent again, the same event may come with another time. (As a CASE,
// so that it is looked up row by row and never becomes a join over all there is.) In order, since id is the order of arrival.
const INSERT = `
INSERT INTO events (event_time, received_at, late, is_url, site_id, event_type, path, name, user_id, identity)
SELECT to_timestamp(at / 1e3), to_timestamp(received / 1e6), late, is_url, site_id, event_type, path, name, user_id, identity
FROM unnest($1::float8[], $2::float8[], $3::boolean[], $4::boolean[], $5::text[], $6::text[], $7::text[], $8::text[],
            $9::text[], $10::text[], $11::bytea[]) WITH ORDINALITY
  AS new (at, received, late, is_url, site_id, event_type, path, name, user_id, identity, user_hash, nth)
WHERE NOT EXISTS (
    SELECT FROM erasures WHERE erasures.user_hash = new.user_hash AND to_timestamp(new.at / 1e3) <= erased_at)
  AND CASE WHEN identity ~ '^(event:)?e:' THEN NOT EXISTS (
    SELECT FROM events AS known
    WHERE known.user_id = new.user_id AND known.identity = new.identity
      AND known.event_time >= to_timestamp((floor(at / 864e5) - 1) * 86400)
      AND known.event_time < to_timestamp((floor(at / 864e5) + 2) * 86400)) ELSE true END
ORDER BY nth
ON CONFLICT DO NOTHING`;

/** Its parameters, an array each. */
const COLUMNS = [
  ...(['at', 'receivedUs', 'late', 'isUrl', 'siteId', 'type', 'path', 'name', 'userId', 'identity'] as const),
  'hash',
] as const;

/** A batch that takes longer has lost its way; a person's history may be long. */
const INSERT_WITHIN = MINUTE / 2;
const FORGET_WITHIN = 5 * MINUTE;

type Values = unknown[][];

const insert = (values: Values) => ({ name: 'insert', text: INSERT, values, query_timeout: INSERT_WITHIN });

/**
 * Postgres is told of the statement by itself. A batch is larger than what a socket holds: of a worker that stands still while
 * it sends one, Postgres has read half a message. It ends such a session as it ends one that is idle, but not if it is in
 * the middle of learning a statement.
 */
export async function prepareInsert(client: Queryable): Promise<void> {
  await client.query(insert(Array.from({ length: COLUMNS.length }, () => [])));
}

/** How many were new. */
export async function insertRows(client: Queryable, rows: Arrived[]): Promise<number> {
  if (rows.length === 0) return 0;
  const hashes = new Map<string, string>();
  for (const { userId } of rows) {
    if (!hashes.has(userId)) hashes.set(userId, `\\x${userHash(userId)}`);
  }
  const values = COLUMNS.map((column) =>
    rows.map((row) => (column === 'hash' ? hashes.get(row.userId) : row[column])),
  );
  const { rowCount } = await client.query(insert(values));
  return rowCount ?? 0;
}

export interface Forgetting {
  /** The receipt's. */
  id: string;
  userId: string;
  /** ms since 1970. */
  erasedAt: number;
  /** When Redis took the erasure, µs since 1970: whatever came before it goes. */
  receivedUs: number;
}

// Totals of a site's day stay, as in Redis: they name nobody. Paths go, since they may.
const FORGET = `
WITH gone AS (
  DELETE FROM events
  WHERE user_id = $1 AND (event_time <= to_timestamp($2::float8 / 1e3) OR received_at < to_timestamp($3::float8 / 1e6))
  RETURNING site_id, event_time, event_type
), kept AS (
  INSERT INTO forgotten (site_id, day, event_type, events)
  SELECT site_id, (event_time AT TIME ZONE 'UTC')::date, event_type, count(*)
  FROM gone WHERE site_id IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
  ON CONFLICT (site_id, day, event_type) DO UPDATE SET events = forgotten.events + excluded.events
)
SELECT count(*) AS rows FROM gone`;

const MARK = `
INSERT INTO erasures (user_hash, shard_hash, erased_at) VALUES ($1, $2, to_timestamp($3::float8 / 1e3))
ON CONFLICT (user_hash) DO UPDATE SET erased_at = greatest(erasures.erased_at, excluded.erased_at)`;

const RECEIPT = `
INSERT INTO erasure_receipts (id, done_at, rows_deleted) VALUES ($1, clock_timestamp(), $2) ON CONFLICT (id) DO NOTHING`;

/** Must be in a transaction. Done again, it finds nothing. */
export async function forget(
  client: Queryable,
  { id, userId, erasedAt, receivedUs }: Forgetting,
): Promise<number> {
  // The mark first: from then on nothing of before can come in.
  await client.query(MARK, [Buffer.from(userHash(userId), 'hex'), crc16(userId), erasedAt]);
  const deletion = { text: FORGET, values: [userId, erasedAt, receivedUs], query_timeout: FORGET_WITHIN };
  const { rows } = await client.query<{ rows: string }>(deletion);
  const deleted = Number(rows[0]!.rows);
  await client.query(RECEIPT, [id, deleted]);
  return deleted;
}

/** So far back a month gets a partition of its own; what is older lies in the default one. */
const MONTHS_BACK = 36;

/** Months as numbers: `12 * year + month`. */
const monthOf = (ms: number) => {
  const date = new Date(ms);
  return 12 * date.getUTCFullYear() + date.getUTCMonth();
};
const nameOf = (month: number) =>
  `events_${Math.floor(month / 12)}_${String((month % 12) + 1).padStart(2, '0')}`;
const firstOf = (month: number) => new Date(Date.UTC(Math.floor(month / 12), month % 12, 1)).toISOString();

export interface Partitions {
  /** Those of this month and the next, before anybody needs them. */
  ahead(client: Queryable, now: number): Promise<void>;
  /** Those that some rows need, where they are not known to be there. */
  prepare(client: Queryable, rows: Row[], now: number): Promise<void>;
}

export function createPartitions(): Partitions {
  const there = new Set<number>();
  let notBefore = 0;

  async function make(client: Queryable, month: number): Promise<void> {
    if (performance.now() < notBefore) return;
    const bounds = `FROM ('${firstOf(month)}') TO ('${firstOf(month + 1)}')`;
    try {
      await inTransaction(client, async () => {
        // While it waits for somebody who reads for long, all others wait behind it.
        await client.query(`SET LOCAL lock_timeout = ${MAKE_WITHIN}`);
        await client.query('SELECT pg_advisory_xact_lock($1)', [SCHEMA_LOCK]); // another worker may be at it
        await client.query(
          `CREATE TABLE IF NOT EXISTS ${nameOf(month)} PARTITION OF events FOR VALUES ${bounds}`,
        );
      });
    } catch (error) {
      const { code = '' } = error as { code?: string };
      if (code === LOCK_NOT_AVAILABLE) {
        notBefore = performance.now() + TRY_AGAIN; // till then its rows lie in the default partition
        return;
      }
      // Some lie there already. There they are found as well.
      if (code !== CHECK_VIOLATION) throw error;
    }
    there.add(month);
  }

  return {
    async ahead(client, now) {
      const month = monthOf(now);
      for (const soon of [month, month + 1]) if (!there.has(soon)) await make(client, soon);
    },
    async prepare(client, rows, now) {
      const newest = monthOf(now) + 1;
      const missing = new Set<number>();
      for (const { at } of rows) {
        const month = monthOf(at);
        if (!there.has(month) && month <= newest && month > newest - MONTHS_BACK) missing.add(month);
      }
      for (const month of missing) await make(client, month);
    },
  };
}

const MAKE_WITHIN = SECOND; // ms
const TRY_AGAIN = MINUTE;
const LOCK_NOT_AVAILABLE = '55P03';
const CHECK_VIOLATION = '23514';

/** When Redis took an entry, µs since 1970, by its id in the stream: `1795228645033-0`. */
export function receivedUs(id: string): number {
  const [ms, number] = id.split('-').map(Number);
  return ms! * SECOND + Math.min(number!, SECOND - 1);
}
