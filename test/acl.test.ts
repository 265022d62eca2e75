// The Redis user of docs/security.md: it may do all that the service does, and nothing else.

import { join } from 'node:path';
import { connectRedis } from '../src/redis/connect.ts';
import type { FootfallRedis } from '../src/redis/scripts.ts';
import { DAY } from '../src/time.ts';
import { readPage } from './support/console.ts';
import { sendRequest } from './support/http.ts';
import { usePostgres } from './support/postgres.ts';
import { until, useProcesses } from './support/process.ts';
import { snapshot, useRedis } from './support/redis.ts';
import { startCluster } from './support/topologies.ts';

const PASSWORD = 'a-password-for-footfall';
const page = readPage('docs/security.md');
const one = (pattern: RegExp) => page.match(pattern)?.[1]?.split(' ') ?? [];
/** What stands in the page, its placeholder replaced. */
const asCommand = one(/^ACL SETUSER footfall (.*)$/m).map((rule) => rule.replace('PASSWORD', PASSWORD));
const asLine = one(/^user footfall (.*)$/m);

const allowed = asCommand.filter((rule) => rule.startsWith('+')).map((rule) => rule.slice(1));
const now = Date.now(); // a midnight during the test moves no date
const dateOf = (ago: number) => new Date(now - ago * DAY).toISOString().slice(0, 10);
const noon = (ago: number) => `${dateOf(ago)}T12:00:00Z`;

const server = useRedis({ tcp: true, args: ['--enable-debug-command', 'yes'] });
beforeEach(() => server.redis.call('ACL', 'SETUSER', 'footfall', ...asCommand));

const urlOfUser = () => server.url.replace('//', `//footfall:${PASSWORD}@`);

test('the page shows one user, as a command and as a line of a file', () => {
  expect(allowed.length).toBeGreaterThan(30);
  expect(new Set(allowed).size).toBe(allowed.length);
  expect(asCommand.slice(0, 2)).toEqual(['reset', 'on']);
  const rules = asCommand.slice(3);
  expect(asLine).toEqual(['on', '#SHA256-OF-PASSWORD', ...rules]);
  expect(rules.filter((rule) => /^[~%&]|^all|^resetchannels$|@/.test(rule))).toEqual([
    '~ff:*',
    'resetchannels',
    '-@all',
  ]);
});

describe('the service as this user', () => {
  const processes = useProcesses();

  test('does all that it can do, and needs every command', async () => {
    const { redis } = server;
    await redis.config('RESETSTAT');
    const settings = { REDIS_URL: urlOfUser() };
    const service = await processes.start(settings);
    const send = async (
      method: string,
      path: string,
      body?: unknown,
      status = method === 'POST' ? 202 : 200,
    ) => {
      const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
      const reply = await sendRequest(service.port, { method, path, headers, body: JSON.stringify(body) });
      expect([method, path, reply.status, reply.text]).toEqual([method, path, status, expect.anything()]);
      return reply;
    };
    await until('it is ready', async () => (await service.get('/readyz')).status === 200);

    const visit = { user_id: 'ann', url: 'https://example.com/a', name: 'A', site_id: 'shop' };
    for (const ago of [1, 3, 2, 5]) {
      for (const event_id of [`a${ago}`, `b${ago}`])
        await send('POST', '/v1/page', { ...visit, timestamp: noon(ago), event_id });
      const event = { user_id: 'ann', site_id: 'shop', path: '/', timestamp: noon(ago) };
      await send('POST', '/v1/event', { ...event, event_type: 'click', event_id: `c${ago}` });
      await send('POST', '/event', { ...event, event_type: 'page_view' });
      await send('POST', '/v1/user/login', { user_id: 'ann', login_time: noon(ago) });
      await redis.script('FLUSH'); // the next call sends its script anew
    }
    for (const minute of ['10', '30', '20']) {
      const timestamp = noon(3).replace('00:00', `${minute}:00`); // the last one between the two others
      await send('POST', '/v1/page', { user_id: 'bob', name: 'B', timestamp });
    }
    const batch = Array.from({ length: 300 }, (_, i) => ({
      user_id: `user ${i % 9}`,
      name: `${i}`,
      site_id: 's',
    }));
    expect((await send('POST', '/v1/pages', batch)).body).toMatchObject({ recorded: 300, rejected: [] });

    expect((await send('GET', '/v1/user/ann')).body).toMatchObject({
      number_pages_viewed_in_the_last_7_days: 12,
    });
    await send('GET', '/v1/user/ann/days');
    expect((await send('GET', '/v1/user/ann/visits')).body).toMatchObject({ pages_total: 2 });
    await send('POST', '/v1/users/profiles', { user_ids: ['ann', 'nobody'] }, 200);
    await send('GET', `/v1/user/uniques/daily?date=${dateOf(1)}`);
    await send('GET', `/v1/user/uniques/monthly?month=${dateOf(1).slice(0, 7)}`);
    await send('GET', '/v1/page/visitors?name=A&site_id=shop');
    await send('GET', '/v1/site/shop/report');
    await send('GET', `/v1/site/shop/report?from=${dateOf(20)}`); // an estimate
    expect((await send('GET', '/metrics')).text).toContain('\nfootfall_redis_up 1\n');

    // A damaged key takes a write back; an erasure finds what an older version left.
    await redis.set(`ff:{0}:user:eve:${dateOf(1)}:pages`, 'no sorted set');
    await send('POST', '/v1/page', { user_id: 'eve', name: 'E', timestamp: noon(1) }, 500);
    await redis.set('ff:{0}:user:bob:of-an-older-version', 'x');
    const erased = await send('DELETE', '/v1/user/bob');
    expect(erased.body).toMatchObject({ keys_deleted: 3, scan: 'complete', residue: 1 });

    const inspected = await command('inspect', 'ann');
    expect(inspected.out).toContain('Both agree.');
    const told = JSON.parse((await command('erasure', 'ann')).out);
    expect(told).toMatchObject({ user_id: 'ann', scan: 'complete', counts_corrected: expect.any(Number) });
    expect((await service.get('/readyz')).status).toBe(200);

    expect(await refusals()).toEqual([]);
    const stats = await redis.info('commandstats');
    expect(allowed.filter((name) => !stats.includes(`cmdstat_${name}:`))).toEqual([]);

    async function command(folder: string, user: string) {
      const path = join(__dirname, `../dist/${folder}/command.js`);
      const ended = await processes.startToEnd(settings, { command: [process.execPath, path, user] });
      expect(ended).toMatchObject({ code: 0, err: '' });
      return ended;
    }
  });
});

