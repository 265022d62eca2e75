// Whatever a call may answer by its description it does answer, and it answers nothing else: each problem is provoked at
// each call where it can be.

import type { Config } from '../src/config.ts';
import type { Described } from '../src/description/reading.ts';
import { PROBLEMS, type ProblemCode } from '../src/http/problem.ts';
import type { Streams } from '../src/live/streams.ts';
import { Unwelcome } from '../src/redis/errors.ts';
import {
  ARCHIVE,
  DESCRIBED,
  DOCUMENT,
  goodRequest,
  nameOf,
  problemsOf,
  strayFrom,
  strayIn,
} from './support/description.ts';
import {
  type Api,
  JSON_TYPE,
  killRedis,
  type Reply,
  type Sent,
  startApi,
  stopServer,
} from './support/http.ts';
import { startRedis, type TestRedis, useRedis } from './support/redis.ts';

const server = useRedis();

type Replaced = Parameters<typeof startApi>[2];

let services: Record<string, Api> = {};
let away: TestRedis;

beforeAll(async () => {
  away = await startRedis();
  const start = async (
    name: string,
    config: Partial<Config> = {},
    replaced: Replaced = {},
    redis = server.redis,
  ) => {
    services[name] = await startApi(redis, config, { archive: ARCHIVE, ...replaced });
  };
  const fail = () => {
    throw new TypeError('This is broken');
  };
  const broken = new Proxy({} as never, { get: (_of, name) => (name === 'mostDays' ? 35 : fail) });
  const refusing = (why: Unwelcome['why']) =>
    ({
      recorder: {
        recordFor: (_event: unknown, waiter: { failed(error: unknown): void }) =>
          waiter.failed(new Unwelcome(why)),
      },
    }) as unknown as Replaced;
  const NAMES = ['recorder', 'profiles', 'visits', 'visitors', 'uniques', 'sites', 'eraser', 'exporter'];
  await start('open');
  await start('closed', {
    ...{ writeKeys: ['the-key-that-writes'], readKeys: ['the-key-that-reads'] },
    ...{ adminKeys: ['the-key-for-admins'], metricsKeys: ['the-key-for-metrics'] },
  });
  await start('signed', { userSigningSecret: ['the-secret-of-a-site'] });
  await start('limited', { unlimitedClients: [], limitAddress: 0.001 });
  await start('busy', { maxRequests: 0 });
  await start('away', {}, {}, away.redis);
  await start('unready', {}, { unreadyBecause: () => 'Redis is away' });
  await start('tooManyNew', {}, refusing('too_many_new_users'));
  await start('full', {}, refusing('store_full'));
  await start('barred', {}, {
    guard: { write: fail, read: fail, admin: fail, metrics: fail, any: fail },
  } as unknown as Replaced);
  await services.limited!.send({ path: '/v1/key' }); // the first one of an address is let in whatever it costs
  await start('ending');
  (services.ending!.services as unknown as { live: Streams }).live.end();
  await killRedis(away);
  await start('broken', {}, {
    ...Object.fromEntries(NAMES.map((name) => [name, broken])),
    archive: { erasures: broken },
    live: { open: fail },
    metrics: { text: fail, request: () => undefined },
  } as unknown as Replaced);
});
afterAll(async () => {
  for (const api of Object.values(services)) await stopServer(api.server);
  services = {};
  await away?.stop();
});

const isPost = ({ method }: Sent) => method === 'POST';
const post = (sent: Sent, body: string, headers: Sent['headers'] = JSON_TYPE): Sent | undefined =>
  isPost(sent) ? { ...sent, body, headers } : undefined;

/** What is asked of which service; undefined where a call can't be asked so. */
type Provoke = (
  sent: Sent,
  call: Described,
) => [service: string, sent: Sent | undefined] | Promise<[string, Sent | undefined]>;

const isTaken = (right: string, { operation }: Described) =>
  operation.security.some((scheme) => Object.values(scheme)[0]!.includes(right));

