// What the fuzz sends: request number n of a seed, as bytes.

import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { KEYS, MARK } from './marks.ts';
import { type Random, randomOf } from './random.ts';

export interface Case {
  /** Its method and path, and what is odd about it. */
  what: string;
  bytes: Buffer;
  /** One of each request in it. */
  methods: string[];
  /** keep: answered, and the connection goes on. Of others the connection is ended by us, or left to the service. */
  ends: 'keep' | 'half-close' | 'wait' | 'cut';
  /** In how many pieces it is sent. */
  pieces: number;
}

export function caseOf(seed: number, number: number): Case {
  const random = randomOf(seed, number);
  if (random.chance(0.08)) return brokenCase(random);
  const requests = random.chance(0.03) ? random.from(2, 5) : 1;
  const made = Array.from({ length: requests }, () => tidyRequest(random));
  return {
    what: made.map(({ what }) => what).join(' | '),
    bytes: Buffer.concat(made.map(({ bytes }) => bytes)),
    methods: made.map(({ method }) => method),
    ends: 'keep',
    pieces: random.chance(0.05) ? random.from(2, 6) : 1,
  };
}

// What is well framed: HTTP can carry it, whatever it says.

interface Made {
  method: string;
  what: string;
  bytes: Buffer;
}

function tidyRequest(random: Random): Made {
  const route = random.pick(ROUTES);
  const method = random.chance(0.96) ? route.method : random.pick(METHODS);
  const path = route.path(random);
  const body = route.body && random.chance(0.97) ? route.body(random) : bodyOfNone(random);
  const { headers, sent, what } = dress(random, route, body);
  const head = [`${method} ${path} HTTP/1.1`, 'Host: 127.0.0.1', ...headers].join('\r\n');
  return {
    method,
    what: `${method} ${route.name}${what}`,
    bytes: Buffer.concat([Buffer.from(`${head}\r\n\r\n`, 'latin1'), sent]),
  };
}

const METHODS = [
  'GET',
  'POST',
  'DELETE',
  'OPTIONS',
  'HEAD',
  'PUT',
  'PATCH',
  'PROPFIND',
  'PURGE',
  'TRACE',
  'QUERY',
];

/** Most have none. */
const bodyOfNone = (random: Random) => (random.chance(0.9) ? Buffer.alloc(0) : Buffer.from(json(random, 2)));

/** Headers, and the body as these say that it is. */
function dress(random: Random, route: Route, body: Buffer) {
  let what = '';
  let sent = body;
  const headers: string[] = [...keyHeaders(random, route)];
  const type = random.chance(0.92) ? route.type : random.pick(CONTENT_TYPES);
  if (type !== undefined && (body.length > 0 || random.chance(0.2))) headers.push(`Content-Type: ${type}`);
  if (body.length > 0 && random.chance(0.1)) {
    const [name, encode, says] = random.pick(ENCODINGS);
    sent = encode(body);
    headers.push(`Content-Encoding: ${says}`);
    what += ` ${name}`;
  }
  if (random.chance(0.15)) {
    headers.push(random.pick(PREFERENCES));
  }
  for (let extra = random.chance(0.3) ? random.from(1, 4) : 0; extra > 0; extra--) {
    headers.push(random.pick(EXTRAS)(random));
  }
  if (random.chance(0.06)) {
    what += ' chunked';
    headers.push('Transfer-Encoding: chunked');
    return { headers, sent: chunked(random, sent), what };
  }
  if (sent.length > 0 || random.chance(0.5)) headers.push(`Content-Length: ${sent.length}`);
  return { headers, sent, what };
}

function keyHeaders(random: Random, route: Route): string[] {
  const key = random.chance(0.93) ? KEYS[route.right] : random.pick(BAD_KEYS);
  return random.weighted<() => string[]>([
    [50, () => [`X-Api-Key: ${key}`]],
    [40, () => [`Authorization: Bearer ${key}`]],
    [2, () => [`Authorization: ${random.pick(['Basic', 'bearer', 'Bearer  ', 'Token'])} ${key}`]],
    [2, () => [`X-Api-Key: ${random.pick(BAD_KEYS)}`, `Authorization: Bearer ${key}`]],
    [2, () => [`X-Api-Key: ${key}`, `X-Api-Key: ${KEYS.read}`]],
    [2, () => [`authorization: Bearer ${key}`, `Authorization: Bearer ${key}`]],
    [1, () => []],
  ])();
}

