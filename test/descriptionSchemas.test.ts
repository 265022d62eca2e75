// What a call is said to take is what it takes: the schemas of the description and those that validate agree.

import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { dateQuery, monthQuery } from '../src/audiences/readUniques.ts';
import { visitorsQuery } from '../src/audiences/readVisitors.ts';
import { openapi } from '../src/description/openapi.ts';
import { described } from '../src/description/schemas.ts';
import { batchEventOf, loginOf, pageViewOf, siteEventOf } from '../src/events/bodies.ts';
import { signaturesBy } from '../src/events/signatures.ts';
import { Problem } from '../src/http/problem.ts';
import { compile, userPath } from '../src/http/validate.ts';
import { userIdsSchema } from '../src/profiles/readProfiles.ts';
import { reportQuery, sitePath } from '../src/sites/readReport.ts';
import { DESCRIBED, isParameter, isTaken, nameOf } from './support/description.ts';
import { NOON } from './support/service.ts';

const now = Date.parse(NOON);
const call = (name: string) => DESCRIBED.find((one) => nameOf(one) === name)!;

/** Whether it is valid; that it lies in the future is no fault of its form. */
function accepts(check: (value: unknown) => unknown, value: unknown): boolean {
  try {
    check(value);
    return true;
  } catch (error) {
    if (error instanceof Problem) return error.code === 'timestamp_in_future';
    throw error;
  }
}

const lengths = [1, 64, 65, 100, 101, 128, 129, 512, 513, 2048, 2049];
const TEXTS = [
  ...[
    '',
    ' ',
    'ann',
    'Zoé',
    'a b',
    'a/b',
    'page_view',
    'a.b:c-d_e',
    'click\n',
    'null',
    'undefined',
    'NaN',
    '.',
    '..',
    '...',
  ],
  ...[
    '[object Object]',
    'Null',
    'null ',
    'a\0b',
    '\n',
    '\x1f',
    '\x7f',
    '\x80',
    '\x9f',
    '\xa0',
    '\u2028',
    '\ufeff',
    '\uffff',
  ],
  ...['\ud83d', '\udfff', 'a\ud83db', '😀', '😀\ud83d', '\ud800\udc00', '\udbff\udfff'],
  ...lengths.flatMap((length) => ['a'.repeat(length), '😀'.repeat(length)]),
];
const TIMES = [
  ...[
    '2026-11-21T11:00:00Z',
    '2026-11-21t11:00:00z',
    '2026-11-21T11:00:00.123456789+01:00',
    '2026-11-21T11:00:00-00:00',
  ],
  ...[
    '2026-11-21 11:00:00Z',
    '2026-11-21T11:00:00',
    '2026-11-21',
    '2026-11-21T11:00Z',
    '2026-11-21T11:00:00.Z',
  ],
  ...[
    '2026-11-21T24:00:00Z',
    '2026-11-21T23:59:60Z',
    '2026-11-21T10:20:60Z',
    '2026-11-21T10:20:61Z',
    '2026-11-21T10:60:00Z',
  ],
  ...[
    '2026-11-21T11:00:00+24:00',
    '2026-11-21T11:00:00+23:59',
    '2026-11-21T11:00:00+10:60',
    '2026-11-21T11:00:00+1000',
  ],
  ...[
    '2026-02-29T11:00:00Z',
    '2024-02-29T11:00:00Z',
    '1900-02-29T11:00:00Z',
    '2000-02-29T11:00:00Z',
    '2026-11-31T11:00:00Z',
  ],
  ...[
    '2026-00-10T11:00:00Z',
    '2026-13-10T11:00:00Z',
    '2026-11-00T11:00:00Z',
    '0000-01-01T00:00:00Z',
    '0099-12-31T00:00:00Z',
  ],
  ...[
    '+002026-11-21T11:00:00Z',
    '2026-11-21T11:00:00Z\n',
    ' 2026-11-21T11:00:00Z',
    '２０２６-11-21T11:00:00Z',
    '2027-01-01T00:00:00Z',
  ],
];
const DATES = [
  ...[
    '2026-11-21',
    '2026-02-29',
    '2024-02-29',
    '1900-02-29',
    '2026-11-31',
    '2026-1-1',
    '0000-01-01',
    '2026-11-21\n',
  ],
  ...[
    '2026-11',
    '2026-00',
    '2026-13',
    '2026-12',
    '0000-01',
    '2026-1',
    '12026-11',
    '2026-11-',
    'yesterday',
    '1',
    '7',
    '0',
    '8',
    '07',
  ],
];
const OTHERS = [
  null,
  true,
  0,
  -1,
  1,
  1.5,
  365 * 86_400_000,
  365 * 86_400_000 + 1,
  1e21,
  [],
  ['a'],
  {},
  { a: 1 },
];
const EVERYTHING: unknown[] = [...TEXTS, ...TIMES, ...DATES, ...OTHERS, 'page', 'event', 'login'];

