import { gzipSync } from 'node:zlib';
import { expectProblem, iso, JSON_TYPE, useApi, userPath } from './support/http.ts';
import { snapshot, useRedis } from './support/redis.ts';
import { NOON } from './support/service.ts';

const server = useRedis();
const api = useApi(server);

const ahead = (ms: number) => iso(Date.parse(NOON) + ms);
const good = { user_id: 'ann', name: 'Home', timestamp: '2026-11-21T11:00:00Z' };

/** A good body with some fields replaced, or left out where they are undefined. */
const but = (fields: Record<string, unknown>) => JSON.stringify({ ...good, ...fields });

/** A good body with one field's JSON as it is written here. */
const withRaw = (field: string, json: string) =>
  but({ [field]: undefined }).replace('{', `{"${field}":${json},`);

/** A good body whose user is these bytes. */
const withBytes = (...bytes: number[]) =>
  Buffer.concat([Buffer.from('{"name":"Home","user_id":"a'), Buffer.from(bytes), Buffer.from('"}')]);

const nested = (depth: number, open: string, close: string) => open.repeat(depth) + close.repeat(depth);

beforeEach(async () => {
  await api.view(); // there is something that could change
});

/** Sends what is refused: nothing in Redis changes, and nothing is logged as a fault of ours. */
async function refused(
  sent: Parameters<typeof api.send>[0],
  [status, code, pointers]: [number, string, string[]?],
) {
  const before = await snapshot(server.redis);
  expectProblem(await api.send(sent), status, code, pointers);
  expect(await snapshot(server.redis)).toEqual(before);
  expect(api.log).toEqual([]);
}

test.each<[what: string, body: string | Buffer]>([
  ['nothing', ''],
  ['white space', ' \n'],
  ['a word', 'hello'],
  ['half an object', '{"user_id":"ann"'],
  ['two objects', `${but({})}${but({})}`],
  ['NDJSON', `${but({})}\n${but({})}`],
  ['a trailing comma', '{"user_id":"ann","name":"Home",}'],
  ['a comment', '{"user_id":"ann","name":"Home"/* me */}'],
  ['single quotes', "{'user_id':'ann','name':'Home'}"],
  ['names without quotes', '{user_id:"ann",name:"Home"}'],
  ['NaN', withRaw('timestamp', 'NaN')],
  ['undefined', withRaw('name', 'undefined')],
  ['a form', 'user_id=ann&name=Home'],
  ['XML', '<view user_id="ann" name="Home"/>'],
  ['a raw line feed in a string', '{"user_id":"a\nn","name":"Home"}'],
  ['a raw NUL in a string', '{"user_id":"a\0n","name":"Home"}'],
  ['a bad escape', withRaw('user_id', '"\\x41"')],
  ['two byte order marks', `\ufeff\ufeff${but({})}`],
  ['a byte of no UTF-8', withBytes(0xff)],
  ['an overlong form', withBytes(0xc0, 0xaf)],
  ['a sequence cut short', withBytes(0xf0, 0x9f, 0x98)],
  ['a surrogate as UTF-8', withBytes(0xed, 0xa0, 0x80)],
  ['past the last code point', withBytes(0xf4, 0x90, 0x80, 0x80)],
  ['Latin-1', Buffer.from('{"user_id":"Zoé","name":"Home"}', 'latin1')],
  ['UTF-16', Buffer.from(but({}), 'utf16le')],
  ['arrays 30,000 deep, not closed', '['.repeat(30_000)],
])('a body of %s is no JSON', async (_what, body) => {
  await refused({ method: 'POST', path: '/v1/page', headers: JSON_TYPE, body }, [400, 'invalid_json']);
});

