// The process: settings, Redis, listening, signals. The only place that exits.
// Exit codes: 0 stopped as asked, 1 a fault of ours, 2 cannot start as set up, 3 stopping took too long.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { createApp } from './app.ts';
import { ConfigError, readConfig } from './config.ts';
import { connectRedis } from './redis/connect.ts';
import { checkMeta, MetaMismatch } from './redis/meta.ts';
import { PrivateRedisError, startPrivateRedis } from './redis/privateRedis.ts';
import { createServices } from './services.ts';

const CANNOT_START = 2;
const TOO_LATE = 3;

async function main(): Promise<void> {
  const config = readConfig(process.env);
  const log = pino({ level: config.logLevel, base: null });
  const privateRedis = config.redisUrl === undefined ? await startPrivateRedis(config.dataDir) : undefined;
  const redis = connectRedis({ url: config.redisUrl ?? privateRedis!.url, timeoutMs: config.redisTimeoutMs });
  const services = createServices(redis, config, Date.now);

  let state: 'starting' | 'serving' | 'stopping' = 'starting';
  let lastError = '';
  redis.on('error', ({ message }: Error) => {
    if (message !== lastError) log.warn({ error: message }, 'redis');
    lastError = message;
  });
  redis.on('ready', () => {
    lastError = '';
    checkMeta(redis, services.keys, config.sessionGapSeconds).then(
      () => {
        if (state === 'starting') state = 'serving';
      },
      (error) => (error instanceof MetaMismatch ? fail(error) : log.warn({ error: error.message }, 'redis')),
    );
  });
  redis.connect().catch(() => undefined); // it goes on trying, and 'error' says why it failed

  const app = createApp({
    ...services,
    clock: Date.now,
    log,
    unreadyBecause() {
      if (state === 'stopping') return 'stopping';
      if (redis.status !== 'ready') return 'Redis does not answer';
      return state === 'starting' ? 'starting' : undefined;
    },
  });
  const server = createServer(app);
  server.listen(config.port, config.host);
  await once(server, 'listening');
  log.info(`Footfall listens on http://${config.host}:${(server.address() as AddressInfo).port}`);

  async function stop(): Promise<void> {
    if (state === 'stopping') process.exit(1);
    state = 'stopping';
    setTimeout(() => process.exit(TOO_LATE), config.shutdownMs).unref();
    server.close();
    server.closeIdleConnections();
    await once(server, 'close');
    redis.disconnect();
    await privateRedis?.stop();
    process.exit(0);
  }
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

function fail(error: unknown): void {
  if (error instanceof ConfigError || error instanceof PrivateRedisError || error instanceof MetaMismatch) {
    process.stderr.write(`${error.message}\n`);
    process.exit(CANNOT_START);
  }
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
  process.exit(1);
}

main().catch(fail);