const BAD_KEYS = [
  KEYS.write,
  KEYS.read,
  KEYS.admin,
  KEYS.metrics,
  `${KEYS.admin}x`,
  KEYS.admin.slice(1),
  '',
  '__proto__',
  `${MARK.key}${'x'.repeat(4000)}`,
  `${MARK.key}\xe9\xff`,
];

type Right = keyof typeof KEYS;

interface Route {
  name: string;
  method: string;
  right: Right;
  path(random: Random): string;
  type?: string;
  body?(random: Random): Buffer;
}

const JSON_TYPE = 'application/json';

const post = (name: string, right: Right, body: (random: Random) => Buffer, type = JSON_TYPE): Route => ({
  name,
  method: 'POST',
  right,
  type,
  body,
  path: (random) => query(random, random.chance(0.97) ? name : oddPath(random, name)),
});

const get = (name: string, right: Right, path: (random: Random) => string, method = 'GET'): Route => ({
  name,
  method,
  right,
  path: (random) => (random.chance(0.97) ? path(random) : oddPath(random, path(random))),
});

const userPath = (random: Random) => `/v1/user/${inPath(random, userId(random))}`;

const ROUTES: Route[] = [
  ...many(
    6,
    post('/v1/page', 'write', (random) => spoilt(random, page(random))),
  ),
  ...many(
    3,
    post('/v1/pages', 'write', (random) => spoilt(random, batch(random))),
  ),
  ...many(
    2,
    post('/v1/pages', 'write', (random) => spoilt(random, lines(random)), 'application/x-ndjson'),
  ),
  ...many(
    3,
    post('/v1/event', 'write', (random) => spoilt(random, siteEvent(random))),
  ),
  post('/event', 'write', (random) => spoilt(random, siteEvent(random))),
  ...many(
    3,
    post('/v1/user/login', 'write', (random) => spoilt(random, login(random))),
  ),
  ...many(
    2,
    post('/v1/users/profiles', 'read', (random) => spoilt(random, userIds(random))),
  ),
  ...many(3, get('/v1/user/:id', 'read', userPath)),
  get('/v1/user/:id', 'admin', userPath, 'DELETE'),
  get('/v1/user/:id/days', 'read', (random) => `${userPath(random)}/days`),
  get('/v1/user/:id/visits', 'read', (random) => `${userPath(random)}/visits`),
  get('/v1/user/:id/export', 'admin', (random) => `${userPath(random)}/export`),
  get('/v1/user/uniques/daily', 'read', (random) => `/v1/user/uniques/daily?${dateQuery(random, 'date')}`),
  get(
    '/v1/user/uniques/monthly',
    'read',
    (random) => `/v1/user/uniques/monthly?${dateQuery(random, 'month')}`,
  ),
  get('/v1/page/visitors', 'read', visitorsPath),
  get('/v1/site/:id/report', 'read', reportPath),
  get('/openapi.json', 'read', () => '/openapi.json'),
  get('/docs', 'read', () => '/docs'),
  get('/livez', 'read', () => '/livez'),
  get('/v1/key', 'read', () => '/v1/key'),
  get('/v1/live', 'metrics', () => '/v1/live', 'HEAD'),
  get('/readyz', 'read', () => '/readyz'),
  get('/metrics', 'metrics', () => '/metrics'),
  get('elsewhere', 'read', (random) => random.pick(ELSEWHERE)),
];

function many<T>(count: number, one: T): T[] {
  return new Array<T>(count).fill(one);
}

const ELSEWHERE = [
  '/',
  '/tracker.js',
  '/v1',
  '/v2/page',
  '/v1/user',
  '/v1/user/',
  '/favicon.ico',
  '/.env',
  '/%zz',
  '/v1/user/%',
  '/v1/user/%ff%fe',
  '/v1/user/%00',
  '/v1/user/a/b/c',
  '/v1/site//report',
  '/../../etc/passwd',
  `/${'a'.repeat(9000)}`,
  `/v1/user/${'%F0%9F%98%80'.repeat(600)}`,
];

