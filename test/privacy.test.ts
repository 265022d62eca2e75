// Whatever goes wrong, no log line and no metric says who, what, from where, or with which key.

import { once } from 'node:events';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { createKeys } from '../src/redis/keys.ts';
import { dayOf } from '../src/time.ts';
import { JSON_TYPE, type Reply, type Sent, sendRequest, userPath } from './support/http.ts';
import { type Service, type Settings, until, useProcesses } from './support/process.ts';
import { freePort, startRedis, type TestRedis } from './support/redis.ts';

const processes = useProcesses();

/** Stands in everything that a client may send. */
const MARK = 'zx81';
const USER = `${MARK}-user`;
const DAMAGED = `${MARK}-damaged`;
const ADDRESS = '203.0.113.77';
const KEYS = {
  WRITE_KEYS: `${MARK}-write-key-0123456789`,
  READ_KEYS: `${MARK}-read-key-0123456789`,
  ADMIN_KEYS: `${MARK}-admin-key-0123456789`,
  METRICS_KEYS: `${MARK}-metrics-key-0123456789`,
};

let redis: TestRedis;
beforeEach(async () => {
  redis = await startRedis({ tcp: true });
});
afterEach(() => redis.stop());

const start = (settings: Settings = {}) =>
  processes.start({
    ...{ REDIS_URL: redis.url, REDIS_TIMEOUT_MS: '300', LOG_LEVEL: 'debug', TRUST_PROXY: '1' },
    ...KEYS,
    ...settings,
  });

const headers = {
  'X-Forwarded-For': ADDRESS,
  'User-Agent': `${MARK}-browser`,
  Referer: `https://${MARK}.example`,
};
const withKey = (sent: Sent, key = KEYS.ADMIN_KEYS): Sent => ({
  ...sent,
  headers: { ...headers, 'X-Api-Key': key, ...sent.headers },
});

const json = (path: string, body: unknown): Sent => ({
  method: 'POST',
  path,
  headers: JSON_TYPE,
  body: typeof body === 'string' ? body : JSON.stringify(body),
});

const pageOf = (user_id: string) => ({
  ...{ user_id, name: `${MARK} page`, url: `/${MARK}?q=${MARK}`, site_id: `${MARK}-site` },
  event_id: `${MARK}-event`,
});

/** What goes well, and what does not, of a user. */
const callsOf = (user: string): Sent[] => [
  json('/v1/page', pageOf(user)),
  json('/v1/pages', [pageOf(user), { ...pageOf(user), name: 7 }]),
  json('/v1/event', {
    ...{ site_id: `${MARK}-site`, event_type: `${MARK}-type`, path: `/${MARK}`, user_id: user },
    timestamp: new Date().toISOString(),
  }),
  json('/v1/user/login', { user_id: user, login_time: new Date().toISOString() }),
  { path: userPath(user) },
  { path: `${userPath(user)}/days?${MARK}=${MARK}` },
  { path: `${userPath(user)}/visits?${MARK}=${MARK}` },
  json('/v1/users/profiles', { user_ids: [user] }),
  { path: `/v1/page/visitors?name=${MARK}%20page` },
  { path: `/v1/site/${MARK}-site/report` },
];

const BAD: Sent[] = [
  json('/v1/page', `{"user_id":"${USER}"`),
  json('/v1/page', { user_id: `${USER}\n`, name: [MARK], timestamp: MARK }),
  json('/v1/pages', `${MARK}`),
  json('/v1/user/login', { user_id: USER, login_time: MARK }),
  { ...json('/v1/page', ''), body: `${MARK} `.repeat(20_000) },
  { ...json('/v1/page', ''), headers: { ...JSON_TYPE, 'Content-Encoding': 'gzip' }, body: `${MARK}` },
  {
    ...json('/v1/page', ''),
    headers: { ...JSON_TYPE, 'Content-Encoding': 'gzip' },
    body: gzipSync(`{"user_id":"${USER}`),
  },
  { method: 'POST', path: `/v1/page?${MARK}`, headers: { 'Content-Type': `text/${MARK}` } },
  { path: `/v1/user/${USER}%zz` },
  { path: `/v1/user/${USER}%00` },
  { path: `/v1/users/${USER}/${MARK}?${MARK}=${MARK}` },
  { path: `/v1/user/uniques/daily?date=${MARK}` },
  { method: 'PUT', path: userPath(USER) },
  { path: '/livez', headers: { 'X-Request-Id': `${MARK}-request` } },
  { path: `/${MARK}`, headers: { Cookie: `${MARK}=${MARK}`.repeat(500) } }, // too large a head
];

