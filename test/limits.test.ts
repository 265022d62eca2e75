// How much an address, a key and a user may send, and what is said to who sends more. Time goes on while these run, so
// what passes is held against the time that passed, too.

import type { OutgoingHttpHeaders } from 'node:http';
import type { Config } from '../src/config.ts';
import {
  type Api,
  expectProblem,
  JSON_TYPE,
  type Reply,
  type Sent,
  startApi,
  stopServer,
} from './support/http.ts';
import { until } from './support/process.ts';
import { useRedis } from './support/redis.ts';
import { NOON } from './support/service.ts';

const server = useRedis();
const AT_ONCE = 10; // seconds' worth

let started: Api[] = [];
afterEach(async () => {
  for (const api of started) await stopServer(api.server);
  started = [];
});

/** Believes one proxy, so that a request can come from any address; everybody is limited. */
async function start(config: Partial<Config>): Promise<Api> {
  const api = await startApi(server.redis, {
    ...{ unlimitedClients: [], trustProxy: 1, limitAddress: 0, limitUser: 0, limitNewUsers: 0 },
    ...config,
  });
  started.push(api);
  return api;
}

const from = (address: string, sent: Sent, more: OutgoingHttpHeaders = {}): Sent => ({
  ...sent,
  headers: { ...sent.headers, 'X-Forwarded-For': address, ...more },
});
const read: Sent = { path: '/v1/user/ann' };
const json = (path: string, body: unknown): Sent => ({
  method: 'POST',
  path,
  headers: JSON_TYPE,
  body: JSON.stringify(body),
});
const view = (user_id: string, event_id = 'e') => ({ user_id, name: 'Home', timestamp: NOON, event_id });
const batch = (users: string[]) =>
  json(
    '/v1/pages',
    users.map((user) => view(user)),
  );
const users = (count: number) => Array.from({ length: count }, (_, i) => `user${i}`);

interface Burst {
  passed: number;
  refused: Reply[];
  seconds: number;
}

/** The same so many times at once. */
async function burst(api: Api, count: number, sent: Sent): Promise<Burst> {
  const start = performance.now();
  const replies = await Promise.all(Array.from({ length: count }, () => api.send(sent)));
  const refused = replies.filter(({ status }) => status === 429);
  return { passed: count - refused.length, refused, seconds: (performance.now() - start) / 1000 };
}

/** What a full bucket held, and what came meanwhile. */
function expectPassed({ passed, refused, seconds }: Burst, perSecond: number): void {
  expect(refused.length).toBeGreaterThan(0);
  expect(passed).toBeGreaterThanOrEqual(perSecond * AT_ONCE);
  expect(passed).toBeLessThanOrEqual(perSecond * (AT_ONCE + seconds) + 1);
}

function expectTooMany(reply: Reply, kind: string, perSecond: number): void {
  expectProblem(reply, 429, 'too_many_requests');
  const seconds = reply.headers['retry-after'] as string;
  expect(seconds).toMatch(/^[1-9]\d*$/);
  expect(reply.headers['ratelimit-policy']).toBe(`"${kind}";q=${perSecond * AT_ONCE};w=${AT_ONCE}`);
  expect(reply.headers.ratelimit).toBe(`"${kind}";r=0;t=${seconds}`);
}

/** What was refused so far, by what was too much. */
async function limitedBy(api: Api): Promise<Record<string, number>> {
  const { text } = await api.send({ path: '/metrics', headers: { 'X-Forwarded-For': '203.0.113.250' } });
  const samples = [...text.matchAll(/^footfall_limited_total\{limit="(\w+)"\} (\d+)$/gm)];
  const counts = samples.map(([, kind, count]) => [kind, Number(count)] as const);
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
}

