import { createHash } from 'node:crypto';
import { dayOf } from '../src/time.ts';
import { emptyProfile, iso, profileWith, useApi, userPath } from './support/http.ts';
import { snapshot, useRedis } from './support/redis.ts';
import { NOON } from './support/service.ts';

const server = useRedis();
const api = useApi(server);

const now = Date.parse(NOON);
const today = dayOf(now);

test('an erasure answers with a receipt of exact fields', async () => {
  await api.view();
  await api.view({ timestamp: '2026-11-20T12:00:00Z' });
  const stored = (await server.redis.keys('*:user:*')).length;
  const reply = await api.send({ method: 'DELETE', path: userPath('ann') });
  expect(reply).toMatchObject({
    status: 200,
    text: JSON.stringify({
      user_id: 'ann',
      erased_at: NOON,
      keys_deleted: stored,
      counts_corrected: 2, // Home lost a visitor on each day
      scan: 'complete',
      residue: 0,
      archive: 'none',
    }),
  });
  expect(reply.headers['content-type']).toMatch(/^application\/json(;|$)/);
});

test('nothing of the user is left but a mark that does not name them', async () => {
  await api.view();
  await api.view({ timestamp: '2026-11-15T00:00:00Z' });
  await api.view({ timestamp: '2026-11-21T12:05:00Z', event_id: 'e1' });
  await api.erase('ann');
  expect(await api.profile('ann')).toEqual(emptyProfile('ann'));
  expect((await api.days('ann')).every(({ views }) => views === 0)).toBe(true);
  expect(await server.redis.keys('*')).toEqual([api.services.keys.erased('ann')]);
  expect(api.services.keys.erased('ann')).not.toContain('ann');
  expect(await server.redis.pttl(api.services.keys.erased('ann'))).toBeGreaterThan(36 * 86_400_000);
});

test('an unknown user is erased like any other', async () => {
  expect(await api.erase('nobody')).toEqual({
    user_id: 'nobody',
    erased_at: NOON,
    keys_deleted: 0,
    counts_corrected: 0,
    scan: 'complete',
    residue: 0,
    archive: 'none',
  });
});

test('a second erasure finds nothing, and moves the time on', async () => {
  await api.view();
  await api.erase('ann');
  api.clock.advance(1000);
  expect(await api.erase('ann')).toMatchObject({ erased_at: '2026-11-21T12:00:01.000Z', keys_deleted: 0 });
  expect(await api.view({ timestamp: '2026-11-21T12:00:01.000Z' })).toBe('erased');
});

test('a second erasure by a clock that is behind does not move the time back', async () => {
  await api.erase('ann');
  api.clock.advance(-60_000);
  expect(await api.erase('ann')).toMatchObject({ erased_at: NOON });
});

describe('after an erasure', () => {
  beforeEach(async () => {
    await api.view({ event_id: 'e1' });
    await api.erase('ann');
  });

  test.each([
    ['the same view', {}],
    ['the same event_id', { event_id: 'e1' }],
    ['a view of that millisecond', { name: 'Prices' }],
    ['a view without a timestamp at that millisecond', { timestamp: undefined }],
    ['a view from the day before', { timestamp: '2026-11-20T12:00:00Z' }],
    ['a view from the first of the window', { timestamp: '2026-11-15T00:00:00Z' }],
    ['an expired view', { timestamp: '2026-11-14T23:59:59.999Z' }],
    ['a view from 2012', { timestamp: '2012-01-01T00:00:00Z' }],
  ])('%s is erased, and changes nothing', async (_what, fields) => {
    const before = await snapshot(server.redis);
    expect(await api.view(fields)).toBe('erased');
    expect(await snapshot(server.redis)).toEqual(before);
    expect(await api.profile('ann')).toEqual(emptyProfile('ann'));
  });

  test('a view of the next millisecond begins a new profile', async () => {
    api.clock.advance(1);
    expect(await api.view({ name: 'New' })).toBe('recorded');
    expect(await api.profile('ann')).toEqual(profileWith('ann', [1, 0, 1, 'New']));
  });

  test('late views stay out of the new profile, on its day and beside it', async () => {
    api.clock.advance(60_000);
    await api.view({ name: 'New' });
    expect(await api.view({ timestamp: NOON })).toBe('erased');
    expect(await api.view({ timestamp: iso(now - 1) })).toBe('erased');
    expect(await api.view({ timestamp: '2026-11-20T12:00:00Z', event_id: 'e1' })).toBe('erased');
    expect(await api.profile('ann')).toEqual(profileWith('ann', [1, 0, 1, 'New']));
  });

  test('an event_id from before may come with a new event', async () => {
    api.clock.advance(1);
    expect(await api.view({ event_id: 'e1' })).toBe('recorded');
    expect(await api.view({ event_id: 'e1' })).toBe('duplicate');
  });

  test('late views are refused a week later, when they are expired as well', async () => {
    api.clock.set('2026-11-30T12:00:00Z');
    expect(await api.view({ timestamp: NOON })).toBe('erased');
    expect(await api.view({ timestamp: '2026-11-21T12:00:00.001Z' })).toBe('expired');
  });
});

