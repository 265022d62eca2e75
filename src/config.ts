// Every setting of the service: its name, form, default and meaning. `--help` and the documentation come out of this.

import { isIP } from 'node:net';
import { CannotStart } from './cannotStart.ts';

interface Setting<T> {
  name: string;
  /** What a value looks like, for people. */
  form: string;
  /** As it would be written; undefined where there is none. */
  default: string | undefined;
  meaning: string;
  /** The value, or undefined if the text is not of the form. */
  parse(text: string): T | undefined;
}

function integer(
  name: string,
  fallback: number,
  [least, most]: [number, number],
  meaning: string,
): Setting<number> {
  return {
    name,
    form: `a whole number from ${least} to ${most}`,
    default: String(fallback),
    meaning,
    parse(text) {
      const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
      return value >= least && value <= most ? value : undefined;
    },
  };
}

function oneOf<const T extends string>(
  name: string,
  fallback: NoInfer<T>,
  values: readonly T[],
  meaning: string,
): Setting<T> {
  return {
    name,
    form: values.join(' or '),
    default: fallback,
    meaning,
    parse: (text) => values.find((value) => value === text),
  };
}

function text(
  name: string,
  fallback: string,
  form: string,
  pattern: RegExp,
  meaning: string,
): Setting<string> {
  return {
    name,
    form,
    default: fallback,
    meaning,
    parse: (value) => (pattern.test(value) ? value : undefined),
  };
}

function flag(name: string, meaning: string): Setting<boolean> {
  return {
    name,
    form: '0 or 1',
    default: '0',
    meaning,
    parse: (value) => (value === '1' ? true : value === '0' ? false : undefined),
  };
}

