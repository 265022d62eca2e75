// Who may do what: which key opens which call, and where a key may stand.

import type { OutgoingHttpHeaders } from 'node:http';
import {
  type Api,
  emptyProfile,
  expectProblem,
  JSON_TYPE,
  profileWith,
  type Sent,
  startApi,
  stopServer,
  useApi,
} from './support/http.ts';
import { snapshot, useRedis } from './support/redis.ts';
import { NOON, service } from './support/service.ts';

const server = useRedis();

type Kind = 'write' | 'read' | 'admin' | 'metrics';
const KINDS: Kind[] = ['write', 'read', 'admin', 'metrics'];

/** Two of each kind, as while one is exchanged for another. */
const KEYS: Record<Kind, [string, string]> = {
  write: ['write-key/of+2026=', 'write-key~of.2027'],
  read: ['read-key-of-2026-a', 'read-key-of-2027-b'],
  admin: ['admin-key-of-2026-a', 'admin-key-of-2027-b'],
  metrics: ['metrics-key-of-2026', 'metrics-key-of-2027'],
};

const api = useApi(server, {
  writeKeys: KEYS.write,
  readKeys: KEYS.read,
  adminKeys: KEYS.admin,
  metricsKeys: KEYS.metrics,
});

const post = (path: string, body: unknown): Sent => ({
  method: 'POST',
  path,
  headers: JSON_TYPE,
  body: JSON.stringify(body),
});

const page = { user_id: 'ann', name: 'Home', timestamp: NOON };
const click = { site_id: 'shop', event_type: 'click', path: '/', user_id: 'ann', timestamp: NOON };

/** Every call: what it needs, as the app has its path, and a request that is good but for its key. */
const CALLS: [needs: Kind, route: string, sent: Sent][] = [
  ['write', '/v1/page', post('/v1/page', page)],
  ['write', '/v1/pages', post('/v1/pages', [page])],
  ['write', '/v1/event', post('/v1/event', click)],
  ['write', '/event', post('/event', click)],
  ['write', '/v1/user/login', post('/v1/user/login', { user_id: 'ann', login_time: NOON })],
  ['read', '/v1/user/:user_id', { path: '/v1/user/ann' }],
  ['read', '/v1/user/:user_id', { method: 'HEAD', path: '/v1/user/ann' }],
  ['read', '/v1/user/login', { path: '/v1/user/login' }],
  ['read', '/v1/user/:user_id/days', { path: '/v1/user/ann/days' }],
  ['read', '/v1/users/profiles', post('/v1/users/profiles', { user_ids: ['ann'] })],
  ['read', '/v1/user/uniques/daily', { path: '/v1/user/uniques/daily?date=2026-11-21' }],
  ['read', '/v1/user/uniques/monthly', { path: '/v1/user/uniques/monthly?month=2026-11' }],
  ['read', '/v1/page/visitors', { path: '/v1/page/visitors?name=Home' }],
  ['read', '/v1/site/:site_id/report', { path: '/v1/site/shop/report' }],
  ['read', '/v1/user/:user_id/visits', { path: '/v1/user/ann/visits' }],
  ['admin', '/v1/user/:user_id/export', { path: '/v1/user/ann/export' }],
  ['admin', '/v1/user/:user_id', { method: 'DELETE', path: '/v1/user/ann' }],
  ['admin', '/v1/user/login', { method: 'DELETE', path: '/v1/user/login' }],
  ['metrics', '/metrics', { path: '/metrics' }],
  ['metrics', '/v1/live', { method: 'HEAD', path: '/v1/live' }], // GET does not end
];

const nameOf = ({ method = 'GET', path }: Sent) => `${method} ${path}`;
const calls = CALLS.map(([needs, , sent]) => [nameOf(sent), needs, sent] as const);

const withHeaders = (sent: Sent, headers: OutgoingHttpHeaders): Sent => ({
  ...sent,
  headers: { ...sent.headers, ...headers },
});
const withKey = (sent: Sent, key: string) => withHeaders(sent, { Authorization: `Bearer ${key}` });
const withKeyInUrl = (sent: Sent, key: string): Sent => ({
  ...sent,
  path: `${sent.path}${sent.path?.includes('?') ? '&' : '?'}key=${encodeURIComponent(key)}`,
});

/** Something is stored that a call without the right must leave as it is. */
beforeEach(async () => {
  const body = JSON.stringify({ ...page, site_id: 'shop', timestamp: '2026-11-21T11:00:00Z' });
  expect((await api.post(body, { ...JSON_TYPE, 'X-Api-Key': KEYS.write[0] })).status).toBe(202);
});

async function expectRefusal(sent: Sent, status: 401 | 403): Promise<void> {
  const before = await snapshot(server.redis);
  const reply = await api.send(sent);
  expect(reply.status).toBe(status);
  if (sent.method !== 'HEAD') expectProblem(reply, status, status === 401 ? 'unauthorized' : 'forbidden');
  const challenge = 'Bearer realm="footfall"';
  expect(reply.headers['www-authenticate']).toBe(
    status === 401 ? challenge : `${challenge}, error="insufficient_scope"`,
  );
  expect(await snapshot(server.redis)).toEqual(before);
}

