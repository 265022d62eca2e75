// The archive into Redis again: to rebuild one that was lost, or to make good what a backup does not have. Whatever is there
// already stays as it is, so it may run beside live traffic, be stopped, and be done again.
//
// Marks of erasures first, then the window (it is asked for in real time), then what is past, the newest first. What is past
// is decided by the clock at the end: the days that end while it runs are among it.

import { createMetrics } from '../../metrics.ts';
import { Damaged, Unavailable } from '../../redis/errors.ts';
import type { Keys } from '../../redis/keys.ts';
import { createRecorder, type Limits } from '../../redis/recorder.ts';
import type { FootfallRedis } from '../../redis/scripts.ts';
import { OPEN_DOOR } from '../../services.ts';
import type { Clock } from '../../time.ts';
import type { Queryable } from '../database.ts';
import { eventOfRow } from '../entry.ts';
import { replayLogins } from './logins.ts';
import { restoreMarks } from './marks.ts';
import { createPatience } from './patience.ts';
import { planAt, type Range, unitsOf } from './plan.ts';
import { type Archived, countRows, rowsForRecord } from './rows.ts';
import { replaySites } from './sites.ts';

export interface ReplayOptions {
  redis: FootfallRedis;
  keys: Keys;
  database: Queryable;
  clock: Clock;
  limits: Limits;
  range: Range;
  /** The id of an event: those up to it have gone through record.lua. */
  after: string;
  stopped(): boolean;
  /** Of Redis or Postgres being away, ms. */
  patience?: number;
}

export interface Replay {
  /** Of events: read so far, of how many; undefined until they are counted. */
  readonly done: number;
  readonly total: number | undefined;
  /** Where to go on: behind an event, and from a day on backwards, once it is about what is past. */
  readonly position: { after: string; to: number | undefined };
  readonly outcomes: Record<string, number>;
  /** Counts of days and months that are past. */
  readonly written: number;
  readonly marks: number;
  /** Resolves once it is done (true) or was stopped (false). Rejects where Redis or Postgres stay away. */
  run(): Promise<boolean>;
}

/** A month is open for as long as its last day is accepted, and its first day was 30 days before. */
const LONGEST_MONTH = 31;

export function createReplay(options: ReplayOptions): Replay {
  const { redis, keys, database, clock, limits, range, stopped } = options;
  const patiently = createPatience(stopped, options.patience);
  const recorder = createRecorder({
    redis,
    keys,
    clock,
    limits: { ...limits, acceptLoginDays: limits.lateLoginDays + LONGEST_MONTH },
    mostInFlight: Number.POSITIVE_INFINITY, // a step
    door: OPEN_DOOR,
    confirm: undefined,
    metrics: createMetrics(),
  });
  const progress = {
    done: 0,
    total: undefined as number | undefined,
    position: { after: options.after, to: undefined as number | undefined },
    outcomes: {} as Record<string, number>,
    written: 0,
    marks: 0,
  };
  const { position, outcomes } = progress;

  const add = (outcome: string) => {
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  };
  const onDamaged = () => add('damaged');
  const onRead = (count: number) => {
    progress.done += count;
  };

  /** Idempotent: where it fails, all of it is done again. */
  function record(rows: Archived[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const came: string[] = [];
      let failure: unknown;
      let left = rows.length;
      const settle = () => {
        if (--left > 0) return;
        if (failure) return reject(failure);
        for (const outcome of came) add(outcome);
        resolve();
      };
      const waiter = {
        done(outcome: string) {
          came.push(outcome);
          settle();
        },
        failed(error: unknown) {
          if (error instanceof Damaged) came.push('damaged');
          else if (!(failure instanceof Error) || failure instanceof Unavailable) failure = error;
          settle();
        },
      };
      for (const row of rows) recorder.recordFor(eventOfRow(row), waiter);
    });
  }

  async function replayWindow(): Promise<boolean> {
    const fetch = (after: string) =>
      patiently(() => rowsForRecord(database, planAt(clock(), limits, range), after));
    let next = fetch(position.after);
    for (;;) {
      if (stopped()) break;
      const rows = await next;
      if (rows.length === 0) return true;
      const last = rows.at(-1)!.id;
      next = fetch(last); // while these are recorded
      next.catch(() => undefined); // it is heard in its turn
      await patiently(() => record(rows));
      position.after = last;
      onRead(rows.length);
    }
    await next.catch(() => undefined);
    return false;
  }

  async function replayPast(): Promise<boolean> {
    for (const { is, day } of unitsOf(planAt(clock(), limits, range))) {
      position.to = day;
      const past = { redis, keys, database, now: clock(), patiently, onRead, onDamaged, stopped };
      const written = await (is === 'day'
        ? replaySites(day, limits, past)
        : replayLogins(day, limits.uniquesRetentionDays, past));
      if (written === undefined) return false;
      progress.written += written;
    }
    return true;
  }

  return Object.assign(progress, {
    async run() {
      const { lateLoginDays } = limits;
      progress.marks = await patiently(() =>
        restoreMarks({ redis, keys, database, now: clock(), lateLoginDays }),
      );
      progress.total = await patiently(() =>
        countRows(database, planAt(clock(), limits, range), position.after),
      );
      return (await replayWindow()) && (await replayPast());
    },
  });
}
