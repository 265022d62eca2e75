// Where keys come from: settings, files, `npm run key`; and how they are exchanged while the service runs.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { ConfigError, readConfig } from '../src/config.ts';
import { JSON_TYPE, sendRequest } from './support/http.ts';
import { type Service, type Settings, until, useProcesses, viewOf } from './support/process.ts';
import { freePort } from './support/redis.ts';

const NAMES = ['WRITE_KEYS', 'READ_KEYS', 'ADMIN_KEYS', 'METRICS_KEYS', 'USER_SIGNING_SECRET'] as const;
const PROPERTIES = {
  WRITE_KEYS: 'writeKeys',
  READ_KEYS: 'readKeys',
  ADMIN_KEYS: 'adminKeys',
  METRICS_KEYS: 'metricsKeys',
  USER_SIGNING_SECRET: 'userSigningSecret',
} as const;

function statusFileOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return ''; // it has just ended
  }
}

const ONE = 'key-one-of-16chrs';
const TWO = 'Key_2.~+/=-of-any-letters';

function faultsOf(env: Record<string, string | undefined>): string[] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

describe.each(NAMES)('%s', (name) => {
  let dir = '';
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'ff-keys-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const keysFrom = (env: Settings) => readConfig(env)[PROPERTIES[name]];
  const file = (text: string) => {
    const path = join(dir, 'secret');
    writeFileSync(path, text);
    return path;
  };

  test.each([
    ['one', ONE, [ONE]],
    ['two', `${ONE},${TWO}`, [ONE, TWO]],
    ['two with spaces', ` ${ONE} , ${TWO} `, [ONE, TWO]],
    ['the longest', 'x'.repeat(200), ['x'.repeat(200)]],
    ['none', '', undefined],
    ['nothing but a space', ' ', undefined],
  ])('takes %s', (_what, text, keys) => {
    expect(keysFrom({ [name]: text })).toEqual(keys);
  });

  test('takes a file, a key a line', () => {
    expect(keysFrom({ [`${name}_FILE`]: file(`${ONE}\r\n${TWO}\n\n`) })).toEqual([ONE, TWO]);
    expect(keysFrom({ [`${name}_FILE`]: file(ONE), [name]: '' })).toEqual([ONE]);
  });

  test.each([
    ['too short', 's3cret-of-15-ch'],
    ['too long', `s3cret${'x'.repeat(195)}`],
    ['a good one and a bad one', `${ONE},s3cret`],
    ['a letter that ends it in a URL', 's3cret-s3cret-s3cret?'],
    ['quotes from a shell', '"s3cret-s3cret-s3cret"'],
    ['a letter that no header has', 's3cret-s3cret-s3cret-ä'],
    ['commas alone', ',,'],
  ])('%s is a fault that never repeats it', (_what, text) => {
    const form = `${name} must be keys of 16 to 200 letters, digits and _ . ~ + / = -, with commas between (npm run key makes some)`;
    expect(faultsOf({ [name]: text })).toEqual([form]);
    expect(faultsOf({ [`${name}_FILE`]: file(text) })).toEqual([form]);
  });

  test('both as text and as a file is a fault', () => {
    const faults = faultsOf({ [name]: ONE, [`${name}_FILE`]: file(TWO) });
    expect(faults).toEqual([`${name} and ${name}_FILE are both set: keep one`]);
  });

  test('a file that is empty, not there, or a folder, is a fault', () => {
    const of = (path: string) => faultsOf({ [`${name}_FILE`]: path });
    mkdirSync(join(dir, 'folder'));
    expect(of(file(' \n'))).toEqual([`${name}_FILE: the file is empty`]);
    expect(of(join(dir, 'nowhere'))).toEqual([`${name}_FILE can't be read (ENOENT)`]);
    expect(of(join(dir, 'folder'))).toEqual([`${name}_FILE can't be read (EISDIR)`]);
  });

  test('a misspelling is told', () => {
    expect(faultsOf({ [`${name}_FIL`]: ONE })).toEqual([
      `${name}_FIL is not a setting: did you mean ${name}_FILE?`,
    ]);
  });
});

describe('HOST=0.0.0.0', () => {
  test.each(['0.0.0.0', '::', '10.0.0.1'])('as %s, without keys, is a fault that says what to do', (host) => {
    expect(faultsOf({ HOST: host })).toEqual([
      expect.stringMatching(/make keys with npm run --silent key.*ALLOW_OPEN=1/),
    ]);
    expect(faultsOf({ HOST: host, USER_SIGNING_SECRET: ONE })).toHaveLength(1); // that is no key
  });

  test.each(NAMES.slice(0, 4))('is good with %s', (name) => {
    expect(faultsOf({ HOST: '0.0.0.0', [name]: ONE })).toEqual([]);
  });

  test('is good with ALLOW_OPEN=1', () => {
    expect(faultsOf({ HOST: '0.0.0.0', ALLOW_OPEN: '1' })).toEqual([]);
  });
});

