import { DAY } from '../src/time.ts';
import {
  emptyProfile,
  expectProblem,
  iso,
  JSON_TYPE,
  profileWith,
  useApi,
  userPath,
} from './support/http.ts';
import { useRedis } from './support/redis.ts';
import { NOON } from './support/service.ts';

const server = useRedis();
const api = useApi(server);

const now = Date.parse(NOON);
const ago = (days: number) => iso(now - days * DAY);
const daily = (date: string) => api.read('/v1/user/uniques/daily', { date });
const monthly = (month: string) => api.read('/v1/user/uniques/monthly', { month });
const onDay = async (date: string) => ((await daily(date)) as { unique_users: number }).unique_users;
const inMonth = async (month: string) => ((await monthly(month)) as { unique_users: number }).unique_users;

describe('users who logged in', () => {
  test('on a day and in a month, in exact fields', async () => {
    for (const user of ['ann', 'bob', 'ann']) await api.login(user);
    const day = await api.send({ path: '/v1/user/uniques/daily?date=2026-11-21' });
    expect(day).toMatchObject({
      status: 200,
      text: '{"date":"2026-11-21","unique_users":2}',
      headers: { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' },
    });
    const month = await api.send({ path: '/v1/user/uniques/monthly?month=2026-11' });
    expect(month).toMatchObject({
      status: 200,
      text: '{"month":"2026-11","unique_users":2}',
      headers: { 'cache-control': 'no-store' },
    });
  });

  test('are nobody where nobody did', async () => {
    await api.login();
    expect(await daily('2026-11-20')).toEqual({ date: '2026-11-20', unique_users: 0 });
    expect(await monthly('2026-12')).toEqual({ month: '2026-12', unique_users: 0 });
    expect(await onDay('2025-10-17')).toBe(0); // the oldest day that is answered for
    expect(await inMonth('2025-10')).toBe(0);
  });

  test('count once a day, and once a month however many days', async () => {
    for (const days of [0, 1, 5, 20, 21, 25]) await api.login('ann', ago(days));
    await api.login('bob', ago(1));
    const days = ['2026-11-21', '2026-11-20', '2026-11-19', '2026-11-16', '2026-11-01', '2026-10-31'];
    expect(await Promise.all(days.map(onDay))).toEqual([1, 2, 0, 1, 1, 1]);
    expect(await Promise.all(['2026-11', '2026-10'].map(inMonth))).toEqual([2, 1]);
  });

  test('are counted by the day in UTC', async () => {
    await api.login('ann', '2026-11-20T23:30:00-02:00');
    await api.login('bob', '2026-11-01T00:30:00+01:00');
    expect(await Promise.all(['2026-11-20', '2026-11-21', '2026-10-31'].map(onDay))).toEqual([0, 1, 1]);
    expect(await Promise.all(['2026-10', '2026-11'].map(inMonth))).toEqual([1, 1]);
  });

  test('are no visitors, and those who only visit did not log in', async () => {
    await api.login('ann');
    await api.view({ user_id: 'bob', site_id: 'shop' });
    expect(await api.profile('ann')).toEqual(emptyProfile('ann'));
    expect(await onDay('2026-11-21')).toBe(1);
    expect(await api.read('/v1/site/shop/report')).toMatchObject({ unique_users: 1, views: 1 });
  });
});

describe('a login', () => {
  test('is recorded, and its second on a day is a duplicate', async () => {
    expect(await api.login()).toBe('recorded');
    expect(await api.login('ann', '2026-11-21T03:00:00Z')).toBe('duplicate');
    expect(await api.login('ann', ago(1))).toBe('recorded');
  });

  test('may be 35 days late, and no more', async () => {
    expect(await api.login('ann', '2026-10-17T00:00:00Z')).toBe('recorded');
    expect(await api.login('ann', '2026-10-16T23:59:59.999Z')).toBe('expired');
    expect(await api.login('ann', '2012-12-21T00:00:00Z')).toBe('expired');
    expect(await Promise.all([onDay('2026-10-17'), inMonth('2026-10')])).toEqual([1, 1]);
  });

  test('of somebody who was erased is refused if it was before', async () => {
    await api.login('ann', ago(30));
    await api.erase('ann');
    expect(await api.login('ann', ago(30))).toBe('erased');
    expect(await api.login('ann', ago(40))).toBe('erased');
    expect(await api.login()).toBe('erased');
    api.clock.advance(1);
    expect(await api.login()).toBe('recorded');
  });

  test('that is more than five minutes ahead is a mistake', async () => {
    expect(await api.login('ann', '2026-11-21T12:05:00Z')).toBe('recorded');
    const body = JSON.stringify({ user_id: 'ann', login_time: '2026-11-21T12:05:00.001Z' });
    const reply = await api.send({ method: 'POST', path: '/v1/user/login', headers: JSON_TYPE, body });
    expectProblem(reply, 400, 'timestamp_in_future', ['/login_time']);
  });

  test('just before midnight, of the day after it, is one of that day and of its month', async () => {
    api.clock.set('2026-11-30T23:58:00Z');
    expect(await api.login('ann', '2026-12-01T00:01:00Z')).toBe('recorded');
    expect(await Promise.all([onDay('2026-11-30'), inMonth('2026-11')])).toEqual([0, 0]);
    api.clock.set('2026-12-01T00:00:00Z');
    expect(await Promise.all([onDay('2026-12-01'), inMonth('2026-12')])).toEqual([1, 1]);
    expect(await api.login()).toBe('duplicate');
  });

  test.each<[what: string, body: object, pointers: string[]]>([
    ['no user', { login_time: NOON }, ['/user_id']],
    ['no time', { user_id: 'ann' }, ['/login_time']],
    ['nothing', {}, ['/login_time', '/user_id']],
    ['a time without a zone', { user_id: 'ann', login_time: '2026-11-21T12:00:00' }, ['/login_time']],
    ['a day that there is not', { user_id: 'ann', login_time: '2026-02-30T12:00:00Z' }, ['/login_time']],
    ['a number', { user_id: 'ann', login_time: now }, ['/login_time']],
    ['no id', { user_id: 'undefined', login_time: NOON }, ['/user_id']],
  ])('with %s is refused', async (_what, body, pointers) => {
    const reply = await api.send({
      ...{ method: 'POST', path: '/v1/user/login', headers: JSON_TYPE, body: JSON.stringify(body) },
    });
    expectProblem(reply, 400, 'invalid_body', pointers);
    expect(await server.redis.dbsize()).toBe(0);
  });
});

describe('an erasure', () => {
  test('takes the person out of the days and months, and leaves the others', async () => {
    for (const days of [0, 1, 30]) {
      await api.login('ann', ago(days));
      await api.login('bob', ago(days));
    }
    expect(await api.erase('ann')).toMatchObject({ counts_corrected: 5, keys_deleted: 2, residue: 0 });
    const days = ['2026-11-21', '2026-11-20', '2026-10-22'];
    expect(await Promise.all(days.map(onDay))).toEqual([1, 1, 1]);
    expect(await Promise.all(['2026-11', '2026-10'].map(inMonth))).toEqual([1, 1]);
  });

  test('and a new login, and a second erasure: never off by one', async () => {
    await api.login('bob');
    for (let round = 0; round < 3; round++) {
      api.clock.advance(1);
      expect(await api.login()).toBe('recorded');
      expect(await Promise.all([onDay('2026-11-21'), inMonth('2026-11')])).toEqual([2, 2]);
      expect(await api.erase('ann')).toMatchObject({ counts_corrected: 2 });
      expect(await api.erase('ann')).toMatchObject({ counts_corrected: 0 });
      expect(await Promise.all([onDay('2026-11-21'), inMonth('2026-11')])).toEqual([1, 1]);
    }
    await api.erase('bob');
    expect(await server.redis.keys('*:2026-11:logins')).toEqual([]);
  });
});

describe('a user who is called login', () => {
  test('can be read, and erased', async () => {
    await api.view({ user_id: 'login' });
    expect(await api.profile('login')).toEqual(profileWith('login', [1, 0, 1, 'Home']));
    expect(await api.days('login')).toHaveLength(7);
    expect(await api.send({ method: 'HEAD', path: userPath('login') })).toMatchObject({ status: 200 });
    expect(await api.erase('login')).toMatchObject({ user_id: 'login', keys_deleted: 3 });
    expect(await api.profile('login')).toEqual(emptyProfile('login'));
  });

  test.each(['%6Cogin', '%6c%6f%67%69%6e'])('also as %s', async (path) => {
    await api.view({ user_id: 'login' });
    expect(await api.read(`/v1/user/${path}`)).toEqual(profileWith('login', [1, 0, 1, 'Home']));
  });

  test('and others whose names are words of a path', async () => {
    for (const user_id of ['uniques', 'daily', 'days', 'profiles']) {
      await api.view({ user_id });
      expect(await api.profile(user_id)).toEqual(profileWith(user_id, [1, 0, 1, 'Home']));
      expect(await api.days(user_id)).toHaveLength(7);
      expect(await api.erase(user_id)).toMatchObject({ user_id, keys_deleted: 3 });
    }
  });
});