describe('a view that is ahead of the clock', () => {
  test('moves the time of the erasure', async () => {
    await api.view({ timestamp: '2026-11-21T12:05:00Z' });
    expect(await api.erase('ann')).toMatchObject({ erased_at: '2026-11-21T12:05:00.000Z' });
    expect(await api.view({ timestamp: '2026-11-21T12:05:00Z' })).toBe('erased');
    expect(await api.view({ timestamp: '2026-11-21T12:04:00Z' })).toBe('erased');
    api.clock.advance(1);
    expect(await api.view({ timestamp: '2026-11-21T12:05:00.001Z' })).toBe('recorded');
  });

  test.each(['2026-11-22T00:02:00.000Z', '2026-11-22T00:00:00.001Z', '2026-11-22T00:00:00.000Z'])(
    'and falls on tomorrow does not come back: %s',
    async (timestamp) => {
      api.clock.set('2026-11-21T23:58:00Z');
      await api.view({ timestamp });
      expect(await api.erase('ann')).toMatchObject({ erased_at: timestamp });
      expect(await api.view({ timestamp })).toBe('erased');
      api.clock.set('2026-11-22T01:00:00Z');
      expect(await api.profile('ann')).toEqual(emptyProfile('ann'));
      expect(await api.view()).toBe('recorded');
    },
  );
});

describe('others are left alone', () => {
  const others = ['ann2', 'an', 'Ann', 'ann:b', 'b:ann', 'a*n', '%61nn', 'bob', '😀'];
  const sha1 = (id: string) => createHash('sha1').update(id).digest('hex');

  test.each([
    'ann',
    '*',
    '?',
    'a*',
    '[a-z]*',
    '\\*',
    ':',
    'a',
    '{0}',
    '0',
    '%2A',
    '__proto__',
    // what keys are made of
    'ff',
    'user',
    'erased',
    'meta',
    'stats',
    'pages',
    'visits',
    'logins',
    '2026-11-21',
    'ff:{0}:user:bob:2026-11-21',
    'user:bob',
    sha1('gone'),
  ])('when %j is erased', async (id) => {
    await api.erase('gone');
    for (const user_id of others) await api.view({ user_id });
    await server.redis.hset(api.services.keys.meta, 'layout', '1');
    const before = await snapshot(server.redis);
    await api.view({ user_id: id });
    const receipt = await api.erase(id);
    expect(receipt).toMatchObject({ user_id: id, residue: 0 });
    expect(receipt.keys_deleted).toBeGreaterThan(0);
    const after = await snapshot(server.redis);
    expect(after.delete(api.services.keys.erased(id))).toBe(true);
    expect(after).toEqual(before);
    expect(await api.view({ user_id: 'gone' })).toBe('erased');
  });

  test('when a letter with an accent is erased as the other of its two forms', async () => {
    await api.view({ user_id: '\u00e9' });
    await api.view({ user_id: 'e\u0301' });
    await api.erase('e\u0301');
    expect(await api.profile('\u00e9')).toEqual(profileWith('\u00e9', [1, 0, 1, 'Home']));
    expect(await api.profile('e\u0301')).toEqual(emptyProfile('e\u0301'));
  });
});

