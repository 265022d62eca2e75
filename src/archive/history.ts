// How a site did on days that Redis no longer holds, out of raw history.
//
// All of a report is read in one snapshot: an erasure moves what it deletes into `forgotten`, and a total must meet it in
// one of the two.

import type pg from 'pg';
import { dateOf, SECOND } from '../time.ts';
import { createTurns } from '../turns.ts';
import { fromDatabase, LOOK_UP_WITHIN, within } from './database.ts';
import type { Outbox } from './outbox.ts';

export interface AskedOfHistory {
  siteId: string;
  from: number;
  /** Today at most. */
  to: number;
  /** Redis counts the days from this one on. */
  held: number;
  /** What it has of them: views by path. */
  paths: Map<string, number>;
}

export interface Past {
  /** Of the days before `held`. */
  events: { day: number; type: string; events: number }[];
  users: { day: number; users: number }[];
  /** Of all days. */
  topPaths: { path: string; views: number }[];
  uniqueUsers: number;
  /** Whether raw history has all that happened on these days. */
  isWhole: boolean;
}

export interface History {
  /** The oldest day of a site's that can be asked for. */
  oldest(siteId: string): Promise<number>;
  read(asked: AskedOfHistory): Promise<Past>;
}

/** Of a report; proxies lose patience after a minute. */
const READ_WITHIN = 30 * SECOND;
/** So long the worker has for what is on its way. */
const CARRIED_WITHIN = 2 * SECOND;
/** So many reports at once leave connections to who asks what became of an erasure. */
const AT_ONCE = 2;
const MOST_WAITING = 8;

// From the midnight after it began the archive has all of a day. What came late may be older. (By parts, so that each is the
// first row of an index.)
const REACH = `
SELECT (SELECT floor(extract(epoch FROM applied_at) / 86400)::int + 1 FROM footfall_schema WHERE version = 1) AS whole,
       (SELECT floor(extract(epoch FROM least(short, long)) / 86400)::int
        FROM (SELECT min(event_time) AS short FROM events WHERE site_id = $1 AND octet_length(path) <= 1000) AS a,
             (SELECT min(event_time) AS long FROM events WHERE site_id = $1 AND octet_length(path) > 1000) AS b) AS first`;

// Days are UTC. To compile a statement takes longer than that gains.
const BEGIN = `
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL statement_timeout = ${READ_WITHIN};
SET LOCAL timezone = 'UTC';
SET LOCAL jit = off`;

const EVENTS = `
SELECT day - date '1970-01-01' AS day, type, sum(events)::float8 AS events
FROM (
  SELECT event_time::date AS day, event_type AS type, count(*) AS events FROM site_events
  WHERE site_id = $1 AND event_time >= $2::timestamptz AND event_time < $3::timestamptz
  GROUP BY 1, 2
  UNION ALL
  SELECT day, event_type, events FROM forgotten WHERE site_id = $1 AND day >= $2::date AND day < $3::date
) AS known
GROUP BY 1, 2`;

// Day by day: to group a month by day and user at once takes twice as long.
const USERS_OF_DAYS = `
SELECT midnight::date - date '1970-01-01' AS day, users::float8 AS users
FROM generate_series($2::timestamptz, $3::timestamptz - interval '1 day', '1 day') AS midnight,
LATERAL (
  SELECT count(*) AS users FROM (
    SELECT FROM site_events WHERE site_id = $1 AND event_time >= midnight AND event_time < midnight + interval '1 day'
    GROUP BY user_id
  ) AS each
) AS counted`;

// Of the days that Redis holds, only what it has counted: what is late is in none of its counts.
const USERS = `
SELECT count(*)::float8 AS users FROM (
  SELECT FROM site_events
  WHERE site_id = $1 AND event_time >= $2::timestamptz AND event_time < $3::timestamptz
    AND (event_time < $4::timestamptz OR NOT late)
  GROUP BY user_id
) AS each`;

const TOP_PATHS = `
SELECT path, sum(views)::float8 AS views
FROM (
  SELECT path, count(*) AS views FROM site_events
  WHERE site_id = $1 AND event_time >= $2::timestamptz AND event_time < $3::timestamptz AND event_type = 'page_view'
  GROUP BY path
  UNION ALL
  SELECT * FROM unnest($4::text[], $5::bigint[])
) AS known
WHERE path <> '(other)'
GROUP BY path ORDER BY views DESC, path COLLATE "C" LIMIT 10`;

export function createHistory(database: pg.Pool, outbox: Outbox): History {
  const inTurn = createTurns(AT_ONCE, MOST_WAITING);

  async function reach(on: Pick<pg.ClientBase, 'query'>, siteId: string) {
    const { rows } = await on.query<{ whole: number; first: number | null }>(
      within(LOOK_UP_WITHIN, REACH, [siteId]),
    );
    return rows[0]!;
  }

  async function readAll({
    siteId,
    from,
    to,
    held,
    paths,
  }: AskedOfHistory): Promise<Omit<Past, 'isWhole'> & { whole: number }> {
    const client = await database.connect();
    const heardByTheStatement = () => undefined; // without it, a connection that is lost ends the process
    client.on('error', heardByTheStatement);
    const late = performance.now() + READ_WITHIN;
    const rowsOf = async <Row extends object>(text: string, ...values: unknown[]): Promise<Row[]> =>
      (await client.query<Row>(within(late - performance.now(), text, [siteId, dateOf(from), ...values])))
        .rows;
    try {
      await client.query(within(LOOK_UP_WITHIN, BEGIN));
      const { whole } = await reach(client, siteId);
      const until = dateOf(held);
      const past = {
        whole,
        events: await rowsOf<Past['events'][number]>(EVENTS, until),
        users: await rowsOf<Past['users'][number]>(USERS_OF_DAYS, until),
        topPaths: await rowsOf<Past['topPaths'][number]>(
          TOP_PATHS,
          until,
          [...paths.keys()],
          [...paths.values()],
        ),
        uniqueUsers: (await rowsOf<{ users: number }>(USERS, dateOf(to + 1), until))[0]!.users,
      };
      await client.query(within(LOOK_UP_WITHIN, 'COMMIT'));
      client.off('error', heardByTheStatement);
      client.release();
      return past;
    } catch (error) {
      client.release(true); // with whatever is under way on it
      throw error;
    }
  }

  const ours = (error: unknown) => {
    throw fromDatabase(error);
  };

  return {
    async oldest(siteId) {
      const { whole, first } = await reach(database, siteId).catch(ours);
      return Math.min(whole, first ?? whole);
    },
    async read(asked) {
      return inTurn(async () => {
        const isCarried = await outbox.isCarriedWithin(CARRIED_WITHIN);
        const { whole, ...past } = await readAll(asked).catch(ours);
        return { ...past, isWhole: isCarried && asked.from >= whole };
      });
    },
  };
}