test.each<[what: string, body: string, pointers: string[]]>([
  ['null', 'null', ['']],
  ['true', 'true', ['']],
  ['a number', '1', ['']],
  ['a string', '"x"', ['']],
  ['an empty array', '[]', ['']],
  ['an array of one view', `[${but({})}]`, ['']],
  ['arrays 30,000 deep', nested(30_000, '[', ']'), ['']],
  ['an empty object', '{}', ['/user_id', '/name']],
  ['objects 10,000 deep', `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`, ['/user_id', '/name']],
  ['fields of a prototype', '{"__proto__":{"user_id":"x","name":"y"}}', ['/user_id', '/name']],
  [
    'fields of a constructor',
    '{"constructor":{"prototype":{"user_id":"x","name":"y"}}}',
    ['/user_id', '/name'],
  ],
  ['fields in another case', '{"User_Id":"ann","NAME":"Home"}', ['/user_id', '/name']],

  ['no user', but({ user_id: undefined }), ['/user_id']],
  ['an empty user', but({ user_id: '' }), ['/user_id']],
  ['the user null', but({ user_id: null }), ['/user_id']],
  ['the user a number', but({ user_id: 42 }), ['/user_id']],
  ['the user a huge number', withRaw('user_id', '1e999'), ['/user_id']],
  ['the user a number of 400 digits', withRaw('user_id', '9'.repeat(400)), ['/user_id']],
  ['the user true', but({ user_id: true }), ['/user_id']],
  ['the user an array', but({ user_id: ['ann'] }), ['/user_id']],
  ['the user an object', but({ user_id: { id: 'ann' } }), ['/user_id']],
  ['the user an array 30,000 deep', withRaw('user_id', nested(30_000, '[', ']')), ['/user_id']],
  ['the user twice, the last one bad', '{"user_id":"ann","name":"Home","user_id":7}', ['/user_id']],
  ['the user "null"', but({ user_id: 'null' }), ['/user_id']],
  ['the user "undefined"', but({ user_id: 'undefined' }), ['/user_id']],
  ['the user "[object Object]"', but({ user_id: '[object Object]' }), ['/user_id']],
  ['the user "NaN"', but({ user_id: 'NaN' }), ['/user_id']],
  ['the user "."', but({ user_id: '.' }), ['/user_id']],
  ['the user ".."', but({ user_id: '..' }), ['/user_id']],
  ['a user of 129 characters', but({ user_id: 'a'.repeat(129) }), ['/user_id']],
  ['a user of 129 emoji', but({ user_id: '😀'.repeat(129) }), ['/user_id']],
  ['a NUL in the user', but({ user_id: 'a\0b' }), ['/user_id']],
  ['a tab in the user', but({ user_id: 'a\tb' }), ['/user_id']],
  ['a line feed after the user', but({ user_id: 'ann\n' }), ['/user_id']],
  ['an escape in the user', but({ user_id: 'a\x1b[0m' }), ['/user_id']],
  ['the last C0 control in the user', but({ user_id: 'a\x1fb' }), ['/user_id']],
  ['a DEL in the user', but({ user_id: 'a\x7fb' }), ['/user_id']],
  ['the first C1 control in the user', but({ user_id: 'a\x80b' }), ['/user_id']],
  ['the last C1 control in the user', but({ user_id: 'a\x9fb' }), ['/user_id']],
  ['a lone high surrogate in the user', withRaw('user_id', '"\\ud800"'), ['/user_id']],
  ['a lone low surrogate in the user', withRaw('user_id', '"a\\udc00"'), ['/user_id']],
  ['surrogates the wrong way round', withRaw('user_id', '"\\ude00\\ud83d"'), ['/user_id']],

  ['neither name nor url', but({ name: undefined }), ['/name']],
  ['an empty name', but({ name: '' }), ['/name']],
  ['an empty name with a url', but({ name: '', url: '/home' }), ['/name']],
  ['the name null with a url', but({ name: null, url: '/home' }), ['/name']],
  ['the name a number', but({ name: 1 }), ['/name']],
  ['the name an array', but({ name: ['Home'] }), ['/name']],
  ['the name an object', but({ name: {} }), ['/name']],
  ['the name false', but({ name: false }), ['/name']],
  ['a name of 513 characters', but({ name: 'a'.repeat(513) }), ['/name']],
  ['a NUL in the name', but({ name: 'a\0b' }), ['/name']],
  ['a line feed in the name', but({ name: 'a\nb' }), ['/name']],
  ['a C1 control in the name', but({ name: 'a\x85b' }), ['/name']],
  ['a lone surrogate in the name', withRaw('name', '"\\udfff"'), ['/name']],

  ['an empty url', but({ url: '' }), ['/url']],
  ['an empty url and no name', but({ name: undefined, url: '' }), ['/url']],
  ['the url null', but({ url: null }), ['/url']],
  ['the url a number', but({ url: 5 }), ['/url']],
  ['a url of 2,049 characters', but({ url: `/${'a'.repeat(2048)}` }), ['/url']],
  ['a control character in the url', but({ url: '/a\x07' }), ['/url']],
  ['a lone surrogate in the url', withRaw('url', '"/\\ud83d"'), ['/url']],

  ['an empty timestamp', but({ timestamp: '' }), ['/timestamp']],
  ['the timestamp null', but({ timestamp: null }), ['/timestamp']],
  ['the timestamp in ms', but({ timestamp: Date.parse(NOON) }), ['/timestamp']],
  ['the timestamp in digits', but({ timestamp: String(Date.parse(NOON)) }), ['/timestamp']],
  ['the timestamp a huge number', withRaw('timestamp', '1e400'), ['/timestamp']],
  ['the timestamp an array', but({ timestamp: [NOON] }), ['/timestamp']],
  ['the timestamp an object', but({ timestamp: { $date: NOON } }), ['/timestamp']],
  ['the timestamp true', but({ timestamp: true }), ['/timestamp']],
  ['a timestamp without a zone', but({ timestamp: '2026-11-21T11:00:00' }), ['/timestamp']],
  ['a date alone', but({ timestamp: '2026-11-21' }), ['/timestamp']],
  ['30 February', but({ timestamp: '2026-02-30T11:00:00Z' }), ['/timestamp']],
  ['hour 24', but({ timestamp: '2026-11-20T24:00:00Z' }), ['/timestamp']],
  ['a year of five digits', but({ timestamp: '12026-11-21T11:00:00Z' }), ['/timestamp']],
  ['a timestamp of 50,000 digits', but({ timestamp: '1'.repeat(50_000) }), ['/timestamp']],

  ['an empty event_id', but({ event_id: '' }), ['/event_id']],
  ['the event_id null', but({ event_id: null }), ['/event_id']],
  ['the event_id a number', but({ event_id: 7 }), ['/event_id']],
  ['an event_id of 101 characters', but({ event_id: 'e'.repeat(101) }), ['/event_id']],
  ['a control character in the event_id', but({ event_id: 'e\x01' }), ['/event_id']],
  ['a lone surrogate in the event_id', withRaw('event_id', '"\\ud800"'), ['/event_id']],
  ['the event_id "undefined"', but({ event_id: 'undefined' }), ['/event_id']],
  ['the event_id "null"', but({ event_id: 'null' }), ['/event_id']],
  ['the event_id "NaN"', but({ event_id: 'NaN' }), ['/event_id']],
  ['the event_id "[object Object]"', but({ event_id: '[object Object]' }), ['/event_id']],

  ['an empty site', but({ site_id: '' }), ['/site_id']],
  ['the site null', but({ site_id: null }), ['/site_id']],
  ['the site a number', but({ site_id: 7 }), ['/site_id']],
  ['a site of 65 characters', but({ site_id: 's'.repeat(65) }), ['/site_id']],
  ['the site "undefined"', but({ site_id: 'undefined' }), ['/site_id']],
  ['a control character in the site', but({ site_id: 's\x01' }), ['/site_id']],

  [
    'every field bad',
    but({ user_id: '', name: 1, url: [], timestamp: 'now', event_id: {}, site_id: 'NaN' }),
    ['/user_id', '/name', '/url', '/timestamp', '/event_id', '/site_id'],
  ],
  ['a user bad in two ways', but({ user_id: '\0'.repeat(200) }), ['/user_id', '/user_id']],
])('a body with %s is refused', async (_what, body, pointers) => {
  await refused({ method: 'POST', path: '/v1/page', headers: JSON_TYPE, body }, [
    400,
    'invalid_body',
    pointers,
  ]);
});