const redisUrl: Setting<string | undefined> = {
  name: 'REDIS_URL',
  form: 'redis://[user:password@]host[:port][/db], rediss://… for TLS, or unix:///path',
  default: undefined,
  meaning: 'The Redis to use. Left out, the service starts a private one and keeps its files under DATA_DIR.',
  parse(value) {
    if (!/^(rediss?|unix):\/\//.test(value) || !URL.canParse(value)) return undefined;
    const { protocol, hostname, pathname, username, password, search, hash } = new URL(value);
    // ioredis would take options of ours out of a query.
    if (search || hash || !isPercentEncoded(username + password + pathname)) return undefined;
    const ok =
      protocol === 'unix:'
        ? hostname === '' && /[^/]$/.test(pathname)
        : hostname && /^(\/\d*)?$/.test(pathname);
    return ok ? value : undefined;
  },
};

function isPercentEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

export const settings = {
  port: integer('PORT', 3000, [0, 65_535], 'The port to listen on; 0 takes a free one.'),
  host: text(
    'HOST',
    '127.0.0.1',
    'an address or a host name',
    /^[\w.:%-]{1,255}$/,
    'The address to listen on. Anything but loopback needs ALLOW_OPEN=1.',
  ),
  allowOpen: flag(
    'ALLOW_OPEN',
    'Lets HOST be other than loopback although nothing asks callers for a key: for a network of your own.',
  ),
  redisUrl,
  dataDir: text(
    'DATA_DIR',
    './data',
    'a folder',
    /^[^\0]+$/,
    'Where the private Redis keeps its files. Not used with REDIS_URL.',
  ),
  workers: integer(
    'WORKERS',
    1,
    [1, 64],
    'How many processes serve the port. One carries what one core can.',
  ),
  keyPrefix: text(
    'KEY_PREFIX',
    'ff',
    '1 to 20 letters, digits, _ or -',
    /^[\w-]{1,20}$/,
    'What every key in Redis begins with.',
  ),
  shards: integer(
    'SHARDS',
    1,
    [1, 256],
    'Into how many hash tags users are divided: 1 on a single Redis, 256 on a cluster. Fixed by the first start.',
  ),
  sessionGapSeconds: integer(
    'SESSION_GAP_SECONDS',
    1800,
    [1, 43_200],
    'The longest step between two views that counts as time spent. Fixed by the first start.',
  ),
  timeSpentUnit: oneOf(
    'TIME_SPENT_UNIT',
    'minutes',
    ['minutes', 'seconds'],
    'The unit of time_spent_on_site_in_last_7_days, rounded to the nearest.',
  ),
  maxViewsPerUserDay: integer(
    'MAX_VIEWS_PER_USER_DAY',
    10_000,
    [1, 1_000_000],
    "How many views of a user count in a day; further ones are answered 'capped'.",
  ),
  maxPagesPerUserDay: integer(
    'MAX_PAGES_PER_USER_DAY',
    1000,
    [1, 100_000],
    'How many page names of a user are kept apart in a day; views of further ones count under (other).',
  ),
  eraseScanMs: integer(
    'ERASE_SCAN_MS',
    2000,
    [0, 600_000],
    'How long an erasure looks through the keyspace for keys that older versions left.',
  ),
  redisTimeoutMs: integer(
    'REDIS_TIMEOUT_MS',
    1000,
    [50, 60_000],
    'How long a call may wait for Redis before it is answered 503.',
  ),
  maxInFlight: integer(
    'MAX_IN_FLIGHT',
    10_000,
    [1000, 1_000_000], // a batch must fit
    'How many events, and how many reads, may wait for Redis at once; further ones are answered 503.',
  ),
  shutdownMs: integer(
    'SHUTDOWN_MS',
    10_000,
    [100, 600_000],
    'How long stopping may take before open requests are cut off.',
  ),
  logLevel: oneOf(
    'LOG_LEVEL',
    'info',
    ['fatal', 'error', 'warn', 'info', 'debug', 'silent'],
    'What is worth a log line.',
  ),
};

export type Config = {
  [K in keyof typeof settings]: (typeof settings)[K] extends Setting<infer T> ? T : never;
};

/** Every fault of the settings, one a line. */
export class ConfigError extends CannotStart {
  override name = 'ConfigError';
  readonly faults: string[];
  constructor(faults: string[]) {
    super(faults.join('\n'));
    this.faults = faults;
  }
}

/** Reads all settings. A name that is set to nothing counts as left out. Throws a ConfigError that names every fault. */
export function readConfig(env: Record<string, string | undefined>): Config {
  const faults = misspelt(env);
  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(settings)) {
    const given = env[setting.name]?.trim() || setting.default;
    const value = given === undefined ? undefined : setting.parse(given);
    if (given !== undefined && value === undefined) {
      faults.push(`${setting.name} must be ${setting.form}${shown(setting.name, given)}`);
    }
    values[key] = value;
  }
  const config = values as Config;
  if (config.host !== undefined && !isLoopback(config.host) && config.allowOpen === false) {
    faults.push(
      `HOST=${config.host} would let anyone on the network read and erase: keep HOST=127.0.0.1, or set ALLOW_OPEN=1 on a network of your own`,
    );
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return config;
}

/** A name that was meant to be a setting would be passed over in silence. */
function misspelt(env: Record<string, string | undefined>): string[] {
  const names = Object.values(settings).map(({ name }) => name);
  return Object.entries(env).flatMap(([given, value]) => {
    // Kubernetes sets FOOTFALL_PORT=tcp://… for a Service of that name.
    if (!value?.trim() || names.includes(given) || /^(tcp|udp):\/\//.test(value)) return [];
    const ours = /^FOOTFALL_/i.test(given);
    const bare = given.toUpperCase().replace(/^FOOTFALL_/, '');
    // Much that is common is one letter away from PORT and HOST.
    const meant =
      names.find((name) => name === bare) ??
      names.find((name) => (ours || name.length > 5) && areOneEditApart(name, bare));
    return meant === undefined ? [] : [`${given} is not a setting: did you mean ${meant}?`];
  });
}

/** A letter more, less, or another, or two neighbours swapped. */
function areOneEditApart(a: string, b: string): boolean {
  let start = 0;
  while (start < a.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < Math.min(a.length, b.length) - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  const x = a.slice(start, a.length - end);
  const y = b.slice(start, b.length - end);
  return (x.length < 2 && y.length < 2) || (x.length === 2 && y.length === 2 && x === y[1]! + y[0]);
}

/** A wrong REDIS_URL may hold a password, so it is not repeated. */
function shown(name: string, value: string): string {
  return name === redisUrl.name ? '' : `, not ${JSON.stringify(value.slice(0, 60))}`;
}

export function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith('127.');
  return host === '::1' || host === 'localhost';
}