function oddPath(random: Random, path: string): string {
  return random.pick([
    () => `${path}/`,
    () => path.toUpperCase(),
    () => `/${path}`,
    () => path.replace('/', '/./'),
    () => `http://127.0.0.1${path}`,
    () => `${path}%2e%2e`,
    () => `${path};x=1`,
    () => path.replace(/.$/, (c) => `%${c.charCodeAt(0).toString(16)}`),
  ])();
}

function query(random: Random, path: string): string {
  if (random.chance(0.9)) return path;
  return (
    path +
    random.pick([
      `?key=${KEYS.write}`,
      `?key=${KEYS.admin}`,
      '?key=%zz',
      '?key=',
      '?',
      '?a[b][c]=1&a=2',
      '?__proto__[x]=1&constructor=2',
      `?${'a=1&'.repeat(1500)}`,
      '?key=1&key=2',
      '?%00=%ff',
    ])
  );
}

function dateQuery(random: Random, name: string): string {
  const date = random.pick([
    today(),
    today(-1),
    today(-40),
    '2026-02-30',
    '0000-00-00',
    '9999-12-31',
    '-1',
    '',
    'today',
  ]);
  const value = name === 'month' ? date.slice(0, 7) : date;
  return random.pick([
    `${name}=${value}`,
    `${name}=${value}`,
    `${name}=${value}&${name}=${value}`,
    `x=${value}`,
    '',
  ]);
}

function visitorsPath(random: Random): string {
  const parts = [
    random.chance(0.5)
      ? `url=${inPath(random, pageName(random))}`
      : `name=${inPath(random, pageName(random))}`,
    ...(random.chance(0.3) ? [`days=${random.pick(['1', '7', '0', '8', '-1', '1e9', '٧', ''])}`] : []),
    ...(random.chance(0.3) ? [`site_id=${inPath(random, siteId(random))}`] : []),
    ...(random.chance(0.1) ? [`url=${inPath(random, pageName(random))}`] : []),
  ];
  return `/v1/page/visitors?${parts.join('&')}`;
}

function reportPath(random: Random): string {
  const day = () => random.pick([today(), today(-3), today(-34), today(-36), today(1), 'x', '2026-13-01']);
  const range = random.chance(0.5) ? '' : `?from=${day()}&to=${day()}`;
  return `/v1/site/${inPath(random, siteId(random))}/report${range}`;
}

const CONTENT_TYPES = [
  undefined,
  'text/plain',
  'text/plain;charset=UTF-8',
  'application/json; charset=utf-8',
  'application/json; charset="UTF-8"',
  'application/json; charset=utf-16',
  'application/json; charset=koi8-r',
  'APPLICATION/JSON',
  'application/json;',
  'application/json; boundary=x; charset=utf-8',
  'application/x-ndjson',
  'application/ndjson; charset=utf-8',
  'application/vnd.api+json',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/octet-stream',
  '*/*',
  ';',
  'a'.repeat(6000),
  'application/json, text/plain',
];

const PREFERENCES = [
  'Prefer: return=representation',
  'Prefer: return=representation',
  'Prefer: respond-async, return="representation"; x="a, \\" b"',
  'Prefer: return=minimal',
  `Prefer: ${'"'.repeat(3000)}`,
  `Prefer: ${'return=,'.repeat(700)}`,
  `Prefer: ${'a="\\'.repeat(900)}`,
  'Prefer: return',
  'Prefer: ;=,',
  'prefer: return=representation\r\nPrefer: return=minimal',
];

const EXTRAS: ((random: Random) => string)[] = [
  (random) => `X-Forwarded-For: ${random.pick(FORWARDED)}`,
  (random) => `X-Forwarded-For: 203.0.113.${random.from(1, 250)}`,
  (random) => `X-Forwarded-For: 2001:db8:${random.from(1, 99)}::${random.from(1, 99)}`,
  (random) => `X-Forwarded-For: ${random.pick(FORWARDED)}\r\nX-Forwarded-For: ${random.pick(FORWARDED)}`,
  () => 'X-Forwarded-Host: evil.example',
  () => 'X-Forwarded-Proto: javascript',
  () => 'Forwarded: for=203.0.113.9;by=_x',
  (random) => `X-Request-Id: ${random.pick(REQUEST_IDS)}`,
  () => 'Origin: https://shop.example',
  () => 'Origin: null\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-api-key',
  () => 'Accept: text/html;q=0.1, */*;q=0',
  () => 'Accept-Encoding: br;q=9, gzip;q=x, *;q=0',
  () => 'If-None-Match: *',
  () => 'Range: bytes=0-',
  () => 'Expect: 100-continue',
  () => 'Cookie: a=b; __proto__=1',
  () => 'TE: trailers',
  () => `X-Long: ${'x'.repeat(4000)}`,
  () => 'X-Odd: \xff\xfe\xe9',
  () => '__proto__: 1\r\nconstructor: 2\r\nhasOwnProperty: 3',
  () => 'Upgrade: h2c',
  () => 'Connection: keep-alive',
  () => 'Keep-Alive: timeout=99999999999, max=-1',
  () => 'X-Http-Method-Override: DELETE',
  () => 'Content-Language: zz',
];