describe('keys of another layout', () => {
  test("are dropped, and the receipt counts them; other people's are not", async () => {
    await api.view();
    await api.view({ user_id: 'bob' });
    const old = (id: string) => ['2026-11', '2025-01-01', 'profile'].map((end) => `ff:{0}:user:${id}:${end}`);
    for (const key of [...old('ann'), ...old('bob')]) await server.redis.set(key, 'x');
    expect(await api.erase('ann')).toMatchObject({ scan: 'complete', residue: 3 });
    const left = await server.redis.keys('*');
    expect(left).toEqual(expect.arrayContaining(old('bob')));
    expect(left.filter((key) => key.includes(':ann:'))).toEqual([]);
  });

  test('of another prefix are left alone', async () => {
    const foreign = ['fg:{0}:user:ann:2026-11', 'xff:{0}:user:ann:2026-11', 'user:ann'];
    for (const key of foreign) await server.redis.set(key, 'x');
    expect(await api.erase('ann')).toMatchObject({ residue: 0 });
    expect(await server.redis.exists(...foreign)).toBe(3);
  });

  test('are found among many others', async () => {
    const pipeline = server.redis.pipeline();
    for (let i = 0; i < 5000; i++) pipeline.set(`ff:{0}:user:u${i}:2026-11-21:stats`, 'x');
    pipeline.set('ff:{0}:user:ann:2026-11', 'x');
    await pipeline.exec();
    expect(await api.erase('ann')).toMatchObject({ scan: 'complete', residue: 1 });
    expect(await server.redis.dbsize()).toBe(5001);
  });

  describe('without time to look for them', () => {
    const hurried = useApi(server, { eraseScanMs: 0 });

    test('the receipt says so, and the person is gone all the same', async () => {
      await hurried.view();
      expect(await hurried.erase('ann')).toMatchObject({ scan: 'incomplete', residue: null });
      expect(await server.redis.keys('*')).toEqual([hurried.services.keys.erased('ann')]);
    });
  });
});

describe('what cannot be read is erased all the same', () => {
  test.each<[what: string, () => Promise<unknown>]>([
    ['stats of another type', () => server.redis.set(api.services.keys.stats('ann', today), 'x')],
    ['pages of another type', () => server.redis.set(api.services.keys.pages('ann', today), 'x')],
    ['visits of another type', () => server.redis.set(api.services.keys.visits('ann', today - 1), 'x')],
    [
      'visits of tomorrow of another type',
      () => server.redis.set(api.services.keys.visits('ann', today + 1), 'x'),
    ],
    ['a mark of another type', () => server.redis.sadd(api.services.keys.erased('ann'), 'x')],
    ['a mark that is no time', () => server.redis.set(api.services.keys.erased('ann'), 'soon')],
    ['a mark that is not a number', () => server.redis.set(api.services.keys.erased('ann'), 'nan')],
    ['a mark without end', () => server.redis.set(api.services.keys.erased('ann'), 'inf')],
    [
      'a last view that is no time',
      () => server.redis.hset(api.services.keys.stats('ann', today), 'last', 'x'),
    ],
    [
      'a last view that is not a number',
      () => server.redis.hset(api.services.keys.stats('ann', today), 'last', 'nan'),
    ],
    [
      'a last view without end',
      () => server.redis.hset(api.services.keys.stats('ann', today), 'last', '1e300'),
    ],
    ['a visit without end', () => server.redis.zadd(api.services.keys.visits('ann', today), '+inf', 'x')],
  ])('%s', async (_what, damage) => {
    await damage();
    expect(await api.erase('ann')).toMatchObject({ erased_at: NOON, scan: 'complete' });
    expect(await server.redis.keys('*')).toEqual([api.services.keys.erased('ann')]);
    api.clock.advance(1);
    expect(await api.view()).toBe('recorded');
  });
});

test('an erasure among 50 writers: once answered, nothing up to its time is visible', async () => {
  const writers = Array.from({ length: 50 }, (_, i) => api.view({ timestamp: iso(now - i) }));
  const receipt = await api.erase('ann');
  expect(receipt.erased_at).toBe(NOON);
  expect(await api.profile('ann')).toEqual(emptyProfile('ann'));
  const outcomes = await Promise.all(writers);
  expect(outcomes.every((outcome) => outcome === 'recorded' || outcome === 'erased')).toBe(true);
  expect(await api.profile('ann')).toEqual(emptyProfile('ann'));
});

test('20 erasures of one user at once all answer', async () => {
  await api.view();
  const receipts = await Promise.all(Array.from({ length: 20 }, () => api.erase('ann')));
  expect(receipts.filter(({ keys_deleted }) => keys_deleted > 0)).toHaveLength(1);
});