/** What was refused to the user, as ACL LOG has it. Newer servers are asked to note the client's library: no harm. */
async function refusals(): Promise<string[]> {
  const log = (await server.redis.call('ACL', 'LOG')) as unknown[][];
  const objects = log.map((entry) => String(entry[entry.indexOf('object') + 1]));
  return objects.filter((object) => object !== 'client|setinfo');
}

const NOT_ALLOWED = [
  ...['FLUSHALL', 'FLUSHDB', 'KEYS *', 'RANDOMKEY', 'SWAPDB 0 1', 'SELECT 1', 'SUBSCRIBE x', 'PUBLISH x y'],
  ...['CONFIG SET maxmemory-policy allkeys-lru', 'CONFIG GET *', 'ACL SETUSER footfall +@all', 'ACL LIST'],
  ...['SHUTDOWN NOSAVE', 'DEBUG SLEEP 0', 'MONITOR', 'SLOWLOG GET', 'SAVE', 'BGREWRITEAOF', 'REPLICAOF a 1'],
  ...['SCRIPT FLUSH', 'SCRIPT KILL', 'FUNCTION FLUSH', 'MODULE LIST', 'CLIENT LIST', 'CLIENT PAUSE 1'],
  ...['DEL ff:{0}:key', 'DUMP ff:{0}:key', 'RENAME ff:{0}:key ff:b', 'MIGRATE a 1 ff:{0}:key 0 1'],
];
const OF_OTHERS = [
  'GET other:key',
  'SET other:key x',
  'UNLINK ff:{0}:key other:key',
  'GET ff',
  'HGETALL ffx:meta',
];

describe('the user may not', () => {
  let user: FootfallRedis;
  beforeEach(async () => {
    await server.redis.mset('other:key', 'of somebody else', 'ff', 'x', 'ff:{0}:key', 'y');
    user = connectRedis({ url: urlOfUser() }, 5000);
    await user.connect();
  });
  afterEach(() => user.disconnect());

  const REFUSED = /permission|can't (run|access)|not allowed from script/;
  const inScript = (words: string[], ...keys: string[]) =>
    user.eval('return redis.call(unpack(ARGV))', keys.length, ...keys, ...words);

  test.each([...NOT_ALLOWED, ...OF_OTHERS])('%s, typed or in a script', async (text) => {
    const before = await snapshot(server.redis);
    const words = text.split(' ');
    await expect(user.call(words[0]!, ...words.slice(1))).rejects.toThrow(/^NOPERM/);
    await expect(inScript(words)).rejects.toThrow(REFUSED);
    await expect(inScript(words, 'ff:{0}')).rejects.toThrow(REFUSED);
    await expect(inScript(words, 'other:key')).rejects.toThrow(REFUSED);
    expect(await snapshot(server.redis)).toEqual(before);
  });

  test('but may do the same with keys of its own', async () => {
    expect(await inScript(['GET', 'ff:{0}:key'], 'ff:{0}')).toBe('y');
    expect(await inScript(['UNLINK', 'ff:{0}:key'], 'ff:{0}')).toBe(1);
  });
});