const FORWARDED = [
  '',
  ',',
  'unknown',
  '127.0.0.1',
  '::1',
  '::ffff:203.0.113.7',
  'fe80::1%eth0',
  '203.0.113.4:8080',
  '[2001:db8::1]:443',
  '999.1.1.1',
  '203.0.113.5, 203.0.113.6, 127.0.0.1',
  ':'.repeat(500),
  'a, '.repeat(900),
  '1::2::3',
  '__proto__',
  "' or 1=1 --",
];

const REQUEST_IDS = [
  '0123456789abcdef0123456789abcdef',
  'x'.repeat(3000),
  `${MARK.user}-0123456789`,
  '-',
  '01234567-89ab-cdef-0123-456789abcdef',
  '\xff',
];

const ENCODINGS: [name: string, encode: (body: Buffer) => Buffer, says: string][] = [
  ['gzip', (body) => gzipSync(body), 'gzip'],
  ['gzip', (body) => gzipSync(body), 'GZIP'],
  ['gzip', (body) => gzipSync(body), 'gzip'],
  ['twice-gzip', (body) => gzipSync(gzipSync(body)), 'gzip'],
  ['gzips', (body) => Buffer.concat([gzipSync(body), gzipSync(body)]), 'gzip'],
  ['half-gzip', (body) => gzipSync(body).subarray(0, 12), 'gzip'],
  ['gzip-and-more', (body) => Buffer.concat([gzipSync(body), Buffer.from('rest')]), 'gzip'],
  ['not-gzip', (body) => body, 'gzip'],
  ['deflate', (body) => deflateSync(body), 'deflate'],
  ['raw-deflate', (body) => deflateRawSync(body), 'deflate'],
  ['brotli', (body) => body, 'br'],
  ['gzip-gzip', (body) => gzipSync(gzipSync(body)), 'gzip, gzip'],
  ['identity', (body) => body, 'identity'],
  ['unknown-encoding', (body) => body, '__proto__'],
  ['bomb', () => BOMB, 'gzip'],
  ['bomb-of-json', () => JSON_BOMB, 'gzip'],
];

const BOMB = gzipSync(Buffer.alloc(16 * 1024 * 1024), { level: 9 });
const JSON_BOMB = gzipSync(Buffer.from(`[${'{},'.repeat(1_000_000)}{}]`), { level: 9 });

function chunked(random: Random, body: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const size = Math.min(body.length - at, random.from(1, Math.max(2, body.length >> 1)));
    const extension = random.chance(0.1) ? ';name="value"' : '';
    parts.push(
      Buffer.from(`${size.toString(16)}${extension}\r\n`),
      body.subarray(at, at + size),
      Buffer.from('\r\n'),
    );
    at += size;
  }
  const trailer = random.chance(0.1) ? 'X-Trailer: 1\r\n' : '';
  return Buffer.concat([...parts, Buffer.from(`0\r\n${trailer}\r\n`)]);
}

// Bodies, as JSON texts: made by hand, since much of it JSON.stringify would not write.

type Field = [name: string, value: string];

function object(random: Random, fields: (Field | undefined)[]): string {
  const all = fields.filter((field) => field !== undefined);
  if (random.chance(0.1)) {
    const at = random.from(0, all.length);
    const [name = 'x'] = all[at] ?? [];
    const change = random.from(0, 4);
    if (change === 0) all.splice(at, 1);
    else if (change === 1) all[at] = [name, json(random, 3)];
    else if (change === 2) all.push([name, json(random, 2)]);
    else all.push([random.pick(FOREIGN_FIELDS), json(random, 4)]);
  }
  return `{${all.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`;
}

