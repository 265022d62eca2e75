import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import request from 'supertest';
import { EVENT_LIMIT } from '../src/http/body.ts';
import { dayOf } from '../src/time.ts';
import {
  type Api,
  expectProblem,
  JSON_TYPE,
  killRedis,
  profileWith,
  type Reply,
  type Sent,
  sendBytes,
  startApi,
  stopServer,
  useApi,
  userPath,
} from './support/http.ts';
import { startRedis, type TestRedis, useRedis } from './support/redis.ts';
import { NOON, service } from './support/service.ts';

const server = useRedis();
const api = useApi(server);

const today = dayOf(Date.parse(NOON));
const UUID = '0b7e9e5c-1d7e-4a3c-9c3e-2f6b1a8d4e21';
const view = JSON.stringify({ user_id: 'ann', name: 'Home', timestamp: NOON });
const login = JSON.stringify({ user_id: 'ann', login_time: NOON });
const click = JSON.stringify({
  ...{ user_id: 'ann', site_id: 'shop', event_type: 'click', path: '/', timestamp: NOON },
});
const gzip = { ...JSON_TYPE, 'Content-Encoding': 'gzip' };
const chunked = { ...JSON_TYPE, 'Transfer-Encoding': 'chunked' };

/** A good view, as long as this by the white space before it. */
const padded = (bytes: number) => view.padStart(bytes, ' ');

const damage = () => server.redis.set(api.services.keys.stats('ann', today), 'x');

const recorded = { status: 202, body: { status: 'recorded' } };

const anyAnswer: [what: string, Sent, status: number][] = [
  ['a view', { method: 'POST', path: '/v1/page', headers: JSON_TYPE, body: view }, 202],
  ['a profile', { path: userPath('bob') }, 200],
  ['a login', { method: 'POST', path: '/v1/user/login', headers: JSON_TYPE, body: login }, 202],
  ['an event', { method: 'POST', path: '/event', headers: JSON_TYPE, body: click }, 202],
  ['visitors', { path: '/v1/page/visitors?url=/' }, 200],
  ['users of a day', { path: '/v1/user/uniques/daily?date=2026-11-21' }, 200],
  ['users of a month', { path: '/v1/user/uniques/monthly?month=2026-11' }, 200],
  ['a report', { path: '/v1/site/shop/report' }, 200],
  ['a bad query', { path: '/v1/page/visitors' }, 400],
  ['days', { path: `${userPath('bob')}/days` }, 200],
  ['visits', { path: `${userPath('bob')}/visits` }, 200],
  ['a key', { path: '/v1/key' }, 200],
  ['an erasure', { method: 'DELETE', path: userPath('bob') }, 200],
  ['a profile without its body', { method: 'HEAD', path: userPath('bob') }, 200],
  ['options', { method: 'OPTIONS', path: '/v1/page' }, 204],
  ['liveness', { path: '/livez' }, 200],
  ['readiness', { path: '/readyz' }, 200],
  ['no JSON', { method: 'POST', path: '/v1/page', headers: JSON_TYPE, body: '{' }, 400],
  ['a bad body', { method: 'POST', path: '/v1/page', headers: JSON_TYPE, body: '{}' }, 400],
  ['a bad path', { path: '/v1/user/%zz' }, 400],
  ['an unknown path', { path: '/nothing' }, 404],
  ['a wrong method', { method: 'PUT', path: '/v1/page' }, 405],
  [
    'a large body',
    { method: 'POST', path: '/v1/page', headers: JSON_TYPE, body: padded(EVENT_LIMIT + 1) },
    413,
  ],
  ['another media type', { method: 'POST', path: '/v1/page', body: view }, 415],
  ['a damaged user', { path: userPath('ann') }, 500],
];

