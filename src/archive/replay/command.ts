// `npm run replay`: what is typed, and what is shown meanwhile.

import { parseArgs } from 'node:util';
import pg from 'pg';
import { CannotStart } from '../../cannotStart.ts';
import { misused, withSettings } from '../../command.ts';
import type { Config } from '../../config.ts';
import { Unavailable } from '../../redis/errors.ts';
import { createKeys } from '../../redis/keys.ts';
import { checkMeta, storedSettings } from '../../redis/meta.ts';
import { primariesOf } from '../../redis/nodes.ts';
import { openStore } from '../../redis/openStore.ts';
import { inspectNode } from '../../redis/readiness.ts';
import { onStopSignals } from '../../signals.ts';
import { dateOf, MINUTE, parseDate, SECOND } from '../../time.ts';
import { wordOf } from '../database.ts';
import { migrate } from '../schema.ts';
import { everythingAt } from './plan.ts';
import { showProgress } from './progress.ts';
import { createReplay, type Replay } from './replay.ts';

const USAGE = `npm run replay -- [--from DATE] [--to DATE] [--after ID]
Feeds the archive into Redis again: events of these days (UTC, both included), by default all that Redis would hold.
--after goes on behind an event that it has told of.`;

interface Asked {
  from: number | undefined;
  to: number | undefined;
  after: string;
}

/** Throws what is wrong, in a line. */
function readArguments(): Asked {
  const string = { type: 'string' } as const;
  const { values } = parseArgs({ options: { from: string, to: string, after: string } });
  const day = (name: 'from' | 'to') => {
    const given = values[name];
    const day = given === undefined ? undefined : parseDate(given);
    if (Number.isNaN(day)) throw new Error(`--${name} must be a date like 2026-11-21`);
    return day;
  };
  const { after = '0' } = values;
  const [from, to] = [day('from'), day('to')];
  if (from !== undefined && to !== undefined && from > to) throw new Error('--from must not lie after --to');
  if (!/^\d{1,18}$/.test(after)) throw new Error('--after must be a number');
  return { from, to, after };
}

async function replay(config: Config, asked: Asked): Promise<void> {
  if (config.databaseUrl === undefined) {
    throw new CannotStart('DATABASE_URL is not set, so there is no archive: set it, as the service has it');
  }
  const all = everythingAt(Date.now(), config);
  const range = { from: asked.from ?? all.from, to: asked.to ?? all.to };
  const database = openArchive(config.databaseUrl);
  const redis = await openStore(config);
  let isStopped = false;
  onStopSignals(
    ['SIGINT', 'SIGTERM'],
    () => {
      isStopped = true; // after the step at hand
    },
    () => redis.disconnect(), // which then fails
  );
  try {
    await migrated(database);
    const keys = createKeys(config.keyPrefix, config.shards, config.lateLoginDays);
    for (const node of primariesOf(redis)) {
      const { amiss } = await inspectNode(node, config.durability);
      if (amiss !== undefined) throw new CannotStart(amiss);
    }
    await checkMeta(redis, keys, storedSettings(config));
    const work = { redis, keys, database, clock: Date.now, limits: config, range, after: asked.after };
    await show(createReplay({ ...work, stopped: () => isStopped }), asked);
  } finally {
    redis.disconnect();
    await database.end();
  }
}

/** What is not done at the end is told with what to type. */
async function show(running: Replay, asked: Asked): Promise<void> {
  const optionsToGoOn = () => {
    const { to = asked.to, after } = running.position;
    const days = Object.entries({ from: asked.from, to }).flatMap(([name, day]) =>
      day === undefined ? [] : [`--${name} ${dateOf(day)}`],
    );
    return [...days, `--after ${after}`].join(' ');
  };
  const toGoOn = () => `To go on: npm run replay -- ${optionsToGoOn()}`;
  const hide = showProgress(running, optionsToGoOn);
  let isDone = false;
  try {
    isDone = await running.run();
  } catch (error) {
    throw error instanceof Unavailable ? new CannotStart(`${error.message}. ${toGoOn()}`) : error;
  } finally {
    hide();
  }
  if (!isDone) throw new CannotStart(`Stopped. ${toGoOn()}`);
  const { damaged = 0 } = running.outcomes;
  if (damaged > 0) {
    throw new CannotStart(
      `${damaged} events or counts are left out, since a key that they need holds something else than it should`,
    );
  }
}

const ANSWER_WITHIN = 10 * MINUTE; // the events of years are counted

function openArchive(databaseUrl: string): pg.Pool {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: 2,
    application_name: 'footfall-replay',
    connectionTimeoutMillis: 5 * SECOND,
    query_timeout: ANSWER_WITHIN,
    statement_timeout: ANSWER_WITHIN,
    keepAlive: true,
  });
  pool.on('error', () => undefined); // whoever asks next hears it
  return pool;
}

async function migrated(database: pg.Pool): Promise<void> {
  try {
    const client = await database.connect();
    client.on('error', () => undefined); // the statement hears it
    await migrate(client).finally(() => client.release());
  } catch (error) {
    if (error instanceof CannotStart) throw error;
    throw new CannotStart(`Postgres can't be reached, ${wordOf(error)}: start it, or mend DATABASE_URL`);
  }
}

try {
  const asked = readArguments();
  await withSettings((config) => replay(config, asked));
} catch (error) {
  misused(USAGE, (error as Error).message.split(/\. |\n/)[0]);
}
