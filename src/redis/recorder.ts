// Page views on their way into Redis.

import { identityOf, type PageView } from '../events/pageView.ts';
import type { Metrics } from '../metrics.ts';
import { type Clock, DAY, datesBetween, dayOf, SECOND, WINDOW_DAYS } from '../time.ts';
import { answerOf } from './calls.ts';
import { Damaged } from './errors.ts';
import { createGrouping, promised, type Waiter } from './grouping.ts';
import { encodeId, type Keys } from './keys.ts';
import type { FootfallRedis, RecordOutcome } from './scripts.ts';

/** What became of an event. `recorded` is a promise: the next read sees it. */
export type Outcome = Exclude<RecordOutcome, 'damaged'>;

export interface Limits {
  sessionGapSeconds: number;
  maxViewsPerUserDay: number;
  maxPagesPerUserDay: number;
}

export interface Recorder {
  record(view: PageView): Promise<Outcome>;
  /** The same without a promise, for the road of single events. */
  recordFor(view: PageView, waiter: Waiter<Outcome>): void;
  /** Events that wait for Redis. */
  inFlight(): number;
}

const LARGEST_GROUP = 128;

export interface RecorderOptions {
  redis: FootfallRedis;
  keys: Keys;
  clock: Clock;
  limits: Limits;
  mostInFlight: number;
  metrics: Metrics;
}

export function createRecorder(options: RecorderOptions): Recorder {
  const { redis, keys, clock, limits, mostInFlight, metrics } = options;
  const gap = String(limits.sessionGapSeconds * SECOND);
  const maxViews = String(limits.maxViewsPerUserDay);
  const maxPages = String(limits.maxPagesPerUserDay);

  const grouping = createGrouping<PageView, Outcome>({
    largest: LARGEST_GROUP,
    mostInFlight,
    async send(shard, views) {
      const now = clock();
      const today = dayOf(now);
      const args = [
        String(today * DAY),
        String(now - today * DAY),
        gap,
        maxViews,
        maxPages,
        datesBetween(today - WINDOW_DAYS, today + 1),
      ];
      for (const view of views) {
        args.push(encodeId(view.userId), String(view.at), identityOf(view), view.name);
      }
      const outcomes = await answerOf(
        metrics,
        'record',
        views.length,
        redis.ffRecord(keys.shard(shard), args),
      );
      return outcomes.map((outcome) => {
        metrics.event(outcome);
        return outcome === 'damaged' ? new Damaged() : outcome;
      });
    },
  });

  const recordFor = (view: PageView, waiter: Waiter<Outcome>) =>
    grouping.add(keys.shardOf(view.userId), view, waiter);

  return {
    record: (view) => promised((waiter) => recordFor(view, waiter)),
    recordFor,
    inFlight: grouping.inFlight,
  };
}
