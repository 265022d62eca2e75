// Signed users: where the site's server signs them, nobody else can write a user's history.

import { createHmac } from 'node:crypto';
import {
  type Api,
  emptyProfile,
  expectProblem,
  JSON_TYPE,
  profileWith,
  startApi,
  stopServer,
  useApi,
} from './support/http.ts';
import { useRedis } from './support/redis.ts';
import { NOON } from './support/service.ts';

const server = useRedis();
const OLD = 'the-secret-until-now';
const NEW = 'the-secret-from-now-on';
const api = useApi(server, { userSigningSecret: [OLD, NEW] });

/** As the documentation tells a site's server to do it. */
const sign = (userId: string, secret = OLD) => createHmac('sha256', secret).update(userId).digest('hex');

type Body = Record<string, unknown>;

const page = (user_id: string, more: Body = {}): Body => ({
  user_id,
  name: 'Home',
  timestamp: NOON,
  ...more,
});
const click = (user_id: string, more: Body = {}): Body => ({
  ...{ site_id: 'shop', event_type: 'click', path: '/', user_id, timestamp: NOON },
  ...more,
});
const login = (user_id: string, more: Body = {}): Body => ({ user_id, login_time: NOON, ...more });

const post = (path: string, body: unknown, to: Api = api) =>
  to.send({ method: 'POST', path, headers: JSON_TYPE, body: JSON.stringify(body) });

/** What takes one event. */
const SINGLE: [path: string, of: (userId: string, more?: Body) => Body][] = [
  ['/v1/page', page],
  ['/v1/event', click],
  ['/event', click],
  ['/v1/user/login', login],
];

/** What signs nobody. */
const WRONG: [what: string, signature: unknown][] = [
  ['none', undefined],
  ['null', null],
  ['an empty one', ''],
  ["another user's", sign('bob')],
  ['one with a secret that nobody has', sign('ann', 'some-other-secret')],
  ['one with a letter changed', sign('ann').replace(/.$/, (last) => (last === '0' ? '1' : '0'))],
  ['one cut short', sign('ann').slice(0, 62)],
  ['one with more behind it', `${sign('ann')}00`],
  ['one in base64', createHmac('sha256', OLD).update('ann').digest('base64')],
  ['a plain hash', createHmac('sha256', '').update('ann').digest('hex')],
  ['no text', 7],
  ['a list that holds it', [sign('ann')]],
];

describe.each(SINGLE)('POST %s', (path, of) => {
  test.each(WRONG)('with %s is a 403, and nothing is written', async (_what, user_sig) => {
    const reply = await post(path, of('ann', { user_sig }));
    expectProblem(reply, 403, 'bad_signature', ['/user_sig']);
    expect(reply.text).not.toContain(OLD);
    expect(reply.text).not.toContain(sign('ann'));
    expect(await server.redis.dbsize()).toBe(0);
  });

  test('with the right one counts, made with either secret', async () => {
    for (const secret of [OLD, NEW]) {
      const reply = await post(path, of('ann', { user_sig: sign('ann', secret) }));
      expect(reply).toMatchObject({ status: 202 });
    }
    expect(await server.redis.dbsize()).toBeGreaterThan(0);
    const upper = sign('ann').toUpperCase();
    expect(await post(path, of('ann', { user_sig: upper }))).toMatchObject({ status: 202 });
  });

  test('a body that is bad otherwise is told that first', async () => {
    expect((await post(path, { ...of('ann'), user_id: '' })).status).toBe(400);
  });
});

test('an id is signed as the bytes of its UTF-8, whatever they are', async () => {
  for (const userId of ['😀', 'a:b*{0}', '__proto__', 'e\u0301', 'x'.repeat(128)]) {
    const reply = await post('/v1/page', page(userId, { user_sig: sign(userId) }));
    expect(reply).toMatchObject({ status: 202, body: { status: 'recorded' } });
  }
  // Composed or not, it is another id.
  const reply = await post('/v1/page', page('\u00e9', { user_sig: sign('e\u0301') }));
  expectProblem(reply, 403, 'bad_signature', ['/user_sig']);
});

test('what brings an event_id is signed all the same', async () => {
  const event_id = 'e';
  expect((await post('/v1/page', page('ann', { event_id }))).status).toBe(403);
  expect((await post('/v1/page', page('ann', { event_id, user_sig: sign('ann') }))).status).toBe(202);
});

