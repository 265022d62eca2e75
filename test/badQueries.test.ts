import { expectProblem, useApi } from './support/http.ts';
import { useRedis } from './support/redis.ts';

const server = useRedis();
const api = useApi(server);

const LONG = 'x'.repeat(2049);

describe('what is asked of visitors', () => {
  test.each<[what: string, query: string, pointers: string[]]>([
    ['neither url nor name', '', ['/url']],
    ['a site alone', 'site_id=shop', ['/url']],
    ['both url and name', 'url=/a&name=Home', ['/name']],
    ['an empty url', 'url=', ['/url']],
    ['an empty name', 'name=', ['/name']],
    ['a long url', `url=${LONG}`, ['/url']],
    ['a long name', `name=${LONG}`, ['/name']],
    ['a control character', 'url=%0A', ['/url']],
    ['two urls', 'url=/a&url=/b', ['/url']],
    ['no days', 'url=/a&days=', ['/days']],
    ['0 days', 'url=/a&days=0', ['/days']],
    ['8 days', 'url=/a&days=8', ['/days']],
    ['less than none', 'url=/a&days=-1', ['/days']],
    ['half a day', 'url=/a&days=1.5', ['/days']],
    ['days in words', 'url=/a&days=week', ['/days']],
    ['days with a sign', 'url=/a&days=%2B7', ['/days']],
    ['days with a zero before', 'url=/a&days=07', ['/days']],
    ['days twice', 'url=/a&days=1&days=2', ['/days']],
    ['a site that is no id', 'url=/a&site_id=undefined', ['/site_id']],
    ['a long site', `url=/a&site_id=${'x'.repeat(65)}`, ['/site_id']],
    ['all of it', `url=&days=9&site_id=..`, ['/days', '/site_id', '/url']],
  ])('%s', async (_what, query, pointers) => {
    expectProblem(await api.send({ path: `/v1/page/visitors?${query}` }), 400, 'invalid_query', pointers);
  });

  test('what nobody asked for is ignored', async () => {
    expect(await api.read('/v1/page/visitors?url=/a&limit=5&__proto__=x')).toEqual({
      ...{ url: '/a', days: 7, distinct_visitors: 0, exact: true },
    });
  });
});

const NO_DATES = [
  ...['2026-02-30', '2026-02-29', '2026-13-01', '2026-00-10', '2026-11-00', '2026-11-31', '2026-11'],
  ...[
    '2026-11-21T00:00:00Z',
    '2026-11-21Z',
    '21.11.2026',
    '2026/11/21',
    '20261121',
    '26-11-21',
    '-2026-11-21',
  ],
  ...['today', 'null', '', ' ', '2026-11-2', '٢٠٢٦-١١-٢١', '2026-11-21 ', '0'],
];

describe('users of a day', () => {
  test.each(NO_DATES)('of %j', async (date) => {
    const path = `/v1/user/uniques/daily?${new URLSearchParams({ date })}`;
    expectProblem(await api.send({ path }), 400, 'invalid_query', ['/date']);
  });

  test.each(['/v1/user/uniques/daily', '/v1/user/uniques/daily?day=2026-11-21'])(
    'of none: %s',
    async (path) => {
      expectProblem(await api.send({ path }), 400, 'invalid_query', ['/date']);
    },
  );

  test('of one that is not kept any more', async () => {
    const path = '/v1/user/uniques/daily?date=2025-10-16';
    expectProblem(await api.send({ path }), 400, 'invalid_query', ['/date']);
  });

  test('of the 29th of February in a leap year, and of a day to come', async () => {
    api.clock.set('2028-03-01T00:00:00Z');
    for (const date of ['2028-02-29', '2028-12-31']) {
      expect(await api.read('/v1/user/uniques/daily', { date })).toEqual({ date, unique_users: 0 });
    }
  });
});

describe('users of a month', () => {
  test.each([
    ...['2026-13', '2026-00', '2026-1', '2026', '2026-11-21', '11-2026', 'November', '', '2026-11 ', '26-11'],
    ...['2026-11-', 'undefined'],
  ])('of %j', async (month) => {
    const path = `/v1/user/uniques/monthly?${new URLSearchParams({ month })}`;
    expectProblem(await api.send({ path }), 400, 'invalid_query', ['/month']);
  });

  test('of none', async () => {
    expectProblem(await api.send({ path: '/v1/user/uniques/monthly' }), 400, 'invalid_query', ['/month']);
  });

  test('of one that is not kept any more, and of the last one that is', async () => {
    const path = '/v1/user/uniques/monthly?month=';
    expectProblem(await api.send({ path: `${path}2025-09` }), 400, 'invalid_query', ['/month']);
    expect(await api.send({ path: `${path}2025-10` })).toMatchObject({ status: 200 });
  });
});
