// The settings: what is taken, what is refused, and that every fault is named at once.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError, readConfig, settings } from '../src/config.ts';
import { configurationPage, envExample, helpText } from '../src/help.ts';
import { type Settings, useProcesses } from './support/process.ts';

function faultsOf(env: Record<string, string | undefined>): string[] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

test('without any setting the defaults hold', () => {
  expect(readConfig({})).toEqual({
    port: 3000,
    host: '127.0.0.1',
    allowOpen: false,
    redisUrl: undefined,
    redisSentinels: undefined,
    redisMaster: 'mymaster',
    redisCluster: undefined,
    redisUsername: 'default',
    redisPassword: undefined,
    redisSentinelPassword: undefined,
    redisTls: false,
    durability: 'local',
    dataDir: './data',
    keyPrefix: 'ff',
    shards: 1,
    sessionGapSeconds: 1800,
    timeSpentUnit: 'minutes',
    workers: 1,
    maxViewsPerUserDay: 10_000,
    maxPagesPerUserDay: 1000,
    maxPathsPerSiteDay: 10_000,
    siteRetentionDays: 35,
    lateLoginDays: 35,
    uniquesRetentionDays: 400,
    eraseScanMs: 2000,
    redisTimeoutMs: 1000,
    maxInFlight: 20_000,
    shutdownMs: 10_000,
    logLevel: 'info',
    writeKeys: undefined,
    readKeys: undefined,
    adminKeys: undefined,
    metricsKeys: undefined,
    userSigningSecret: undefined,
    trustProxy: 0,
    unlimitedClients: ['127.0.0.0/8', '::1'],
    limitAddress: 2000,
    limitKey: 0,
    limitUser: 100,
    limitNewUsers: 6000,
    newUsersMemoryPercent: 90,
    maxRequests: 10_000,
    headersTimeoutMs: 5000,
    requestTimeoutMs: 15_000,
    keepAliveMs: 65_000,
    databaseUrl: undefined,
    archiveWorker: 'on',
    outboxLimit: 256 * 1024 ** 2,
  });
});

const at = (host: string, port: number) => ({ host, port });

test.each<[name: keyof typeof settings, env: Settings, value: unknown]>([
  ['port', { PORT: '0' }, 0],
  ['port', { PORT: '65535' }, 65_535],
  ['port', { PORT: ' 8080 ' }, 8080],
  ['port', { PORT: '' }, 3000],
  ['port', { PORT: '  ' }, 3000],
  ['host', { HOST: '::1' }, '::1'],
  ['host', { HOST: 'localhost' }, 'localhost'],
  ['host', { HOST: '127.9.9.9' }, '127.9.9.9'],
  ['host', { HOST: '0.0.0.0', ALLOW_OPEN: '1' }, '0.0.0.0'],
  ['allowOpen', { ALLOW_OPEN: '0' }, false],
  ['redisUrl', { REDIS_URL: 'redis://localhost' }, 'redis://localhost'],
  ['redisUrl', { REDIS_URL: 'redis://[::1]:6380/15' }, 'redis://[::1]:6380/15'],
  ['redisUrl', { REDIS_URL: 'rediss://a:b%2Fc@h.example:6379' }, 'rediss://a:b%2Fc@h.example:6379'],
  ['redisSentinels', { REDIS_SENTINELS: 'a.example:26380, b' }, [at('a.example', 26_380), at('b', 26_379)]],
  ['redisCluster', { REDIS_CLUSTER: '127.0.0.1:7000,[::1]:7001' }, [at('127.0.0.1', 7000), at('::1', 7001)]],
  ['shards', { REDIS_CLUSTER: 'a' }, 256],
  ['shards', { REDIS_CLUSTER: 'a', SHARDS: '64' }, 64],
  ['shards', { REDIS_SENTINELS: 'a' }, 1],
  ['redisPassword', { REDIS_URL: 'redis://localhost', REDIS_PASSWORD: 'a b,c' }, 'a b,c'],
  ['durability', { DURABILITY: 'disk' }, 'disk'],
  ['redisUrl', { REDIS_URL: 'unix:///run/a%20b.sock' }, 'unix:///run/a%20b.sock'],
  ['dataDir', { DATA_DIR: '/srv/ä b%' }, '/srv/ä b%'],
  ['keyPrefix', { KEY_PREFIX: 'shop-1_x' }, 'shop-1_x'],
  ['shards', { SHARDS: '256' }, 256],
  ['timeSpentUnit', { TIME_SPENT_UNIT: 'seconds' }, 'seconds'],
  ['eraseScanMs', { ERASE_SCAN_MS: '0' }, 0],
  [
    'databaseUrl',
    { DATABASE_URL: 'postgres://a:b%2Fc@h/f?sslmode=require' },
    'postgres://a:b%2Fc@h/f?sslmode=require',
  ],
  ['archiveWorker', { ARCHIVE_WORKER: 'off' }, 'off'],
  ['outboxLimit', {}, 256 * 1024 ** 2],
  ['outboxLimit', { OUTBOX_LIMIT: '2GB' }, 2 * 1024 ** 3],
  ['logLevel', { LOG_LEVEL: 'silent' }, 'silent'],
])('%s of %j is %j', (name, env, value) => {
  expect(readConfig(env)[name]).toEqual(value);
});