test.each([
  ['5 minutes and 1 ms ahead', ahead(5 * 60_000 + 1)],
  ['tomorrow', ahead(86_400_000)],
  ['of the year 9999', '9999-12-31T23:59:59.999Z'],
  ['ahead by its zone', '2026-11-21T12:00:00-01:00'],
])('a view %s lies in the future', async (_what, timestamp) => {
  const body = but({ timestamp });
  await refused({ method: 'POST', path: '/v1/page', headers: JSON_TYPE, body }, [
    400,
    'timestamp_in_future',
    ['/timestamp'],
  ]);
});

test.each<
  [what: string, headers: Record<string, string>, body: string | Buffer, status: number, code: string]
>([
  ['no media type', {}, but({}), 415, 'unsupported_media_type'],
  ['an empty media type', { 'Content-Type': '' }, but({}), 415, 'unsupported_media_type'],
  ['HTML', { 'Content-Type': 'text/html' }, but({}), 415, 'unsupported_media_type'],
  ['a form', { 'Content-Type': 'application/x-www-form-urlencoded' }, 'a=b', 415, 'unsupported_media_type'],
  ['NDJSON', { 'Content-Type': 'application/x-ndjson' }, but({}), 415, 'unsupported_media_type'],
  ['JSON as its suffix', { 'Content-Type': 'application/ld+json' }, but({}), 415, 'unsupported_media_type'],
  ['JSON with more', { 'Content-Type': 'application/jsonx' }, but({}), 415, 'unsupported_media_type'],
  ['KOI8-R', { 'Content-Type': 'application/json;charset=koi8-r' }, but({}), 415, 'unsupported_media_type'],
  ['UTF-16', { 'Content-Type': 'application/json; charset=utf-16' }, but({}), 415, 'unsupported_media_type'],
  [
    'text in Latin-1',
    { 'Content-Type': 'text/plain;charset=iso-8859-1' },
    but({}),
    415,
    'unsupported_media_type',
  ],
  ['brotli', { ...JSON_TYPE, 'Content-Encoding': 'br' }, but({}), 415, 'unsupported_media_type'],
  ['deflate', { ...JSON_TYPE, 'Content-Encoding': 'deflate' }, but({}), 415, 'unsupported_media_type'],
  ['gzip twice', { ...JSON_TYPE, 'Content-Encoding': 'gzip, gzip' }, but({}), 415, 'unsupported_media_type'],
  ['gzip that is none', { ...JSON_TYPE, 'Content-Encoding': 'gzip' }, but({}), 400, 'invalid_json'],
  ['gzip of nothing', { ...JSON_TYPE, 'Content-Encoding': 'gzip' }, gzipSync(''), 400, 'invalid_json'],
  ['an empty gzip', { ...JSON_TYPE, 'Content-Encoding': 'gzip' }, '', 400, 'invalid_json'],
  [
    'gzip cut short',
    { ...JSON_TYPE, 'Content-Encoding': 'gzip' },
    gzipSync(but({})).subarray(0, -12),
    400,
    'invalid_json',
  ],
  [
    'gzip with a wrong checksum',
    { ...JSON_TYPE, 'Content-Encoding': 'gzip' },
    Buffer.concat([gzipSync(but({})).subarray(0, -8), Buffer.alloc(8)]),
    400,
    'invalid_json',
  ],
  [
    'gzip of another encoding',
    { ...JSON_TYPE, 'Content-Encoding': 'gzip' },
    gzipSync(Buffer.from([0x22, 0xff, 0x22])),
    400,
    'invalid_json',
  ],
])('a body in %s is refused', async (_what, headers, body, status, code) => {
  await refused({ method: 'POST', path: '/v1/page', headers, body }, [status, code]);
});

