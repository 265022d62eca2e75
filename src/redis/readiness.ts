// Whether Redis can be worked with: it answers, it is new enough, it forgets nothing by itself, and it holds what these
// settings can read. Checked whenever the connection comes up, and again while something is amiss.

import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { CannotStart } from '../cannotStart.ts';
import { SECOND } from '../time.ts';
import type { Keys } from './keys.ts';
import { checkMeta } from './meta.ts';

const OLDEST_REDIS = 7; // scripts with flags
const CHECK_AGAIN = 2 * SECOND;

export interface Readiness {
  /** Why no work can be done now, if so. */
  unreadyBecause(): string | undefined;
  /** Resolves with the first answer that Redis gives; rejects with a CannotStart if it can never do. */
  started: Promise<void>;
  stop(): void;
}

export interface ReadinessOptions {
  redis: Redis;
  keys: Keys;
  sessionGapSeconds: number;
  log: Logger;
}

export function watchReadiness({ redis, keys, sessionGapSeconds, log }: ReadinessOptions): Readiness {
  let trouble: string | undefined = 'starting';
  let everReady = false;
  let again: NodeJS.Timeout | undefined;
  let lastSaid = '';
  let settle: { resolve: () => void; reject: (error: Error) => void };
  const started = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });
  started.catch(() => undefined); // whoever waits for it hears it

  function say(message: string): void {
    if (message !== lastSaid) log.warn(message); // once, not at every attempt
    lastSaid = message;
  }

  function refuse(error: CannotStart): void {
    trouble = error.message;
    if (everReady) say(error.message);
    else settle.reject(error);
  }

  async function check(): Promise<void> {
    clearTimeout(again);
    try {
      const amiss = await inspect(redis, log);
      if (amiss === undefined) await checkMeta(redis, keys, sessionGapSeconds);
      trouble = amiss;
    } catch (error) {
      if (error instanceof CannotStart) return refuse(error);
      trouble = 'Redis does not answer';
    }
    if (trouble === undefined) {
      if (lastSaid !== '') log.info('ready again');
      lastSaid = '';
      everReady = true;
    } else {
      say(trouble);
      again = setTimeout(check, CHECK_AGAIN).unref();
    }
    settle.resolve();
  }

  redis.on('ready', check);
  redis.on('error', (error: Error) => {
    if (/^(NOAUTH|WRONGPASS)/.test(error.message)) {
      return refuse(
        new CannotStart('Redis asks for another password: put it into REDIS_URL, redis://:password@host'),
      );
    }
    say(`Redis can't be reached (${wordOf(error)}); trying again`);
  });

  return {
    unreadyBecause: () => (redis.status === 'ready' ? trouble : 'Redis does not answer'),
    started,
    stop: () => clearTimeout(again),
  };
}

/** The kind of an error, without what it was about: ioredis's messages can hold arguments. */
function wordOf(error: Error & { code?: string }): string {
  return error.code ?? /^[A-Z]{3,}\b/.exec(error.message)?.[0] ?? error.name;
}

/** What is amiss with a Redis, if anything. Throws if it can never do. */
async function inspect(redis: Redis, log: Logger): Promise<string | undefined> {
  const info = await redis.info();
  const field = (name: string) => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1];
  const version = field('redis_version') ?? '0';
  if (Number.parseInt(version, 10) < OLDEST_REDIS) {
    throw new CannotStart(`Redis ${version} is too old: install Redis ${OLDEST_REDIS} or newer, or Valkey`);
  }
  if (field('aof_enabled') === '0') {
    log.warn('Redis keeps no append-only file, so a crash loses data: redis-cli CONFIG SET appendonly yes');
  }
  const policy = field('maxmemory_policy');
  if (policy !== 'noeviction') {
    return `Redis may drop profiles in silence (maxmemory-policy ${policy}): redis-cli CONFIG SET maxmemory-policy noeviction`;
  }
  return undefined;
}