describe('every answer', () => {
  test.each(anyAnswer)('to %s carries the common headers', async (_what, sent, status) => {
    if (status === 500) await damage();
    const reply = await api.send(sent);
    expect(reply.status).toBe(status);
    expect(reply.headers).toMatchObject({
      'x-request-id': expect.stringMatching(/^[\w-]{8,}$/),
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none';frame-ancestors 'none'",
      'referrer-policy': 'no-referrer',
      'x-frame-options': 'SAMEORIGIN',
      'cross-origin-resource-policy': expect.stringMatching(/^(same|cross)-origin$/), // test/cors.test.ts
    });
    expect(reply.headers).not.toHaveProperty('x-powered-by');
    expect(reply.headers).not.toHaveProperty('etag');
  });

  test.each(anyAnswer)('to %s carries the id that a proxy gave', async (_what, sent, status) => {
    if (status === 500) await damage();
    const reply = await api.send({ ...sent, headers: { ...sent.headers, 'X-Request-Id': UUID } });
    expect(reply).toMatchObject({ status, headers: { 'x-request-id': UUID } });
  });

  test('has an id of its own', async () => {
    const replies = await Promise.all(Array.from({ length: 100 }, () => api.send({ path: '/livez' })));
    expect(new Set(replies.map(({ headers }) => headers['x-request-id'])).size).toBe(100);
  });

  test.each([userPath('ann'), `${userPath('ann')}/days`, `${userPath('ann')}/visits`, '/v1/key'])(
    'to a read is not to be stored: %s',
    async (path) => {
      await api.view();
      expect((await api.send({ path })).headers['cache-control']).toBe('no-store');
    },
  );
});

describe('a request id', () => {
  test.each([
    ['a UUID', UUID],
    ['a UUID in capitals', UUID.toUpperCase()],
    ['a trace id', '4bf92f3577b34da6a3ce929d0e0e4736'],
    ['16 hex digits', '00f067aa0ba902b7'],
  ])('that is %s is kept', async (_what, id) => {
    const { headers } = await api.send({ path: '/livez', headers: { 'X-Request-Id': id } });
    expect(headers['x-request-id']).toBe(id);
  });

  test.each<[what: string, id: string | string[]]>([
    ['a name', 'ann'],
    ['an address', 'ann@example.com'],
    ['nothing', ''],
    ['15 hex digits', '00f067aa0ba902b'],
    ['65 hex digits', 'a'.repeat(65)],
    ['a UUID and more', `${UUID} ann`],
    ['a UUID in braces', `{${UUID}}`],
    ['markup', '<script>alert(1)</script>'],
    ['JSON', '","user_id":"ann'],
    ['two of them', [UUID, UUID]],
  ])('that is %s is not', async (_what, id) => {
    const { headers } = await api.send({ path: '/livez', headers: { 'X-Request-Id': id } });
    expect(headers['x-request-id']).toMatch(/^[0-9a-f]{12}-[0-9a-z]+$/);
  });
});

describe('methods', () => {
  const paths: [path: string, allow: string[]][] = [
    ['/v1/page', ['OPTIONS', 'POST']],
    [userPath('ann'), ['DELETE', 'GET', 'HEAD', 'OPTIONS']],
    [`${userPath('ann')}/days`, ['GET', 'HEAD', 'OPTIONS']],
    [`${userPath('ann')}/visits`, ['GET', 'HEAD', 'OPTIONS']],
    ['/v1/live', ['GET', 'HEAD', 'OPTIONS']],
    ['/livez', ['GET', 'HEAD', 'OPTIONS']],
    ['/readyz', ['GET', 'HEAD', 'OPTIONS']],
  ];
  const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE', 'PROPFIND'];
  const allowOf = ({ headers }: Reply) => headers.allow?.split(', ').sort();

  test.each(paths)('OPTIONS of %s names them', async (path, allow) => {
    const reply = await api.send({ method: 'OPTIONS', path });
    expect(reply).toMatchObject({ status: 204, text: '' });
    expect(allowOf(reply)).toEqual(allow);
  });

  test.each(
    paths.flatMap(([path, allow]) =>
      methods.filter((method) => !allow.includes(method)).map((method) => ({ method, path, allow })),
    ),
  )('$method $path is a 405 that names $allow', async ({ method, path, allow }) => {
    const reply = await api.send({ method, path });
    expect(reply.status).toBe(405);
    expect(allowOf(reply)).toEqual(allow);
    if (method !== 'HEAD') expectProblem(reply, 405, 'method_not_allowed');
  });

  test.each([userPath('ann'), `${userPath('ann')}/visits`, `${userPath('ann')}/days`, '/livez', '/readyz'])(
    'HEAD %s is GET without the body',
    async (path) => {
      await api.view();
      const [head, get] = await Promise.all(['HEAD', 'GET'].map((method) => api.send({ method, path })));
      expect(head).toMatchObject({ status: 200, text: '' });
      const { 'x-request-id': _, date: __, ...same } = get!.headers;
      expect(head!.headers).toMatchObject(same);
      expect(Number(head!.headers['content-length'])).toBe(Buffer.byteLength(get!.text));
    },
  );

  test('an unknown path is a problem', async () => {
    expectProblem(await api.send({ path: '/nothing' }), 404, 'not_found');
    expectProblem(await api.send({ method: 'DELETE', path: '/v1/users' }), 404, 'not_found');
    expectProblem(await api.send({ method: 'OPTIONS', path: '*' }), 404, 'not_found');
  });
});

