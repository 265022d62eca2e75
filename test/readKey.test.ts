// What a page may do with the key that it was given.

import type { OutgoingHttpHeaders } from 'node:http';
import pg from 'pg';
import request from 'supertest';
import { type Api, expectProblem, startApi, stopServer, useApi } from './support/http.ts';
import { useRedis } from './support/redis.ts';
import { service } from './support/service.ts';

const server = useRedis();

const KEYS = {
  write: 'write-key-of-2026',
  read: 'read-key-of-2026-a',
  admin: 'admin-key-of-2026-a',
  metrics: 'metrics-key-of-2026',
};
const api = useApi(server, {
  writeKeys: [KEYS.write],
  readKeys: [KEYS.read],
  adminKeys: [KEYS.admin],
  metricsKeys: [KEYS.metrics],
});

const ABOUT = { archive: false, time_spent_unit: 'minutes', session_gap_seconds: 1800, report_days: 35 };
const ALL = ['write', 'read', 'admin', 'metrics'];
const askWith = (headers: OutgoingHttpHeaders, path = '/v1/key') => api.send({ path, headers });

test.each<[kind: keyof typeof KEYS, may: string[]]>([
  ['write', ['write']],
  ['read', ['read']],
  ['admin', ALL],
  ['metrics', ['metrics']],
])('a %s key may %j', async (kind, may) => {
  for (const headers of [{ Authorization: `Bearer ${KEYS[kind]}` }, { 'X-Api-Key': KEYS[kind] }]) {
    const reply = await askWith(headers);
    expect(reply).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } });
    expect(reply.body).toEqual({ keys: true, may, ...ABOUT });
    expect(reply.text).not.toContain(KEYS[kind]);
  }
});

test('several keys together may what each of them may', async () => {
  const two = { Authorization: `Bearer ${KEYS.metrics}`, 'X-Api-Key': KEYS.read };
  expect((await askWith(two)).body).toMatchObject({ may: ['read', 'metrics'] });
  const three = await askWith(two, `/v1/key?key=${KEYS.write}`);
  expect(three.body).toMatchObject({ may: ['write', 'read', 'metrics'] });
});

test.each<[what: string, headers: OutgoingHttpHeaders, path: string]>([
  ['no key', {}, '/v1/key'],
  ['a wrong key', { Authorization: 'Bearer some-key-that-nobody-gave' }, '/v1/key'],
  ['a read key in the URL', {}, `/v1/key?key=${KEYS.read}`],
  ['an admin key in the URL', {}, `/v1/key?key=${KEYS.admin}`],
])('%s is a 401', async (_what, headers, path) => {
  const reply = await askWith(headers, path);
  expectProblem(reply, 401, 'unauthorized');
  expect(reply.headers['www-authenticate']).toBe('Bearer realm="footfall"');
});

test('a wrong key beside a good one takes nothing from it', async () => {
  const reply = await askWith({ Authorization: 'Bearer some-key-that-nobody-gave', 'X-Api-Key': KEYS.read });
  expect(reply.body).toMatchObject({ keys: true, may: ['read'] });
});

test('who tries keys pays as for any call', async () => {
  const limited = await startApi(server.redis, {
    readKeys: [KEYS.read],
    limitAddress: 2,
    unlimitedClients: [],
  });
  try {
    const statuses: number[] = [];
    for (let i = 0; i < 60 && statuses.at(-1) !== 429; i++) {
      statuses.push((await limited.send({ path: '/v1/key' })).status);
    }
    expect(statuses.at(-1)).toBe(429);
    expect(new Set(statuses)).toEqual(new Set([401, 429]));
  } finally {
    await stopServer(limited.server);
  }
});

describe('a service without keys', () => {
  let open: Api;
  beforeAll(async () => {
    open = await startApi(server.redis, { timeSpentUnit: 'seconds', sessionGapSeconds: 60 });
  });
  afterAll(() => stopServer(open.server));

  test.each<OutgoingHttpHeaders>([{}, { 'X-Api-Key': 'some-key-that-nobody-gave' }])(
    'is open to everybody, and says so: %j',
    async (headers) => {
      const { body } = await open.send({ path: '/v1/key', headers });
      const about = { ...ABOUT, time_spent_unit: 'seconds', session_gap_seconds: 60 };
      expect(body).toEqual({ keys: false, may: ALL, ...about });
    },
  );
});

test('an archive lengthens the reports', async () => {
  const database = new pg.Pool({ host: '127.0.0.1', port: 1 }); // nobody asks it
  const { app } = service(server.redis, {}, undefined, database);
  const { body } = await request(app).get('/v1/key').expect(200);
  expect(body).toMatchObject({ archive: true, report_days: 400 });
});

test('it is answered while Redis is away', async () => {
  const { redis } = server;
  const away = Object.create(redis, { status: { value: 'close' } });
  const other = await startApi(away, { readKeys: [KEYS.read] });
  try {
    const reply = await other.send({ path: '/v1/key', headers: { 'X-Api-Key': KEYS.read } });
    expect(reply.status).toBe(200);
  } finally {
    await stopServer(other.server);
  }
});