/** The same with another value in the path. */
const inPath = ({ path: template }: Described, sent: Sent, value: string): Sent | undefined =>
  template.includes('{') ? { ...sent, path: template.replace(/\{\w+\}/, value) } : undefined;

const PROVOCATIONS: Record<ProblemCode, Provoke[]> = {
  invalid_json: [
    (sent) => ['open', post(sent, '{"user_id":')],
    (sent) => ['open', post(sent, 'x', { ...JSON_TYPE, 'Content-Encoding': 'gzip' })],
  ],
  invalid_body: [
    (sent) => ['open', post(sent, '{"user_id":"","name":"Home"}')],
    (sent) => ['open', post(sent, '[]')],
    (sent) => ['open', post(sent, '[{}]')],
  ],
  invalid_path: [
    (sent, call) => ['open', inPath(call, sent, 'undefined')],
    (sent, call) => ['open', inPath(call, sent, '%zz')],
  ],
  invalid_query: [
    (sent) => ['open', { ...sent, path: sent.path!.replace(/\?.*|$/, '?date=x&month=x&from=x&days=x') }],
    (sent) => ['open', { ...sent, path: sent.path!.replace(/\?.*|$/, '?date=yesterday') }],
    (sent) => ['open', { ...sent, path: sent.path!.replace(/\?.*/, '') }],
  ],
  timestamp_in_future: [
    (sent) => ['open', post(sent, sent.body?.toString().replaceAll('2026-11-21T', '2026-12-21T') ?? '')],
  ],
  unauthorized: [(sent) => ['closed', sent]],
  forbidden: [
    (sent, call) => [
      'closed',
      {
        ...sent,
        headers: {
          ...sent.headers,
          'X-Api-Key': `the-key-that-${isTaken('write', call) ? 'reads' : 'writes'}`,
        },
      },
    ],
  ],
  bad_signature: [
    (sent) => ['signed', isPost(sent) ? sent : undefined],
    (sent) => ['signed', post(sent, '[{"user_id":"ann","name":"Home"}]')],
  ],
  not_found: [(sent, call) => ['open', inPath(call, sent, '0-1-1')]],
  method_not_allowed: [], // no call has a method that it does not have
  payload_too_large: [
    (sent) => ['open', post(sent, ' '.repeat(2 * 1024 * 1024))],
    (sent) => ['open', post(sent, `[${'{},'.repeat(1000)}{}]`)],
  ],
  unsupported_media_type: [
    (sent) => ['open', post(sent, '{}', { 'Content-Type': 'text/html' })],
    (sent) => ['open', post(sent, '{}', { ...JSON_TYPE, 'Content-Encoding': 'br' })],
  ],
  too_many_requests: [(sent) => ['limited', sent]],
  too_many_new_users: [(sent) => ['tooManyNew', isPost(sent) ? sent : undefined]],
  damaged: [
    async (sent) => {
      await damageAll();
      return ['open', sent];
    },
  ],
  internal: [(sent) => ['broken', sent], (sent) => ['barred', sent]],
  overloaded: [(sent) => ['busy', sent], (sent) => ['ending', sent]],
  store_full: [(sent) => ['full', isPost(sent) ? sent : undefined]],
  unavailable: [(sent) => ['away', sent]],
};

/** Each of the users in the examples has something, and nothing of it can be read any more. */
async function damageAll(): Promise<void> {
  for (const user_id of ['019mr8mf4r', '019mr8mf4s', 'nobody', 'login']) {
    await services.open!.view({ user_id });
    await services.open!.login(user_id);
  }
  for (const key of await server.redis.keys('ff:{*}:user:*')) {
    await server.redis.del(key);
    await server.redis.rpush(key, 'x');
  }
}