const FOREIGN_FIELDS = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'toJSON',
  'user_sig',
  'type',
  'client',
  'length',
  'kind',
  '',
];

const maybe = (random: Random, chance: number, field: () => Field) =>
  random.chance(chance) ? field() : undefined;

function page(random: Random): string {
  return object(random, [
    ['user_id', text(random, userId(random))],
    maybe(random, 0.85, () => ['name', text(random, pageName(random))]),
    maybe(random, 0.4, () => ['url', text(random, pageName(random, 2060))]),
    maybe(random, 0.7, () => ['timestamp', time(random)]),
    maybe(random, 0.3, () => ['site_id', text(random, siteId(random))]),
    maybe(random, 0.4, () => ['event_id', text(random, eventId(random))]),
  ]);
}

function siteEvent(random: Random): string {
  return object(random, [
    ['site_id', text(random, siteId(random))],
    [
      'event_type',
      text(
        random,
        random.pick([
          'page_view',
          'click',
          'a:b.c-d_e',
          'x'.repeat(64),
          'x'.repeat(65),
          'ä',
          '',
          '__proto__',
          `t${random.from(0, 300)}`,
        ]),
      ),
    ],
    ['path', text(random, pageName(random))],
    ['user_id', text(random, userId(random))],
    ['timestamp', time(random)],
    maybe(random, 0.3, () => ['event_id', text(random, eventId(random))]),
  ]);
}

const login = (random: Random) =>
  object(random, [
    ['user_id', text(random, userId(random))],
    ['login_time', time(random)],
  ]);

function typed(random: Random): string {
  const [type, body] = random.pick([
    ['page', page],
    ['event', siteEvent],
    ['login', login],
    ['erase', page],
  ] as const);
  const made = body(random);
  return random.chance(0.5) ? made.replace('{', `{"type":"${type}",`) : made;
}

const many_ = (random: Random) =>
  random.weighted([
    [60, () => random.from(1, 20)],
    [10, () => 0],
    [3, () => random.from(100, 400)],
    [1, () => 1000],
    [1, () => 1001],
  ])();

function batch(random: Random): string {
  const count = many_(random);
  const item =
    count > 100 ? repeated(typed(random)) : () => (random.chance(0.05) ? json(random, 4) : typed(random));
  const items = Array.from({ length: count }, item).join(',');
  return random.chance(0.95)
    ? `[${items}]`
    : random.pick([`{"events":[${items}]}`, `[${items},]`, `[[${items}]]`, `[${items}`]);
}

const repeated = (value: string) => () => value;

function lines(random: Random): string {
  const count = many_(random);
  const item = count > 100 ? repeated(typed(random)) : () => typed(random);
  const line = () =>
    random.chance(0.9)
      ? item()
      : random.pick([
          '',
          '   ',
          '{',
          'nonsense',
          '[1]',
          '\0',
          '"x"',
          item().slice(0, 20),
          `${item()}${item()}`,
        ]);
  const end = random.pick(['\n', '\n', '\r\n', '\r', '\u2028']);
  return Array.from({ length: count }, line).join(end) + (random.chance(0.5) ? end : '');
}

function userIds(random: Random): string {
  const count = random.weighted([
    [20, () => random.from(1, 10)],
    [2, () => 0],
    [1, () => 500],
    [1, () => 501],
  ])();
  const ids = Array.from({ length: count }, () =>
    random.chance(0.95) ? text(random, userId(random)) : json(random, 2),
  );
  return object(random, [['user_ids', `[${ids.join(',')}]`]]);
}

/** Damage to the bytes of a body. */
function spoilt(random: Random, body: string): Buffer {
  const bytes = Buffer.from(body);
  if (random.chance(0.92)) return bytes;
  const at = random.from(0, Math.max(1, bytes.length));
  const with_ = (part: number[] | string) =>
    Buffer.concat([
      bytes.subarray(0, at),
      typeof part === 'string' ? Buffer.from(part) : Buffer.from(part),
      bytes.subarray(at),
    ]);
  return random.weighted<() => Buffer>([
    [3, () => bytes.subarray(0, at)],
    [2, () => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytes])],
    [1, () => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf, 0xef, 0xbb, 0xbf]), bytes])],
    [2, () => with_([0xff])],
    [1, () => with_([0xc0, 0x80])],
    [1, () => with_([0xed, 0xa0, 0x80])],
    [2, () => with_([0])],
    [1, () => with_('\\u0000')],
    [1, () => with_('\\ud800')],
    [1, () => Buffer.from(body, 'utf16le')],
    [1, () => Buffer.from(body, 'latin1')],
    [1, () => with_(',')],
    [1, () => with_('/* x */')],
    [2, () => deep(random, bytes.length)],
    [0.4, () => large(random, body)],
    [1, () => Buffer.alloc(0)],
  ])();
}