/** What is no HTTP. */
const RAW = [
  `GET /v1/user/${USER}\0 HTTP/1.1\r\n\r\n`,
  `${MARK} ${MARK}\r\n\r\n`,
  `POST /v1/page HTTP/1.1\r\nHost: ${MARK}\r\nX-${MARK}\r\n\r\n`,
  `GET /${MARK}${'x'.repeat(50_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
  `POST /v1/page HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"user_id":"${USER}"`,
];

async function sendRaw(port: number, bytes: string): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(bytes);
  await Promise.race([once(socket, 'data'), once(socket, 'close'), until('a moment', () => true)]);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.destroy();
  await closed;
}

async function metricsOf({ port }: Service): Promise<string> {
  const sent = withKey(
    { path: '/metrics', headers: { 'X-Forwarded-For': '198.51.100.9' } },
    KEYS.METRICS_KEYS,
  );
  const { status, text } = await sendRequest(port, sent);
  expect(status).toBe(200);
  return text;
}

/** All that it said until now names nothing that a client sent. */
async function expectDiscretion(service: Service): Promise<void> {
  for (const text of [service.out(), service.err(), await metricsOf(service)]) {
    const told = text.split('\n').filter((line) => line.includes(MARK) || line.includes(ADDRESS));
    expect(told).toEqual([]);
  }
}

interface Line {
  level: number;
  msg: string;
  request?: string;
  route?: string;
}

const linesOf = (service: Service): Line[] =>
  service
    .out()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));

const requestIdOf = ({ headers }: Reply) => headers['x-request-id'];

/** Puts what does not belong there under a user's keys. */
async function damage(user: string): Promise<void> {
  const keys = createKeys('ff', 1);
  const today = dayOf(Date.now());
  for (const key of keys.ofUser(user, Date.now())) await redis.redis.set(key, MARK);
  await redis.redis.set(keys.visitors(0, today), MARK);
}

test.each(['1', '2'])('after good calls, wrong keys and bad requests; WORKERS=%s', async (workers) => {
  const service = await start({ WORKERS: workers });
  const send = (sent: Sent) => sendRequest(service.port, sent).catch(() => undefined);
  const statuses = new Set<number | undefined>();
  for (const sent of [...callsOf(USER), ...BAD, { method: 'DELETE', path: userPath(USER) }]) {
    for (const key of [KEYS.ADMIN_KEYS, KEYS.WRITE_KEYS, KEYS.READ_KEYS, `${MARK}-nobodys-key`]) {
      statuses.add((await send(withKey(sent, key)))?.status);
      statuses.add((await send({ ...sent, path: `${sent.path}?key=${key}` }))?.status);
    }
  }
  for (const status of [200, 202, 400, 401, 403, 404, 405, 413, 415]) expect(statuses).toContain(status);
  for (const bytes of RAW) await sendRaw(service.port, bytes);
  await expectDiscretion(service);
  const ours = linesOf(service).filter(({ level }) => level >= 40);
  expect(ours.filter(({ msg }) => !/append-only/.test(msg))).toEqual([]); // none of it is a fault of ours
});

test('after limits and signatures', async () => {
  const service = await start({
    ...{ LIMIT_ADDRESS: '5', LIMIT_KEY: '5', LIMIT_USER: '1', LIMIT_NEW_USERS: '1' },
    ...{ UNLIMITED_CLIENTS: 'none', USER_SIGNING_SECRET: `${MARK}-signing-secret` },
  });
  const replies = await Promise.all(
    Array.from({ length: 80 }, (_, i) =>
      sendRequest(service.port, withKey(json('/v1/page', { ...pageOf(USER), user_sig: `${MARK}${i}` }))),
    ),
  );
  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([403, 429]));
  await expectDiscretion(service);
});

test('after damaged keys; and each 500 has its line in the log, by its request id', async () => {
  await damage(DAMAGED);
  const service = await start();
  const failed: Reply[] = [];
  for (const sent of callsOf(DAMAGED)) {
    const reply = await sendRequest(service.port, withKey(sent));
    if (reply.status === 500) failed.push(reply);
    expect(reply.text.replaceAll(DAMAGED, '')).not.toContain(`${MARK}-key`);
  }
  expect(failed.length).toBeGreaterThanOrEqual(5);
  await until(
    'all are logged',
    () => linesOf(service).filter(({ level }) => level === 50).length >= failed.length,
  );
  const logged = linesOf(service).filter(({ level }) => level === 50);
  expect(logged.map(({ request }) => request).sort()).toEqual(failed.map(requestIdOf).sort());
  for (const reply of failed) {
    const line = logged.find(({ request }) => request === requestIdOf(reply))!;
    expect(line.msg).toBe((reply.body as { code: string }).code);
    expect(line.route).toMatch(/^\/v1\//);
  }
  await expectDiscretion(service);
});

test('a request id that a proxy gave is that of the answer and of the line, if it is one', async () => {
  await damage(DAMAGED);
  const service = await start();
  const read = (id: string) =>
    sendRequest(service.port, withKey({ path: userPath(DAMAGED), headers: { 'X-Request-Id': id } }));
  const id = '3f2b8c1e-1d2f-4a5b-9c6d-7e8f90a1b2c3';
  const reply = await read(id);
  expect(reply.status).toBe(500);
  expect(requestIdOf(reply)).toBe(id);
  await until('it is logged', () => linesOf(service).some(({ request }) => request === id));

  const other = await read(`${MARK}-request`);
  expect(requestIdOf(other)).not.toContain(MARK);
  await until('that is logged', () => linesOf(service).some(({ request }) => request === requestIdOf(other)));
  await expectDiscretion(service);
});

test('after a Redis that stands still, refuses, and is away', async () => {
  const service = await start();
  const send = (sent: Sent) => sendRequest(service.port, withKey(sent));
  const all = () => Promise.all([...callsOf(USER), { method: 'DELETE', path: userPath(USER) }].map(send));

  process.kill(redis.pid, 'SIGSTOP');
  expect((await all()).every(({ status }) => status === 503)).toBe(true);
  process.kill(redis.pid, 'SIGCONT');
  const serves = () =>
    until('it serves', async () => (await send(json('/v1/page', pageOf(USER)))).status === 202);
  await serves();

  // Redis's words name keys and commands.
  await redis.redis.config('SET', 'maxmemory', '1');
  expect((await send(json('/v1/page', pageOf(USER)))).status).toBe(503);
  await redis.redis.config('SET', 'maxmemory', '0');
  await redis.redis.call('ACL', 'SETUSER', 'default', 'resetkeys', '%R~nothing');
  expect((await all()).every(({ status }) => status >= 500)).toBe(true);
  await redis.redis.call('ACL', 'SETUSER', 'default', 'allkeys');
  await serves();

  process.kill(redis.pid, 'SIGKILL');
  await until('it is away', async () => (await send({ path: '/readyz' })).status === 503);
  expect((await all()).every(({ status }) => status === 503)).toBe(true);
  await until('that is said', () => /can't be reached/.test(service.said().join()));
  await expectDiscretion(service);
});

test('after a start that fails, of which each setting holds a secret', async () => {
  const { code, out, err } = await processes.startToEnd({
    ...KEYS,
    REDIS_URL: `redis://${MARK}:${MARK}-password@127.0.0.1:${await freePort()}/${MARK}`,
    USER_SIGNING_SECRET: `"${MARK}"`,
  });
  expect(code).toBe(2);
  expect(err.split('\n').map((line) => line.split(' ')[0])).toEqual(['USER_SIGNING_SECRET', 'REDIS_URL', '']);
  expect(out + err).not.toContain(MARK);
});