async function expectSuccess(sent: Sent): Promise<void> {
  const { status, text } = await api.send(sent);
  if (status !== 200 && status !== 202) throw new Error(`${nameOf(sent)}: ${status} ${text}`);
}

test('every call that the app has is among these, but those that are free to all', () => {
  const { app } = service(server.redis);
  const layers = (app.router as unknown as { stack: { route?: Route }[] }).stack;
  const had = layers.flatMap(({ route }) =>
    (route?.stack ?? [])
      .filter(({ method }) => method && method !== 'options')
      .map(({ method }) => `${method!.toUpperCase()} ${route!.path}`),
  );
  const listed = CALLS.map(([, route, { method = 'GET' }]) => `${method} ${route}`);
  const page = ['/', '/dashboard/main.js', '/dashboard/main.css', '/dashboard/icon.svg'];
  const description = ['/openapi.json', '/docs', '/docs.css'];
  const forAnyKey = ['GET /v1/key'];
  const free = ['/livez', '/readyz', '/tracker.js', ...page, ...description].map((path) => `GET ${path}`);
  expect(new Set(had)).toEqual(
    new Set([...listed.map((call) => call.replace('HEAD', 'GET')), ...forAnyKey, ...free]),
  );
});

interface Route {
  path: string;
  stack: { method?: string }[];
}

describe.each(calls)('%s is for %s keys', (_name, needs, sent) => {
  test('without a key: 401', () => expectRefusal(sent, 401));

  test('with a wrong key: 401, in a header or the URL', async () => {
    await expectRefusal(withKey(sent, 'some-key-that-nobody-gave'), 401);
    await expectRefusal(withKeyInUrl(sent, 'some-key-that-nobody-gave'), 401);
  });

  test.each(KINDS)('a %s key', async (kind) => {
    for (const key of KEYS[kind]) {
      if (kind === needs || kind === 'admin') await expectSuccess(withKey(sent, key));
      else await expectRefusal(withKey(sent, key), 403);
    }
  });

  test.each(KINDS)('a %s key in the URL', async (kind) => {
    for (const key of KEYS[kind]) {
      if (kind !== 'write') await expectRefusal(withKeyInUrl(sent, key), 401);
      else if (needs === 'write') await expectSuccess(withKeyInUrl(sent, key));
      else await expectRefusal(withKeyInUrl(sent, key), 403);
    }
  });
});

describe('a key', () => {
  const [, , read] = calls.find(([name]) => name === 'GET /v1/user/ann')!;
  const [, , write] = calls.find(([name]) => name === 'POST /v1/page')!;
  const [key] = KEYS.read;

  test.each<[what: string, headers: OutgoingHttpHeaders]>([
    ['Bearer', { Authorization: `Bearer ${key}` }],
    ['bearer', { Authorization: `bearer ${key}` }],
    ['BEARER and two spaces', { Authorization: `BEARER  ${key}` }],
    ['X-Api-Key', { 'X-Api-Key': key }],
    ['X-Api-Key beside what a proxy asked for', { 'X-Api-Key': key, Authorization: 'Basic YTpi' }],
  ])('is taken as %s', (_what, headers) => expectSuccess(withHeaders(read, headers)));

  test.each<[what: string, headers: OutgoingHttpHeaders]>([
    ['bare', { Authorization: key }],
    ['as a password', { Authorization: `Basic ${Buffer.from(`${key}:${key}`).toString('base64')}` }],
    ['with more behind it', { Authorization: `Bearer ${key} ${key}` }],
    ['in capitals', { 'X-Api-Key': key.toUpperCase() }],
    ['but its last letter', { 'X-Api-Key': key.slice(0, -1) }],
    ['with a letter more', { 'X-Api-Key': `${key}a` }],
    ['two in a list', { 'X-Api-Key': KEYS.read.join(',') }],
    ['empty', { 'X-Api-Key': '', Authorization: 'Bearer ' }],
    ['in a cookie', { Cookie: `key=${key}` }],
  ])('is not taken %s', (_what, headers) => expectRefusal(withHeaders(read, headers), 401));

  test.each([
    ['first', (k: string) => `/v1/page?key=${k}&v=2`],
    ['last', (k: string) => `/v1/page?v=2&key=${k}`],
  ])('may stand %s in the URL', (_where, path) =>
    expectSuccess({ ...write, path: path(encodeURIComponent(KEYS.write[0])) }),
  );

  test.each([
    ['under another name', `/v1/page?monkey=${KEYS.write[1]}`],
    ['in a fragment of an escape', '/v1/page?key=%zz'],
    ['empty', '/v1/page?key='],
  ])('does not stand in the URL %s', (_where, path) => expectRefusal({ ...write, path }, 401));

  test('of a kind that only a header may bring is told so', async () => {
    const reply = await api.send(withKeyInUrl(read, key));
    expect(reply.body).toMatchObject({ detail: expect.stringMatching(/in a URL only a write key/i) });
    expect(reply.text).not.toContain(key);
  });

  test('that may both write and read is not taken from a URL', async () => {
    const both = 'a-key-for-either-use';
    const other = await startApi(server.redis, { writeKeys: [both], readKeys: [both] });
    try {
      expect((await other.send(withKey(write, both))).status).toBe(202);
      expect((await other.send(withKey(read, both))).status).toBe(200);
      expectProblem(await other.send(withKeyInUrl(write, both)), 401, 'unauthorized');
      expectProblem(await other.send(withKeyInUrl(read, both)), 401, 'unauthorized');
    } finally {
      await stopServer(other.server);
    }
  });
});