test('a signature that was good once is no answer for another user later', async () => {
  const signed = (userId: string, signedFor: string) =>
    post('/v1/page', page(userId, { user_sig: sign(signedFor) }));
  expect((await signed('ann', 'ann')).status).toBe(202);
  expect((await signed('bob', 'ann')).status).toBe(403);
  expect((await signed('ann', 'bob')).status).toBe(403);
  expect((await signed('ann', 'ann')).status).toBe(202);
});

test('asking for the profile does not go round it', async () => {
  const reply = await api.post(JSON.stringify(page('ann')), {
    ...JSON_TYPE,
    Prefer: 'return=representation',
  });
  expectProblem(reply, 403, 'bad_signature', ['/user_sig']);
});

test('the signature is not stored', async () => {
  await post('/v1/event', click('ann', { user_sig: sign('ann') }));
  await post('/v1/page', page('ann', { user_sig: sign('ann'), url: '/', site_id: 'shop' }));
  const { redis } = server;
  const keys = await redis.keys('*');
  const texts = await Promise.all(
    keys.map(async (key) => {
      const type = await redis.type(key);
      if (type === 'hash') return JSON.stringify(await redis.hgetall(key));
      return type === 'zset' ? (await redis.zrange(key, '0', '-1')).join() : redis.get(key);
    }),
  );
  const stored = [...keys, ...texts].join();
  expect(stored).toContain('Home');
  expect(stored).not.toContain(sign('ann').slice(0, 8));
});

describe('a batch', () => {
  const BATCH = [
    page('ann', { user_sig: sign('ann') }),
    page('bob'),
    { type: 'event', ...click('bob', { user_sig: sign('ann') }) },
    { type: 'event', ...click('bob', { user_sig: sign('bob', NEW) }) },
    { type: 'login', ...login('ann') },
    { type: 'login', ...login('ann', { user_sig: sign('ann') }) },
  ];
  const rejection = (index: number) => ({
    index,
    code: 'bad_signature',
    detail: expect.stringContaining('HMAC-SHA-256'),
    pointer: '/user_sig',
  });
  const answer = {
    ...{ recorded: 3, duplicate: 0, erased: 0, expired: 0, capped: 0 },
    rejected: [rejection(1), rejection(2), rejection(4)],
  };

  test('has those that are not signed rejected, each by its place', async () => {
    const reply = await post('/v1/pages', BATCH);
    expect(reply).toMatchObject({ status: 202, body: answer });
    expect(await api.profile('ann')).toEqual(profileWith('ann', [1, 0, 1, 'Home']));
    expect(await api.profile('bob')).toEqual(emptyProfile('bob'));
  });

  test('of which none is signed is forbidden, and nothing is written', async () => {
    const reply = await post('/v1/pages', [page('bob'), page('ann', { user_sig: sign('bob') })]);
    expectProblem(reply, 403, 'bad_signature', ['/0/user_sig', '/1/user_sig']);
    expect(await server.redis.dbsize()).toBe(0);
  });

  test('the same in lines', async () => {
    const reply = await api.send({
      method: 'POST',
      path: '/v1/pages',
      headers: { 'Content-Type': 'application/x-ndjson' },
      body: BATCH.map((event) => JSON.stringify(event)).join('\n'),
    });
    expect(reply).toMatchObject({ status: 202, body: answer });
  });
});

test('reads and erasures need none', async () => {
  await post('/v1/page', page('ann', { user_sig: sign('ann') }));
  expect(await api.profile('ann')).toEqual(profileWith('ann', [1, 0, 1, 'Home']));
  expect(await api.erase('ann')).toMatchObject({ user_id: 'ann' });
});

describe('after the rotation', () => {
  let later: Api;
  beforeAll(async () => {
    later = await startApi(server.redis, { userSigningSecret: [NEW] });
  });
  afterAll(() => stopServer(later.server));

  test('the old secret signs nobody', async () => {
    const signed = (secret: string) =>
      post('/v1/page', page('ann', { user_sig: sign('ann', secret) }), later);
    expectProblem(await signed(OLD), 403, 'bad_signature', ['/user_sig']);
    expect((await signed(NEW)).status).toBe(202);
  });
});

describe('without a secret', () => {
  let open: Api;
  beforeAll(async () => {
    open = await startApi(server.redis);
  });
  afterAll(() => stopServer(open.server));

  test.each(SINGLE)('POST %s takes everybody, signed or not, however', async (path, of) => {
    for (const [, user_sig] of WRONG) {
      expect((await post(path, of('ann', { user_sig }), open)).status).toBe(202);
    }
  });
});
