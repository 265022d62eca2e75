// The features, put together over one Redis.

import type pg from 'pg';
import { createErasures, type Erasures } from './archive/erasures.ts';
import { createHistory, type History } from './archive/history.ts';
import { createOutbox, type Outbox } from './archive/outbox.ts';
import { createUniques, type Uniques } from './audiences/uniques.ts';
import { createVisitors, type Visitors } from './audiences/visitors.ts';
import type { Config } from './config.ts';
import { createEraser, type Eraser } from './erasure/eraser.ts';
import { createExporter, type Exporter } from './export/export.ts';
import type { Metrics } from './metrics.ts';
import { createProfiles, type Profiles } from './profiles/profiles.ts';
import { createVisits, type Visits } from './profiles/visits.ts';
import { onReplica } from './redis/durability.ts';
import { createEveryShard } from './redis/everyShard.ts';
import { createKeys, type Keys } from './redis/keys.ts';
import { createRecorder, type Door, type Recorder } from './redis/recorder.ts';
import type { FootfallRedis } from './redis/scripts.ts';
import { createSites, type Sites } from './sites/sites.ts';
import type { Clock } from './time.ts';

export interface Services {
  keys: Keys;
  recorder: Recorder;
  profiles: Profiles;
  visits: Visits;
  visitors: Visitors;
  uniques: Uniques;
  sites: Sites;
  eraser: Eraser;
  exporter: Exporter;
  archive: Archive | undefined;
}

export interface Archive {
  outbox: Outbox;
  erasures: Erasures;
  history: History;
  /** Bytes that may wait of each shard. */
  outboxLimit: number;
}

/** How much of the time that a call has goes to waiting for a replica, at most: Redis's answer must come before it ends. */
const WAIT = 0.8;

export const OPEN_DOOR: Door = {
  of: () => '',
  broughtNewUser: () => undefined,
  isFull: () => false,
  isScarce: () => false,
};

export interface ServicesOptions {
  door?: Door;
  /** What writes, where that has a connection of its own. */
  writer?: FootfallRedis;
  /** Where there is an archive. */
  database?: pg.Pool | undefined;
}

export function createServices(
  redis: FootfallRedis,
  config: Config,
  clock: Clock,
  metrics: Metrics,
  { door = OPEN_DOOR, writer = redis, database }: ServicesOptions = {},
): Services {
  const keys = createKeys(config.keyPrefix, config.shards, config.lateLoginDays);
  const mostInFlight = config.maxInFlight;
  const confirm =
    config.durability === 'replica'
      ? onReplica(writer, Math.floor(config.redisTimeoutMs * WAIT), metrics)
      : undefined;
  const everyShard = createEveryShard(keys, mostInFlight);
  const archive = database && createArchive(database);
  const visitors = createVisitors({ redis, keys, everyShard, clock, metrics });
  return {
    keys,
    recorder: createRecorder({
      redis: writer,
      keys,
      clock,
      limits: config,
      mostInFlight,
      door,
      confirm,
      metrics,
      outboxLimit: archive?.outboxLimit,
    }),
    profiles: createProfiles({ redis, keys, clock, ...config, mostInFlight, metrics }),
    visits: createVisits({ redis, keys, clock, ...config, metrics }),
    visitors,
    uniques: createUniques({ redis, keys, everyShard, clock, retentionDays: config.uniquesRetentionDays }),
    sites: createSites({
      redis,
      keys,
      everyShard,
      clock,
      visitors,
      retentionDays: config.siteRetentionDays,
      history: archive?.history,
    }),
    eraser: createEraser({
      redis: writer,
      keys,
      clock,
      scanBudget: config.eraseScanMs,
      lateLoginDays: config.lateLoginDays,
      confirm,
      metrics,
      erasures: archive?.erasures,
    }),
    exporter: createExporter({
      redis,
      keys,
      clock,
      sessionGapSeconds: config.sessionGapSeconds,
      archive: database && archive && { database, outbox: archive.outbox },
    }),
    archive,
  };

  function createArchive(database: pg.Pool): Archive {
    const outbox = createOutbox({ redis, keys, clock, everyShard });
    return {
      outbox,
      erasures: createErasures(database, outbox, keys.shards),
      history: createHistory(database, outbox),
      outboxLimit: Math.floor(config.outboxLimit / keys.shards),
    };
  }
}