describe('two keys together', () => {
  const [, , read] = calls.find(([name]) => name === 'GET /v1/user/ann')!;
  const [, , write] = calls.find(([name]) => name === 'POST /v1/page')!;
  const [, , erase] = calls.find(([name]) => name === 'DELETE /v1/user/ann')!;
  const bearer = (key: string) => ({ Authorization: `Bearer ${key}` });

  test('may do what either may, and no more', async () => {
    const both = { ...bearer(KEYS.read[0]), 'X-Api-Key': KEYS.write[0] };
    await expectSuccess(withHeaders(read, both));
    await expectSuccess(withHeaders(write, both));
    await expectRefusal(withHeaders(erase, both), 403);
  });

  test('one of them in the URL', async () => {
    await expectSuccess(withKeyInUrl(withHeaders(read, bearer(KEYS.read[0])), KEYS.write[0]));
    await expectSuccess(withKeyInUrl(withHeaders(write, bearer(KEYS.read[0])), KEYS.write[0]));
  });

  test('a wrong one takes nothing from a good one', async () => {
    const one = { ...bearer('some-key-that-nobody-gave'), 'X-Api-Key': KEYS.read[0] };
    await expectSuccess(withHeaders(read, one));
    await expectRefusal(withHeaders(write, one), 403);
  });
});

describe('Prefer: return=representation', () => {
  const asked = (...keys: string[]): Sent => ({
    method: 'POST',
    path: '/v1/page',
    headers: {
      ...JSON_TYPE,
      Prefer: 'return=representation',
      Authorization: `Bearer ${keys[0]}`,
      'X-Api-Key': keys.at(-1),
    },
    body: JSON.stringify({ ...page, user_id: 'bob' }),
  });

  test('needs a key that may read, too: without one nothing is written', async () => {
    const before = await snapshot(server.redis);
    const reply = await api.send(asked(KEYS.write[0]));
    expectProblem(reply, 403, 'forbidden');
    expect(reply.text).not.toContain('number_pages');
    expect(await snapshot(server.redis)).toEqual(before);
  });

  test.each([
    ['two keys', [KEYS.write[0], KEYS.read[1]]],
    ['an admin key', [KEYS.admin[0]]],
  ])('is answered with the profile to %s', async (_what, keys) => {
    const reply = await api.send(asked(...keys));
    expect(reply).toMatchObject({ status: 200, body: profileWith('bob', [1, 0, 1, 'Home']) });
  });
});

test('a user may be called login: read, counted and erased as any other', async () => {
  const [admin] = KEYS.admin;
  const of = (method: string, path = '/v1/user/login') => api.send(withKey({ method, path }, admin));
  await expectSuccess(withKey(post('/v1/page', { ...page, user_id: 'login' }), KEYS.write[0]));
  expect((await of('GET')).body).toEqual(profileWith('login', [1, 0, 1, 'Home']));
  expect((await of('GET', '/v1/user/login/days')).status).toBe(200);
  expect((await of('DELETE')).body).toMatchObject({ user_id: 'login' });
  expect((await of('GET')).body).toEqual(emptyProfile('login'));
});

test('a key is asked for before a body is looked at', async () => {
  for (const body of ['{', '[]', '{}']) {
    await expectRefusal({ method: 'POST', path: '/v1/page', headers: { 'Content-Type': 'a/b' }, body }, 401);
  }
});

test.each(['/livez', '/readyz'])('%s needs no key, and minds none', async (path) => {
  await expectSuccess({ path });
  await expectSuccess(withKey({ path }, 'some-key-that-nobody-gave'));
});

describe('one kind of key set is enough to close all', () => {
  test.each(KINDS)('with %s keys alone', async (kind) => {
    const name = `${kind}Keys` as const;
    const some = await startApi(server.redis, { [name]: KEYS[kind] });
    try {
      for (const [, needs, sent] of calls) {
        expect((await some.send(sent)).status).toBe(401);
        const { status } = await some.send(withKey(sent, KEYS[kind][0]));
        if (kind === needs || kind === 'admin') expect([200, 202]).toContain(status);
        else expect(status).toBe(403);
      }
    } finally {
      await stopServer(some.server);
    }
  });
});

describe('without any key', () => {
  let open: Api;
  beforeAll(async () => {
    open = await startApi(server.redis);
  });
  afterAll(() => stopServer(open.server));

  test.each(calls)('%s is open to everybody', async (_name, _needs, sent) => {
    expect([200, 202]).toContain((await open.send(sent)).status);
    expect([200, 202]).toContain((await open.send(withKey(sent, 'some-key-that-nobody-gave'))).status);
  });
});