function deep(random: Random, seed: number): Buffer {
  const levels = random.pick([10, 1000, 15_000]) + (seed % 10);
  return Buffer.from(
    random.pick([
      () => '['.repeat(levels),
      () => '['.repeat(levels) + ']'.repeat(levels),
      () => '{"a":'.repeat(levels >> 2),
      () => `{"user_id":${'['.repeat(levels)}${']'.repeat(levels)},"name":"x"}`,
      () => `[${'{"type":'.repeat(levels >> 3)}1${'}'.repeat(levels >> 3)}]`,
    ])(),
  );
}

/** About a megabyte, and what lies on both sides of the limits. */
function large(random: Random, body: string): Buffer {
  const size = random.pick([64 * 1024, 64 * 1024 + 1, 1024 * 1024, 1024 * 1024 + 1, 1_200_000]);
  const filled = random.pick([
    () => body.slice(0, -1) + ' '.repeat(Math.max(0, size - body.length)) + body.slice(-1),
    () => `{"user_id":"${'x'.repeat(size - 14)}"}`,
    () => `[${'1,'.repeat((size - 3) >> 1)}1]`,
    () => '\n'.repeat(size),
    () => `{"name":"x",${'"name":"x",'.repeat(size / 11)}"user_id":"${MARK.user}"}`,
    () => `[${'"\\ud800",'.repeat(size / 9)}1]`,
  ])();
  return Buffer.from(filled);
}

/** Some JSON, or what looks like it. */
function json(random: Random, depth: number): string {
  if (depth > 0 && random.chance(0.3)) {
    const items = Array.from({ length: random.from(0, 4) }, () => json(random, depth - 1));
    return random.chance(0.5)
      ? `[${items.join(',')}]`
      : `{${items.map((item) => `${JSON.stringify(random.pick(FOREIGN_FIELDS))}:${item}`).join(',')}}`;
  }
  return random.pick(SCALARS);
}

const SCALARS = [
  'null',
  'true',
  'false',
  '0',
  '-0',
  '1e400',
  '-1e400',
  '1e-400',
  '99999999999999999999999999',
  `1${'0'.repeat(400)}`,
  '0.1',
  'NaN',
  'Infinity',
  'undefined',
  '""',
  '" "',
  '"\\u0000"',
  '"\\ud800"',
  '"\\udc00\\ud800"',
  '"null"',
  '"__proto__"',
  '"2026-02-30T00:00:00Z"',
  '"page"',
  "'x'",
  '"\\x41"',
];

function text(random: Random, value: string): string {
  if (random.chance(0.96)) return JSON.stringify(value);
  return random.chance(0.5)
    ? json(random, 3)
    : `"${[...value].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')}"`;
}

function userId(random: Random): string {
  return random.weighted<() => string>([
    [80, () => `${MARK.user}-${random.from(0, 60)}`],
    [10, () => random.pick(HOSTILE_IDS)],
    [3, () => MARK.user + anyText(random, 30)],
    [1, () => 'x'.repeat(random.from(126, 131))],
    [1, () => '😀'.repeat(random.from(63, 66))],
  ])();
}

const siteId = (random: Random) =>
  random.chance(0.85) ? `${MARK.site}-${random.from(0, 8)}` : random.pick(HOSTILE_IDS);
const eventId = (random: Random) =>
  random.chance(0.9) ? `e${random.from(0, 5000)}` : random.pick([...HOSTILE_IDS, 'e'.repeat(101)]);

function pageName(random: Random, longest = 520): string {
  return random.weighted<() => string>([
    [70, () => `${MARK.page} ${random.from(0, 80)}`],
    [10, () => `/${MARK.page}/${random.from(0, 80)}?x=${random.from(0, 9)}`],
    [6, () => random.pick([...HOSTILE_IDS, '(other)', '#', '<script>alert(1)</script>'])],
    [3, () => MARK.page + anyText(random, 40)],
    [1, () => 'n'.repeat(random.from(longest - 10, longest))],
  ])();
}

