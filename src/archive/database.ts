// Postgres: connections, and what can go wrong with it in the ways that a caller cares about.

import pg from 'pg';
import type { Config } from '../config.ts';
import { Unavailable } from '../redis/errors.ts';
import { MINUTE, SECOND } from '../time.ts';

/** What runs a statement: a connection, or a pool of them. */
export type Queryable = Pick<pg.ClientBase, 'query'>;

export const CONNECT_WITHIN = 2 * SECOND;
/** A report over months may take long; the caller of it waits. */
const ANSWER_WITHIN = MINUTE;

/** Connections for those who read. */
function createPool(databaseUrl: string, max = 4): pg.Pool {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max,
    application_name: 'footfall',
    connectionTimeoutMillis: CONNECT_WITHIN,
    query_timeout: ANSWER_WITHIN,
    statement_timeout: ANSWER_WITHIN,
    idleTimeoutMillis: 30 * SECOND,
    keepAlive: true,
    allowExitOnIdle: true,
  });
  pool.on('error', () => undefined); // of one that nobody uses: it is replaced, and who needs one hears why there is none
  return pool;
}

/** Undefined where the settings have no archive. Whoever opens it ends it. */
export const openDatabase = ({ databaseUrl }: Config): pg.Pool | undefined =>
  databaseUrl === undefined ? undefined : createPool(databaseUrl);

/** A worker that stands still must not hold what others wait for: Postgres ends its session, and with that its locks. */
const ASLEEP_AFTER = 10 * SECOND;

/** One connection whose locks are the worker's. Whatever fails on it ends it. */
export async function connectWorker(databaseUrl: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    application_name: 'footfall-archive',
    connectionTimeoutMillis: CONNECT_WITHIN,
    query_timeout: MINUTE / 2,
    statement_timeout: 5 * MINUTE, // it takes longer than its caller waits, and keeps its locks meanwhile
    keepAlive: true,
  });
  client.on('error', () => undefined); // the next statement hears it
  try {
    await client.connect();
    await client.query(
      `SELECT set_config('idle_session_timeout', $1, false), set_config('idle_in_transaction_session_timeout', $1, false)`,
      [String(ASLEEP_AFTER)],
    );
    return client;
  } catch (error) {
    client.end().catch(() => undefined);
    throw error;
  }
}

/** What stands for a value that the database refuses: this one, and no other. Postgres's classes 22 and 23. */
export function isOfData(error: unknown): boolean {
  return error instanceof pg.DatabaseError && /^2[23]/.test(error.code ?? '');
}

/** The kind of an error, without what it was about: Postgres's messages may hold values. */
export function wordOf(error: unknown): string {
  const { code, name, message } = error as Error & { code?: string };
  if (/timeout|timed out/i.test(message)) return 'it does not answer';
  return code ?? (/terminated|not queryable/i.test(message) ? 'it closed the connection' : name);
}

/** An error of the database's as one that callers know: nothing of theirs is said in it. */
export function fromDatabase(error: unknown): Error {
  if (error instanceof TypeError || error instanceof RangeError || error instanceof Unavailable) return error;
  return new Unavailable(`The archive does not answer (${wordOf(error)})`);
}

/** In one transaction, or nothing of it. */
export async function inTransaction<T>(client: Queryable, work: () => Promise<T>): Promise<T> {
  await client.query('BEGIN');
  try {
    const result = await work();
    await client.query('COMMIT');
    return result;
  } catch (error) {
    // Of a connection that is lost Postgres does it, and behind a statement that does not come back it would only wait.
    if ((error as Error).message !== 'Query read timeout')
      await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}

/** Of what takes milliseconds. */
export const LOOK_UP_WITHIN = 2 * SECOND;

/** The client waits no longer, whether the server answers or stands still. */
export const within = (ms: number, text: string, values: unknown[] = []) => ({
  text,
  values,
  query_timeout: Math.max(1, ms),
});
