// The process: settings, Redis, listening, signals. The only place that exits.

import { once } from 'node:events';
import { existsSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { loadEnvFile } from 'node:process';
import type { Logger } from 'pino';
import { createApp } from './app.ts';
import { CannotStart } from './cannotStart.ts';
import { type Config, readConfig } from './config.ts';
import { helpText } from './help.ts';
import { closing } from './http/closing.ts';
import { createFastServer } from './http/fastServer.ts';
import { createLog } from './log.ts';
import { createMetrics } from './metrics.ts';
import { connectRedis } from './redis/connect.ts';
import { type PrivateRedis, startPrivateRedis } from './redis/privateRedis.ts';
import { watchReadiness } from './redis/readiness.ts';
import type { FootfallRedis } from './redis/scripts.ts';
import { createServices } from './services.ts';
import { onStopSignals } from './signals.ts';

const EXIT = {
  stopped: 0,
  fault: 1,
  cannotStart: 2,
  /** Stopping took longer than SHUTDOWN_MS, or a second signal cut it short. */
  cutOff: 3,
};

/** What has been started and must be stopped, the last first. */
type Cleanup = (() => unknown)[];

async function start(config: Config, log: Logger, cleanup: Cleanup): Promise<void> {
  const privateRedis = config.redisUrl === undefined ? await startOwnRedis(config, log) : undefined;
  cleanup.push(() => privateRedis?.stop());
  const redis = connectRedis({ url: config.redisUrl ?? privateRedis!.url, timeoutMs: config.redisTimeoutMs });
  cleanup.push(() => redis.disconnect());

  const metrics = createMetrics();
  const services = createServices(redis, config, Date.now, metrics);
  const readiness = watchReadiness({ ...services, redis, log, sessionGapSeconds: config.sessionGapSeconds });
  cleanup.push(() => readiness.stop());
  metrics.watchProcess();
  metrics.watch({ eventsInFlight: services.recorder.inFlight, redis: () => figuresOf(redis) });

  let stopping = false;
  const app = createApp({
    ...services,
    clock: Date.now,
    metrics,
    log,
    unreadyBecause: () => (stopping ? 'stopping' : readiness.unreadyBecause()),
  });
  const server = createFastServer(app);
  const close = closing(server, app);
  redis.connect().catch(() => undefined); // it goes on trying; what fails is said by readiness
  // A Redis of others may be away. One that is there is looked at before anything is sent to it.
  const away = new Promise((resolve) => redis.once('close', resolve));
  await (privateRedis ? readiness.started : Promise.race([readiness.started, away]));
  await listen(server, config);
  cleanup.push(() => {
    stopping = true;
    return close();
  });
  greet(server, config, log);
  await readiness.started;
}

function startOwnRedis({ dataDir }: Config, log: Logger): Promise<PrivateRedis> {
  return startPrivateRedis(dataDir, (level, message) => log[level](message));
}

async function listen(server: Server, { port, host }: Config): Promise<void> {
  server.listen(port, host);
  await once(server, 'listening').catch(({ code }: NodeJS.ErrnoException) => {
    const reason =
      code === 'EADDRINUSE'
        ? 'is in use: stop what listens there, or choose another PORT'
        : `can't be listened on (${code}): choose another HOST or PORT`;
    throw new CannotStart(`${authority(host, port)} ${reason}`);
  });
}

function greet(server: Server, config: Config, log: Logger): void {
  const { port } = server.address() as AddressInfo;
  const url = `http://${authority(config.host, port)}`;
  const stores =
    config.redisUrl === undefined ? `in ${resolve(config.dataDir, 'redis')}` : 'in the Redis of REDIS_URL';
  log.info(`Footfall listens on ${url} and stores ${stores}`);
  if (process.stdout.isTTY) {
    process.stdout.write(
      `
  curl -s ${url}/v1/page -H 'Content-Type: application/json' -d '{"user_id":"me","name":"Home"}'
  curl -s ${url}/v1/user/me

`,
    );
  }
}

function authority(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

async function figuresOf(redis: FootfallRedis) {
  const start = performance.now();
  const info = await redis.info('memory').catch(() => undefined);
  if (info === undefined) return undefined;
  return {
    memory: Number(/^used_memory:(\d+)/m.exec(info)?.[1]),
    lagSeconds: (performance.now() - start) / 1000,
  };
}

async function stop(cleanup: Cleanup): Promise<void> {
  for (let step = cleanup.pop(); step; step = cleanup.pop()) await step();
}

function complain(error: unknown): number {
  if (error instanceof CannotStart) {
    process.stderr.write(`${error.message}\n`);
    return EXIT.cannotStart;
  }
  // No message: ioredis puts the arguments of a call into its errors, and those name a person.
  const { name, code, stack }: NodeJS.ErrnoException = error instanceof Error ? error : new Error();
  const places = (stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  process.stderr.write(`${[code === undefined ? name : `${name} ${code}`, ...places].join('\n')}\n`);
  return EXIT.fault;
}

function loadEnv(): void {
  if (!existsSync('.env')) return;
  try {
    loadEnvFile('.env');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CannotStart(`.env can't be read (${code}): let it be a file that this user may read, or none`);
  }
}

async function main(): Promise<void> {
  if (process.argv.includes('--help')) {
    process.stdout.write(helpText());
    return;
  }
  const cleanup: Cleanup = [];
  try {
    loadEnv();
    const config = readConfig(process.env);
    const log = createLog(config.logLevel);
    const cutOff = (why: string) => {
      log.warn(`${why}: stopping at once, open requests are cut off`);
      process.exit(EXIT.cutOff);
    };
    onStopSignals(
      (signal) => {
        log.info(`${signal}: stopping`);
        setTimeout(() => cutOff('it took longer than SHUTDOWN_MS'), config.shutdownMs).unref();
        stop(cleanup).then(
          () => process.exit(EXIT.stopped),
          (error) => process.exit(complain(error)),
        );
      },
      (signal) => cutOff(signal),
    );
    await start(config, log, cleanup);
  } catch (error) {
    const code = complain(error);
    await stop(cleanup).catch(() => undefined);
    process.exit(code);
  }
}

process.on('uncaughtException', (error) => process.exit(complain(error)));

await main();
