// What is read of the archive, a step at a time, so that neither Postgres nor this process holds much at once.

import { DAY, monthEnd } from '../../time.ts';
import { fromDatabase, type Queryable } from '../database.ts';
import type { Row } from '../entry.ts';
import type { Plan } from './plan.ts';

/** Events of the archive's table `events` that counted. An `id` is a bigint. */
export interface Archived extends Row {
  id: string;
}

export interface Logins {
  userId: string;
  /** `2026-11-21`, each once. */
  dates: string[];
  /** How many rows say so. */
  rows: number;
}

/** Of ids: behind one, up to another. */
export interface Span {
  before: string;
  last: string;
}

const STEP = 4000;

const COLUMNS = `id, (extract(epoch FROM event_time) * 1000)::float8 AS at, late, is_url AS "isUrl", site_id AS "siteId",
  event_type AS type, path, name, user_id AS "userId", identity`;

// `login` is the identity of logins alone, and stands in two indexes.
const FOR_RECORD = `
SELECT ${COLUMNS} FROM events
WHERE id > $1 AND event_time >= $2 AND event_time < $3 AND NOT late
  AND event_time >= CASE identity WHEN 'login' THEN $4 ELSE $5::timestamptz END
ORDER BY id LIMIT ${STEP}`;

const OF_SITES = `
SELECT ${COLUMNS} FROM events
WHERE id > $4 AND id <= $3 AND event_time >= $1 AND event_time < $2 AND NOT late
  AND (site_id IS NOT NULL OR is_url AND user_id = ANY($5))
ORDER BY id LIMIT ${STEP}`;

const SPAN = `
SELECT min(id) - 1 AS before, max(id) AS last FROM events
WHERE event_time >= $1 AND event_time < $2 AND NOT late AND (site_id IS NOT NULL OR is_url)`;

const HEAVY = `
SELECT user_id AS "userId" FROM events
WHERE event_time >= $1 AND event_time < $2 AND NOT late AND (site_id IS NOT NULL OR is_url)
GROUP BY user_id HAVING count(*) > $3`;

const LOGINS = `
SELECT user_id AS "userId", count(*)::int AS rows,
  array_agg(DISTINCT to_char(event_time AT TIME ZONE 'UTC', 'YYYY-MM-DD')) AS dates
FROM events
WHERE identity = 'login' AND event_time >= $1 AND event_time < $2 AND NOT late AND user_id > $3
GROUP BY user_id ORDER BY user_id LIMIT ${STEP}`;

const COUNT = `
SELECT count(*)::float8 AS count FROM events
WHERE NOT late AND event_time >= least($1::timestamptz, $3, $5, $7) AND (
  identity <> 'login' AND event_time >= $1 AND event_time < $2 AND id > $9
  OR identity = 'login' AND event_time >= $3 AND event_time < $4 AND id > $9
  OR site_id IS NOT NULL AND event_time >= $5 AND event_time < $6
  OR identity = 'login' AND event_time >= $7 AND event_time < $8)`;

const midnight = (day: number) => new Date(day * DAY).toISOString();
const of = (from: number, to: number) => [midnight(from), midnight(to + 1)];

async function ask<T extends object>(database: Queryable, sql: string, values: unknown[]): Promise<T[]> {
  try {
    return (await database.query<T>(sql, values)).rows;
  } catch (error) {
    throw fromDatabase(error);
  }
}

/** The next ones that go through record.lua, in order of arrival; none where there are no more. */
export const rowsForRecord = (database: Queryable, { window, logins }: Plan, after: string) =>
  ask<Archived>(database, FOR_RECORD, [
    after,
    midnight(Math.min(window.from, logins.from)),
    midnight(window.to + 1),
    midnight(logins.from),
    midnight(window.from),
  ]);

/** Between which ids the events of a day lie that a site or a url has visitors by; undefined if there are none. */
export async function spanOf(database: Queryable, day: number): Promise<Span | undefined> {
  const [row] = await ask<Span>(database, SPAN, of(day, day));
  return row!.last === null ? undefined : row;
}

/** The next ones of sites on a day, in order of arrival; of heavy users, all that has visitors. */
export const rowsOfSites = (database: Queryable, day: number, { before, last }: Span, heavy: string[]) =>
  ask<Archived>(database, OF_SITES, [...of(day, day), last, before, heavy]);

/** Who had more of them than so many. */
export async function heavyUsers(database: Queryable, day: number, most: number): Promise<string[]> {
  const rows = await ask<{ userId: string }>(database, HEAVY, [...of(day, day), most]);
  return rows.map(({ userId }) => userId);
}

/** The next users who logged in in a month. */
export const loginsOf = (database: Queryable, firstDay: number, after: string) =>
  ask<Logins>(database, LOGINS, [...of(firstDay, monthEnd(firstDay) - 1), after]);

/** How many events there are to go through. */
export async function countRows(database: Queryable, plan: Plan, after: string): Promise<number> {
  const { window, logins, days, months } = plan;
  const spans = [window, logins, days, months].flatMap(({ from, to }) => of(from, to));
  const [row] = await ask<{ count: number }>(database, COUNT, [...spans, after]);
  return row!.count;
}