const FIELDS: Record<string, unknown> = {
  ...{
    user_id: 'ann',
    name: 'Home',
    url: '/home',
    timestamp: NOON,
    age_ms: 1000,
    event_id: 'e1',
    site_id: 'shop',
  },
  ...{ event_type: 'click', path: '/', login_time: NOON, type: 'page', user_ids: ['ann'] },
};

/** Good ones, and now and then anything; some are left out. */
const body = fc.oneof(
  { arbitrary: fc.constantFrom(...EVERYTHING), weight: 1 },
  {
    arbitrary: fc.record(
      Object.fromEntries(
        Object.entries(FIELDS).map(([name, good]) => [
          name,
          fc.oneof(
            { arbitrary: fc.constant(good), weight: 8 },
            { arbitrary: fc.constantFrom(...EVERYTHING), weight: 1 },
            { arbitrary: fc.constantFrom('page', 'event', 'login'), weight: name === 'type' ? 8 : 0 },
          ),
        ]),
      ),
      { requiredKeys: ['user_id'] },
    ),
    weight: 30,
  },
);

type Check = (value: unknown) => unknown;
const BODIES: [name: string, check: Check][] = [
  ['POST /v1/page', (value) => pageViewOf(value, now)],
  ['POST /v1/event', (value) => siteEventOf(value, now)],
  ['POST /event', (value) => siteEventOf(value, now)],
  ['POST /v1/user/login', (value) => loginOf(value, now)],
  ['POST /v1/users/profiles', compile(userIdsSchema)],
];

describe.each(BODIES)('%s', (name, check) => {
  const of = call(name);
  /** Most do, and to expect that takes longer than to see it. */
  const agree = (value: unknown) => {
    const [taken, accepted] = [isTaken(of, 'application/json', value), accepts(check, value)];
    if (taken !== accepted) expect([value, taken]).toEqual([value, accepted]);
  };

  test('takes what it is said to take', () => {
    let good = 0;
    fc.assert(
      fc.property(body, (value) => {
        agree(value);
        if (accepts(check, value)) good++;
      }),
      { numRuns: 2000 },
    );
    expect(good).toBeGreaterThan(100);
  });

  test('with each of its fields anything, or left out', () => {
    const { type: _, age_ms: __, ...fields } = FIELDS;
    for (const field of Object.keys(FIELDS)) {
      for (const value of EVERYTHING) agree({ ...fields, [field]: value });
      agree({ ...fields, [field]: undefined });
      agree(Object.fromEntries(Object.entries(FIELDS).filter(([one]) => one !== field)));
    }
  });
});

test('a batch takes the events it is said to take', () => {
  const good = { page: 0, event: 0, login: 0 };
  const batch = call('POST /v1/pages');
  fc.assert(
    fc.property(body, (value) => {
      const isGood = accepts((one) => batchEventOf(one, now), value);
      expect([value, isTaken(batch, 'application/json', [value])]).toEqual([value, isGood]);
      if (isGood) good[(value as { type?: 'page' }).type ?? 'page']++;
    }),
    { numRuns: 4000 },
  );
  for (const count of Object.values(good)) expect(count).toBeGreaterThan(50);
});

