// The service over a test's Redis, with a clock that stands until it is moved.

import type pg from 'pg';
import { pino } from 'pino';
import { createApp } from '../../src/app.ts';
import { type Config, readConfig } from '../../src/config.ts';
import { createSampler } from '../../src/live/sampler.ts';
import { createStreams } from '../../src/live/streams.ts';
import { ofOne } from '../../src/live/totals.ts';
import { createMetrics } from '../../src/metrics.ts';
import { createProtection } from '../../src/protection.ts';
import type { FootfallRedis } from '../../src/redis/scripts.ts';
import { createServices } from '../../src/services.ts';

export interface FakeClock {
  (): number;
  set(time: string | number): void;
  advance(ms: number): void;
}

export const NOON = '2026-11-21T12:00:00.000Z';

export function fakeClock(start: string | number = NOON): FakeClock {
  let now = new Date(start).getTime();
  return Object.assign(() => now, {
    set(time: string | number) {
      now = new Date(time).getTime();
    },
    advance(ms: number) {
      now += ms;
    },
  });
}

/** `config` takes the settings by their property names and overrides the defaults; with a database there is an archive. */
export function service(
  redis: FootfallRedis,
  config: Partial<Config> = {},
  clock = fakeClock(),
  database?: pg.Pool,
) {
  const settings = { ...readConfig({}), ...config };
  const metrics = createMetrics();
  const protection = createProtection({
    config: settings,
    metrics,
    redisIsAway: () => redis.status !== 'ready',
    eventsPileUp: () => services.recorder.inFlight() >= settings.maxInFlight / 2,
    isShared: false,
  });
  protection.overload.stop(); // its timer would keep all of this for as long as the tests run
  const door = { ...protection.limits, isFull: () => false, isScarce: () => false };
  const services = createServices(redis, settings, clock, metrics, { door, database });
  const live = createStreams({
    sampler: createSampler({
      totals: ofOne(metrics.registry),
      redis: async () => undefined,
      state: () => ({ status: 'ready' }),
      clock,
    }),
    ...protection,
  });
  const app = createApp({
    ...services,
    ...protection,
    live,
    about: settings,
    clock,
    metrics,
    log: pino({ level: 'silent' }),
    unreadyBecause: () => undefined,
  });
  return { ...services, ...protection, app, live, about: settings, clock, redis, settings, metrics };
}
