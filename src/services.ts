// The features, put together over one Redis.

import type { Config } from './config.ts';
import { createEraser, type Eraser } from './erasure/eraser.ts';
import type { Metrics } from './metrics.ts';
import { createProfiles, type Profiles } from './profiles/profiles.ts';
import { createKeys, type Keys } from './redis/keys.ts';
import { createRecorder, type Recorder } from './redis/recorder.ts';
import type { FootfallRedis } from './redis/scripts.ts';
import type { Clock } from './time.ts';

export interface Services {
  keys: Keys;
  recorder: Recorder;
  profiles: Profiles;
  eraser: Eraser;
}

export function createServices(
  redis: FootfallRedis,
  config: Config,
  clock: Clock,
  metrics: Metrics,
): Services {
  const keys = createKeys(config.keyPrefix, config.shards);
  const mostInFlight = config.maxInFlight;
  return {
    keys,
    recorder: createRecorder({ redis, keys, clock, limits: config, mostInFlight, metrics }),
    profiles: createProfiles({ redis, keys, clock, ...config, mostInFlight, metrics }),
    eraser: createEraser({ redis, keys, clock, scanBudget: config.eraseScanMs, metrics }),
  };
}
