// The Redis that the service uses, for a command that an operator types beside it.

import { CannotStart } from '../cannotStart.ts';
import type { Config } from '../config.ts';
import { SECOND } from '../time.ts';
import { connectRedis } from './connect.ts';
import { type Place, placeOf, settingOf } from './place.ts';
import { privateRedisUrl } from './privateRedis.ts';
import type { FootfallRedis } from './scripts.ts';

/** A person waits longer than a request may. */
const PATIENCE = 10 * SECOND;

export interface OpenOptions {
  /** Lets nothing through that could write. */
  readOnly?: boolean;
}

/** A client that is ready. Whoever opens it disconnects it. */
export async function openStore(config: Config, { readOnly = false }: OpenOptions = {}) {
  const place = placeOf(config);
  const timeoutMs = Math.max(config.redisTimeoutMs, PATIENCE);
  const redis = connectRedis(
    place ?? { url: privateRedisUrl(config.dataDir) },
    timeoutMs,
    'footfall-command',
  );
  if (readOnly) refuseWrites(redis);
  let fault: (Error & { code?: string }) | undefined;
  redis.on('error', (error) => {
    fault ??= error;
  });
  try {
    await connected(redis);
  } catch {
    redis.disconnect(); // it would go on trying
    throw new CannotStart(
      unreachable(place, config.dataDir, fault?.code ?? /^[A-Z]{3,}\b/.exec(fault?.message ?? '')?.[0]),
    );
  }
  return redis;
}

/** Without the address: it may hold a password. */
function unreachable(place: Place | undefined, dataDir: string, word = 'no answer'): string {
  return place === undefined
    ? `the private Redis of DATA_DIR=${dataDir} is not running (${word}): it runs with the service, so start that (npm start), or set REDIS_URL`
    : `the Redis of ${settingOf(place)} can't be reached (${word}): start it, or mend ${settingOf(place)}`;
}

/** A cluster whose first answer was that it is not ready connects again by itself, and forgets who asked for it first. */
async function connected(redis: FootfallRedis): Promise<void> {
  let late: NodeJS.Timeout | undefined;
  const ready = new Promise((resolve, reject) => {
    redis.once('ready', resolve);
    late = setTimeout(reject, PATIENCE, new Error('it takes too long'));
  });
  await Promise.race([redis.connect().then(() => ready), ready]).finally(() => clearTimeout(late));
}

/** What a connection needs, and what reads. A script only by EVAL_RO: there Redis itself refuses a write. */
const READS = new Set([
  ...['auth', 'hello', 'select', 'client', 'info', 'ping', 'quit'],
  ...['multi', 'exec', 'get', 'hgetall', 'zrange', 'pttl', 'eval_ro'],
]);

function refuseWrites(redis: FootfallRedis): void {
  const send = redis.sendCommand.bind(redis);
  redis.sendCommand = (command, ...more) => {
    if (READS.has(command.name.toLowerCase())) return send(command, ...more);
    command.reject(new Error(`${command.name} may write, and this connection only reads`));
    return command.promise;
  };
}