describe('what the page adds', () => {
  const postgres = usePostgres();
  const processes = useProcesses();
  const added = (by: RegExp) => [...(page.match(by)?.[1] ?? '').matchAll(/\+[\w|]+/g)].map(([rule]) => rule);
  const asUser = { REDIS_USERNAME: 'footfall', REDIS_PASSWORD: PASSWORD };

  test.each<[durability: string, by: RegExp, reason: string]>([
    ['replica', /(`\+wait`) with `DURABILITY=replica`/, 'Redis has no replica: events are refused'],
    ['disk', /(`\+config\|get`) with\s+`DURABILITY=disk`/, 'DURABILITY=disk, but Redis does not sync'],
  ])('for DURABILITY=%s is enough, and needed', async (DURABILITY, by, reason) => {
    expect(added(by)).toHaveLength(1);
    const settings = { REDIS_URL: server.url, DURABILITY, ...asUser };
    const readyz = async () => {
      const { port } = await processes.start(settings);
      return (await sendRequest(port, { path: '/readyz' })).text;
    };
    expect(await readyz()).toContain('NOPERM');
    await server.redis.call('ACL', 'SETUSER', 'footfall', ...added(by));
    expect(await readyz()).toContain(reason);
  });

  test('for a cluster is enough, and needed', async () => {
    const args = ['--cluster-announce-ip', '127.0.0.1']; // it has met nobody who would have told it
    const cluster = await startCluster({ primaries: 1, replicas: 0, args });
    processes.atEnd(cluster.stop);
    const [node] = cluster.nodes;
    const rules = added(/and (`\+cluster\|slots \+cluster\|info`) on a cluster/);
    expect(rules).toHaveLength(2);
    const start = () => processes.start({ REDIS_CLUSTER: cluster.seeds.join(), ...asUser });
    for (const less of [rules.slice(1), rules.slice(0, 1)]) {
      await node!.redis.call('ACL', 'SETUSER', 'footfall', ...asCommand, ...less);
      const { port } = await start();
      expect((await sendRequest(port, { path: '/readyz' })).status).toBe(503);
    }
    await node!.redis.call('ACL', 'SETUSER', 'footfall', ...rules);
    const service = await start();
    await until(
      'it is ready',
      async () => (await sendRequest(service.port, { path: '/readyz' })).status === 200,
    );
    expect(await service.view('ann', 'e')).toEqual([202, 'recorded']);
    expect(await service.viewsOf('ann')).toBe(1);
  });

  test('for an archive is enough, and needed', async () => {
    const { redis } = server;
    const rules = added(/(`\+xadd [^`]*`) with an\s+archive/);
    expect(rules.length).toBeGreaterThan(5);
    const settings = { REDIS_URL: server.url, DATABASE_URL: postgres.url, ...asUser };
    const unready = await processes.start(settings);
    const reason = (await sendRequest(unready.port, { path: '/readyz' })).text;
    for (const rule of rules) expect(reason).toContain(rule.slice(1).toUpperCase());
    unready.kill('SIGTERM');
    await unready.ended;

    await redis.call('ACL', 'SETUSER', 'footfall', ...rules);
    await redis.config('RESETSTAT');
    await redis.call('ACL', 'LOG', 'RESET');
    await redis.xadd('ff:{0}:outbox', '*', 'event', 'nothing that can be read');
    const { port } = await processes.start(settings);
    await until('it is ready', async () => (await sendRequest(port, { path: '/readyz' })).status === 200);
    const headers = { 'Content-Type': 'application/json' };
    for (const ago of [0, 60]) {
      const event = { user_id: 'ann', name: 'Home', site_id: 'shop', timestamp: noon(ago + 1) };
      const post = { method: 'POST', path: '/v1/page', headers, body: JSON.stringify(event) };
      expect((await sendRequest(port, post)).status).toBe(202);
    }
    await until('it is carried', async () => {
      const rows = await postgres.query('SELECT FROM events').catch(() => []);
      return rows.length === 2 && (await redis.exists('ff:{0}:outbox:dead')) === 1;
    });
    const report = await sendRequest(port, { path: `/v1/site/shop/report?from=${dateOf(61)}` });
    expect(report.body).toMatchObject({ views: 2, unique_users: 1 });
    expect((await sendRequest(port, { path: '/v1/user/ann/export' })).status).toBe(200);
    const erased = await sendRequest(port, { method: 'DELETE', path: '/v1/user/ann' });
    expect(erased.body).toMatchObject({ archive: 'done' });
    expect(await refusals()).toEqual([]);
    const stats = await redis.info('commandstats');
    const used = (rule: string) => stats.includes(`cmdstat_${rule.slice(1)}:`);
    expect(rules.filter((rule) => !used(rule))).toEqual([]);
  });
});
