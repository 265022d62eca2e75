// Whether Redis can be worked with: it answers, it is new enough, it forgets nothing by itself, and it holds what these
// settings can read. Checked whenever the connection comes up, and again while something is amiss.

import type { Logger } from 'pino';
import { CannotStart } from '../cannotStart.ts';
import { SECOND } from '../time.ts';
import type { Keys } from './keys.ts';
import { checkMeta, type StoredSettings } from './meta.ts';
import { commandsOfScripts, type FootfallRedis } from './scripts.ts';

const OLDEST_REDIS = 7; // scripts with flags
const COMMANDS = commandsOfScripts();
const CHECK_AGAIN = 2 * SECOND;
/** Somebody may change a running Redis. */
const CHECK_ALL_WELL = 15 * SECOND;

export interface Readiness {
  /** Why no work can be done now, if so. */
  unreadyBecause(): string | undefined;
  /** Resolves with the first answer that Redis gives; rejects with a CannotStart if it can never do. */
  started: Promise<void>;
  stop(): void;
}

export interface ReadinessOptions {
  redis: FootfallRedis;
  keys: Keys;
  depends: StoredSettings;
  log: Logger;
}

export function watchReadiness({ redis, keys, depends, log }: ReadinessOptions): Readiness {
  let trouble: string | undefined = 'starting';
  let settled = false; // whether `started` is
  let lastWarning: string | undefined;
  let again: NodeJS.Timeout | undefined;
  let stopped = false;
  let failed = false; // the connection that is being made
  const said = new Set<string>();
  let settle: { resolve: () => void; reject: (error: Error) => void };
  const started = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });
  started.catch(() => undefined); // whoever waits for it hears it

  function say(message: string): void {
    if (!said.has(message)) log.warn(message); // once, not at every attempt
    said.add(message);
  }

  function refuse(error: CannotStart): void {
    trouble = error.message;
    if (settled) say(error.message);
    else settle.reject(error);
    settled = true;
  }

  async function check(): Promise<void> {
    clearTimeout(again);
    try {
      const { amiss, warning } = await inspect(redis, keys);
      await checkMeta(redis, keys, depends);
      if (warning !== undefined && warning !== lastWarning) log.warn(warning);
      lastWarning = warning;
      trouble = amiss;
    } catch (error) {
      if (error instanceof CannotStart) {
        refuse(error);
        lookAgain(CHECK_AGAIN);
        return;
      }
      if (redis.status !== 'ready') return; // the next connection is checked again
      trouble = `Redis does not do what it must (${wordOf(error as Error)})`;
    }
    if (trouble === undefined) {
      if (said.size > 0) log.info('ready again');
      said.clear();
      lookAgain(CHECK_ALL_WELL);
    } else {
      say(trouble);
      lookAgain(CHECK_AGAIN);
    }
    settled = true;
    settle.resolve();
  }

  function lookAgain(after: number): void {
    clearTimeout(again);
    if (!stopped) again = setTimeout(check, after).unref();
  }

  redis.on('ready', check);
  redis.on('connect', () => {
    failed = false;
  });
  redis.on('error', (error: Error) => {
    failed = true;
    const hopeless = HOPELESS.find(([pattern]) => pattern.test(error.message));
    if (hopeless) refuse(new CannotStart(hopeless[1]));
    else if (!error.message.startsWith('Stream isn')) unreachable(wordOf(error)); // that one only follows another
  });
  redis.on('close', () => {
    if (!failed && !stopped) unreachable('it closed the connection');
  });

  function unreachable(why: string): void {
    say(`Redis can't be reached (${why}); trying again`);
  }

  return {
    unreadyBecause: () => (redis.status === 'ready' ? trouble : 'Redis does not answer'),
    started,
    stop() {
      stopped = true;
      clearTimeout(again);
    },
  };
}

/** What no waiting mends. */
const HOPELESS: [RegExp, string][] = [
  [
    /^(NOAUTH|WRONGPASS)|invalid password/,
    'Redis asks for another password: put it into REDIS_URL, redis://[user]:password@host',
  ],
  [
    /DB index/,
    'Redis has no database of the number in REDIS_URL: leave it out, or raise databases in redis.conf',
  ],
  [/Unknown RESP type/, 'What answers at REDIS_URL is not a Redis: mend its host or port'],
];

/** The kind of an error, without what it was about: ioredis's messages can hold arguments. */
function wordOf(error: Error & { code?: string }): string {
  if (/timed? ?out/i.test(error.message)) return 'it does not answer';
  return error.code ?? /^[A-Z]{3,}\b/.exec(error.message)?.[0] ?? error.name;
}

/** What is amiss with a Redis, if anything. Throws if it can never do. */
async function inspect(
  redis: FootfallRedis,
  keys: Keys,
): Promise<{ amiss?: string; warning: string | undefined }> {
  const info = await redis.info();
  const field = (name: string) => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1];
  const version = field('redis_version') ?? '0';
  if (Number.parseInt(version, 10) < OLDEST_REDIS) {
    throw new CannotStart(`Redis ${version} is too old: install Redis ${OLDEST_REDIS} or newer, or Valkey`);
  }
  const warning =
    field('aof_enabled') === '0'
      ? 'Redis keeps no append-only file, so a crash loses data: redis-cli CONFIG SET appendonly yes'
      : undefined;
  const policy = field('maxmemory_policy');
  if (policy !== 'noeviction') {
    const mend = 'redis-cli CONFIG SET maxmemory-policy noeviction';
    return { amiss: `Redis may drop profiles in silence (maxmemory-policy ${policy}): ${mend}`, warning };
  }
  // A script that is refused a command in its middle has written half.
  const refused = await redis.ffRights(keys.shard(0), COMMANDS);
  if (refused.length > 0) {
    const mend = 'give it the rules of docs/security.md';
    return { amiss: `the Redis user of REDIS_URL may not run ${refused.join(', ')}: ${mend}`, warning };
  }
  return { warning };
}
