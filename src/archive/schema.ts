// The tables, by numbered files of sql/, each applied once.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { CannotStart } from '../cannotStart.ts';
import { DAY, MINUTE, SECOND } from '../time.ts';
import { CONNECT_WITHIN, inTransaction } from './database.ts';

const SQL = join(import.meta.dirname, '../../sql'); // the same from src and from dist

const OLDEST_POSTGRES = 14; // idle_session_timeout
/** Who changes tables holds this lock; any number will do that nobody else takes. */
export const SCHEMA_LOCK = 4_606_001;

const LOCK_WITHIN = 20 * SECOND;
const ANSWER_WITHIN = MINUTE / 2;
/** An index over years takes long. */
const STEP_WITHIN = DAY;

interface Step {
  version: number;
  name: string;
}

export function steps(): Step[] {
  const files = readdirSync(SQL).filter((name) => /^\d{3}-[\w-]+\.sql$/.test(name));
  return files.sort().map((name) => ({ version: Number.parseInt(name, 10), name }));
}

/** The same by its URL, on a connection of its own. */
export async function migrated(databaseUrl: string): Promise<void> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    application_name: 'footfall-archive',
    connectionTimeoutMillis: CONNECT_WITHIN,
    query_timeout: ANSWER_WITHIN,
  });
  client.on('error', () => undefined); // the next statement hears it
  try {
    await client.connect();
    await migrate(client);
  } finally {
    client.end().catch(() => undefined);
  }
}

/** Brings the tables to what this version needs. Several may call it at once. */
export async function migrate(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ version: string }>(
    `SELECT current_setting('server_version_num') AS version`,
  );
  const postgres = Math.floor(Number(rows[0]!.version) / 10_000);
  if (postgres < OLDEST_POSTGRES) {
    throw new CannotStart(`Postgres ${postgres} is too old: DATABASE_URL needs ${OLDEST_POSTGRES} or newer`);
  }
  await inTransaction(client, async () => {
    await client.query(`SET LOCAL lock_timeout = ${LOCK_WITHIN}`); // who gives up leaves nobody in the queue
    await client.query('SELECT pg_advisory_xact_lock($1)', [SCHEMA_LOCK]);
    await client.query(
      `CREATE TABLE IF NOT EXISTS footfall_schema (
         version integer PRIMARY KEY, name text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())`,
    );
    const applied = await client.query<{ version: number }>(
      'SELECT version FROM footfall_schema ORDER BY version',
    );
    const known = steps();
    const newest = applied.rows.at(-1)?.version ?? 0;
    if (newest > known.at(-1)!.version) {
      throw new CannotStart(
        `the archive's tables are of a newer Footfall (${newest}, this one knows ${known.at(-1)!.version}): run that, or choose another DATABASE_URL`,
      );
    }
    for (const { version, name } of known.filter((step) => step.version > newest)) {
      const step = { text: readFileSync(join(SQL, name), 'utf8'), query_timeout: STEP_WITHIN };
      await client.query(step);
      await client.query('INSERT INTO footfall_schema (version, name) VALUES ($1, $2)', [version, name]);
    }
  });
}
