// What a page of another site may do with this service: post events and hear the answer. And the headers of an API.

import type { IncomingHttpHeaders } from 'node:http';
import { EVENT_LIMIT } from '../src/http/body.ts';
import {
  type Api,
  JSON_TYPE,
  killRedis,
  type Reply,
  type Sent,
  startApi,
  stopServer,
  useApi,
} from './support/http.ts';
import { startRedis, type TestRedis, useRedis } from './support/redis.ts';
import { NOON } from './support/service.ts';

const server = useRedis();
const WRITE = 'write-key-of-a-page';
const READ = 'read-key-of-a-server';
const ADMIN = 'admin-key-of-a-person';
const api = useApi(server, {
  writeKeys: [WRITE],
  readKeys: [READ],
  adminKeys: [ADMIN],
  metricsKeys: ['metrics-key-of-prometheus'],
});

const ORIGIN = 'https://shop.example';
const FROM_PAGE = { ...JSON_TYPE, Origin: ORIGIN };

const view = JSON.stringify({ user_id: 'ann', name: 'Home', timestamp: NOON });
const click = JSON.stringify({
  ...{ site_id: 'shop', event_type: 'click', path: '/', user_id: 'ann', timestamp: NOON },
});
const login = JSON.stringify({ user_id: 'ann', login_time: NOON });

/** What a page may post to, and what is good there. */
const OPEN: [path: string, body: string][] = [
  ['/v1/page', view],
  ['/v1/pages', `[${view}]`],
  ['/v1/event', click],
  ['/event', click],
  ['/v1/user/login', login],
];

/** What it may not touch. */
const CLOSED: [name: string, sent: Sent][] = [
  ['GET', '/v1/user/ann'],
  ['HEAD', '/v1/user/ann'],
  ['DELETE', '/v1/user/ann'],
  ['GET', '/v1/user/login'],
  ['DELETE', '/v1/user/login'],
  ['GET', '/v1/user/ann/days'],
  ['GET', '/v1/user/ann/visits'],
  ['GET', '/v1/key'],
  ['HEAD', '/v1/live'],
  ['POST', '/v1/users/profiles', '{"user_ids":["ann"]}'],
  ['GET', '/v1/user/uniques/daily?date=2026-11-21'],
  ['GET', '/v1/user/uniques/monthly?month=2026-11'],
  ['GET', '/v1/page/visitors?name=Home'],
  ['GET', '/v1/site/shop/report'],
  ['GET', '/metrics'],
  ['GET', '/livez'],
  ['GET', '/readyz'],
  ['GET', '/nothing'],
].map(([method, path, body]) => [
  `${method} ${path}`,
  { method: method!, path: path!, headers: FROM_PAGE, ...(body !== undefined && { body }) },
]);

const post = (path: string, body: string, headers: Sent['headers'] = {}): Sent => ({
  method: 'POST',
  path,
  headers: { ...FROM_PAGE, 'X-Api-Key': WRITE, ...headers },
  body,
});

const corsHeaders = (headers: IncomingHttpHeaders) =>
  Object.keys(headers).filter((name) => name.startsWith('access-control-'));

const words = (header: string | undefined) => header?.toLowerCase().split(/, */) ?? [];

/** A page may read the answer, and what it must know of it. */
function expectOpen({ headers }: Reply): void {
  expect(headers['access-control-allow-origin']).toBe('*');
  expect(words(headers['access-control-expose-headers'])).toEqual(
    expect.arrayContaining(['retry-after', 'x-request-id', 'footfall-status']),
  );
  expect(headers['access-control-allow-credentials']).toBeUndefined();
  expect(headers['cross-origin-resource-policy']).toBe('cross-origin');
}

function expectClosed({ headers }: Reply): void {
  expect(corsHeaders(headers)).toEqual([]);
  expect(headers['cross-origin-resource-policy']).toBe('same-origin');
}

const preflight = (path: string, method: string, headers: string): Sent => ({
  method: 'OPTIONS',
  path,
  headers: {
    Origin: ORIGIN,
    'Access-Control-Request-Method': method,
    'Access-Control-Request-Headers': headers,
  },
});

describe.each(OPEN)('POST %s from a page', (path, body) => {
  test('may be asked for, without a key, and need not be asked for again for two hours', async () => {
    const asked = 'authorization,content-encoding,content-type,prefer,x-api-key,x-request-id';
    const reply = await api.send(preflight(path, 'POST', asked));
    expect(reply).toMatchObject({ status: 204, text: '' });
    expectOpen(reply);
    expect(words(reply.headers['access-control-allow-methods'])).toEqual(['post']);
    expect(words(reply.headers['access-control-allow-headers'])).toEqual(
      expect.arrayContaining(asked.split(',')),
    );
    expect(reply.headers['access-control-max-age']).toBe('7200');
    expect(await server.redis.dbsize()).toBe(0);
  });

  test('may be heard', async () => {
    const reply = await api.send(post(path, body));
    expect(reply.status).toBe(202);
    expectOpen(reply);
  });

  test('as a beacon, which asks for nothing before and has no headers', async () => {
    const headers = { Origin: ORIGIN, 'Content-Type': 'text/plain;charset=UTF-8' };
    const reply = await api.send({ method: 'POST', path: `${path}?key=${WRITE}`, headers, body });
    expect(reply.status).toBe(202);
    expectOpen(reply);
  });

  test.each<[status: number, sent: Partial<Sent>]>([
    [400, { body: '{' }],
    [400, { body: '"x"' }],
    [401, { headers: FROM_PAGE }],
    [401, { headers: { ...FROM_PAGE, 'X-Api-Key': 'some-key-that-nobody-gave' } }],
    [403, { headers: { ...FROM_PAGE, 'X-Api-Key': READ } }],
    [413, { body: ' '.repeat(20 * EVENT_LIMIT) }],
    [415, { headers: { 'X-Api-Key': WRITE, 'Content-Type': 'text/html' } }],
    [415, { headers: { ...FROM_PAGE, 'X-Api-Key': WRITE, 'Content-Encoding': 'br' } }],
  ])('may be heard when it is a %d', async (status, sent) => {
    const reply = await api.send({ ...post(path, body), ...sent });
    expect(reply.status).toBe(status);
    expectOpen(reply);
  });
});

