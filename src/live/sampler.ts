// Figures of now, once a second, for as long as somebody listens.

import type { BacklogFigures } from '../archive/backlog.ts';
import type { State } from '../http/health.ts';
import type { Gauges } from '../metrics.ts';
import { type Clock, SECOND } from '../time.ts';
import { createRates, type Rates } from './rates.ts';
import type { TotalsOfAll } from './totals.ts';

/** What a page shows; `null` is not known. */
export interface Figures {
  at: string;
  /** A second, by outcome. */
  events: Rates['events'];
  requests_per_second: number;
  refused_per_second: Rates['refused'];
  p99_ms: number | null;
  events_in_flight: number;
  redis: {
    up: boolean;
    lag_ms: number | null;
    memory_bytes: number | null;
    maxmemory_bytes: number | null;
  };
  backlog: {
    entries: number;
    bytes: number;
    limit_bytes: number;
    age_seconds: number;
    dead: number;
  } | null;
  ready: State['status'];
  reason: string | null;
}

export interface Sources {
  totals(): Promise<TotalsOfAll>;
  redis: Gauges['redis'];
  /** Where there is an archive. */
  backlog?: (() => BacklogFigures | undefined) | undefined;
  state(): State;
  clock: Clock;
}

export interface Sampler {
  /** Calls once a second, without figures where there are none: the last ones are still being read. Returns what ends it. */
  start(hear: (figures: Figures | undefined) => void): () => void;
}

export function createSampler({ totals, redis, backlog, state, clock }: Sources): Sampler {
  async function read(rates: ReturnType<typeof createRates>): Promise<Figures | undefined> {
    const found = rates.add(await totals());
    const at = new Date(clock()).toISOString();
    if (!found) return undefined;
    const store = await redis();
    const behind = backlog?.();
    const now = state();
    return {
      at,
      events: found.events,
      requests_per_second: found.requests,
      refused_per_second: found.refused,
      p99_ms: found.p99,
      events_in_flight: found.eventsInFlight,
      redis: {
        up: store !== undefined,
        lag_ms: store ? Math.round(store.lagSeconds * SECOND * 1000) / 1000 : null,
        memory_bytes: store?.memory ?? null,
        maxmemory_bytes: store?.maxmemory ?? null,
      },
      backlog: behind
        ? {
            entries: behind.entries,
            bytes: behind.bytes,
            limit_bytes: behind.limit,
            age_seconds: behind.ageSeconds,
            dead: behind.dead,
          }
        : null,
      ready: now.status,
      reason: now.status === 'ready' ? null : now.reason,
    };
  }

  return {
    start(hear) {
      const rates = createRates(); // with its own beginning: what happened while nobody listened is no rate
      let isReading = false;
      let ended = false;
      async function look(): Promise<void> {
        isReading = true;
        const figures = await read(rates).catch(() => undefined);
        isReading = false;
        if (!ended) hear(figures);
      }
      void look();
      const timer = setInterval(() => {
        if (isReading) hear(undefined);
        else void look();
      }, SECOND).unref();
      return () => {
        ended = true;
        clearInterval(timer);
      };
    },
  };
}