test.each([
  [0, false],
  [1, true],
  [1000, true],
  [1001, false],
])('a batch of %d events', (length, isGood) => {
  const events = new Array(length).fill({ user_id: 'ann', name: 'Home' });
  expect(isTaken(call('POST /v1/pages'), 'application/json', events)).toBe(isGood);
});

test.each([
  [0, false],
  [500, true],
  [501, false],
])('%d users at once', (length, isGood) => {
  const user_ids = new Array(length).fill('ann');
  expect(isTaken(call('POST /v1/users/profiles'), 'application/json', { user_ids })).toBe(isGood);
});

const PARAMETERS: [name: string, schema: object, fields: string[]][] = [
  ['GET /v1/user/{user_id}', userPath, ['user_id']],
  ['DELETE /v1/user/{user_id}', userPath, ['user_id']],
  ['GET /v1/user/{user_id}/days', userPath, ['user_id']],
  ['GET /v1/user/{user_id}/visits', userPath, ['user_id']],
  ['GET /v1/user/{user_id}/export', userPath, ['user_id']],
  ['GET /v1/user/uniques/daily', dateQuery, ['date']],
  ['GET /v1/user/uniques/monthly', monthQuery, ['month']],
  ['GET /v1/page/visitors', visitorsQuery, ['url', 'name', 'site_id', 'days']],
  ['GET /v1/site/{site_id}/report', sitePath, ['site_id']],
  ['GET /v1/site/{site_id}/report', reportQuery, ['from', 'to']],
];

test.each(PARAMETERS)('%s takes the parameters it is said to take', (name, schema, fields) => {
  const check = compile(schema);
  const good = fields.map((field) => EVERYTHING.find((one) => isParameter(call(name), field, one)));
  for (const field of fields) {
    for (const value of EVERYTHING.filter((one) => typeof one === 'string')) {
      const all = { ...Object.fromEntries(fields.map((one, i) => [one, good[i]])), [field]: value };
      expect([value, isParameter(call(name), field, value)]).toEqual([value, accepts(check, all)]);
    }
  }
  const required = call(name).operation.parameters!.filter(
    (one) => one.required && fields.includes(one.name),
  );
  expect(required.map((one) => one.name)).toEqual((schema as { required?: string[] }).required ?? []);
});

test('a signature that is good is of the form that is described', () => {
  const secret = 'the-secret-of-a-site';
  const check = signaturesBy([secret])!;
  const good = createHmac('sha256', secret).update('ann').digest('hex');
  for (const sig of [
    good,
    good.toUpperCase(),
    `${good}0`,
    good.slice(1),
    `x${good.slice(1)}`,
    '',
    7,
    null,
    [good],
  ]) {
    const isForm = isTaken(call('POST /v1/page'), 'application/json', {
      user_id: 'ann',
      name: 'Home',
      user_sig: sig,
    });
    expect([sig, accepts((one) => check('ann', one), sig)]).toEqual([sig, isForm]);
  }
});

describe('what the description does not know is refused, not passed over', () => {
  test.each([
    ['a word', { type: 'string', uniqueItems: true }],
    ['a format', { type: 'string', format: 'uuid' }],
    ['a word deep inside', { properties: { a: { items: { x: 1 } } } }],
  ])('%s', (_what, schema) => {
    expect(() => described(schema)).toThrow(/knows no/);
  });

  test('it has formats of its dialect alone', () => {
    const formats = [...JSON.stringify(openapi()).matchAll(/"format":"([^"]+)"/g)].map(
      ([, format]) => format!,
    );
    expect(new Set(formats)).toEqual(new Set(['date-time', 'date']));
  });
});