/** See docs/faults.md, row 22. */
export const HOSTILE_IDS = [
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'toString',
  '*',
  '?',
  'a:b',
  'a%3Ab',
  '%',
  '{0}',
  '}{',
  '{}',
  '[a-z]',
  '\\',
  '"',
  "'",
  ' ',
  '.',
  '..',
  'null',
  'undefined',
  'NaN',
  '[object Object]',
  '-',
  '0',
  '-1',
  '😀',
  '👩‍👩‍👧',
  'שלום',
  '\u202Eabc',
  'e\u0301',
  '\u00e9',
  '\u200b',
  '\ufeff',
  '\ufffd',
  '\uffff',
  '\ud800',
  '\udc00x',
  'a\0b',
  'a\r\nb',
  '\x7f',
  '\x85',
  'login',
  'uniques',
  '../x',
  'a/b',
  'x'.repeat(129),
  "'; FLUSHALL; --",
  '%00',
  '%2e%2e',
];

function anyText(random: Random, longest: number): string {
  return String.fromCharCode(
    ...Array.from({ length: random.from(1, longest) }, () =>
      random.pick([random.from(0, 128), random.from(0, 0x10000)]),
    ),
  );
}

function inPath(random: Random, value: string): string {
  const bare = value.isWellFormed() ? value : 'x';
  if (random.chance(0.97)) return encodeURIComponent(bare);
  return encodeURIComponent(bare).replace(/%(..)/, '%$1%').slice(0, 200);
}

const DAY = 24 * 60 * 60 * 1000;

const today = (days = 0) => new Date(Date.now() + days * DAY).toISOString().slice(0, 10);

function time(random: Random): string {
  const at = (ms: number) => JSON.stringify(new Date(Date.now() + ms).toISOString());
  return random.weighted<() => string>([
    [70, () => at(-random.from(0, 6 * DAY))],
    [5, () => at(0)],
    [4, () => at(-random.from(7 * DAY, 60 * DAY))],
    [3, () => at(random.from(0, 10 * 60 * 1000))],
    [2, () => JSON.stringify(`${today()}T00:30:00+05:30`)],
    [
      2,
      () =>
        random.pick([
          '"2026-02-30T00:00:00Z"',
          '"2026-11-21"',
          '"2026-11-21 08:30:00Z"',
          '"+275760-09-13T00:00:00Z"',
          '"0000-01-01T00:00:00Z"',
          '"2026-11-21T24:00:00Z"',
          '"2026-12-31T23:59:60Z"',
          '1763712000',
          '1763712000000',
        ]),
    ],
    [1, () => json(random, 1)],
  ])();
}

// What HTTP itself does not allow.

function brokenCase(random: Random): Case {
  const [what, make] = random.pick(BROKEN);
  const good = JSON.stringify({ user_id: `${MARK.user}-1`, name: `${MARK.page} 1` });
  const start = `POST /v1/page HTTP/1.1\r\nHost: x\r\nX-Api-Key: ${KEYS.write}\r\nContent-Type: application/json\r\n`;
  return {
    what,
    bytes: Buffer.from(make(start, good, random), 'latin1'),
    methods: ['POST'],
    // To wait for a timeout of the service costs a lane seconds.
    ends: random.weighted([
      [85, 'half-close'],
      [10, 'cut'],
      [2, 'wait'],
    ]),
    pieces: random.chance(0.3) ? random.from(2, 12) : 1,
  };
}

