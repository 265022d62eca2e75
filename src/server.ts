// The process: settings, Redis, listening, signals. The only place that exits.

import { resolve } from 'node:path';
import type { Logger } from 'pino';
import { type ArchiveChild, startArchiveChild } from './archive/child.ts';
import { CannotStart } from './cannotStart.ts';
import { type Config, envOfSecrets, hasKeys, readConfig } from './config.ts';
import { type Env, readEnv } from './env.ts';
import { helpText } from './help.ts';
import type { KeySettings } from './http/keys.ts';
import { placesIn } from './http/problem.ts';
import { createLog } from './log.ts';
import { type Place, placeOf, settingOf } from './redis/place.ts';
import { startPrivateRedis } from './redis/privateRedis.ts';
import { authority, type Cleanup, serve } from './serve.ts';
import { onStopOfPrimary, onStopSignals } from './signals.ts';
import { CANNOT_START, isWorker, onNewKeys, startWorkers, WorkerFailed } from './workers.ts';

const EXIT = {
  stopped: 0,
  fault: 1,
  cannotStart: CANNOT_START,
  /** Stopping took longer than SHUTDOWN_MS, or a second signal cut it short. */
  cutOff: 3,
};

/** Where there are keys, SIGHUP says to read them again. */
const STOPS = ['SIGTERM', 'SIGINT'] as const;

async function start(config: Config, env: Env, log: Logger, cleanup: Cleanup): Promise<void> {
  if (isWorker) {
    const { started, keyring } = await serve({ config, place: placeOf(config)!, log, cleanup });
    onNewKeys(keyring.replace);
    await started;
    return;
  }
  const heedHangUps = hasKeys(config) ? onHangUp(log) : () => undefined;
  const place = placeOf(config) ?? (await startOwnRedis(config, log, cleanup));
  const childEnv = { ...env, ...('url' in place && { REDIS_URL: place.url }) };
  const archive = startArchive(config, childEnv, log, cleanup);
  if (config.workers === 1) {
    const { port, started, keyring } = await serve({ config, place, log, cleanup, archive });
    heedHangUps(keyring.replace);
    greet(port, config, log);
    await started;
  } else {
    const giveUp = (error: WorkerFailed) => {
      const code = complain(error);
      stop(cleanup).finally(() => process.exit(code));
    };
    const workers = await startWorkers({ config, env: childEnv, log, giveUp, archive });
    cleanup.push(() => workers.stop());
    heedHangUps(workers.replaceKeys);
    greet(workers.port, config, log);
  }
}

async function startOwnRedis({ dataDir, durability }: Config, log: Logger, cleanup: Cleanup): Promise<Place> {
  const redis = await startPrivateRedis(dataDir, durability, (level, message) => log[level](message));
  cleanup.push(() => redis.stop());
  return { url: redis.url };
}

/** The worker that carries events to Postgres, where this service is to have it. */
function startArchive(config: Config, env: Env, log: Logger, cleanup: Cleanup): ArchiveChild | undefined {
  if (config.databaseUrl === undefined || config.archiveWorker === 'off') return undefined;
  const archive = startArchiveChild({ ...env, ...envOfSecrets(config) }, log);
  cleanup.push(() => archive.stop());
  return archive;
}

function greet(port: number, config: Config, log: Logger): void {
  const url = `http://${authority(config.host, port)}`;
  const place = placeOf(config);
  const stores = place ? `in the Redis of ${settingOf(place)}` : `in ${resolve(config.dataDir, 'redis')}`;
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

async function stop(cleanup: Cleanup): Promise<void> {
  for (let step = cleanup.pop(); step; step = cleanup.pop()) await step();
}

function complain(error: unknown): number {
  if (error instanceof WorkerFailed) return error.code;
  if (error instanceof CannotStart) {
    process.stderr.write(`${error.message}\n`);
    return EXIT.cannotStart;
  }
  // No message: ioredis puts the arguments of a call into its errors, and those name a person.
  const fault: NodeJS.ErrnoException = error instanceof Error ? error : new Error();
  const kind = fault.code === undefined ? fault.name : `${fault.name} ${fault.code}`;
  process.stderr.write(`${[kind, ...placesIn(fault)].join('\n')}\n`);
  return EXIT.fault;
}

/** One that comes too early is heeded as soon as there is who takes the keys. */
function onHangUp(log: Logger): (replace: (keys: KeySettings) => void) => void {
  let take: ((keys: KeySettings) => void) | undefined;
  let missed = false;
  process.on('SIGHUP', () => {
    if (take) reloadKeys(take, log);
    else missed = true;
  });
  return (replace) => {
    take = replace;
    if (missed) reloadKeys(replace, log);
  };
}

/** Takes the keys that the files and .env hold now. Where they are wrong, those there are stay. */
function reloadKeys(replace: (keys: KeySettings) => void, log: Logger): void {
  try {
    const config = readConfig(readEnv());
    if (!hasKeys(config)) throw new CannotStart('there are none now, and that would let anybody in');
    replace(keysOf(config));
    log.info('SIGHUP: the keys were read again');
  } catch (error) {
    log.error(
      `SIGHUP: the keys stay as they were: ${error instanceof CannotStart ? error.message : 'a fault'}`,
    );
  }
}

function keysOf({ writeKeys, readKeys, adminKeys, metricsKeys }: Config): KeySettings {
  return { writeKeys, readKeys, adminKeys, metricsKeys };
}

async function main(): Promise<void> {
  if (process.argv.includes('--help')) {
    process.stdout.write(helpText());
    return;
  }
  const cleanup: Cleanup = [];
  try {
    const env = isWorker ? process.env : readEnv(); // a worker was given everything
    const config = readConfig(env);
    const log = createLog(config.logLevel);
    const cutOff = (why: string) => {
      log.warn(`${why}: stopping at once, open requests are cut off`);
      process.exit(EXIT.cutOff);
    };
    const stopInOrder = (reason: string) => {
      log[isWorker ? 'debug' : 'info'](`${reason}: stopping`);
      setTimeout(() => cutOff('it took longer than SHUTDOWN_MS'), config.shutdownMs).unref();
      stop(cleanup).then(
        () => process.exit(EXIT.stopped),
        (error) => process.exit(complain(error)),
      );
    };
    if (isWorker) onStopOfPrimary(stopInOrder);
    else onStopSignals(hasKeys(config) ? STOPS : [...STOPS, 'SIGHUP'], stopInOrder, cutOff);
    await start(config, env, log, cleanup);
  } catch (error) {
    const code = complain(error);
    await stop(cleanup).catch(() => undefined);
    process.exit(code);
  }
}

process.on('uncaughtException', (error) => process.exit(complain(error)));

await main();
