// The features, put together over one Redis.

import type { Config } from './config.ts';
import { createEraser, type Eraser } from './erasure/eraser.ts';
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

export function createServices(redis: FootfallRedis, config: Config, clock: Clock): Services {
  const keys = createKeys(config.keyPrefix, config.shards);
  const mostInFlight = config.maxInFlight;
  return {
    keys,
    recorder: createRecorder({ redis, keys, clock, limits: config, mostInFlight }),
    profiles: createProfiles({ redis, keys, clock, ...config, mostInFlight }),
    eraser: createEraser({ redis, keys, clock, scanBudget: config.eraseScanMs }),
  };
}