const BROKEN: [what: string, make: (start: string, good: string, random: Random) => string][] = [
  ['length-too-long', (start, good) => `${start}Content-Length: ${good.length + 9}\r\n\r\n${good}`],
  ['length-too-short', (start, good) => `${start}Content-Length: 9\r\n\r\n${good}`],
  ['length-negative', (start, good) => `${start}Content-Length: -1\r\n\r\n${good}`],
  ['length-huge', (start, good) => `${start}Content-Length: 99999999999999999999\r\n\r\n${good}`],
  ['length-ten-megabytes', (start, good) => `${start}Content-Length: 10000000\r\n\r\n${good}`],
  ['length-no-number', (start, good) => `${start}Content-Length: ${good.length}x\r\n\r\n${good}`],
  ['length-hex', (start, good) => `${start}Content-Length: 0x10\r\n\r\n${good}`],
  ['length-plus', (start, good) => `${start}Content-Length: +${good.length}\r\n\r\n${good}`],
  [
    'lengths-two',
    (start, good) => `${start}Content-Length: ${good.length}\r\nContent-Length: 3\r\n\r\n${good}`,
  ],
  ['lengths-listed', (start, good) => `${start}Content-Length: 5, 5\r\n\r\n${good}`],
  [
    'length-and-chunks',
    (start, good) =>
      `${start}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n${good.length.toString(16)}\r\n${good}\r\n0\r\n\r\n`,
  ],
  [
    'chunk-size-wrong',
    (start, good) => `${start}Transfer-Encoding: chunked\r\n\r\n3\r\n${good}\r\n0\r\n\r\n`,
  ],
  [
    'chunk-size-huge',
    (start, good) => `${start}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n${good}`,
  ],
  ['chunk-size-nonsense', (start, good) => `${start}Transfer-Encoding: chunked\r\n\r\nzz\r\n${good}`],
  [
    'chunks-without-end',
    (start, good) => `${start}Transfer-Encoding: chunked\r\n\r\n${good.length.toString(16)}\r\n${good}\r\n`,
  ],
  [
    'chunk-extension-long',
    (start) => `${start}Transfer-Encoding: chunked\r\n\r\n1;${'x'.repeat(20_000)}\r\na\r\n0\r\n\r\n`,
  ],
  ['transfer-encoding-unknown', (start, good) => `${start}Transfer-Encoding: gzip\r\n\r\n${good}`],
  ['transfer-encoding-twice', (start, good) => `${start}Transfer-Encoding: chunked, identity\r\n\r\n${good}`],
  [
    'transfer-encoding-odd',
    (start, good) => `${start}Transfer-Encoding: xchunked\r\nTransfer-Encoding: chunked\r\n\r\n${good}`,
  ],
  ['header-huge', (start) => `${start}X-Huge: ${'x'.repeat(40_000)}\r\n\r\n`],
  ['headers-many', (start) => `${start}${'a: b\r\n'.repeat(3000)}\r\n`],
  ['header-without-colon', (start) => `${start}nonsense\r\n\r\n`],
  ['header-folded', (start) => `${start}X-Folded: a\r\n b\r\n\r\n`],
  ['header-with-nul', (start) => `${start}X-Nul: a\0b\r\n\r\n`],
  ['header-name-odd', (start) => `${start}X Odd: 1\r\n(x): 2\r\n\r\n`],
  ['head-without-end', (start) => start],
  [
    'line-feeds-only',
    (start, good) => `${start.replaceAll('\r', '')}Content-Length: ${good.length}\n\n${good}`,
  ],
  ['hosts-two', () => 'GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
  ['host-none', () => 'GET /livez HTTP/1.1\r\n\r\n'],
  ['version-old', () => 'GET /livez HTTP/1.0\r\n\r\n'],
  ['version-none', () => 'GET /livez\r\n\r\n'],
  ['version-odd', () => 'GET /livez HTTP/9.9\r\nHost: x\r\n\r\n'],
  ['http-2', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['method-unknown', () => 'FETCH /livez HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['method-small', () => 'get /livez HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['connect', () => 'CONNECT 127.0.0.1:6379 HTTP/1.1\r\nHost: x\r\n\r\n'],
  [
    'upgrade',
    () =>
      'GET /livez HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  ],
  ['target-star', () => 'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['target-bytes', () => 'GET /v1/user/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['target-with-space', () => 'GET /v1/user/a b HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['target-long', () => `GET /${'a'.repeat(30_000)} HTTP/1.1\r\nHost: x\r\n\r\n`],
  [
    'expectation-unknown',
    (start, good) => `${start}Expect: a-pony\r\nContent-Length: ${good.length}\r\n\r\n${good}`,
  ],
  ['tls', () => '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ['redis', () => '*1\r\n$8\r\nFLUSHALL\r\n'],
  [
    'nonsense',
    (_start, _good, random) =>
      Array.from({ length: random.from(1, 400) }, () => String.fromCharCode(random.from(0, 256))).join(''),
  ],
  ['nothing', () => ''],
];
