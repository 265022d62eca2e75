// `npm run erase -- USER`: an erasure whose look through the keyspace goes to the end, however long that takes.
// It connects as the service does: to REDIS_URL, or to the private Redis of a running service.

import { type Config, ConfigError, readConfig } from '../config.ts';
import { checkUserPath } from '../http/validate.ts';
import { createMetrics } from '../metrics.ts';
import { connectRedis } from '../redis/connect.ts';
import { checkMeta } from '../redis/meta.ts';
import { privateRedisUrl } from '../redis/privateRedis.ts';
import { createServices } from '../services.ts';

async function erase(config: Config, userId: string): Promise<void> {
  checkUserPath({ user_id: userId });
  const redis = connectRedis({
    url: config.redisUrl ?? privateRedisUrl(config.dataDir),
    timeoutMs: config.redisTimeoutMs,
  });
  try {
    await redis.connect();
    const unbounded = { ...config, eraseScanMs: Number.POSITIVE_INFINITY };
    const { keys, eraser } = createServices(redis, unbounded, Date.now, createMetrics());
    await checkMeta(redis, keys, config.sessionGapSeconds);
    process.stdout.write(`${JSON.stringify(await eraser.erase(userId), null, 2)}\n`);
  } finally {
    redis.disconnect();
  }
}

const userId = process.argv[2];
if (userId === undefined || process.argv.length > 3) {
  process.stderr.write('usage: npm run erase -- USER\n');
  process.exitCode = 2;
} else {
  try {
    await erase(readConfig(process.env), userId);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exitCode = error instanceof ConfigError ? 2 : 1;
  }
}
