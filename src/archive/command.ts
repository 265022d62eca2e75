// The worker as a process: `npm run archive`, or a child of the service, which then asks it for its metrics.

import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { CannotStart } from '../cannotStart.ts';
import { withSettings } from '../command.ts';
import type { Config } from '../config.ts';
import { createLog } from '../log.ts';
import { connectRedis } from '../redis/connect.ts';
import { createEveryShard } from '../redis/everyShard.ts';
import { createKeys } from '../redis/keys.ts';
import { checkMeta, storedSettings } from '../redis/meta.ts';
import { placeOf } from '../redis/place.ts';
import { privateRedisUrl } from '../redis/privateRedis.ts';
import { onStopOfPrimary, onStopSignals } from '../signals.ts';
import { SECOND } from '../time.ts';
import { answerScrapes } from './child.ts';
import { createArchiveMetrics } from './metrics.ts';
import { createOutbox } from './outbox.ts';
import { startWorker } from './worker.ts';

const isChild = process.send !== undefined;
const READY_WITHIN = 2 * SECOND;

await withSettings(work);
if (process.connected) process.disconnect();

async function work(config: Config): Promise<void> {
  const { databaseUrl } = config;
  if (databaseUrl === undefined) {
    throw new CannotStart('DATABASE_URL is not set, so there is no archive: set it, as the service has it');
  }
  const log = createLog(config.logLevel);
  const place = placeOf(config) ?? { url: privateRedisUrl(config.dataDir) };
  const redis = connectRedis(place, config.redisTimeoutMs, 'footfall-archive');
  redis.on('error', () => undefined); // whoever calls it hears it
  redis.connect().catch(() => undefined);
  const keys = createKeys(config.keyPrefix, config.shards, config.lateLoginDays);
  const clock = Date.now;
  const everyShard = createEveryShard(keys, config.maxInFlight);
  const metrics = createArchiveMetrics();
  const outbox = createOutbox({ redis, keys, clock, everyShard });
  const checkSettings = async () => {
    if (redis.status !== 'ready') await Promise.race([once(redis, 'ready'), delay(READY_WITHIN)]);
    await checkMeta(redis, keys, storedSettings(config));
  };
  const worker = startWorker({ databaseUrl, outbox, keys, clock, metrics, log, checkSettings });
  if (isChild) {
    answerScrapes(metrics.registry);
    onStopOfPrimary(() => void worker.stop());
  } else {
    onStopSignals(
      ['SIGTERM', 'SIGINT'],
      (reason) => {
        log.info(`${reason}: stopping`);
        void worker.stop();
      },
      () => redis.disconnect(), // what is under way fails then, and is done again by the next
    );
    log.info('the archive worker runs');
  }
  try {
    await worker.ended;
  } finally {
    redis.disconnect();
  }
}