const NUMBER = 'a whole number from';

/** A fault each: the setting, its wrong value, and what it is said to be. */
const WRONG: [name: string, value: string, form: string][] = [
  ['PORT', '65536', `${NUMBER} 0 to 65535`],
  ['PORT', '-1', `${NUMBER} 0 to 65535`],
  ['PORT', '3000.5', `${NUMBER} 0 to 65535`],
  ['PORT', '3e3', `${NUMBER} 0 to 65535`],
  ['PORT', '0x10', `${NUMBER} 0 to 65535`],
  ['PORT', '٣٠٠٠', `${NUMBER} 0 to 65535`],
  ['PORT', '99999999999999999999', `${NUMBER} 0 to 65535`],
  ['PORT', 'http', `${NUMBER} 0 to 65535`],
  ['HOST', 'http://localhost', 'an address or a host name'],
  ['HOST', '[::1]', 'an address or a host name'],
  ['HOST', 'a b', 'an address or a host name'],
  ['HOST', 'x'.repeat(256), 'an address or a host name'],
  ['ALLOW_OPEN', 'yes', '0 or 1'],
  ['ALLOW_OPEN', 'true', '0 or 1'],
  ['DATA_DIR', 'a\0b', 'a folder'],
  ['REDIS_SENTINELS', 'redis://a:26379', 'host:port of some of its nodes, with commas between'],
  ['REDIS_CLUSTER', 'a:0', 'host:port of some of its nodes, with commas between'],
  ['REDIS_CLUSTER', 'a:65536,b', 'host:port of some of its nodes, with commas between'],
  ['REDIS_MASTER', 'a b', 'a name of letters, digits, _ . or -'],
  ['REDIS_USERNAME', 'a b', 'a name without spaces'],
  ['REDIS_TLS', 'yes', '0 or 1'],
  ['DURABILITY', 'memory', 'local or disk or replica'],
  ['KEY_PREFIX', 'a:b', '1 to 20 letters, digits, _ or -'],
  ['KEY_PREFIX', '{x}', '1 to 20 letters, digits, _ or -'],
  ['KEY_PREFIX', 'x'.repeat(21), '1 to 20 letters, digits, _ or -'],
  ['SHARDS', '0', `${NUMBER} 1 to 256`],
  ['SHARDS', '257', `${NUMBER} 1 to 256`],
  ['SESSION_GAP_SECONDS', '0', `${NUMBER} 1 to 43200`],
  ['SESSION_GAP_SECONDS', '30m', `${NUMBER} 1 to 43200`],
  ['TIME_SPENT_UNIT', 'hours', 'minutes or seconds'],
  ['TIME_SPENT_UNIT', 'Minutes', 'minutes or seconds'],
  ['MAX_VIEWS_PER_USER_DAY', '0', `${NUMBER} 1 to 1000000`],
  ['MAX_PAGES_PER_USER_DAY', '100001', `${NUMBER} 1 to 100000`],
  ['MAX_PATHS_PER_SITE_DAY', '0', `${NUMBER} 1 to 100000`],
  ['SITE_RETENTION_DAYS', '7', `${NUMBER} 8 to 400`],
  ['LATE_LOGIN_DAYS', '61', `${NUMBER} 1 to 60`],
  ['UNIQUES_RETENTION_DAYS', '99', `${NUMBER} 100 to 4000`],
  ['ERASE_SCAN_MS', '30001', `${NUMBER} 0 to 30000`],
  ['REDIS_TIMEOUT_MS', '49', `${NUMBER} 50 to 60000`],
  ['MAX_IN_FLIGHT', '999', `${NUMBER} 1000 to 1000000`],
  ['TRUST_PROXY', 'true', 'a number of proxies, or their networks (10.0.0.0/8,::1) with commas between'],
  [
    'TRUST_PROXY',
    '10.0.0.0/33',
    'a number of proxies, or their networks (10.0.0.0/8,::1) with commas between',
  ],
  ['UNLIMITED_CLIENTS', 'localhost', "networks with commas between, or 'none'"],
  ['LIMIT_ADDRESS', '-1', `${NUMBER} 0 to 1000000`],
  ['LIMIT_KEY', '1e3', `${NUMBER} 0 to 1000000`],
  ['LIMIT_USER', 'off', `${NUMBER} 0 to 1000000`],
  ['LIMIT_NEW_USERS', '1/s', `${NUMBER} 0 to 10000000`],
  ['NEW_USERS_MEMORY_PERCENT', '90%', `${NUMBER} 1 to 100`],
  ['MAX_REQUESTS', '9', `${NUMBER} 10 to 100000`],
  ['HEADERS_TIMEOUT_MS', '5s', `${NUMBER} 100 to 600000`],
  ['REQUEST_TIMEOUT_MS', '99', `${NUMBER} 100 to 600000`],
  ['KEEP_ALIVE_MS', '0', `${NUMBER} 100 to 3600000`],
  ['SHUTDOWN_MS', 'Infinity', `${NUMBER} 100 to 600000`],
  ['WORKERS', '0', `${NUMBER} 1 to 64`],
  ['ARCHIVE_WORKER', 'yes', 'on or off'],
  ['OUTBOX_LIMIT', '256', 'a whole number with kb, mb or gb behind it'],
  ['OUTBOX_LIMIT', '1023kb', 'a whole number with kb, mb or gb behind it'],
  ['LOG_LEVEL', 'verbose', 'fatal or error or warn or info or debug or silent'],
  ['LOG_LEVEL', 'INFO', 'fatal or error or warn or info or debug or silent'],
];

