// One serving process: Redis, the features, the server.

import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from 'pino';
import { createApp } from './app.ts';
import { watchBacklog } from './archive/backlog.ts';
import type { ArchiveChild } from './archive/child.ts';
import { openDatabase } from './archive/database.ts';
import { CannotStart } from './cannotStart.ts';
import type { Config } from './config.ts';
import { closing } from './http/closing.ts';
import { createFastServer } from './http/fastServer.ts';
import { stateOf } from './http/health.ts';
import { createSampler } from './live/sampler.ts';
import { createStreams } from './live/streams.ts';
import { ofOne } from './live/totals.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { createProtection } from './protection.ts';
import { connectRedis } from './redis/connect.ts';
import { memoryOf, watchMemory } from './redis/memory.ts';
import { storedSettings } from './redis/meta.ts';
import { type Place, placeOf, settingOf } from './redis/place.ts';
import { watchReadiness } from './redis/readiness.ts';
import type { FootfallRedis } from './redis/scripts.ts';
import { type SharedMetrics, shareMetrics } from './scrape.ts';
import { createServices } from './services.ts';
import { isWorker, shareLimits } from './workers.ts';

/** How often Node looks for connections that are too slow, ms. Its own 30 s would make a limit of 5 s useless. */
const CHECK_CONNECTIONS = 500;

const UNHEARD_PROXY =
  'requests come with X-Forwarded-For, but TRUST_PROXY is 0: if a proxy stands before this, set TRUST_PROXY, or all its clients count as one (and one on this machine as none)';

/** What has been started and must be stopped, the last first. */
export type Cleanup = (() => unknown)[];

export interface ServeOptions {
  config: Config;
  place: Place;
  log: Logger;
  cleanup: Cleanup;
  /** The archive's worker, where it is this process's child. */
  archive?: ArchiveChild | undefined;
}

/** Serves; resolves with the port that it listens on, and a promise of the first word from Redis. */
export async function serve({ config, place, log, cleanup, archive }: ServeOptions) {
  const connect = () => {
    const redis = connectRedis(place, config.redisTimeoutMs);
    cleanup.push(() => redis.disconnect());
    return redis;
  };
  const redis = connect();

  const metrics = createMetrics();
  const protection = createProtection({
    config,
    metrics,
    redisIsAway: () => redis.status !== 'ready',
    eventsPileUp: () => services.recorder.inFlight() >= config.maxInFlight / 2,
    nothingIsKept: () => readiness.nothingIsKept(),
    isForeign: () => readiness.isForeign(),
    isShared: isWorker,
    onUnheardProxy: () => log.warn(UNHEARD_PROXY),
  });
  const { limits, overload } = protection;
  cleanup.push(() => overload.stop());
  if (isWorker) shareLimits(limits);
  const memory = watchMemory(redis, config.newUsersMemoryPercent);
  cleanup.push(() => memory.stop());
  const door = { ...limits, isFull: memory.isTight, isScarce: memory.isScarce };
  const writer = config.durability === 'replica' ? connect() : redis; // WAIT must hold up no read
  if (writer !== redis)
    writer
      .on('error', () => undefined)
      .connect()
      .catch(() => undefined); // the other one says it
  const database = openDatabase(config);
  if (database) cleanup.push(() => database.end());
  const services = createServices(redis, config, Date.now, metrics, { door, writer, database });
  const { durability } = config;
  const setting = settingOf(place);
  const depends = storedSettings(config);
  const readiness = watchReadiness({ ...services, redis, setting, durability, log, depends });
  cleanup.push(() => readiness.stop());
  const backlog = services.archive && watchBacklog(services.archive, config.shards, Date.now);
  if (backlog) cleanup.push(() => backlog.stop());
  metrics.watchProcess();
  metrics.watch({
    eventsInFlight: services.recorder.inFlight,
    requestsUnderWay: overload.underWay,
    shardsAway: readiness.shardsAway,
    redis: () => figuresOf(redis),
    ...(backlog && { backlog: backlog.figures }),
  });

  const shared = isWorker ? shareMetrics(metrics.registry) : alone(metrics, archive);
  const degradedBecause = () => readiness.degradedBecause() ?? backlog?.degradedBecause();
  const sampler = createSampler({
    totals: shared.totals,
    redis: () => figuresOf(redis),
    backlog: backlog?.figures,
    state: () => stateOf(readiness.unreadyBecause, degradedBecause),
    clock: Date.now,
  });
  const live = createStreams({ sampler, ...protection });
  const app = createApp({
    ...services,
    clock: Date.now,
    ...protection,
    metrics: { ...metrics, text: shared.text },
    log,
    live,
    about: config,
    unreadyBecause: () => (app.locals.stopping ? 'stopping' : readiness.unreadyBecause()),
    degradedBecause,
  });
  const server = createFastServer(app, {
    headersTimeout: config.headersTimeoutMs,
    requestTimeout: config.requestTimeoutMs,
    keepAliveTimeout: config.keepAliveMs,
    connectionsCheckingInterval: CHECK_CONNECTIONS,
  });
  server.timeout = config.keepAliveMs + config.requestTimeoutMs; // somebody who does not read the answer
  const close = closing(server, app);
  redis.connect().catch(() => undefined); // it goes on trying; what fails is said by readiness
  // A Redis of others may be away. One that is there is looked at before anything is sent to it.
  const away = new Promise((resolve) => {
    redis.once('close', resolve);
    redis.once('error', resolve); // sentinels that are away are asked again without a close
  });
  await (placeOf(config) === undefined ? readiness.started : Promise.race([readiness.started, away]));
  await listen(server, config);
  cleanup.push(close);
  cleanup.push(live.end); // before that: it would wait for them
  return {
    port: (server.address() as AddressInfo).port,
    started: readiness.started,
    keyring: protection.keyring,
  };
}

const alone = (metrics: Metrics, archive: ArchiveChild | undefined): SharedMetrics => ({
  text: async () => (await metrics.text()) + ((await archive?.metrics()) ?? ''),
  totals: ofOne(metrics.registry),
});

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

export function authority(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** A scrape must not wait for a Redis that stands still. */
const FIGURES_WITHIN = 500;

async function figuresOf(redis: FootfallRedis) {
  const start = performance.now();
  const late = delay(FIGURES_WITHIN, undefined, { ref: false });
  const nodes = await Promise.race([memoryOf(redis), late]);
  if (nodes === undefined || nodes.length === 0) return undefined;
  return {
    memory: nodes.reduce((sum, { used }) => sum + used, 0),
    maxmemory: nodes.reduce((sum, { most }) => sum + most, 0) || undefined,
    lagSeconds: (performance.now() - start) / 1000,
  };
}
