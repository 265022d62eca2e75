// What became of events on their way to Postgres: those that wait in an outbox, and those that are there.

import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { createPartitions } from '../dist/archive/rows.js';
import { migrate } from '../dist/archive/schema.js';
import { createKeys } from '../dist/redis/keys.js';
import { DAYS } from './events.mjs';
import { startPostgres } from './postgres.mjs';
import { atEnd } from './processes.mjs';

const DAY = 24 * 60 * 60 * 1000;
const AT_ONCE = 500; // entries
const CARRIED_WITHIN = 60_000;

/** A Postgres with the archive's tables, as safe as it comes. Whoever fills them gets them empty. */
export async function startDatabase(today) {
  const postgres = await startPostgres();
  const client = new pg.Client({ connectionString: postgres.url });
  client.on('error', () => undefined); // the call fails, too
  await client.connect();
  atEnd(() => client.end().catch(() => undefined));
  await migrate(client);
  const days = Array.from({ length: DAYS }, (_, i) => ({ at: today - (i + 1) * DAY }));
  await createPartitions().prepare(client, days, Date.now());
  return {
    ...postgres,
    /** What has been written until now goes to the disk now: it would go in the middle of somebody's measurement. */
    async clear() {
      await client.query('TRUNCATE events');
      await client.query('CHECKPOINT');
    },
    async rows() {
      const { rows } = await client.query('SELECT count(*) FROM events');
      return Number(rows[0].count);
    },
  };
}

/** Entries that wait. */
export const waiting = ({ client }, { prefix }) => client.xlen(outboxOf(prefix));

const outboxOf = (prefix) => createKeys(prefix, 1).outbox(0);

/** Every accepted event waits in the outbox, or the run has failed. */
export async function mustWait({ redis }, { title, store }, accepted) {
  let events = 0;
  let after = '-';
  for (;;) {
    const entries = await redis.client.xrange(outboxOf(store.prefix), after, '+', 'COUNT', AT_ONCE);
    for (const [, fields] of entries) events += fields.length / 2;
    if (entries.length < AT_ONCE) break;
    after = `(${entries.at(-1)[0]}`;
  }
  if (events !== accepted) throw new Error(`${title} accepted ${accepted} events, but ${events} wait`);
}

/** Every accepted event is in Postgres once nothing waits, or the run has failed. */
export async function mustBeArchived({ redis, database, found }, { title, store }, accepted) {
  const deadline = performance.now() + CARRIED_WITHIN;
  while (store && (await waiting(redis, store)) > 0) {
    if (performance.now() > deadline) throw new Error(`${title}: events still wait for Postgres`);
    await delay(20);
  }
  const rows = await database.rows();
  if (rows !== accepted) throw new Error(`${title} accepted ${accepted} events, but Postgres has ${rows}`);
  found.archivable += accepted;
  found.archived += rows;
}
