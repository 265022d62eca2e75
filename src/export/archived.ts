// What the archive holds of a person, in order of time.

import type pg from 'pg';
import { fromDatabase } from '../archive/database.ts';
import { eventOfRow, type Row } from '../archive/entry.ts';
import { wordsOf } from './events.ts';
import type { Line } from './line.ts';

/** Of one statement. No connection is held between two: whoever reads slowly keeps nobody from the archive. */
const ROWS = 1000;

interface Found extends Omit<Row, 'userId'> {
  /** Its time to the microsecond, as the database spells it. */
  moment: string;
  received_at: Date;
}

// By the unique index (user_id, event_time, identity), from where the last page ended; the months before it are left out.
const PAGE = `
SELECT round(extract(epoch FROM event_time) * 1000)::float8 AS at, event_time::text AS moment, received_at, late,
  is_url AS "isUrl", site_id AS "siteId", event_type AS type, path, name, identity
FROM events
WHERE user_id = $1 AND event_time >= $2::timestamptz AND (event_time, identity) > ($2::timestamptz, $3)
ORDER BY event_time, identity LIMIT ${ROWS}`;

export async function* archivedLines(database: pg.Pool, userId: string): AsyncGenerator<Line> {
  let behind = ['-infinity', ''];
  for (;;) {
    const { rows } = await database.query<Found>(PAGE, [userId, ...behind]).catch((error) => {
      throw fromDatabase(error);
    });
    for (const row of rows) yield lineOf(userId, row);
    const last = rows.at(-1);
    if (!last || rows.length < ROWS) return;
    behind = [last.moment, last.identity];
  }
}

function lineOf(userId: string, { moment, received_at, ...row }: Found): Line {
  const { is, ...words } = wordsOf(eventOfRow({ ...row, userId }));
  return { from: 'archive', is, ...words, received_at: received_at.toISOString(), late: row.late };
}
