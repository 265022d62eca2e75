// What stops a start: within five seconds, with one line that says what and how to mend it, and nothing left behind.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, statfsSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { type Settings, type StartOptions, useProcesses } from './support/process.ts';
import { startRedis, type TestRedis, type TestRedisOptions } from './support/redis.ts';

const processes = useProcesses();

async function redisWith(args: string[], options: TestRedisOptions = {}): Promise<TestRedis> {
  const redis = await startRedis({ ...options, args });
  processes.atEnd(() => redis.stop());
  return redis;
}

/** Listens, and gives the port. */
async function serve(server: Server, host = '127.0.0.1'): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket.on('error', () => undefined));
  });
  server.listen(0, host);
  await once(server, 'listening');
  processes.atEnd(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** As much of a Redis of another version as is asked of one. */
function oldRedis(version: string): Server {
  return createServer((socket) => {
    let text = '';
    socket.on('error', () => undefined).setEncoding('latin1');
    socket.on('data', (chunk) => {
      text += chunk;
      for (let m = COMMAND.exec(text); m; m = COMMAND.exec(text)) {
        text = text.slice(m[0].length);
        const info = `redis_version:${version}\r\nmaxmemory_policy:noeviction\r\naof_enabled:1\r\n`;
        socket.write(/^info$/im.test(m[0]) ? `$${info.length}\r\n${info}\r\n` : '+OK\r\n');
      }
    });
  });
}
const COMMAND = /^\*\d+\r\n(?:\$\d+\r\n[^\r]*\r\n)+?(?=\*|$)/;

/** Checks the end, and returns what was said. */
async function refused(settings: Settings, options: StartOptions = {}): Promise<string> {
  const { code, out, err } = await processes.startToEnd(settings, options);
  expect({ code, err }).toEqual({ code: 2, err: expect.stringMatching(/^[^\n]+\n$/) });
  expect(`${out}${err}`).not.toMatch(/^\s+at |node:internal/m);
  expect(processes.redisPids()).toEqual([]);
  return err;
}

describe('a DATA_DIR', () => {
  const data = (...path: string[]) => join(processes.dir, ...path);

  test.each<[what: string, path: () => string, line: RegExp]>([
    [
      'that is a file',
      () => data('file'),
      /^DATA_DIR can't be written \(ENOTDIR\): make it writable, or choose/,
    ],
    ['below a file', () => data('file', 'a', 'b'), /^DATA_DIR can't be written \(ENOTDIR\)/],
    ['in /proc', () => '/proc/x', /^DATA_DIR can't be written \(\w+\).*\/proc\/x/],
    ['in /dev/null', () => '/dev/null/x', /^DATA_DIR can't be written \(ENOTDIR\)/],
    ['whose name is too long', () => data('x'.repeat(300)), /^DATA_DIR can't be written \(ENAMETOOLONG\)/],
    ['whose folder redis is a file', () => data('odd'), /^DATA_DIR can't be written \(ENOTDIR\)/],
  ])('%s', async (_, path, line) => {
    writeFileSync(data('file'), '');
    mkdirSync(data('odd'));
    writeFileSync(data('odd', 'redis'), '');
    expect(await refused({ DATA_DIR: path() })).toMatch(line);
  });

  test.each(['', 'redis'])('that may not be written, in its folder %j', async (folder) => {
    mkdirSync(data('data', folder), { recursive: true });
    chmodSync(data('data', folder), 0o555);
    // Root may write anywhere, unless it gives that up.
    const through = process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-all', '--inh-caps=-all'] : [];
    expect(await refused({}, { through })).toMatch(
      /^DATA_DIR can't be written \(EACCES\): make it writable, or choose/,
    );
  });

  // Only root may mount. Elsewhere it shows up as skipped.
  const onTmpfs = canMount() ? test : test.skip;
  onTmpfs.each([
    ['full before the first start', false],
    ['full at a later start', true],
  ])('on a disk that is %s', async (_, started) => {
    const disk = data('disk');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'none', disk]);
    processes.atEnd(() => execFileSync('umount', [disk]));
    if (started) {
      const service = await processes.start({ DATA_DIR: disk });
      expect(await service.view('ann', 'e1')).toEqual([202, 'recorded']);
      service.kill('SIGTERM');
      await service.ended;
    }
    const { bavail, bsize } = statfsSync(disk);
    writeFileSync(join(disk, 'filler'), Buffer.alloc(bavail * bsize));
    expect(await refused({ DATA_DIR: disk })).toMatch(/^DATA_DIR is full: make room, or choose another/);
    if (started) expect(readdirSync(join(disk, 'redis'))).toEqual(['appendonlydir']);
  });

  test('whose append-only file is damaged in its middle', async () => {
    const service = await processes.start();
    for (let i = 0; i < 3; i++) await service.view('ann', `e${i}`);
    service.kill('SIGTERM');
    await service.ended;
    const folder = data('data', 'redis', 'appendonlydir');
    const name = readdirSync(folder).find((it) => it.endsWith('.incr.aof'))!;
    writeFileSync(join(folder, name), 'no command\r\n'.repeat(50));
    expect(await refused({})).toMatch(/^the private Redis ended with code 1: .*redis-check-aof/);
  });
});

describe('an address', () => {
  test('that is in use', async () => {
    const port = String(await serve(createServer()));
    expect(await refused({ PORT: port })).toBe(
      `127.0.0.1:${port} is in use: stop what listens there, or choose another PORT\n`,
    );
  });

  test.each<[settings: Settings, line: RegExp]>([
    [
      { HOST: '192.0.2.1', ALLOW_OPEN: '1' },
      /^192\.0\.2\.1:0 can't be listened on \(EADDRNOTAVAIL\): choose another HOST/,
    ],
    [
      { HOST: '2001:db8::1', ALLOW_OPEN: '1' },
      /^\[2001:db8::1\]:0 can't be listened on \(\w+\): choose another HOST/,
    ],
    [
      { HOST: '0.0.0.0' },
      /^HOST=0\.0\.0\.0 would let anyone .*: make keys with npm run --silent key >> \.env, keep HOST=127\.0\.0\.1, or set ALLOW_OPEN=1/,
    ],
    [{ HOST: '::' }, /^HOST=:: would let anyone/],
  ])('that is not for it: %j', async (settings, line) => {
    expect(await refused(settings)).toMatch(line);
  });
});

describe('a Redis', () => {
  const at = (port: number) => ({ REDIS_URL: `redis://127.0.0.1:${port}` });

  test.each([
    ['no password is sent', ''],
    ['a wrong password is sent', ':s3cret-w0rd@'],
    ['a wrong user is sent', 'eve:s3cret-w0rd@'],
  ])('that asks for a password, when %s', async (_, userinfo) => {
    const { redis, url } = await redisWith([], { tcp: true });
    await redis.config('SET', 'requirepass', 'right');
    expect(await refused({ REDIS_URL: url.replace('//', `//${userinfo}`) })).toBe(
      'Redis asks for another password: put it into REDIS_PASSWORD, or into REDIS_URL, redis://[user]:password@host\n',
    );
  });

  test.each(['5.0.14', '6.2.7'])('of version %s', async (version) => {
    expect(await refused(at(await serve(oldRedis(version))))).toBe(
      `Redis ${version} is too old: install Redis 7 or newer, or Valkey\n`,
    );
  });

  test.each([
    ['an HTTP server', () => createHttpServer((_req, res) => res.end('hello'))],
    ['an SSH server', () => createServer((socket) => socket.write('SSH-2.0-OpenSSH_9.6\r\n'))],
  ])('that is %s', async (_, server) => {
    expect(await refused(at(await serve(server() as Server)))).toBe(
      'What answers at REDIS_URL is not a Redis: mend its host or port\n',
    );
  });

  test('without the database of the number', async () => {
    const { url } = await redisWith(['--databases', '2'], { tcp: true });
    expect(await refused({ REDIS_URL: `${url}/2` })).toMatch(
      /^Redis has no database of the number in REDIS_URL: /,
    );
  });

  test.each<[what: string, meta: Settings | string, settings: Settings, line: RegExp]>([
    [
      'another layout',
      { layout: '99' },
      {},
      /^ff:meta in Redis says layout 99, but this start has 2: run the version of/,
    ],
    [
      'other shards',
      { shards: '256' },
      {},
      /says shards 256, but this start has 1: set SHARDS as it was, or choose another KEY_PREFIX/,
    ],
    [
      'another session gap',
      {},
      { SESSION_GAP_SECONDS: '60' },
      /session_gap_seconds 1800, .* 60: set SESSION_GAP_SECONDS as it was/,
    ],
    [
      'another lateness of logins',
      {},
      { LATE_LOGIN_DAYS: '60' },
      /late_login_days 35, .* 60: set LATE_LOGIN_DAYS as it was/,
    ],
    ['no hash', 'text', {}, /^ff:meta in Redis is not of Footfall \(WRONGTYPE\): choose another KEY_PREFIX/],
  ])('whose ff:meta is of %s', async (_, meta, settings, line) => {
    const { redis, url } = await redisWith([]);
    const usual = { layout: '2', shards: '1', session_gap_seconds: '1800', late_login_days: '35' };
    if (typeof meta === 'string') await redis.set('ff:meta', meta);
    else await redis.hset('ff:meta', { ...usual, ...meta });
    expect(await refused({ REDIS_URL: url, ...settings })).toMatch(line);
  });
});

test('a private Redis whose ff:meta is of other settings ends with the start', async () => {
  const service = await processes.start({ SHARDS: '4' });
  service.kill('SIGTERM');
  await service.ended;
  expect(await refused({ SHARDS: '5' })).toMatch(/says shards 4, but this start has 5: set SHARDS as it was/);
});

test('neither redis-server nor valkey-server', async () => {
  expect(await refused({ PATH: processes.dir })).toMatch(/^neither .* install one of them, or set REDIS_URL/);
});

test('a redis-server that does not start', async () => {
  const program = join(processes.dir, 'redis-server');
  writeFileSync(program, '#!/bin/sh\nexit 7\n', { mode: 0o755 });
  expect(await refused({ PATH: `${processes.dir}:/usr/bin:/bin` })).toMatch(
    /^the private Redis ended with code 7: /,
  );
});

function canMount(): boolean {
  try {
    execFileSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt'], { stdio: 'ignore' });
    return process.getuid?.() === 0;
  } catch {
    return false;
  }
}