test.each(WRONG)('%s=%j is refused with its form', (name, value, form) => {
  expect(faultsOf({ [name]: value })).toEqual([
    `${name} must be ${form}, not ${JSON.stringify(value.slice(0, 60))}`,
  ]);
});

test.each([
  '127.0.0.1:6379',
  '/run/redis.sock',
  'http://s3cret@localhost',
  'Redis://:s3cret@localhost',
  'redis:localhost',
  'redis://',
  'redis://:s3cret@',
  'redis://:s3cret@localhost:99999',
  'redis://:s3cret@localhost/db0',
  'redis://:s3cret@localhost/-1',
  'redis://:s3cret@localhost?db=1',
  'redis://:s3#cret@localhost',
  'redis://:s3%cret@localhost',
  'rediss://user:s3cret@local host',
  'unix://',
  'unix:///',
  'unix://localhost/run/redis.sock',
  'unix:/run/redis.sock',
  'unix:///run/%zz.sock',
])('REDIS_URL=%s is refused, and never repeated', (value) => {
  const faults = faultsOf({ REDIS_URL: value, PORT: 'x' });
  expect(faults).toHaveLength(2);
  expect(faults.join()).toContain('REDIS_URL must be redis://[user:password@]host[:port][/db], rediss://');
  expect(faults.join()).not.toMatch(/s3|cret|local host|,not "unix|127/);
});

test.each<[env: Settings, fault: string]>([
  [{ REDIS_URL: 'redis://a', REDIS_CLUSTER: 'b' }, 'REDIS_URL and REDIS_CLUSTER are both set: keep one'],
  [{ REDIS_SENTINELS: 'a', REDIS_CLUSTER: 'b' }, 'REDIS_SENTINELS and REDIS_CLUSTER are both set: keep one'],
  [
    { REDIS_URL: 'redis://:x@a', REDIS_PASSWORD: 's3cret' },
    'REDIS_PASSWORD is set, and REDIS_URL has a password: keep one',
  ],
  [
    { REDIS_CLUSTER: 'a', DATABASE_URL: 'postgres://a/b', OUTBOX_LIMIT: '15mb' },
    'OUTBOX_LIMIT is shared out among 256 shards: make it 16mb or more',
  ],
  [{ REDIS_URL: 'redis://a', REDIS_TLS: '1' }, 'REDIS_TLS=1 is not for REDIS_URL: write rediss:// there'],
  [
    { DURABILITY: 'replica' },
    'DURABILITY=replica needs a Redis with a replica, and the private one has none: set REDIS_SENTINELS, REDIS_CLUSTER or REDIS_URL',
  ],
])('%j is refused', (env, fault) => {
  expect(faultsOf(env)).toEqual([fault]);
});

test.each(['0.0.0.0', '::', '10.0.0.1', '0', 'example.com', '::ffff:127.0.0.1', '127.evil.example'])(
  'HOST=%s needs ALLOW_OPEN=1',
  (host) => {
    expect(faultsOf({ HOST: host })).toEqual([expect.stringContaining(`HOST=${host} would let anyone`)]);
    expect(faultsOf({ HOST: host, ALLOW_OPEN: '1' })).toEqual([]);
  },
);

test('all faults are named at once, each by a line of its own', () => {
  const firstOfEach = new Map(WRONG.map((row) => [row[0], row]));
  const env = Object.fromEntries([...firstOfEach.values()].map(([name, value]) => [name, value]));
  const faults = faultsOf({ ...env, REDIS_URL: 'x', SHARD: '4', HOST: '0.0.0.0', ALLOW_OPEN: '0' });
  const named = faults.map((fault) => /^[A-Z_]+/.exec(fault)![0]).sort();
  const secret = (setting: object) => 'secret' in setting; // never repeated, so not among the wrong ones here
  const all = Object.values(settings)
    .filter((setting) => !secret(setting))
    .map(({ name }) => name);
  expect(named).toEqual([...all.filter((name) => name !== 'ALLOW_OPEN'), 'SHARD'].sort());
  expect(faults.every((fault) => !fault.includes('\n'))).toBe(true);
});

test.each([
  ['SHARD', 'SHARDS'],
  ['SHARDSS', 'SHARDS'],
  ['SHRADS', 'SHARDS'],
  ['shards', 'SHARDS'],
  ['REDIS_URI', 'REDIS_URL'],
  ['REDISURL', 'REDIS_URL'],
  ['Redis_Url', 'REDIS_URL'],
  ['LOGLEVEL', 'LOG_LEVEL'],
  ['DATADIR', 'DATA_DIR'],
  ['SESSION_GAP_SECOND', 'SESSION_GAP_SECONDS'],
  ['MAX_VIEW_PER_USER_DAY', 'MAX_VIEWS_PER_USER_DAY'],
  ['ALLOW-OPEN', 'ALLOW_OPEN'],
  ['Port', 'PORT'],
  ['FOOTFALL_PORT', 'PORT'],
  ['FOOTFALL_HOTS', 'HOST'],
  ['FOOTFALL_REDIS_URL', 'REDIS_URL'],
  ['footfall_data_dir', 'DATA_DIR'],
  ['FOOTFALL_SHARD', 'SHARDS'],
])('%s is told to be %s', (given, meant) => {
  expect(faultsOf({ [given]: '1' })).toEqual([`${given} is not a setting: did you mean ${meant}?`]);
});

test.each([
  'HOSTNAME HOSTTYPE MACHTYPE OSTYPE HOME PATH PWD OLDPWD SHELL SHLVL TERM USER LOGNAME LANG LC_ALL MAIL TZ',
  'POST PORTS SPORT SORT HOSTS GHOST HOSTED PROT EXPORT',
  'LOGDIR LOG_FILE DATA DATA_PATH XDG_DATA_DIRS XDG_DATA_HOME XDG_RUNTIME_DIR TMPDIR NODE_ENV NODE_OPTIONS',
  'npm_config_user_agent npm_lifecycle_event npm_package_name npm_config_loglevel INIT_CWD COLOR EDITOR',
  'CI GITHUB_ACTIONS RUNNER_TEMP REDIS_HOST REDIS_PORT REDIS_PASSWORD REDIS_TLS_URL DOCKER_HOST',
  'KUBERNETES_SERVICE_HOST KUBERNETES_PORT FOOTFALL_SERVICE_HOST FOOTFALL_SERVICE_PORT REDIS_SERVICE_HOST',
  'SSH_CLIENT SSH_AUTH_SOCK http_proxy no_proxy JEST_WORKER_ID INVOCATION_ID JOURNAL_STREAM SHARDING FOOTFALL_HOME',
])('a usual environment raises no alarm: %s', (names) => {
  expect(faultsOf(Object.fromEntries(names.split(' ').map((name) => [name, '1'])))).toEqual([]);
});

test('the environment of these tests raises no alarm', () => {
  const own = Object.keys(process.env).filter(
    (name) => !Object.values(settings).some((it) => it.name === name),
  );
  expect(faultsOf(Object.fromEntries(own.map((name) => [name, process.env[name]])))).toEqual([]);
});

test.each([
  ['what Kubernetes sets for a Service named footfall', { FOOTFALL_PORT: 'tcp://10.0.0.7:3000' }],
  ['a misspelling that is set to nothing', { SHARD: '' }],
])('%s raises no alarm', (_, env) => {
  expect(faultsOf(env)).toEqual([]);
});

describe('what is told of the settings', () => {
  const page = (path: string) => readFileSync(join(__dirname, '..', path), 'utf8');

  test.each([
    ['.env.example', envExample],
    ['docs/configuration.md', configurationPage],
  ])('%s is as `npm run docs` writes it', (path, text) => {
    expect(page(path)).toBe(text());
  });

  test.each(Object.values(settings).map(({ name, ...setting }) => [name, setting] as const))(
    '%s is in each, with form, default and meaning',
    (name, { form, meaning, default: fallback }) => {
      for (const text of [helpText(), envExample(), configurationPage().replaceAll('\\|', '|')]) {
        for (const part of [name, form, meaning, fallback ?? '']) expect(text).toContain(part);
      }
    },
  );

  test('.env.example holds the defaults, once its # are taken away', () => {
    const lines = envExample().match(/^#[A-Z_]+=.*$/gm)!;
    const env = Object.fromEntries(lines.map((line) => line.slice(1).split(/=(.*)/, 2)));
    expect(Object.keys(env)).toEqual(Object.values(settings).map(({ name }) => name));
    expect(readConfig(env)).toEqual(readConfig({}));
  });

  test.each([0, 1, 2, 3])('the exit code %d is told', (code) => {
    expect(helpText()).toMatch(new RegExp(`^ +${code} \\w+`, 'm'));
    expect(configurationPage()).toMatch(new RegExp(`^- \`${code}\` \\w+`, 'm'));
  });
});

describe('the process', () => {
  const processes = useProcesses();
  const env = (text: string) => writeFileSync(join(processes.dir, '.env'), text);

  test('says all faults on stderr, and ends with 2', async () => {
    const { code, out, err } = await processes.startToEnd({
      PORT: 'x',
      SHARDS: '0',
      LOGLEVEL: 'info',
      REDIS_URL: 'redis://:s3cret@localhost:port',
    });
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err.split('\n').map((line) => line.split(' ')[0])).toEqual([
      'LOGLEVEL',
      'PORT',
      'REDIS_URL',
      'SHARDS',
      '',
    ]);
    expect(err).not.toMatch(/s3cret|^\s+at /m);
  });

  test('--help prints what helpText gives, and starts nothing', async () => {
    const { code, out, err } = await processes.startToEnd({ PORT: 'x' }, { args: ['--help'] });
    expect({ code, out, err }).toEqual({ code: 0, out: helpText(), err: '' });
  });

  test('takes settings from .env, the environment first', async () => {
    env('KEY_PREFIX=from-file\nSHARDS=none\n');
    const { code, err } = await processes.startToEnd({ KEY_PREFIX: 'from:env' });
    expect({ code, err }).toEqual({
      code: 2,
      err: [
        'KEY_PREFIX must be 1 to 20 letters, digits, _ or -, not "from:env"',
        'SHARDS must be a whole number from 1 to 256, not "none"',
        '',
      ].join('\n'),
    });
  });

  test('a misspelling in .env is pointed out', async () => {
    env('SHARD=4\n');
    expect(await processes.startToEnd()).toMatchObject({
      code: 2,
      err: 'SHARD is not a setting: did you mean SHARDS?\n',
    });
  });

  test('starts with a .env that is empty', async () => {
    env('');
    const service = await processes.start();
    expect(await service.get('/livez')).toMatchObject({ status: 200, text: '{"status":"alive"}' });
  });

  test('a .env that is a folder is said', async () => {
    mkdirSync(join(processes.dir, '.env'));
    const { code, err } = await processes.startToEnd();
    expect({ code, err }).toEqual({
      code: 2,
      err: expect.stringMatching(/^\.env can't be read \(\w+\): [^\n]+\n$/),
    });
  });
});
