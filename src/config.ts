// Every setting of the service: its name, form, default and meaning. `--help` and the documentation come out of this.

import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { CannotStart } from './cannotStart.ts';

interface Setting<T> {
  name: string;
  /** What a value looks like, for people. */
  form: string;
  /** As it would be written; undefined where there is none. */
  default: string | undefined;
  meaning: string;
  /** Never shown, and may be given as a file: its name with _FILE. */
  secret?: true;
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
  meaning:
    'The Redis to use. Without it, REDIS_SENTINELS and REDIS_CLUSTER, the service starts a private one and keeps its files under DATA_DIR.',
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

export interface HostPort {
  host: string;
  port: number;
}

function nodes(name: string, standardPort: number, meaning: string): Setting<HostPort[] | undefined> {
  return {
    name,
    form: 'host:port of some of its nodes, with commas between',
    default: undefined,
    meaning,
    parse(value) {
      const found = value
        .split(',')
        .filter((text) => text.trim())
        .map((text) => hostPort(text.trim(), standardPort));
      return found.length > 0 && !found.includes(undefined) ? (found as HostPort[]) : undefined;
    },
  };
}

export function hostPort(text: string, standardPort = 6379): HostPort | undefined {
  const [, six, name, port = String(standardPort)] =
    /^(?:\[([\da-f:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const host = six ?? name;
  return host !== undefined && Number(port) > 0 && Number(port) < 65_536
    ? { host, port: Number(port) }
    : undefined;
}

const databaseUrl: Setting<string | undefined> = {
  name: 'DATABASE_URL',
  form: 'postgres://user:password@host[:port]/database',
  default: undefined,
  secret: true,
  meaning:
    'A Postgres, version 14 or newer, that gets every event: the archive. Without it there is none. A pooler before it must keep sessions.',
  parse: (value) => (/^postgres(ql)?:\/\//.test(value) && URL.canParse(value) ? value : undefined),
};

const UNITS = { kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };

/** In bytes. */
function size(name: string, fallback: string, least: number, meaning: string): Setting<number> {
  return {
    name,
    form: 'a whole number with kb, mb or gb behind it',
    default: fallback,
    meaning,
    parse(value) {
      const [, number, unit] = /^(\d{1,6})([kmg]b)$/i.exec(value) ?? [];
      if (number === undefined) return undefined;
      const bytes = Number(number) * UNITS[unit!.toLowerCase() as keyof typeof UNITS];
      return bytes >= least ? bytes : undefined;
    },
  };
}

function password(name: string, meaning: string): Setting<string | undefined> {
  return {
    name,
    form: 'a password',
    default: undefined,
    secret: true,
    meaning,
    parse: (value) => value,
  };
}

function isPercentEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** A key as it is given: enough letters that nobody guesses it, and none that would end it in a list or a URL. */
const KEY = /^[\w.~+/=-]{16,200}$/;

function secrets(name: string, meaning: string): Setting<string[]> {
  return {
    name,
    form: 'keys of 16 to 200 letters, digits and _ . ~ + / = -, with commas between (npm run key makes some)',
    default: undefined,
    secret: true,
    meaning,
    parse(value) {
      const keys = value.split(/[\s,]+/).filter(Boolean);
      return keys.length > 0 && keys.every((key) => KEY.test(key)) ? keys : undefined;
    },
  };
}

const trustProxy: Setting<number | string[]> = {
  name: 'TRUST_PROXY',
  form: 'a number of proxies, or their networks (10.0.0.0/8,::1) with commas between',
  default: '0',
  meaning:
    'How many proxies stand before the service, or which networks they are in: only what these say of a client (X-Forwarded-For) is believed.',
  parse: (value) => (/^\d{1,2}$/.test(value) ? Number(value) : networks(value, 1)), // /0 would believe anybody
};

const unlimitedClients: Setting<string[]> = {
  name: 'UNLIMITED_CLIENTS',
  form: "networks with commas between, or 'none'",
  default: '127.0.0.0/8,::1',
  meaning: 'Clients without limits: servers of your own.',
  parse: (value) => (value === 'none' ? [] : networks(value)),
};

/** Addresses, each with a prefix or without. */
function networks(value: string, least = 0): string[] | undefined {
  const list = value.split(',').map((part) => part.trim());
  const ok = list.every((one) => {
    const [address = '', prefix, ...rest] = one.split('/');
    const family = isIP(address);
    const most = family === 4 ? 32 : 128;
    return family > 0 && rest.length === 0 && (prefix === undefined || isFromTo(least, prefix, most));
  });
  return ok ? list : undefined;
}

const isFromTo = (least: number, text: string, most: number) =>
  /^\d{1,3}$/.test(text) && Number(text) >= least && Number(text) <= most;

export const settings = {
  port: integer('PORT', 3000, [0, 65_535], 'The port to listen on; 0 takes a free one.'),
  host: text(
    'HOST',
    '127.0.0.1',
    'an address or a host name',
    /^[\w.:%-]{1,255}$/,
    'The address to listen on. Anything but loopback needs keys, or ALLOW_OPEN=1.',
  ),
  allowOpen: flag(
    'ALLOW_OPEN',
    'Lets HOST be other than loopback although there are no keys: for a network of your own.',
  ),
  writeKeys: secrets('WRITE_KEYS', 'Keys that may record events. They stand in pages, so they are public.'),
  readKeys: secrets('READ_KEYS', 'Keys that may read, for servers only.'),
  adminKeys: secrets('ADMIN_KEYS', 'Keys that may do everything: erase, too.'),
  metricsKeys: secrets('METRICS_KEYS', 'Keys that may read /metrics, and the live figures of the dashboard.'),
  userSigningSecret: secrets(
    'USER_SIGNING_SECRET',
    "Where it is set, each event needs user_sig, the HMAC-SHA-256 of its user_id in hex, which only the site's own server can make. Of several, any may have signed.",
  ),
  trustProxy,
  unlimitedClients,
  limitAddress: integer(
    'LIMIT_ADDRESS',
    2000,
    [0, 1_000_000],
    'Events, or other requests, a second of one client address (IPv6: of one /64), ten seconds of it at once; 0 is no limit.',
  ),
  limitKey: integer(
    'LIMIT_KEY',
    0,
    [0, 1_000_000],
    'Events, or other requests, a second with one key, ten seconds of it at once; 0 is no limit.',
  ),
  limitUser: integer(
    'LIMIT_USER',
    100,
    [0, 1_000_000],
    'Events a second of one user, ten seconds of it at once; 0 is no limit.',
  ),
  limitNewUsers: integer(
    'LIMIT_NEW_USERS',
    6000,
    [0, 10_000_000],
    'New users a minute from one client address; 0 is no limit.',
  ),
  newUsersMemoryPercent: integer(
    'NEW_USERS_MEMORY_PERCENT',
    90,
    [1, 100],
    'How full Redis may be (of its maxmemory) while new users are taken in; above, known ones go on counting.',
  ),
  maxRequests: integer(
    'MAX_REQUESTS',
    10_000,
    [10, 100_000],
    'How many requests may be under way before writes are answered 503; reads have a quarter more room, erasures half.',
  ),
  headersTimeoutMs: integer(
    'HEADERS_TIMEOUT_MS',
    5000,
    [100, 600_000],
    'How long the head of a request may take.',
  ),
  requestTimeoutMs: integer(
    'REQUEST_TIMEOUT_MS',
    15_000,
    [100, 600_000],
    'How long a whole request may take.',
  ),
  keepAliveMs: integer(
    'KEEP_ALIVE_MS',
    65_000,
    [100, 3_600_000],
    "How long a connection without a request is kept: longer than a load balancer's (often 60 s).",
  ),
  redisUrl,
  redisSentinels: nodes(
    'REDIS_SENTINELS',
    26_379,
    'Sentinels that watch over the Redis to use, in place of REDIS_URL: they say which one is the master.',
  ),
  redisMaster: text(
    'REDIS_MASTER',
    'mymaster',
    'a name of letters, digits, _ . or -',
    /^[\w.-]{1,100}$/,
    'What the sentinels call the master.',
  ),
  redisCluster: nodes(
    'REDIS_CLUSTER',
    6379,
    'Nodes of the Redis Cluster to use, in place of REDIS_URL: they know the others.',
  ),
  redisUsername: text(
    'REDIS_USERNAME',
    'default',
    'a name without spaces',
    /^\S{1,100}$/,
    'The Redis user, where REDIS_PASSWORD is set.',
  ),
  redisPassword: password(
    'REDIS_PASSWORD',
    "Redis's password, where it does not stand in REDIS_URL; for every node of a cluster, and whichever is the master.",
  ),
  redisSentinelPassword: password(
    'REDIS_SENTINEL_PASSWORD',
    "The sentinels' own password, where they have one.",
  ),
  redisTls: flag(
    'REDIS_TLS',
    'Whether the nodes of REDIS_SENTINELS and REDIS_CLUSTER speak TLS. For REDIS_URL write rediss://.',
  ),
  durability: oneOf(
    'DURABILITY',
    'local',
    ['local', 'disk', 'replica'],
    "What 'recorded' promises: the event is in Redis's memory and handed to its append-only file; or synced to disk (Redis must have appendfsync always); or on a replica, too.",
  ),
  dataDir: text(
    'DATA_DIR',
    './data',
    'a folder',
    /^[^\0]+$/,
    'Where the private Redis keeps its files. Not used with a Redis of yours.',
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
  shards: {
    ...integer(
      'SHARDS',
      1,
      [1, 256],
      'Into how many hash tags users are divided. Left out, 1, and on a cluster 256. Fixed by the first start; npm run reshard changes it.',
    ),
    default: undefined,
  },
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
    'How many page names of a user are kept apart in a day; views of further ones count under (other), and four times as many urls and sites.',
  ),
  maxPathsPerSiteDay: integer(
    'MAX_PATHS_PER_SITE_DAY',
    10_000,
    [1, 100_000],
    'How many paths of a site are kept apart in a day, in each shard; views of further ones count under (other).',
  ),
  siteRetentionDays: integer(
    'SITE_RETENTION_DAYS',
    35,
    [8, 400],
    "How long a site's day is kept for its report.",
  ),
  lateLoginDays: integer(
    'LATE_LOGIN_DAYS',
    35,
    [1, 60],
    'How many days late a login may come. Fixed by the first start.',
  ),
  uniquesRetentionDays: integer(
    'UNIQUES_RETENTION_DAYS',
    400,
    [100, 4000],
    'How long daily and monthly unique users are kept.',
  ),
  eraseScanMs: integer(
    'ERASE_SCAN_MS',
    2000,
    [0, 30_000],
    'How long an erasure looks through the keyspace for keys that older versions left. npm run erase looks to the end.',
  ),
  redisTimeoutMs: integer(
    'REDIS_TIMEOUT_MS',
    1000,
    [50, 60_000],
    'How long a call may wait for Redis before it is answered 503.',
  ),
  maxInFlight: integer(
    'MAX_IN_FLIGHT',
    20_000,
    [1000, 1_000_000], // a batch must fit
    'How many events, and how many reads, may wait for Redis at once; further ones are answered 503, and writes unread from half of it.',
  ),
  databaseUrl,
  archiveWorker: oneOf(
    'ARCHIVE_WORKER',
    'on',
    ['on', 'off'],
    'Whether the service itself runs the worker that carries events to Postgres. With off, run npm run archive beside it.',
  ),
  outboxLimit: size(
    'OUTBOX_LIMIT',
    '256mb',
    1024 ** 2,
    "How much of Redis's memory may wait for Postgres, shared out among the shards; at it, events are answered 503.",
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
  for (const [key, setting] of Object.entries<Setting<unknown>>(settings)) {
    const given =
      (setting.secret && secretFile(setting.name, env, faults)) ||
      env[setting.name]?.trim() ||
      setting.default;
    const value = given === undefined ? undefined : setting.parse(given);
    if (given !== undefined && value === undefined) {
      faults.push(`${setting.name} must be ${setting.form}${shown(setting, given)}`);
    }
    values[key] = value;
  }
  const config = values as Config;
  config.shards ??= config.redisCluster ? 256 : 1;
  faults.push(...faultsOfRedis(config), ...faultsOfArchive(config));
  if (
    config.host !== undefined &&
    !isLoopback(config.host) &&
    config.allowOpen === false &&
    !hasKeys(config)
  ) {
    faults.push(
      `HOST=${config.host} would let anyone on the network read and erase: make keys with npm run --silent key >> .env, keep HOST=127.0.0.1, or set ALLOW_OPEN=1 on a network of your own`,
    );
  }
  if (config.headersTimeoutMs > config.requestTimeoutMs) {
    faults.push(
      `HEADERS_TIMEOUT_MS=${config.headersTimeoutMs} must not be longer than REQUEST_TIMEOUT_MS=${config.requestTimeoutMs}: the head is a part of the request`,
    );
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return config;
}

function faultsOfRedis(config: Config): string[] {
  const { redisUrl: url, redisSentinels, redisCluster, redisPassword, redisTls } = config;
  const faults: string[] = [];
  const given = [url && 'REDIS_URL', redisSentinels && 'REDIS_SENTINELS', redisCluster && 'REDIS_CLUSTER'];
  const places = given.filter((name) => name);
  if (places.length > 1) faults.push(`${places.join(' and ')} are both set: keep one`);
  if (places.length === 0 && config.durability === 'replica') {
    faults.push(
      'DURABILITY=replica needs a Redis with a replica, and the private one has none: set REDIS_SENTINELS, REDIS_CLUSTER or REDIS_URL',
    );
  }
  if (url !== undefined && redisPassword !== undefined && new URL(url).password !== '') {
    faults.push('REDIS_PASSWORD is set, and REDIS_URL has a password: keep one');
  }
  if (url !== undefined && redisTls) faults.push('REDIS_TLS=1 is not for REDIS_URL: write rediss:// there');
  return faults;
}

/** An outbox must hold more than what waits between two looks at it. */
const LEAST_OUTBOX = 64 * 1024;

function faultsOfArchive({ databaseUrl, outboxLimit, shards }: Config): string[] {
  if (databaseUrl === undefined || outboxLimit === undefined || outboxLimit / shards >= LEAST_OUTBOX)
    return [];
  const least = Math.ceil((LEAST_OUTBOX * shards) / 1024 ** 2);
  return [`OUTBOX_LIMIT is shared out among ${shards} shards: make it ${least}mb or more`];
}

/** Whether callers need keys: where any is set, every call needs one. */
export function hasKeys({ writeKeys, readKeys, adminKeys, metricsKeys }: Config): boolean {
  return [writeKeys, readKeys, adminKeys, metricsKeys].some((keys) => keys !== undefined);
}

const FILE = '_FILE';

/** The secrets as settings, for a process that is to have these and read no file. */
export function envOfSecrets(config: Config): Record<string, string> {
  return Object.fromEntries(
    Object.entries<Setting<unknown>>(settings)
      .filter(([, { secret }]) => secret)
      .flatMap(([key, { name }]) => [
        [name, [config[key as keyof Config] ?? []].flat().join(',')],
        [name + FILE, ''],
      ]),
  );
}

/** What the file of NAME_FILE holds, as Docker gives secrets. */
function secretFile(
  name: string,
  env: Record<string, string | undefined>,
  faults: string[],
): string | undefined {
  const file = env[name + FILE]?.trim();
  if (!file) return undefined;
  if (env[name]?.trim()) faults.push(`${name} and ${name}${FILE} are both set: keep one`);
  try {
    const text = readFileSync(file, 'utf8').trim();
    if (text) return text;
    faults.push(`${name}${FILE}: the file is empty`);
  } catch (error) {
    faults.push(`${name}${FILE} can't be read (${(error as NodeJS.ErrnoException).code})`);
  }
  return undefined;
}

/** A name that was meant to be a setting would be passed over in silence. */
function misspelt(env: Record<string, string | undefined>): string[] {
  const names = Object.values(settings).flatMap(({ name, secret }: Setting<unknown>) =>
    secret ? [name, name + FILE] : [name],
  );
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

/** A wrong REDIS_URL may hold a password, and a secret is one: these are not repeated. */
function shown({ name, secret }: Setting<unknown>, value: string): string {
  return secret || name === redisUrl.name ? '' : `, not ${JSON.stringify(value.slice(0, 60))}`;
}

export function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith('127.');
  return host === '::1' || host === 'localhost';
}