const notDecodable = ['%ff', '%zz', '%', '%e0%a4', '%c0%af', '%ed%a0%80', '%u0041', 'ann%'];

const notAnId: [what: string, path: string][] = [
  ['null', 'null'],
  ['undefined', 'undefined'],
  ['[object Object]', '[object%20Object]'],
  ['NaN', 'NaN'],
  ['.', '.'],
  ['. encoded', '%2e'],
  ['..', '..'],
  ['.. encoded', '%2E%2e'],
  ['a NUL', '%00'],
  ['a NUL within', 'a%00b'],
  ['a line feed', 'a%0Ab'],
  ['a carriage return', 'a%0d%0aX:b'],
  ['a DEL', 'a%7F'],
  ['a C1 control', 'a%C2%85'],
  ['129 characters', 'a'.repeat(129)],
  ['129 emoji', encodeURIComponent('😀'.repeat(129))],
];

const calls = [
  ['GET', ''],
  ['GET', '/days'],
  ['GET', '/visits'],
  ['GET', '/export'],
  ['DELETE', ''],
] as const;

describe.each(calls)('%s /v1/user/:user_id%s', (method, rest) => {
  test.each(notDecodable)('does not read %s', async (id) => {
    await refused({ method, path: `/v1/user/${id}${rest}` }, [400, 'invalid_path']);
  });

  test.each(notAnId)('refuses %s', async (_what, id) => {
    await refused({ method, path: `/v1/user/${id}${rest}` }, [400, 'invalid_path', ['/user_id']]);
  });
});