describe('may be heard, too, from a service', () => {
  let started: Api[] = [];
  let own: TestRedis | undefined;
  afterEach(async () => {
    for (const one of started) await stopServer(one.server);
    await own?.stop();
    started = [];
    own = undefined;
  });
  const start = async (...args: Parameters<typeof startApi>) => {
    const one = await startApi(...args);
    started.push(one);
    return one;
  };

  const single = OPEN.filter(([path]) => path !== '/v1/pages'); // a batch has them rejected one by one
  test.each(single)('that wants users signed: a 403 of %s', async (path, body) => {
    const one = await start(server.redis, { userSigningSecret: ['the-secret-of-a-site'] });
    const reply = await one.send(post(path, body));
    expect(reply.status).toBe(403);
    expectOpen(reply);
  });

  test.each(OPEN)('that has had enough: a 429 of %s', async (path, body) => {
    const one = await start(server.redis, { unlimitedClients: [], limitAddress: 1 });
    const replies = await Promise.all(Array.from({ length: 30 }, () => one.send(post(path, body))));
    const refused = replies.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    for (const reply of refused) expectOpen(reply);
  });

  test.each(OPEN)('whose Redis is away: a 503 of %s, and its preflight', async (path, body) => {
    own = await startRedis();
    const one = await start(own.redis);
    await killRedis(own);
    const reply = await one.send(post(path, body));
    expect(reply.status).toBe(503);
    expectOpen(reply);
    const asked = await one.send(preflight(path, 'POST', 'content-type'));
    expect(asked.status).toBe(204);
    expectOpen(asked);
  });
});

describe.each(CLOSED)('%s', (_name, sent) => {
  test.each([
    ['no key', {}],
    ['a write key', { 'X-Api-Key': WRITE }],
    ['an admin key', { 'X-Api-Key': ADMIN }],
  ])('is not to be heard by a page, with %s', async (_key, headers) => {
    expectClosed(await api.send({ ...sent, headers: { ...sent.headers, ...headers } }));
  });
});

test.each(CLOSED.filter(([, { path }]) => path !== '/nothing'))(
  '%s may not be asked for by a page',
  async (_name, { method, path }) => {
    const reply = await api.send(preflight(path!, method!, 'x-api-key'));
    if (path === '/v1/user/login') {
      expect(words(reply.headers['access-control-allow-methods'])).toEqual(['post']);
    } else {
      expect(reply.status).toBe(204);
      expectClosed(reply);
    }
  },
);

describe('headers', () => {
  const withAdmin = (sent: Sent): Sent => ({ ...sent, headers: { ...sent.headers, 'X-Api-Key': ADMIN } });
  const everything: [name: string, sent: Sent][] = [
    ...CLOSED.map(([name, sent]) => [name, withAdmin(sent)] as [string, Sent]),
    ...OPEN.map(([path, body]) => [`POST ${path}`, post(path, body)] as [string, Sent]),
    ...OPEN.map(([path]) => [`an empty POST ${path}`, post(path, '')] as [string, Sent]),
    ['OPTIONS /v1/page', { method: 'OPTIONS', path: '/v1/page' }],
    ['PUT /v1/page', { method: 'PUT', path: '/v1/page' }],
    ['GET /v1/user/%zz', { path: '/v1/user/%zz' }],
    ['GET /v1/user/ann without a key', { path: '/v1/user/ann' }],
  ];

  test.each(everything)('of %s are fit for an API', async (_name, sent) => {
    const { headers } = await api.send(sent);
    expect(headers).toMatchObject({
      'content-security-policy': "default-src 'none';frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'x-frame-options': expect.stringMatching(/^(DENY|SAMEORIGIN)$/),
      'x-request-id': expect.stringMatching(/^[\w-]{8,}$/),
    });
    for (const name of ['x-powered-by', 'server', 'etag', 'set-cookie'])
      expect(headers).not.toHaveProperty(name);
  });

  const reads = CLOSED.filter(([name]) => /^(GET|HEAD|POST) \/v1\//.test(name));

  test.each(reads)('of %s let nobody keep it', async (_name, sent) => {
    await api.send(post('/v1/page', view));
    const reply = await api.send(withAdmin(sent));
    expect(reply.status).toBe(200);
    expect(reply.headers['cache-control']).toBe('no-store');
  });

  test('of a profile after a write let nobody keep it', async () => {
    const prefer = { Prefer: 'return=representation', 'X-Api-Key': ADMIN };
    const reply = await api.send(post('/v1/page', view, prefer));
    expect(reply).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } });
  });
});