describe('what is read', () => {
  test.each([
    ['application/json'],
    ['application/json;charset=utf-8'],
    ['application/json; charset=UTF-8'],
    ['application/json; charset="utf-8"'],
    ['Application/JSON ; Charset=Utf-8'],
    ['application/json; charset=utf8'],
    ['application/json; profile="x"'],
    ['text/plain'],
    ['text/plain;charset=UTF-8'], // what sendBeacon says of a string
  ])('JSON as %s', async (type) => {
    expect(await api.post(view, { 'Content-Type': type })).toMatchObject(recorded);
  });

  test('a beacon that says nothing but what a browser says', async () => {
    await request(api.server)
      .post('/v1/page')
      .set('Content-Type', 'text/plain;charset=UTF-8')
      .set('Origin', 'https://example.com')
      .send(view)
      .expect(202, { status: 'recorded' });
  });

  test.each<[what: string, Sent['headers'], body: string | Buffer]>([
    ['a byte order mark', JSON_TYPE, `\ufeff${view}`],
    ['white space around', JSON_TYPE, `\r\n\t ${view}\r\n`],
    ['identity', { ...JSON_TYPE, 'Content-Encoding': 'identity' }, view],
    ['gzip', gzip, gzipSync(view)],
    ['gzip in capitals', { ...JSON_TYPE, 'Content-Encoding': 'GZIP' }, gzipSync(view)],
    ['gzip in chunks', { ...gzip, 'Transfer-Encoding': 'chunked' }, gzipSync(view)],
    ['gzip in two members', gzip, Buffer.concat([gzipSync(view.slice(0, 9)), gzipSync(view.slice(9))])],
    ['gzip with a byte order mark', gzip, gzipSync(`\ufeff${view}`)],
    ['gzip in text/plain', { ...gzip, 'Content-Type': 'text/plain' }, gzipSync(view)],
    ['gzip of the limit', gzip, gzipSync(padded(EVENT_LIMIT))],
    ['no length', chunked, view],
    ['the limit', JSON_TYPE, padded(EVENT_LIMIT)],
    ['the limit without a length', chunked, padded(EVENT_LIMIT)],
  ])('a body with %s', async (_what, headers, body) => {
    expect(await api.post(body, headers)).toMatchObject(recorded);
    expect(await api.profile('ann')).toEqual(profileWith('ann', [1, 0, 1, 'Home']));
  });

  test('a body that comes byte by byte', async () => {
    const body = Buffer.from(JSON.stringify({ user_id: '😀', name: 'דף' }));
    const head =
      'POST /v1/page HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n';
    const chunks = [...body].flatMap((byte) => [Buffer.from('1\r\n'), Buffer.of(byte), Buffer.from('\r\n')]);
    const answer = await sendBytes(
      api.port,
      Buffer.concat([
        Buffer.from(`${head}Transfer-Encoding: chunked\r\n\r\n`),
        ...chunks,
        Buffer.from('0\r\n\r\n'),
      ]),
    );
    expect(answer).toMatch(/^HTTP\/1\.1 202 /);
    expect(await api.profile('😀')).toEqual(profileWith('😀', [1, 0, 1, 'דף']));
  });

  test('a body after 100 Continue', async () => {
    const answer = await sendBytes(
      api.port,
      `POST /v1/page HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: ${view.length}\r\n\r\n${view}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 100 [\s\S]*HTTP\/1\.1 202 /);
  });

  test('requests sent behind one another, answered in their order', async () => {
    const get = (id: string, more = '') => `GET /v1/user/${id} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
    const answer = await sendBytes(api.port, get('a') + get('null') + get('b', 'Connection: close\r\n'));
    expect(answer.match(/HTTP\/1\.1 \d+|"user_id":"\w+"/g)).toEqual([
      'HTTP/1.1 200',
      '"user_id":"a"',
      'HTTP/1.1 400',
      'HTTP/1.1 200',
      '"user_id":"b"',
    ]);
  });

  test('a path as a proxy sends it', async () => {
    const answer = await sendBytes(
      api.port,
      'GET http://example.com/v1/user/ann HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 [\s\S]*"user_id":"ann"/);
  });

  test.each(['GET', 'DELETE'])('%s of an id in bare UTF-8 never takes it for another id', async (method) => {
    const answer = await sendBytes(
      api.port,
      `${method} /v1/user/Zoé HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 |"user_id":"Zoé"/); // curl sends it so; Node itself refuses it
  });
});

describe('a body that is too large', () => {
  const large: [what: string, headers: Sent['headers'], body: string | Buffer][] = [
    ['one byte more', JSON_TYPE, padded(EVENT_LIMIT + 1)],
    ['one byte more, without a length', chunked, padded(EVENT_LIMIT + 1)],
    ['10 MB', JSON_TYPE, Buffer.alloc(10_000_000, ' ')],
    ['10 MB without a length', chunked, Buffer.alloc(10_000_000, ' ')],
    ['arrays 50,000 deep', JSON_TYPE, `${'['.repeat(50_000)}${']'.repeat(50_000)}`],
    ['objects 50,000 deep', JSON_TYPE, `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`],
    ['one byte more in gzip', gzip, gzipSync(padded(EVENT_LIMIT + 1))],
    ['arrays 50,000 deep in gzip', gzip, gzipSync(`${'['.repeat(50_000)}${']'.repeat(50_000)}`)],
    ['objects 50,000 deep in gzip', gzip, gzipSync(`${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`)],
    ['a gzip bomb of 60 MB', gzip, gzipSync(Buffer.alloc(60_000_000))],
  ];

  test.each(large)('%s is a 413', async (_what, headers, body) => {
    expectProblem(await api.post(body, headers), 413, 'payload_too_large');
    expect(await server.redis.dbsize()).toBe(0);
    expect(api.log).toEqual([]);
  });

  test.each(['Content-Length: 100000', 'Transfer-Encoding: chunked'])(
    'leaves its connection in order: %s',
    async (framing) => {
      const body = ' '.repeat(100_000);
      const framed = framing.startsWith('T') ? `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n` : body;
      const answer = await sendBytes(
        api.port,
        `POST /v1/page HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${framing}\r\n\r\n${framed}` +
          'GET /v1/user/ann HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
      );
      expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 413', 'HTTP/1.1 200']);
    },
  );

  test('is refused by its length, before it is sent', async () => {
    const socket = connect(api.port, '127.0.0.1');
    socket.write(
      'POST /v1/page HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10000000\r\n\r\n',
    );
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1\.1 413 /);
    socket.destroy();
  });
});

describe('an upload that is broken off', () => {
  test.each(['Content-Length: 1000', 'Transfer-Encoding: chunked'])(
    'changes nothing, and is no fault of ours: %s',
    async (framing) => {
      const arrived = once(api.server, 'request') as Promise<[IncomingMessage]>;
      const socket = connect(api.port, '127.0.0.1');
      socket.write(
        `POST /v1/page HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${framing}\r\n\r\n`,
      );
      socket.write(framing.startsWith('T') ? `10\r\n${view.slice(0, 16)}\r\n` : view);
      const [req] = await arrived;
      const closed = new Promise((resolve) => req.once('close', resolve));
      socket.destroy();
      await closed;
      await setImmediate();
      expect(await server.redis.dbsize()).toBe(0);
      expect(await api.post(view)).toMatchObject(recorded);
      expect(api.log).toEqual([]);
    },
  );
});

describe('without Redis', () => {
  let own: TestRedis;
  let away: Api;
  beforeAll(async () => {
    own = await startRedis();
    away = await startApi(own.redis);
    await away.view();
    await killRedis(own);
  });
  afterAll(async () => {
    await stopServer(away.server);
    await own.stop();
  });

  test.each<[what: string, Sent]>([
    ['a view', { method: 'POST', path: '/v1/page', headers: JSON_TYPE, body: view }],
    ['a profile', { path: userPath('ann') }],
    ['days', { path: `${userPath('ann')}/days` }],
    ['visits', { path: `${userPath('ann')}/visits` }],
    ['an erasure', { method: 'DELETE', path: userPath('ann') }],
  ])('%s is a 503 that says when to come again', async (_what, sent) => {
    const reply = await away.send(sent);
    expectProblem(reply, 503, 'unavailable');
    expect(reply.headers['retry-after']).toMatch(/^[1-9]\d?$/);
  });

  test('not everybody is told to come again at the same time', async () => {
    const replies = await Promise.all(Array.from({ length: 40 }, () => away.send({ path: userPath('ann') })));
    expect(new Set(replies.map(({ headers }) => headers['retry-after'])).size).toBeGreaterThan(1);
  });

  test('what is bad is not even looked at, and the process is alive', async () => {
    expectProblem(await away.post('{}'), 503, 'unavailable');
    expect(await away.send({ path: '/livez' })).toMatchObject({ status: 200, body: { status: 'alive' } });
  });
});

test('a view that was under way when Redis died is a 503', async () => {
  const own = await startRedis();
  const dying = await startApi(own.redis);
  try {
    process.kill(own.pid, 'SIGSTOP');
    const reply = dying.post(view);
    while (dying.services.recorder.inFlight() === 0) await setImmediate();
    await setImmediate();
    await killRedis(own);
    expectProblem(await reply, 503, 'unavailable');
    expect(dying.services.recorder.inFlight()).toBe(0);
  } finally {
    await stopServer(dying.server);
    await own.stop();
  }
});

test('a view past the most that may wait for Redis is a 503, and the next one is not', async () => {
  const waiting: ((outcomes: string[]) => void)[] = [];
  const standing = Object.create(server.redis, {
    ffRecord: { value: () => new Promise((resolve) => waiting.push(resolve)) },
  });
  const narrow = await startApi(standing, { maxInFlight: 1 });
  try {
    const first = narrow.post(view);
    while (waiting.length < 1) await setImmediate();
    const second = await narrow.post(view);
    expectProblem(second, 503, 'overloaded');
    expect(second.headers['retry-after']).toMatch(/^[1-9]\d?$/);
    waiting[0]!(['recorded']);
    expect(await first).toMatchObject(recorded);
    const third = narrow.post(view);
    while (waiting.length < 2) await setImmediate();
    waiting[1]!(['duplicate']);
    expect(await third).toMatchObject({ status: 202, body: { status: 'duplicate' } });
  } finally {
    await stopServer(narrow.server);
  }
});

describe('health', () => {
  test('alive and ready', async () => {
    expect(await api.send({ path: '/livez' })).toMatchObject({ status: 200, body: { status: 'alive' } });
    expect(await api.send({ path: '/readyz' })).toMatchObject({ status: 200, body: { status: 'ready' } });
  });

  test('not ready, and why; alive all the same', async () => {
    const stopping = await startApi(server.redis, {}, { unreadyBecause: () => 'stopping' });
    try {
      expect(await stopping.send({ path: '/readyz' })).toMatchObject({
        status: 503,
        body: { status: 'unready', reason: 'stopping' },
      });
      expect(await stopping.send({ path: '/livez' })).toMatchObject({ status: 200 });
    } finally {
      await stopServer(stopping.server);
    }
  });
});

describe('who and what is never repeated in a problem or in the log', () => {
  const SECRET = 'zx81-secret';
  const body = (fields: Record<string, unknown>) => ({
    method: 'POST',
    path: '/v1/page',
    headers: JSON_TYPE,
    body: JSON.stringify({ user_id: SECRET, name: `${SECRET} page`, url: `/${SECRET}`, ...fields }),
  });

  test.each<[what: string, Sent]>([
    ['a long user', body({ user_id: SECRET.repeat(20) })],
    ['a user with a control character', body({ user_id: `${SECRET}\0` })],
    ['a long name', body({ name: SECRET.repeat(60) })],
    ['a bad timestamp', body({ timestamp: SECRET })],
    ['a future timestamp', body({ timestamp: '2027-01-01T00:00:00Z' })],
    ['a bad event_id', body({ event_id: { [SECRET]: SECRET } })],
    ['no JSON', { ...body({}), body: `{"user_id":"${SECRET}` }],
    ['a body that is too large', body({ more: ' '.repeat(EVENT_LIMIT) })],
    ['another media type', { ...body({}), headers: { 'Content-Type': `text/${SECRET}` } }],
    ['another encoding', { ...body({}), headers: { ...JSON_TYPE, 'Content-Encoding': SECRET } }],
    ['a path that is no UTF-8', { path: `/v1/user/${SECRET}%ff` }],
    ['a path with a control character', { path: `/v1/user/${SECRET}%00` }],
    ['a path that is too long', { path: `/v1/user/${SECRET.repeat(20)}` }],
    ['an unknown path', { path: `/v1/users/${SECRET}?${SECRET}` }],
    ['a wrong method', { method: 'PUT', path: userPath(SECRET) }],
    ['a strange request id', { path: '/nothing', headers: { 'X-Request-Id': SECRET } }],
  ])('%s', async (_what, sent) => {
    const reply = await api.send(sent);
    expect(reply.status).toBeGreaterThanOrEqual(400);
    expect(reply.status).toBeLessThan(500);
    expect(reply.text + JSON.stringify(reply.headers)).not.toContain(SECRET);
    expect(api.log).toEqual([]);
  });

  test.each<[what: string, Sent]>([
    ['a view', body({})],
    ['a profile', { path: userPath(SECRET) }],
    ['days', { path: `${userPath(SECRET)}/days` }],
    ['visits', { path: `${userPath(SECRET)}/visits` }],
  ])('%s of a damaged user, which is logged under its request id', async (_what, sent) => {
    await server.redis.set(api.services.keys.stats(SECRET, dayOf(Date.now())), 'x');
    api.clock.set(Date.now());
    const reply = await api.send(sent);
    expectProblem(reply, 500, 'damaged');
    expect(reply.text).not.toContain(SECRET);
    expect(api.log).toHaveLength(1);
    expect(api.log[0]).not.toContain(SECRET);
    expect(JSON.parse(api.log[0]!)).toMatchObject({
      level: 50,
      msg: 'damaged',
      request: reply.headers['x-request-id'],
    });
  });

  test('a fault of ours, which is logged with where it happened', async () => {
    const fault = () => {
      throw new TypeError(`can't read ${SECRET}\nof ${SECRET}`);
    };
    const recorder = { record: fault, recordFor: fault, inFlight: () => 0 };
    const faulty = await startApi(server.redis, {}, { recorder });
    try {
      const reply = await faulty.send(body({}));
      expectProblem(reply, 500, 'internal');
      expect(reply.text).not.toContain(SECRET);
      expect(faulty.log.join()).not.toContain(SECRET);
      expect(JSON.parse(faulty.log[0]!)).toMatchObject({
        level: 50,
        msg: 'internal',
        name: 'TypeError',
        route: '/v1/page',
        request: reply.headers['x-request-id'],
        stack: expect.arrayContaining([expect.stringContaining('http.test.ts')]),
      });
    } finally {
      await stopServer(faulty.server);
    }
  });

  test('a refusal of Redis, whose errors hold the arguments of the call', async () => {
    const error = Object.assign(new Error(`ERR ${SECRET}`), { command: { args: [SECRET] } });
    const failing = Object.create(server.redis, {
      ffRecord: { value: () => Promise.reject(error) },
      ffProfile: { value: () => Promise.reject(error) },
      ffDays: { value: () => Promise.reject(error) },
      ffErase: { value: () => Promise.reject(error) },
    });
    const faulty = await startApi(failing);
    try {
      for (const sent of [
        body({}),
        { path: userPath(SECRET) },
        { path: `${userPath(SECRET)}/days` },
        { method: 'DELETE', path: userPath(SECRET) },
      ]) {
        const reply = await faulty.send(sent);
        expect(reply.status).toBeGreaterThanOrEqual(500);
        expect(reply.text).not.toContain(SECRET);
      }
      expect(faulty.log.join()).not.toContain(SECRET);
    } finally {
      await stopServer(faulty.server);
    }
  });

  test('what is done well is not logged', async () => {
    await api.view({ user_id: SECRET, name: SECRET });
    await api.profile(SECRET);
    await api.days(SECRET);
    await api.erase(SECRET);
    expect(api.log).toEqual([]);
  });
});

test('the app works without a server of its own', async () => {
  const { app } = service(server.redis);
  await request(app)
    .post('/v1/page')
    .send({ user_id: 'ann', name: 'Home' })
    .expect(202, { status: 'recorded' });
  await request(app)
    .get('/v1/user/ann')
    .expect(200, profileWith('ann', [1, 0, 1, 'Home']));
});