describe('the process', () => {
  const processes = useProcesses();
  const write = (name: string, text: string) => writeFileSync(join(processes.dir, name), text);
  const path = (name: string) => join(processes.dir, name);

  const statusOf = async ({ port }: Service, key?: string, what = '/v1/user/ann') =>
    (await sendRequest(port, { path: what, headers: key === undefined ? {} : { 'X-Api-Key': key } })).status;

  /** Asked on many connections, so that every worker answers some. */
  const statusesOf = async (service: Service, key?: string) => {
    const statuses = await Promise.all(Array.from({ length: 12 }, () => statusOf(service, key)));
    return [...new Set(statuses)];
  };
  const isTaken = (service: Service, key: string) =>
    until('the key is taken', async () => (await statusesOf(service, key)).join() === '200');
  const says = (service: Service, text: RegExp, times = 1) =>
    until(`it says ${text}`, () => service.said().filter((line) => text.test(line)).length >= times);

  test('without keys, does not start on a network, and says how to make some', async () => {
    const { code, out, err } = await processes.startToEnd({ HOST: '0.0.0.0' });
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(/^HOST=0\.0\.0\.0 would let anyone[^\n]*npm run --silent key[^\n]*\n$/);
    expect(processes.pids()).toEqual([]);
  });

  test('with keys, starts there, and lets nobody in without one', async () => {
    const service = await processes.start({ HOST: '0.0.0.0', READ_KEYS: ONE });
    expect(await statusOf(service)).toBe(401);
    expect(await statusOf(service, ONE)).toBe(200);
  });

  test('never repeats a wrong key', async () => {
    write('secret', 's3cret s3cret s3cret');
    const { code, out, err } = await processes.startToEnd({
      WRITE_KEYS: 's3cret',
      READ_KEYS: `${ONE},"s3cret-s3cret-s3cret"`,
      ADMIN_KEYS_FILE: path('secret'),
      METRICS_KEYS: 's3cret'.repeat(40),
    });
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err.trim().split('\n')).toHaveLength(4);
    expect(err).not.toMatch(/s3cret|key-one/);
  });

  test('`npm run key` prints a key of each kind, which the service takes', async () => {
    const run = () =>
      execFileSync('npm', ['run', '--silent', 'key'], {
        cwd: join(__dirname, '..'),
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
    const text = run();
    const lines = [...text.matchAll(/^(\w+)=(\S{36,})\n/gm)];
    expect(lines.map(([, name]) => name)).toEqual(NAMES.slice(0, 4));
    expect(lines.map(([line]) => line).join('')).toBe(text);
    const values = lines.map(([, , key]) => key!);
    expect(new Set([...values, ...run().match(/(?<==)\S+/g)!]).size).toBe(8);

    write('.env', text);
    const service = await processes.start({ HOST: '0.0.0.0' });
    const [writeKey, readKey, adminKey, metricsKey] = values;
    const posted = await sendRequest(service.port, {
      method: 'POST',
      path: `/v1/page?key=${writeKey}`, // nothing in it needs an escape
      headers: JSON_TYPE,
      body: viewOf('ann', 'e'),
    });
    expect(posted.status).toBe(202);
    expect(await statusOf(service, readKey)).toBe(200);
    expect(await statusOf(service, metricsKey, '/metrics')).toBe(200);
    expect(await statusOf(service, adminKey, '/metrics')).toBe(200);
    expect(await statusOf(service, writeKey)).toBe(403);
  });

  describe.each(['1', '2'])('SIGHUP with WORKERS=%s', (workers) => {
    const OLD = 'the-key-until-now-0123456789';
    const NEW = 'the-key-from-now-on-0123456789';
    const start = (settings: Settings) => processes.start({ WORKERS: workers, ...settings });

    test('reads files again: the old key is 401, the new one is good', async () => {
      write('secret', OLD);
      const service = await start({ READ_KEYS_FILE: path('secret') });
      expect(await statusesOf(service, OLD)).toEqual([200]);
      expect(await statusesOf(service, NEW)).toEqual([401]);
      write('secret', NEW);
      expect(await statusesOf(service, OLD)).toEqual([200]); // nothing happens by itself
      service.kill('SIGHUP');
      await says(service, /^SIGHUP: the keys were read again$/);
      await isTaken(service, NEW);
      expect(await statusesOf(service, OLD)).toEqual([401]);
      expect(await statusesOf(service)).toEqual([401]);
      expect(service.out()).not.toMatch(/the-key-/);
    });

    test('reads .env again, but not over what the process was given', async () => {
      write('.env', `READ_KEYS=${OLD}\nWRITE_KEYS=${OLD}\n`);
      const service = await start({ METRICS_KEYS: ONE });
      expect(await statusesOf(service, OLD)).toEqual([200]);
      write('.env', `READ_KEYS=${OLD},${NEW}\nMETRICS_KEYS=${NEW}\n`);
      service.kill('SIGHUP');
      await isTaken(service, NEW);
      expect(await statusesOf(service, OLD)).toEqual([200]);
      expect(await statusOf(service, ONE, '/metrics')).toBe(200);
      expect(await statusOf(service, NEW, '/metrics')).toBe(403);
      const posted = await sendRequest(service.port, { method: 'POST', path: `/v1/page?key=${OLD}` });
      expect(posted.status).toBe(401); // it is a write key no more
    });

    test.each([
      ['is gone', () => rmSync(path('secret')), /READ_KEYS_FILE can't be read \(ENOENT\)/],
      ['is empty', () => write('secret', ''), /READ_KEYS_FILE: the file is empty/],
      ['holds no key', () => write('secret', `${NEW},s3cret`), /READ_KEYS must be keys of 16/],
    ])('a file that %s leaves the keys as they were, and it is said', async (_what, spoil, why) => {
      write('secret', OLD);
      const service = await start({ READ_KEYS_FILE: path('secret') });
      spoil();
      service.kill('SIGHUP');
      await says(service, new RegExp(`^SIGHUP: the keys stay as they were: ${why.source}`));
      expect(await statusesOf(service, OLD)).toEqual([200]);
      expect(await statusesOf(service, NEW)).toEqual([401]);
      expect(service.out()).not.toMatch(/s3cret|the-key-/);

      write('secret', NEW);
      service.kill('SIGHUP');
      await isTaken(service, NEW);
      expect(await statusesOf(service, OLD)).toEqual([401]);
    });

    test('no keys at all does not open the service', async () => {
      write('.env', `READ_KEYS=${OLD}\n`);
      const service = await start({});
      write('.env', '');
      for (const times of [1, 2]) {
        service.kill('SIGHUP');
        await says(service, /^SIGHUP: the keys stay as they were: there are none now/, times);
        expect(await statusesOf(service)).toEqual([401]);
        expect(await statusesOf(service, OLD)).toEqual([200]);
      }
    });
  });

  test('a SIGHUP while it starts does not end it', async () => {
    writeFileSync(path('redis-server'), '#!/bin/sh\nexec sleep 60\n', { mode: 0o755 }); // never answers
    const service = processes.begin({
      PATH: `${processes.dir}${delimiter}${process.env.PATH}`,
      READ_KEYS: ONE,
    });
    await until('its Redis runs', () => processes.pids().length === 2);
    service.kill('SIGHUP');
    service.kill('SIGTERM');
    expect(await service.ended).toMatchObject({ code: 0, signal: null });
    expect(processes.pids()).toEqual([]);
  });

  describe('workers that replace others', () => {
    const OLD = 'the-key-until-now-0123456789';
    const NEW = 'the-key-from-now-on-0123456789';

    const workersOf = (service: Service) =>
      processes
        .pids()
        .filter((pid) => !processes.redisPids().includes(pid))
        .filter((pid) => statusFileOf(pid).includes(`\nPPid:\t${service.pid}\n`));

    /** Kills both, so that whoever answers afterwards was started afterwards. */
    async function replaceAll(service: Service): Promise<void> {
      const before = workersOf(service);
      expect(before).toHaveLength(2);
      for (const pid of before) process.kill(pid, 'SIGKILL');
      await until('there are others', () => {
        const now = workersOf(service);
        return now.length === 2 && !now.some((pid) => before.includes(pid));
      });
      await until('one listens', () => statusOf(service).catch(() => undefined));
    }

    /** On a port of its own: while nobody listens, it must not become another. */
    const start = async (settings: Settings) =>
      processes.start({ WORKERS: '2', PORT: String(await freePort()), ...settings });

    test('have the keys that were read last', async () => {
      write('secret', OLD);
      write('.env', `METRICS_KEYS=${OLD}\n`);
      const service = await start({ READ_KEYS_FILE: path('secret') });
      write('secret', NEW);
      write('.env', `METRICS_KEYS=${NEW}\n`);
      service.kill('SIGHUP');
      await isTaken(service, NEW);
      await replaceAll(service);
      expect(await statusesOf(service, NEW)).toEqual([200]);
      expect(await statusesOf(service, OLD)).toEqual([401]);
      expect(await statusOf(service, NEW, '/metrics')).toBe(200);
      expect(await statusOf(service, OLD, '/metrics')).toBe(401);
    });

    test('mind no file that has gone bad meanwhile', async () => {
      write('secret', OLD);
      const service = await start({ READ_KEYS_FILE: path('secret') });
      rmSync(path('secret'));
      await replaceAll(service);
      expect(await statusesOf(service, OLD)).toEqual([200]);
      expect(await statusesOf(service)).toEqual([401]);
    });

    test('are not open where the keys were taken away', async () => {
      write('.env', `READ_KEYS=${OLD}\n`);
      const service = await start({});
      write('.env', '');
      service.kill('SIGHUP');
      await says(service, /^SIGHUP: the keys stay as they were/);
      await replaceAll(service);
      expect(await statusesOf(service)).toEqual([401]);
      expect(await statusesOf(service, OLD)).toEqual([200]);
    });
  });
});
