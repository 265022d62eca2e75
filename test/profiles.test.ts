import { gzipSync } from 'node:zlib';
import type { Profile } from '../src/answers.ts';
import { dayOf } from '../src/time.ts';
import {
  type Api,
  emptyProfile,
  expectProblem,
  JSON_TYPE,
  killRedis,
  profileWith,
  startApi,
  stopServer,
  useApi,
} from './support/http.ts';
import { snapshot, startRedis, type TestRedis, useRedis } from './support/redis.ts';
import { NOON } from './support/service.ts';

const server = useRedis();
const api = useApi(server);

const today = dayOf(Date.parse(NOON));
const LIMIT = 1024 * 1024;

const ask = (
  { send }: Pick<Api, 'send'>,
  body: string | Buffer,
  headers: Record<string, string> = JSON_TYPE,
) => send({ method: 'POST', path: '/v1/users/profiles', headers, body });
const asking = (user_ids: unknown) => JSON.stringify({ user_ids });

/** The profiles of a 200. */
async function profilesOf(user_ids: string[], through: Pick<Api, 'send'> = api): Promise<Profile[]> {
  const reply = await ask(through, asking(user_ids));
  expect(reply).toMatchObject({ status: 200, body: { profiles: expect.any(Array) } });
  expect(Object.keys(reply.body as object)).toEqual(['profiles']);
  return (reply.body as { profiles: Profile[] }).profiles;
}

const damage = (userId: string) => server.redis.set(api.services.keys.stats(userId, today), 'x');

test('profiles come in the order asked, unknown users and repeated ids included', async () => {
  await api.view();
  await api.view({ user_id: 'bob', name: 'Prices' });
  const [ann, bob] = [profileWith('ann', [1, 0, 1, 'Home']), profileWith('bob', [1, 0, 1, 'Prices'])];
  const nobody = emptyProfile('nobody');
  expect(await profilesOf(['bob', 'nobody', 'ann', 'bob'])).toEqual([bob, nobody, ann, bob]);
  expect(await profilesOf(['ann'])).toEqual([ann]);
});

test('each is what a read of that user answers, letter for letter', async () => {
  const userIds = ['a:b', '{0}', '__proto__', '*', 'a\\"b', ' ', 'é', 'e\u0301', '😀', 'مرحبا', '%3A'];
  for (const [i, user_id] of userIds.entries()) {
    await api.view({ user_id });
    if (i % 2) await api.view({ user_id, name: 'Prices', timestamp: '2026-11-19T10:00:00Z' });
  }
  const single = await Promise.all(userIds.map((userId) => api.profile(userId)));
  const reply = await ask(api, asking(userIds));
  expect(reply.text).toBe(JSON.stringify({ profiles: single }));
  expect(single.map(({ user_id }) => user_id)).toEqual(userIds);
});

test('a read changes nothing', async () => {
  await api.view();
  const before = await snapshot(server.redis);
  await profilesOf(['ann', 'bob']);
  expect(await snapshot(server.redis)).toEqual(before);
});

test('what was recorded before is in them, what was erased is not', async () => {
  await api.view({ user_id: 'bob' });
  await api.view();
  await api.erase('ann');
  expect(await profilesOf(['ann', 'bob'])).toEqual([
    emptyProfile('ann'),
    profileWith('bob', [1, 0, 1, 'Home']),
  ]);
});

test('the answer is not to be stored', async () => {
  const reply = await ask(api, asking(['ann']));
  expect(reply.headers).toMatchObject({
    'cache-control': 'no-store',
    'content-type': 'application/json; charset=utf-8',
  });
});

test.each([1, 7, 256])('500 users over %d shards', async (shards) => {
  const own = await startApi(server.redis, { shards });
  try {
    const userIds = Array.from({ length: 500 }, (_, i) => `u${(i * 7) % 500}`);
    const body = JSON.stringify(userIds.map((user_id, i) => ({ user_id, name: `Page ${i}` })));
    const reply = await own.send({ method: 'POST', path: '/v1/pages', headers: JSON_TYPE, body });
    expect(reply).toMatchObject({ status: 202, body: { recorded: 500 } });
    expect(await profilesOf(userIds, own)).toEqual(
      userIds.map((userId, i) => profileWith(userId, [1, 0, 1, `Page ${i}`])),
    );
  } finally {
    await stopServer(own.server);
  }
});