/** A stream is told by its first bytes. */
async function ask(api: Api, sent: Sent, { path }: Described): Promise<Reply> {
  if (path !== '/v1/live') return api.send(sent);
  const leave = new AbortController();
  const headers = sent.headers as Record<string, string>;
  const reply = await fetch(`http://127.0.0.1:${api.port}${path}`, { headers, signal: leave.signal });
  const { status } = reply;
  const text = status === 200 ? 'retry: 2000' : await reply.text();
  leave.abort();
  const body = status === 200 ? undefined : JSON.parse(text);
  return { status, headers: Object.fromEntries(reply.headers), text, body };
}

const seen = new Set<string>();
const everything = Object.keys(PROBLEMS) as ProblemCode[];

describe.each(DESCRIBED.map((call) => [nameOf(call), call] as const))('%s', (_name, call) => {
  const described = problemsOf(call);

  test.each(everything)('%s', async (code) => {
    const answered: string[] = [];
    for (const provoke of PROVOCATIONS[code]) {
      await server.redis.flushall();
      const [service, sent] = await provoke(goodRequest(call), call);
      if (!sent) continue;
      const reply = await ask(services[service]!, sent, call);
      expect([service, strayIn(call, reply)]).toEqual([service, []]);
      const { code: found } = (reply.body ?? {}) as { code?: string };
      if (found === undefined) continue;
      answered.push(found);
      seen.add(JSON.stringify(reply.body));
    }
    expect(answered.filter((one) => !described.includes(one))).toEqual([]);
    if (described.includes(code)) expect(answered).toContain(code);
  });

  test('when all is well', async () => {
    await server.redis.flushall();
    const reply = await ask(services.open!, goodRequest(call), call);
    expect(reply.status).toBeLessThan(300);
    expect(strayIn(call, reply)).toEqual([]);
  });
});

/** What stands for every path, and so at none. */
const apart = (status: number, name: string): Described => {
  const [of] = DESCRIBED;
  const responses = { [status]: { $ref: `#/components/responses/${name}`, description: '' } };
  return { ...of!, operation: { ...of!.operation, responses } };
};

test.each([
  [404, 'not_found', { path: '/nothing' }],
  [405, 'method_not_allowed', { method: 'POST', path: '/livez' }],
])('elsewhere: %d', async (status, code, sent) => {
  const reply = await services.open!.send(sent);
  expect(reply).toMatchObject({ status, body: { code } });
  expect(strayIn(apart(status, code), reply)).toEqual([]);
  seen.add(JSON.stringify(reply.body));
});

test('a stream tells figures as they are described', async () => {
  const leave = new AbortController();
  const { body } = await fetch(`http://127.0.0.1:${services.open!.port}/v1/live`, { signal: leave.signal });
  let text = '';
  for await (const chunk of body!) {
    text += Buffer.from(chunk).toString();
    const [, data] = /^event: figures\ndata: (.*)\n\n/m.exec(text) ?? [];
    if (data === undefined) continue;
    expect(strayFrom('Figures', JSON.parse(data))).toEqual([]);
    break;
  }
  leave.abort();
  expect(text).toContain('event: figures');
});

test('a service that is not ready says so as described', async () => {
  const call = DESCRIBED.find(({ path }) => path === '/readyz')!;
  const reply = await services.unready!.send({ path: '/readyz' });
  expect(reply.status).toBe(503);
  expect(strayIn(call, reply)).toEqual([]);
});

const files = DESCRIBED.filter(({ operation }) => operation.responses['304']);
test.each(files.map((call) => [nameOf(call), call] as const))('%s is sent once', async (_name, call) => {
  const { headers } = await services.open!.send({ path: call.path });
  const again = await services.open!.send({ path: call.path, headers: { 'If-None-Match': headers.etag } });
  expect(again.status).toBe(304);
  expect(strayIn(call, again)).toEqual([]);
});

test('each problem was met just as its example has it', () => {
  const examples = Object.values(DOCUMENT.components.responses).flatMap(({ content }) =>
    Object.values(content!['application/problem+json']!.examples!).map(({ value }) => JSON.stringify(value)),
  );
  expect(examples.length).toBeGreaterThan(everything.length);
  expect([...new Set(examples)].filter((example) => !seen.has(example))).toEqual([]);
});
