import { CannotStart } from '../src/cannotStart.ts';
import { createKeys, LAYOUT_VERSION } from '../src/redis/keys.ts';
import { checkMeta } from '../src/redis/meta.ts';
import { withoutAChange } from './support/lua.ts';
import { useRedis } from './support/redis.ts';

const server = useRedis();

const check = (shards: number, sessionGapSeconds: number, { prefix = 'ff', lateLoginDays = 35 } = {}) =>
  checkMeta(server.redis, createKeys(prefix, shards, lateLoginDays), { sessionGapSeconds, lateLoginDays });
const stored = () => server.redis.hgetall('ff:meta');

test('the first start writes what the numbers depend on, for good', async () => {
  await check(7, 1800);
  expect(await stored()).toEqual({
    layout: String(LAYOUT_VERSION),
    shards: '7',
    session_gap_seconds: '1800',
    late_login_days: '35',
  });
  expect(await server.redis.ttl('ff:meta')).toBe(-1);
  expect(await server.redis.keys('*')).toEqual(['ff:meta']);
});

test('a later start with the same settings changes nothing', async () => {
  await check(7, 1800);
  await withoutAChange(server.redis, () => check(7, 1800));
});

test.each([
  ['shards', () => check(256, 1800), /ff:meta.*shards 7\b.*\b256\b.*SHARDS.*KEY_PREFIX/],
  ['gap', () => check(7, 60), /ff:meta.*session_gap_seconds 1800\b.*\b60\b.*SESSION_GAP_SECONDS.*KEY_PREFIX/],
  [
    'lateness of logins',
    () => check(7, 1800, { lateLoginDays: 60 }),
    /ff:meta.*late_login_days 35\b.*\b60\b.*LATE_LOGIN_DAYS.*KEY_PREFIX/,
  ],
])(
  'a later start with another number for %s is told how to mend it, and changes nothing',
  async (_, start, message) => {
    await check(7, 1800);
    await withoutAChange(server.redis, async () => {
      await expect(start()).rejects.toThrow(CannotStart);
      await expect(start()).rejects.toThrow(message);
    });
  },
);

test.each(['0', '99', ''])('a start over layout %j is refused', async (layout) => {
  await check(7, 1800);
  await server.redis.hset('ff:meta', 'layout', layout);
  await withoutAChange(server.redis, () => expect(check(7, 1800)).rejects.toThrow(CannotStart));
  await expect(check(7, 1800)).rejects.toThrow(`layout ${layout}`);
});

test('another prefix is another service', async () => {
  await check(7, 1800);
  await check(1, 60, { prefix: 'other' });
  await expect(check(7, 1800, { prefix: 'other' })).rejects.toThrow(/^other:meta/);
  expect(await stored()).toMatchObject({ shards: '7' });
});

test('of two first starts that disagree one is refused', async () => {
  const starts = await Promise.allSettled([check(7, 1800), check(256, 60)]);
  expect(starts.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  const winner = starts[0].status === 'fulfilled' ? ['7', '1800'] : ['256', '60'];
  expect(await stored()).toMatchObject({ shards: winner[0], session_gap_seconds: winner[1] });
});

test('a key that is no hash stops the start', async () => {
  await server.redis.set('ff:meta', 'x');
  await withoutAChange(server.redis, () => expect(check(7, 1800)).rejects.toThrow(/WRONGTYPE/));
});