describe('what is read', () => {
  const longest = Array.from({ length: 500 }, (_, i) => '😀'.repeat(125) + String(i).padStart(3, '0'));
  test.each<[what: string, headers: Record<string, string>, body: string | Buffer, users: number]>([
    ['text/plain', { 'Content-Type': 'text/plain' }, asking(['ann']), 1],
    ['gzip', { ...JSON_TYPE, 'Content-Encoding': 'gzip' }, gzipSync(asking(['ann'])), 1],
    ['further fields', JSON_TYPE, '{"user_ids":["ann"],"more":[7]}', 1],
    ['500 of the longest ids', JSON_TYPE, asking(longest), 500],
    ['as many bytes as may be', JSON_TYPE, asking(['ann']).padEnd(LIMIT, ' '), 1],
  ])('%s', async (_what, headers, body, users) => {
    const reply = await ask(api, body, headers);
    expect(reply.status).toBe(200);
    expect((reply.body as { profiles: [] }).profiles).toHaveLength(users);
  });
});

describe('what is refused', () => {
  const junk = (text: string, count: number) => `{"user_ids":[${`${text},`.repeat(count)}${text}]}`;
  test.each<[what: string, status: number, code: string, pointers: string[] | undefined, body: string]>([
    ['an empty list', 400, 'invalid_body', ['/user_ids'], asking([])],
    ['501 users', 400, 'invalid_body', ['/user_ids'], asking(Array(501).fill('ann'))],
    ['half a million bad ids', 400, 'invalid_body', ['/user_ids'], junk('0', 500_000)],
    ['200,000 empty ids', 400, 'invalid_body', ['/user_ids'], junk('""', 200_000)],
    ['no list', 400, 'invalid_body', ['/user_ids'], '{}'],
    ['an id for the list', 400, 'invalid_body', ['/user_ids'], asking('ann')],
    ['null for the list', 400, 'invalid_body', ['/user_ids'], asking(null)],
    ['an object for the list', 400, 'invalid_body', ['/user_ids'], asking({ 0: 'ann', length: 1 })],
    ['a bare array', 400, 'invalid_body', [''], '["ann"]'],
    ['null', 400, 'invalid_body', [''], 'null'],
    ['a string', 400, 'invalid_body', [''], '"ann"'],
    ['nothing', 400, 'invalid_json', undefined, ''],
    ['half an object', 400, 'invalid_json', undefined, '{"user_ids":["ann"'],
    ['lists 400,000 deep', 413, 'payload_too_large', undefined, '['.repeat(400_000)],
    ['a list in the list', 400, 'invalid_body', ['/user_ids/0'], asking([['ann']])],
    [
      'bad ids among good ones',
      400,
      'invalid_body',
      ['/user_ids/1', '/user_ids/3', '/user_ids/4', '/user_ids/5', '/user_ids/7'],
      asking(['ann', '', 'bob', 'null', 7, 'a\0b', 'cec', 'x'.repeat(129)]),
    ],
    [
      '500 bad ids',
      400,
      'invalid_body',
      Array.from({ length: 500 }, (_, i) => `/user_ids/${i}`),
      junk('0', 499),
    ],
    ['more than may be', 413, 'payload_too_large', undefined, asking(['ann']).padEnd(LIMIT + 1, ' ')],
  ])('%s', async (_what, status, code, pointers, body) => {
    const reply = await ask(api, body);
    expectProblem(reply, status, code, pointers);
    expect(reply.text.length).toBeLessThan(200_000);
    expect(api.log).toEqual([]);
  });

  test('another media type', async () => {
    const reply = await ask(api, asking(['ann']), { 'Content-Type': 'application/x-ndjson' });
    expectProblem(reply, 415, 'unsupported_media_type');
  });

  test('who was asked for is not repeated', async () => {
    const reply = await ask(api, asking(['zx81-secret\0', 'zx81-secret'.repeat(20)]));
    expectProblem(reply, 400, 'invalid_body', ['/user_ids/0', '/user_ids/1']);
    expect(reply.text).not.toContain('zx81');
  });

  test.each(['GET', 'HEAD', 'PUT', 'DELETE'])('%s is a 405', async (method) => {
    const reply = await api.send({ method, path: '/v1/users/profiles' });
    expect(reply).toMatchObject({ status: 405, headers: { allow: 'OPTIONS, POST' } });
  });
});