test.each([
  ['GET', '/v1'],
  ['GET', '/v1/user'],
  ['GET', '/v1/user/'],
  ['DELETE', '/v1/user/'],
  ['GET', '/v1/user/ann/'],
  ['GET', '/v1/user//days'],
  ['GET', '/v1/user/a/b'],
  ['DELETE', '/v1/user/a/b'],
  ['GET', '/v1/user/ann/days/'],
  ['GET', '/v1/user/ann/visits/'],
  ['GET', '/v1/key/'],
  ['GET', '/v1/live/'],
  ['GET', '/V1/user/ann'],
  ['GET', '//v1/user/ann'],
  ['POST', '/v1/page/'],
  ['POST', '/v1/PAGE'],
  ['POST', '/page'],
  ['GET', '/../v1/user/ann'],
  ['GET', '/v1/user/ann/../bob'],
  ['GET', '/favicon.ico'],
  ['GET', '/__proto__'],
])('%s %s is no call', async (method, path) => {
  await refused({ method, path, headers: JSON_TYPE }, [404, 'not_found']);
});

test.each([
  ['GET', '/v1/page'],
  ['HEAD', '/v1/page'],
  ['PUT', '/v1/page'],
  ['DELETE', '/v1/page'],
  ['PATCH', '/v1/page'],
  ['POST', userPath('ann')],
  ['PUT', userPath('ann')],
  ['PATCH', userPath('ann')],
  ['DELETE', `${userPath('ann')}/days`],
  ['POST', `${userPath('ann')}/days`],
  ['POST', `${userPath('ann')}/visits`],
  ['POST', '/v1/key'],
  ['POST', '/v1/live'],
  ['DELETE', `${userPath('ann')}/export`],
  ['POST', '/livez'],
  ['DELETE', '/readyz'],
  ['TRACE', '/livez'],
])('%s %s changes nothing', async (method, path) => {
  const before = await snapshot(server.redis);
  expect(await api.send({ method, path })).toMatchObject({ status: 405 });
  expect(await snapshot(server.redis)).toEqual(before);
});