describe('an address', () => {
  test('may send so much a second, ten seconds of it at once, and is told when to come again', async () => {
    const api = await start({ limitAddress: 2 });
    const sent = await burst(api, 60, from('192.0.2.1', read));
    expectPassed(sent, 2);
    for (const reply of sent.refused) expectTooMany(reply, 'address', 2);
    expect(await limitedBy(api)).toEqual({ address: sent.refused.length });
  });

  test('pays for each try of a key as well', async () => {
    const api = await start({ limitAddress: 2, readKeys: ['a-read-key-0123456'] });
    const wrong = from('192.0.2.1', read, { 'X-Api-Key': 'a-read-key-6543210' });
    expect((await api.send(wrong)).status).toBe(401);
    expectPassed(await burst(api, 60, wrong), 1.9);
    const good = { 'X-Api-Key': 'a-read-key-0123456' };
    expect((await api.send(from('192.0.2.2', read, good))).status).toBe(200);
  });

  test('what it does not send comes back', async () => {
    const api = await start({ limitAddress: 2 });
    const { refused } = await burst(api, 60, from('192.0.2.1', read));
    const seconds = Number(refused[0]!.headers['retry-after']);
    expect(seconds).toBeLessThanOrEqual(AT_ONCE);
    await until('it may send again', async () => (await api.send(from('192.0.2.1', read))).status === 200);
  });

  test('has a limit of its own: another is not hurt', async () => {
    const api = await start({ limitAddress: 1 });
    expect((await burst(api, 40, from('192.0.2.1', read))).refused.length).toBeGreaterThan(0);
    expect((await burst(api, 10, from('192.0.2.2', read))).refused).toEqual([]);
  });

  test.each<[what: string, Sent]>([
    ['a read', read],
    ['a view', json('/v1/page', view('ann'))],
    ['an erasure', { method: 'DELETE', path: '/v1/user/ann' }],
    ['a scrape', { path: '/metrics' }],
    ['a body that is bad', json('/v1/page', {})],
    ['an empty batch', json('/v1/pages', [])],
  ])('%s counts', async (_what, sent) => {
    const api = await start({ limitAddress: 1, eraseScanMs: 0 });
    expectPassed(await burst(api, 40, from('192.0.2.1', sent)), 1);
  });

  test('being asked how it is never counts', async () => {
    const api = await start({ limitAddress: 1 });
    expect((await burst(api, 40, from('192.0.2.1', { path: '/livez' }))).refused).toEqual([]);
    expect((await burst(api, 40, from('192.0.2.1', { path: '/readyz' }))).refused).toEqual([]);
  });

  test('is the first 64 bits of an IPv6 address', async () => {
    const api = await start({ limitAddress: 1 });
    const sameNetwork = [
      '2001:db8:0:7::1',
      '2001:db8:0:7:ffff:ffff:ffff:ffff',
      '2001:0db8:0000:0007:0:0:0:9',
    ];
    const bursts = await Promise.all(sameNetwork.map((address) => burst(api, 20, from(address, read))));
    expectPassed(
      {
        passed: bursts.reduce((sum, { passed }) => sum + passed, 0),
        refused: bursts.flatMap(({ refused }) => refused),
        seconds: Math.max(...bursts.map(({ seconds }) => seconds)),
      },
      1,
    );
    expect((await burst(api, 10, from('2001:db8:0:8::1', read))).refused).toEqual([]);
  });

  test('an IPv4 address is the same inside an IPv6 one', async () => {
    const api = await start({ limitAddress: 1 });
    const [plain, mapped] = await Promise.all([
      burst(api, 20, from('192.0.2.1', read)),
      burst(api, 20, from('::ffff:192.0.2.1', read)),
    ]);
    expect(plain.passed + mapped.passed).toBeLessThanOrEqual(AT_ONCE + plain.seconds + mapped.seconds + 1);
    expect((await burst(api, 10, from('::ffff:192.0.2.2', read))).refused).toEqual([]);
  });
});

describe('a key', () => {
  const keys = { writeKeys: ['write-key-of-one-site', 'write-key-of-another'] };
  const withKey = (key: string, path = '/v1/page') => ({
    ...json(path, view('ann')),
    headers: { ...JSON_TYPE, 'X-Api-Key': key },
  });

  test('has a limit over all addresses, and another key its own', async () => {
    const api = await start({ ...keys, metricsKeys: ['metrics-key-0123456'], limitKey: 1 });
    const [a, b] = await Promise.all([
      burst(api, 20, from('192.0.2.1', withKey(keys.writeKeys[0]!))),
      burst(api, 20, from('192.0.2.2', withKey(keys.writeKeys[0]!))),
    ]);
    const refused = [...a.refused, ...b.refused];
    const seconds = Math.max(a.seconds, b.seconds);
    expectPassed({ passed: a.passed + b.passed, refused, seconds }, 1);
    for (const reply of refused) {
      expectTooMany(reply, 'key', 1);
      expect(reply.text).not.toContain('write-key');
    }
    expect((await burst(api, 10, from('192.0.2.1', withKey(keys.writeKeys[1]!)))).refused).toEqual([]);
    const { text } = await api.send({ path: '/metrics', headers: { 'X-Api-Key': 'metrics-key-0123456' } });
    expect(text).toContain(`footfall_limited_total{limit="key"} ${refused.length}\n`);
  });

  test('is the same in a header and in the URL', async () => {
    const api = await start({ ...keys, limitKey: 1 });
    const [a, b] = await Promise.all([
      burst(api, 20, withKey(keys.writeKeys[0]!)),
      burst(api, 20, json(`/v1/page?key=${keys.writeKeys[0]}`, view('ann'))),
    ]);
    const passed = a.passed + b.passed;
    expect(passed).toBeLessThanOrEqual(AT_ONCE + Math.max(a.seconds, b.seconds) + 1);
  });
});