describe('damaged users among those asked for', () => {
  test('are named, each by its place, and the others can be read without them', async () => {
    await api.view();
    await damage('zx81-d');
    await damage('zx81-e');
    const reply = await ask(api, asking(['ann', 'zx81-d', 'bob', 'zx81-e', 'zx81-d']));
    expectProblem(reply, 500, 'damaged', ['/user_ids/1', '/user_ids/3', '/user_ids/4']);
    expect(reply.text).not.toMatch(/zx81/);
    expect(api.log).toHaveLength(1);
    expect(api.log[0]).not.toMatch(/zx81/);
    expect(await profilesOf(['ann', 'bob'])).toEqual([
      profileWith('ann', [1, 0, 1, 'Home']),
      emptyProfile('bob'),
    ]);
  });

  test('are read again after an erasure', async () => {
    await damage('zx81-d');
    await api.erase('zx81-d');
    expect(await profilesOf(['zx81-d', 'ann'])).toEqual([emptyProfile('zx81-d'), emptyProfile('ann')]);
  });
});

describe('without Redis', () => {
  let own: TestRedis;
  let away: Api;
  beforeAll(async () => {
    own = await startRedis();
    away = await startApi(own.redis, { shards: 7 });
    await profilesOf(['ann', 'bob'], away);
    await killRedis(own);
  });
  afterAll(async () => {
    await stopServer(away.server);
    await own.stop();
  });

  test('profiles are a 503 that says when to come again', async () => {
    const reply = await ask(away, asking(['ann', 'bob', 'cec']));
    expectProblem(reply, 503, 'unavailable');
    expect(reply.headers['retry-after']).toMatch(/^[1-9]\d?$/);
  });

  test('what is bad is not even looked at', async () => {
    expectProblem(await ask(away, asking([7])), 503, 'unavailable');
  });
});

test('a shard that does not answer makes all of it a 503, a damaged user or not', async () => {
  const [own, other] = [api.services.keys.shard(0), 'ff:{elsewhere}'];
  const redis = Object.create(server.redis, {
    ffProfile: {
      value: (shard: string, args: string[]) =>
        shard === own ? server.redis.ffProfile(shard, args) : Promise.reject(new Error(`${other} is away`)),
    },
  });
  const half = await startApi(redis, { shards: 7 });
  try {
    const { keys } = half.services;
    const userIds = Array.from({ length: 50 }, (_, i) => `u${i}`);
    const here = userIds.find((userId) => keys.shard(keys.shardOf(userId)) === own)!;
    await server.redis.set(keys.stats(here, today), 'x');
    expectProblem(await ask(half, asking(userIds)), 503, 'unavailable');
    expectProblem(await ask(half, asking([here])), 500, 'damaged', ['/user_ids/0']);
  } finally {
    await stopServer(half.server);
  }
});

test('more users than may wait for Redis are a 503, and the next call is not', async () => {
  const narrow = await startApi(server.redis, { maxInFlight: 2 });
  try {
    const reply = await ask(narrow, asking(['a', 'b', 'c']));
    expectProblem(reply, 503, 'overloaded');
    expect(reply.headers['retry-after']).toMatch(/^[1-9]\d?$/);
    expect(await profilesOf(['a', 'b'], narrow)).toEqual([emptyProfile('a'), emptyProfile('b')]);
  } finally {
    await stopServer(narrow.server);
  }
});
