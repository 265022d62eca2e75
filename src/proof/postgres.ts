// The archive: its tables, what Postgres keeps about them, and what it has yet to clean up.

import pg from 'pg';
import { userHash } from '../redis/keys.ts';
import { HOUR, SECOND } from '../time.ts';
import { notLookedAt, type Place, wordOf } from './place.ts';
import { wordPattern } from './spellings.ts';

const AT = 'Postgres';
/** Pages' names have no index: every row is read. */
const ANSWER_WITHIN = 2 * HOUR;

export async function lookAtPostgres(databaseUrl: string, userId: string): Promise<Place[]> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    application_name: 'footfall-command',
    connectionTimeoutMillis: 10 * SECOND,
    query_timeout: ANSWER_WITHIN,
    statement_timeout: ANSWER_WITHIN,
  });
  client.on('error', () => undefined); // the statement hears it
  const places: Place[] = [];
  try {
    await client.connect();
    for (const look of [rows, names, erasures, statistics, deadRows]) places.push(await look(client, userId));
  } catch (error) {
    places.push(notLookedAt(AT, places.length === 0 ? 'events' : 'the rest', wordOf(error)));
  } finally {
    await client.end().catch(() => undefined);
  }
  return places;
}

async function rows(client: pg.Client, userId: string): Promise<Place> {
  const found = await count(client, 'SELECT count(*) FROM events WHERE user_id = $1', [userId]);
  const mend = found > 0 ? 'npm run erase -- USER, and wait for the worker' : undefined;
  return { at: AT, what: 'events, by user', found, mayBe: 0, mend };
}

/** A page, a site or an event_id may be named after a person: the site's own doing. */
async function names(client: pg.Client, userId: string): Promise<Place> {
  const mayBe = await count(
    client,
    `SELECT count(*) FROM events
     WHERE user_id <> $1 AND (path ~ $2 OR name ~ $2 OR site_id ~ $2 OR substring(identity FROM 'e:.*') ~ $2)`,
    [userId, wordPattern(userId)],
  );
  return { at: AT, what: "others' events", found: 0, mayBe };
}

async function erasures(client: pg.Client, userId: string): Promise<Place> {
  const { rows: marks } = await client.query<{ erased_at: Date }>(
    `SELECT erased_at FROM erasures WHERE user_hash = decode($1, 'hex')`,
    [userHash(userId)],
  );
  const ids = `SELECT (SELECT count(*) FROM erasure_receipts WHERE id = $1) +
    (SELECT count(*) FROM forgotten WHERE site_id = $1 OR event_type = $1)`;
  const mayBe = await count(client, ids, [userId]);
  const [mark] = marks;
  const note = mark
    ? `erased up to ${mark.erased_at.toISOString()}, as a hash of the id says`
    : 'no erasure is noted';
  return { at: AT, what: 'erasures', found: 0, mayBe, note };
}

/** ANALYZE keeps samples of what is in a column, and those it had where a table has become empty. */
async function statistics(client: pg.Client, userId: string): Promise<Place> {
  const found = await count(
    client,
    `SELECT count(*) FROM pg_stats, LATERAL (
       SELECT unnest(most_common_vals::text::text[]) UNION ALL SELECT unnest(histogram_bounds::text::text[])
     ) AS sample (value)
     WHERE attname = 'user_id' AND tablename ~ '^events(_|$)' AND schemaname = current_schema() AND value = $1`,
    [userId],
  );
  return {
    at: AT,
    what: "planner's samples",
    found,
    mayBe: 0,
    mend: found > 0 ? 'ANALYZE events, or DROP TABLE of a month that is empty now' : undefined,
  };
}

/** What was deleted lies in the files until VACUUM gives its place to others; whose it was is not to be asked. */
async function deadRows(client: pg.Client): Promise<Place> {
  const { rows: found } = await client.query<{ dead: string; vacuumed: Date | null }>(
    `SELECT coalesce(sum(n_dead_tup), 0) AS dead, min(greatest(last_vacuum, last_autovacuum)) AS vacuumed
     FROM pg_stat_user_tables JOIN pg_inherits ON inhrelid = relid WHERE inhparent = to_regclass('events')`,
  );
  const { dead, vacuumed } = found[0]!;
  const last = vacuumed ? `VACUUM was last there at ${vacuumed.toISOString()}` : 'VACUUM was never there';
  const note =
    Number(dead) > 0 ? `${dead}, of whomever, are in the files until VACUUM; ${last}` : `none; ${last}`;
  const mend = Number(dead) > 0 ? 'VACUUM events' : undefined;
  return { at: AT, what: 'deleted rows', found: 0, mayBe: 0, note, mend };
}

async function count(client: pg.Client, sql: string, values: unknown[]): Promise<number> {
  const { rows: found } = await client.query<{ [column: string]: string }>(sql, values);
  return Number(Object.values(found[0]!)[0]);
}