describe('a user', () => {
  test('has a limit over all addresses, and another user has one of their own', async () => {
    const api = await start({ limitUser: 1 });
    const [a, b] = await Promise.all([
      burst(api, 20, from('192.0.2.1', json('/v1/page', view('ann')))),
      burst(api, 20, from('192.0.2.2', json('/v1/user/login', { user_id: 'ann', login_time: NOON }))),
    ]);
    const refused = [...a.refused, ...b.refused];
    const seconds = Math.max(a.seconds, b.seconds);
    expectPassed({ passed: a.passed + b.passed, refused, seconds }, 1);
    for (const reply of refused) {
      expectTooMany(reply, 'user', 1);
      expect(reply.text + JSON.stringify(reply.headers)).not.toContain('ann');
    }
    expect((await burst(api, 10, json('/v1/page', view('bob')))).refused).toEqual([]);
    expect(await limitedBy(api)).toEqual({ user: refused.length });
  });

  test('is read and erased however often', async () => {
    const api = await start({ limitUser: 1, eraseScanMs: 0 });
    await burst(api, 20, json('/v1/page', view('ann')));
    expect((await burst(api, 20, read)).refused).toEqual([]);
    expect((await burst(api, 20, { method: 'DELETE', path: '/v1/user/ann' })).refused).toEqual([]);
  });

  test('in a batch has what is too much rejected, and the others count', async () => {
    const api = await start({ limitUser: 1 });
    const events = Array.from({ length: 30 }, (_, i) => view('ann', `e${i}`));
    const reply = await api.send(json('/v1/pages', [...events, view('bob')]));
    expect(reply.status).toBe(202);
    const { recorded, rejected } = reply.body as {
      recorded: number;
      rejected: { code: string; index: number }[];
    };
    expect(recorded + rejected.length).toBe(31);
    expect(recorded).toBeGreaterThanOrEqual(AT_ONCE + 1);
    expect(rejected.length).toBeGreaterThan(0);
    for (const { code, index } of rejected) {
      expect(code).toBe('too_many_requests');
      expect(index).toBeLessThan(30);
    }
    expect((await api.profile('bob')).number_pages_viewed_in_the_last_7_days).toBe(1);
    expect(await limitedBy(api)).toEqual({ user: rejected.length });
  });

  test('of whom a batch is all too much gets a 429: it is good later', async () => {
    const api = await start({ limitUser: 1 });
    const of = (name: string) => Array.from({ length: 40 }, (_, i) => view('ann', `${name}${i}`));
    await api.send(json('/v1/pages', of('a')));
    const again = of('b').slice(0, 1);
    const replies = await Promise.all(Array.from({ length: 5 }, () => api.send(json('/v1/pages', again))));
    const refused = replies.filter(({ status }) => status !== 202);
    expect(refused.length).toBeGreaterThan(0);
    for (const reply of refused) expectTooMany(reply, 'user', 1);
  });
});

describe('a batch', () => {
  test('costs its events', async () => {
    const api = await start({ limitAddress: 10 });
    const sent = from('192.0.2.1', batch(users(20)));
    const { passed, refused, seconds } = await burst(api, 20, sent);
    expect(passed).toBeGreaterThanOrEqual(5);
    expect(passed).toBeLessThanOrEqual((10 * (AT_ONCE + seconds)) / 20 + 1);
    for (const reply of refused) expectTooMany(reply, 'address', 10);
  });

  test('that is refused is not recorded', async () => {
    const api = await start({ limitAddress: 1 });
    await burst(api, 20, from('192.0.2.1', read));
    const reply = await api.send(from('192.0.2.1', batch(users(9))));
    expect(reply.status).toBe(429);
    expect(await server.redis.dbsize()).toBe(0);
  });

  test('of more than a full bucket passes when that is full, and has to be made up for', async () => {
    const api = await start({ limitAddress: 1 });
    const large = from('192.0.2.1', batch(users(30)));
    expect((await api.send(large)).status).toBe(202);
    const next = await api.send(from('192.0.2.1', read));
    expectTooMany(next, 'address', 1);
    expect(Number(next.headers['retry-after'])).toBeGreaterThan(AT_ONCE);
  });
});

test('clients without limits have none, and cost nobody anything', async () => {
  const api = await start({
    unlimitedClients: ['192.0.2.0/24', '2001:db8::/32'],
    limitAddress: 1,
    limitKey: 1,
  });
  for (const address of ['192.0.2.1', '192.0.2.255', '::ffff:192.0.2.7', '2001:db8:ffff::1']) {
    expect((await burst(api, 30, from(address, read))).refused).toEqual([]);
  }
  for (const address of ['192.0.3.1', '::ffff:192.0.3.2', '2001:db9::1']) {
    expect((await burst(api, 30, from(address, read))).refused.length).toBeGreaterThan(0);
  }
});

test('0 is no limit', async () => {
  const api = await start({});
  expect((await burst(api, 60, from('192.0.2.1', json('/v1/page', view('ann'))))).refused).toEqual([]);
});
