import { once } from 'node:events';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { PageView } from '../src/events/event.ts';
import { connectRedis } from '../src/redis/connect.ts';
import type { Outcome, Recorder } from '../src/redis/recorder.ts';
import { dayOf } from '../src/time.ts';
import {
  emptyProfile,
  expectProblem,
  iso,
  JSON_TYPE,
  killRedis,
  profileWith,
  type Reply,
  sendBytes,
  startApi,
  stopServer,
  useApi,
} from './support/http.ts';
import { snapshot, startRedis, useRedis } from './support/redis.ts';
import { NOON } from './support/service.ts';

const server = useRedis();
const api = useApi(server);

const now = Date.parse(NOON);
const today = dayOf(now);
const LIMIT = 1024 * 1024;
const NDJSON = { 'Content-Type': 'application/x-ndjson' };
const GZIP = { 'Content-Encoding': 'gzip' };
const CHUNKED = { 'Transfer-Encoding': 'chunked' };

/** A view of ann's of Home, so many seconds before now. */
const view = (secondsAgo: number, fields: Record<string, unknown> = {}) => ({
  user_id: 'ann',
  name: 'Home',
  timestamp: iso(now - secondsAgo * 1000),
  ...fields,
});
const views = (count: number) => Array.from({ length: count }, (_, i) => view(count - i));
const lines = (events: unknown[], end = '\n') =>
  events.map((event) => `${JSON.stringify(event)}${end}`).join('');

const postTo = (
  { send }: Pick<typeof api, 'send'>,
  body: string | Buffer,
  headers: OutgoingHttpHeaders = JSON_TYPE,
) => send({ method: 'POST', path: '/v1/pages', headers, body });
const post = (body: string | Buffer, headers?: OutgoingHttpHeaders) => postTo(api, body, headers);
const postEvents = (events: unknown[]) => post(JSON.stringify(events));

const counts = (fields: Partial<Record<Outcome, number>> = {}, rejected: unknown[] = []) => ({
  recorded: 0,
  duplicate: 0,
  erased: 0,
  expired: 0,
  capped: 0,
  ...fields,
  rejected,
});
const rejection = (index: number, code: string, pointer: string) => ({
  index,
  code,
  pointer,
  detail: expect.stringMatching(/./),
});

const viewsOf = async (userId: string) => (await api.profile(userId)).number_pages_viewed_in_the_last_7_days;

async function expectNothingCounted() {
  expect(await server.redis.dbsize()).toBe(0);
  expect(api.services.recorder.inFlight()).toBe(0);
  expect(api.log).toEqual([]);
}

describe('a batch of two views is taken', () => {
  const two = views(2);
  const array = JSON.stringify(two);
  test.each<[what: string, headers: OutgoingHttpHeaders, body: string | Buffer]>([
    ['as an array', JSON_TYPE, array],
    ['as an array with its charset', { 'Content-Type': 'application/json; charset=utf-8' }, array],
    ['as an array whose type only speaks of ndjson', { 'Content-Type': 'text/plain; of="ndjson"' }, array],
    ['as an array in text/plain', { 'Content-Type': 'text/plain;charset=UTF-8' }, array],
    ['as an array over several lines', JSON_TYPE, JSON.stringify(two, null, 2)],
    ['as an array with a byte order mark', JSON_TYPE, `\ufeff${array}`],
    ['as an array in chunks', { ...JSON_TYPE, ...CHUNKED }, array],
    ['as an array in gzip', { ...JSON_TYPE, ...GZIP }, gzipSync(array)],
    ['as an array as long as may be', JSON_TYPE, array.padEnd(LIMIT, ' ')],
    ['as an array in gzip as long as may be', { ...JSON_TYPE, ...GZIP }, gzipSync(array.padEnd(LIMIT, ' '))],
    ['as application/x-ndjson', NDJSON, lines(two)],
    ['as application/ndjson', { 'Content-Type': 'application/ndjson' }, lines(two)],
    ['as NDJSON with its charset', { 'Content-Type': 'Application/X-NDJSON; Charset=UTF-8' }, lines(two)],
    ['as NDJSON without a last line feed', NDJSON, lines(two).trimEnd()],
    ['as NDJSON with CRLF', NDJSON, lines(two, '\r\n')],
    ['as NDJSON with blank lines', NDJSON, `\n \n${lines(two, '\n\r\n\t\n')}\n`],
    ['as NDJSON with a byte order mark', NDJSON, `\ufeff${lines(two)}`],
    ['as NDJSON in gzip', { ...NDJSON, ...GZIP }, gzipSync(lines(two))],
    ['as NDJSON in chunks', { ...NDJSON, ...CHUNKED }, lines(two)],
  ])('%s', async (_what, headers, body) => {
    expect(await post(body, headers)).toMatchObject({ status: 202, body: counts({ recorded: 2 }) });
    expect(await api.profile('ann')).toEqual(profileWith('ann', [2, 0, 1, 'Home']));
  });
});

describe('what became of its events', () => {
  test('every outcome is counted', async () => {
    const capped = await startApi(server.redis, { maxViewsPerUserDay: 3 });
    try {
      await capped.view({ user_id: 'eve' });
      await capped.erase('eve');
      await capped.view();
      const reply = await postTo(
        capped,
        JSON.stringify([
          view(0), // duplicate
          view(1), // recorded
          view(0, { user_id: 'eve' }), // erased
          view(10 * 86_400), // expired
          view(2), // recorded
          view(3), // capped
          view(4), // capped
          view(1), // duplicate
          view(0, { user_id: 'bob' }), // recorded
          view(0, { user_id: '' }),
        ]),
      );
      expect(reply.status).toBe(202);
      expect(reply.body).toEqual(
        counts({ recorded: 3, duplicate: 2, erased: 1, expired: 1, capped: 2 }, [
          rejection(9, 'invalid_body', '/user_id'),
        ]),
      );
    } finally {
      await stopServer(capped.server);
    }
    expect(await viewsOf('ann')).toBe(3);
    expect(await viewsOf('bob')).toBe(1);
    expect(await api.profile('eve')).toEqual(emptyProfile('eve'));
  });

  test('bad events are named in their order, and the good ones between them count', async () => {
    await server.redis.set(api.services.keys.stats('dan', today), 'x');
    const reply = await postEvents([
      view(0, { user_id: 'dan' }),
      view(1),
      view(2, { name: undefined }),
      null,
      view(3),
      [view(4)],
      view(5, { timestamp: 'yesterday' }),
      view(-301),
      view(6, { user_id: 'dan' }),
      view(7, { url: 7 }),
      view(8, { user_id: 'null', name: '' }),
      view(-300),
    ]);
    expect(reply).toMatchObject({ status: 202 });
    expect(reply.body).toEqual(
      counts({ recorded: 3 }, [
        rejection(0, 'damaged', ''),
        rejection(2, 'invalid_body', '/name'),
        rejection(3, 'invalid_body', ''),
        rejection(5, 'invalid_body', ''),
        rejection(6, 'invalid_body', '/timestamp'),
        rejection(7, 'timestamp_in_future', '/timestamp'),
        rejection(8, 'damaged', ''),
        rejection(9, 'invalid_body', '/url'),
        rejection(10, 'invalid_body', '/user_id'),
      ]),
    );
    expect(await viewsOf('ann')).toBe(3);
    expect(api.services.recorder.inFlight()).toBe(0);
  });

  test.each<[what: string, line: string]>([
    ['half an object', '{"user_id":"ann"'],
    ['two objects', `${JSON.stringify(view(1))} ${JSON.stringify(view(2))}`],
    ['a word', 'hello'],
    ['a comma at its end', `${JSON.stringify(view(1))},`],
    ['a byte order mark', `\ufeff${JSON.stringify(view(1))}`],
  ])('a line of %s in the middle of NDJSON is rejected alone', async (_what, line) => {
    const reply = await post(`${lines([view(3)])}${line}\n\n${lines([view(4)])}`, NDJSON);
    expect(reply).toMatchObject({ status: 202 });
    expect(reply.body).toEqual(counts({ recorded: 2 }, [rejection(1, 'invalid_json', '')]));
    expect(await viewsOf('ann')).toBe(2);
  });

  test('an event that says __proto__ is an event like any other', async () => {
    const reply = await post(`[{"user_id":"__proto__","name":"__proto__","__proto__":{"timestamp":"x"}}]`);
    expect(reply).toMatchObject({ status: 202, body: counts({ recorded: 1 }) });
    expect(await viewsOf('__proto__')).toBe(1);
  });

  test('of the same view many times in one batch, one is recorded', async () => {
    const reply = await postEvents(Array(500).fill(view(1)));
    expect(reply).toMatchObject({ status: 202, body: counts({ recorded: 1, duplicate: 499 }) });
    expect(await api.profile('ann')).toEqual(profileWith('ann', [1, 0, 1, 'Home']));
  });

  test('views without a timestamp are of one moment: a page counts once', async () => {
    const reply = await postEvents([
      { user_id: 'ann', name: 'Home' },
      { user_id: 'ann', name: 'Home' },
      { user_id: 'ann', url: '/prices' },
      { user_id: 'ann', name: 'Home', event_id: 'e1' },
    ]);
    expect(reply).toMatchObject({ status: 202, body: counts({ recorded: 3, duplicate: 1 }) });
  });

  test('events of one user are recorded in their order', async () => {
    const capped = await startApi(server.redis, { maxViewsPerUserDay: 300 });
    try {
      const events = Array.from({ length: 1000 }, (_, i) => view(i, { name: i < 300 ? 'early' : 'late' }));
      const reply = await postTo(capped, JSON.stringify(events));
      expect(reply).toMatchObject({ status: 202, body: counts({ recorded: 300, capped: 700 }) });
      expect(await capped.profile('ann')).toEqual(profileWith('ann', [300, 5, 1, 'early']));
    } finally {
      await stopServer(capped.server);
    }
  });

  test('of one event_id with different names the first wins', async () => {
    const names = ['Prices', 'Home', 'Blog'];
    const reply = await postEvents(names.map((name, i) => view(i, { name, event_id: 'e1' })));
    expect(reply).toMatchObject({ status: 202, body: counts({ recorded: 1, duplicate: 2 }) });
    expect(await api.profile('ann')).toEqual(profileWith('ann', [1, 0, 1, 'Prices']));
  });

  test('one damaged user among hundreds: the others are counted exactly', async () => {
    await server.redis.set(api.services.keys.visits('u7', today), 'x');
    const before = await snapshot(server.redis);
    const events = Array.from({ length: 1000 }, (_, i) => view(i, { user_id: `u${i % 250}` }));
    const reply = await postEvents(events);
    const rejected = [7, 257, 507, 757].map((index) => rejection(index, 'damaged', ''));
    expect(reply.body).toEqual(counts({ recorded: 996 }, rejected));
    for (const userId of ['u0', 'u6', 'u8', 'u249']) expect(await viewsOf(userId)).toBe(4);
    for (const [key, dump] of before) expect((await snapshot(server.redis)).get(key)).toBe(dump);
  });

  test('what only Redis finds to lie in the future is rejected as such', async () => {
    const recorder: Recorder = {
      record: () => Promise.reject(new Error('not asked')),
      recordFor: (event, waiter) => waiter.done((event as PageView).name === 'Home' ? 'recorded' : 'future'),
      inFlight: () => 0,
    };
    const ahead = await startApi(server.redis, {}, { recorder });
    try {
      const reply = await postTo(ahead, JSON.stringify([view(0, { name: 'Prices' }), view(0)]));
      expect(reply.body).toEqual(
        counts({ recorded: 1 }, [rejection(0, 'timestamp_in_future', '/timestamp')]),
      );
    } finally {
      await stopServer(ahead.server);
    }
  });
});

describe('a batch without a good event', () => {
  test('names the first fault of each', async () => {
    const reply = await postEvents([
      { name: 'Home' },
      view(0, { name: 7 }),
      'x',
      view(0, { user_id: '' }),
      view(-301),
    ]);
    expectProblem(reply, 400, 'invalid_body', ['/0/user_id', '/1/name', '/2', '/3/user_id', '/4/timestamp']);
    await expectNothingCounted();
  });

  test.each<
    [
      what: string,
      code: string,
      pointers: string[] | undefined,
      headers: OutgoingHttpHeaders,
      body: string | Buffer,
    ]
  >([
    ['nothing', 'invalid_json', undefined, JSON_TYPE, ''],
    ['white space', 'invalid_json', undefined, JSON_TYPE, ' \n'],
    ['an empty array', 'invalid_body', undefined, JSON_TYPE, '[]'],
    ['an event that is in no array', 'invalid_body', [''], JSON_TYPE, JSON.stringify(view(0))],
    ['an object of events', 'invalid_body', [''], JSON_TYPE, JSON.stringify({ 0: view(0), length: 1 })],
    ['null', 'invalid_body', [''], JSON_TYPE, 'null'],
    ['a string', 'invalid_body', [''], JSON_TYPE, '"[]"'],
    ['a broken array', 'invalid_json', undefined, JSON_TYPE, JSON.stringify(views(2)).slice(0, -1)],
    ['lines that are said to be JSON', 'invalid_json', undefined, JSON_TYPE, lines(views(2))],
    ['lines in text/plain', 'invalid_json', undefined, { 'Content-Type': 'text/plain' }, lines(views(2))],
    ['no line', 'invalid_body', undefined, NDJSON, ''],
    ['blank lines', 'invalid_body', undefined, NDJSON, '\r\n \n'],
    ['an array that is said to be lines', 'invalid_body', ['/0'], NDJSON, JSON.stringify(views(2))],
    ['broken lines', 'invalid_body', ['/0', '/1'], NDJSON, '{\n}\n'],
    ['no UTF-8', 'invalid_json', undefined, NDJSON, Buffer.from([0x7b, 0xff, 0x7d])],
    ['no gzip', 'invalid_json', undefined, { ...NDJSON, ...GZIP }, lines(views(2))],
    [
      'broken gzip',
      'invalid_json',
      undefined,
      { ...NDJSON, ...GZIP },
      gzipSync(lines(views(9))).subarray(0, 40),
    ],
  ])('of %s is a 400', async (_what, code, pointers, headers, body) => {
    expectProblem(await post(body, headers), 400, code, pointers);
    await expectNothingCounted();
  });

  test.each(['application/x-www-form-urlencoded', 'application/jsonl', 'text/x-ndjson', undefined])(
    'as %s is a 415',
    async (type) => {
      const reply = await post(lines(views(1)), type ? { 'Content-Type': type } : {});
      expectProblem(reply, 415, 'unsupported_media_type');
      expect(reply.headers.accept).toMatch(/application\/json.*application\/x-ndjson/);
    },
  );
});

describe('how much a batch may hold', () => {
  const large = lines(Array(LIMIT / 128).fill(view(1, { url: 'u'.repeat(512) })));

  test.each([
    ['an array', JSON_TYPE, JSON.stringify],
    ['NDJSON', NDJSON, lines],
  ])('1,000 events in %s, and not one more', async (_what, headers, write) => {
    expectProblem(await post(write(views(1001)), headers), 413, 'payload_too_large');
    await expectNothingCounted();
    expect(await post(write(views(1000)), headers)).toMatchObject({
      status: 202,
      body: counts({ recorded: 1000 }),
    });
    expect(await viewsOf('ann')).toBe(1000);
  });

  test.each<[what: string, headers: OutgoingHttpHeaders, body: string | Buffer]>([
    ['one byte more', JSON_TYPE, JSON.stringify(views(2)).padEnd(LIMIT + 1, ' ')],
    ['one byte more without a length', { ...NDJSON, ...CHUNKED }, lines(views(2)).padEnd(LIMIT + 1, ' ')],
    ['5 MiB', NDJSON, large],
    ['5 MiB without a length', { ...NDJSON, ...CHUNKED }, large],
    ['gzip of 5 MiB', { ...NDJSON, ...GZIP }, gzipSync(large)],
    [
      'gzip of one byte more',
      { ...JSON_TYPE, ...GZIP },
      gzipSync(JSON.stringify(views(2)).padEnd(LIMIT + 1, ' ')),
    ],
    ['a gzip bomb of 100 MB', { ...NDJSON, ...GZIP }, gzipSync(Buffer.alloc(100_000_000, '\n'))],
    ['1,001 events of junk', JSON_TYPE, `[${'0,'.repeat(1000)}0]`],
    ['half a million events of junk', JSON_TYPE, `[${'0,'.repeat(500_000)}0]`],
    ['half a million lines of junk', NDJSON, '0\n'.repeat(500_000)],
  ])('%s is a 413, and nothing counts', async (_what, headers, body) => {
    const reply = await post(body, headers);
    expectProblem(reply, 413, 'payload_too_large');
    expect(reply.text.length).toBeLessThan(1000);
    await expectNothingCounted();
  });

  test.each<[what: string, status: number, headers: OutgoingHttpHeaders, body: string]>([
    ['a million blank lines', 400, NDJSON, '\n'.repeat(1_000_000)],
    ['arrays 500,000 deep', 413, JSON_TYPE, '['.repeat(500_000) + ']'.repeat(500_000)],
    ['arrays 500,000 deep on a line', 413, NDJSON, '['.repeat(500_000) + ']'.repeat(500_000)],
    ['arrays a million deep, not closed', 413, JSON_TYPE, '['.repeat(1_000_000)],
    ['1,000 arrays 500 deep', 413, NDJSON, `${'['.repeat(500)}${']'.repeat(500)}\n`.repeat(1000)],
    ['a million spaces on a line', 400, NDJSON, `${' '.repeat(1_000_000)}x`],
    [
      'an unknown field of arrays 100,000 deep',
      413,
      JSON_TYPE,
      `[{"user_id":"ann","name":"Home","more":${'['.repeat(100_000)}${']'.repeat(100_000)}}]`,
    ],
  ])(
    '%s is a quick and short %d',
    async (_what, status, headers, body) => {
      const reply = await post(body, headers);
      expect(reply.status).toBe(status);
      expect(reply.text.length).toBeLessThan(200_000);
      expect(await api.send({ path: '/livez' })).toMatchObject({ status: 200 });
      expect(api.log).toEqual([]);
    },
    5000,
  );
});

describe('a client that goes', () => {
  const head = (type: string, framing: string) =>
    `POST /v1/pages HTTP/1.1\r\nHost: x\r\nContent-Type: ${type}\r\n${framing}\r\n\r\n`;
  const hex = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;

  test.each<[what: string, type: string, framing: string, body: string]>([
    ['an array', 'application/json', 'Content-Length: 99999', JSON.stringify(views(5))],
    ['an array in chunks', 'application/json', 'Transfer-Encoding: chunked', hex(JSON.stringify(views(5)))],
    ['lines', 'application/x-ndjson', 'Content-Length: 99999', lines(views(5))],
    ['lines in chunks', 'application/x-ndjson', 'Transfer-Encoding: chunked', hex(lines(views(5)))],
  ])('in the middle of %s leaves nothing behind', async (_what, type, framing, body) => {
    const arrived = once(api.server, 'request') as Promise<[IncomingMessage]>;
    const socket = connect(api.port, '127.0.0.1');
    socket.write(head(type, framing) + body);
    const [req] = await arrived;
    const closed = new Promise((resolve) => req.once('close', resolve));
    socket.destroy();
    await closed;
    await setImmediate();
    await expectNothingCounted();
  });

  test('after its batch, before the answer: the batch counts, and the process goes on', async () => {
    let recorded = () => {};
    const standing = new Promise<void>((resolve) => {
      recorded = resolve;
    });
    const slow = Object.create(server.redis, {
      ffRecord: {
        value: (...call: [string, string[]]) => standing.then(() => server.redis.ffRecord(...call)),
      },
    });
    const own = await startApi(slow);
    try {
      const arrived = once(own.server, 'request') as Promise<[IncomingMessage]>;
      const socket = connect(own.port, '127.0.0.1');
      const body = lines(views(5));
      socket.write(head('application/x-ndjson', `Content-Length: ${body.length}`) + body);
      const [req] = await arrived;
      while (own.services.recorder.inFlight() < 5) await setImmediate();
      const closed = once(req.socket, 'close');
      socket.destroy();
      await closed;
      recorded();
      while (own.services.recorder.inFlight() > 0) await setImmediate();
      expect(await own.profile('ann')).toEqual(profileWith('ann', [5, 0, 1, 'Home']));
      expect(await postTo(own, body, NDJSON)).toMatchObject({ body: counts({ duplicate: 5 }) });
      expect(own.log).toEqual([]);
    } finally {
      await stopServer(own.server);
    }
  });

  test('a batch behind a refused one on the same connection is read', async () => {
    const refused = ' '.repeat(LIMIT + 1);
    const good = lines(views(2));
    const answer = await sendBytes(
      api.port,
      `${head('application/x-ndjson', 'Transfer-Encoding: chunked')}${hex(refused)}0\r\n\r\n` +
        `${head('application/x-ndjson', `Connection: close\r\nContent-Length: ${good.length}`)}${good}`,
    );
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 413', 'HTTP/1.1 202']);
    expect(await viewsOf('ann')).toBe(2);
  });
});

/** A way to Redis that can be made to break once, after so many more bytes of requests or of replies. */
async function frailWay(redisSocket: string) {
  let cut: { what: 'requests' | 'replies'; bytes: number } | undefined;
  /** As much as may pass; undefined when that is all of it. */
  const lastOf = (what: 'requests' | 'replies', chunk: Buffer): Buffer | undefined => {
    if (cut?.what !== what) return undefined;
    cut.bytes -= chunk.length;
    if (cut.bytes > 0) return undefined;
    const last = chunk.subarray(0, chunk.length + cut.bytes);
    cut = undefined;
    return last;
  };
  const way = createServer((client) => {
    const redis = connect(redisSocket);
    client.on('data', (chunk: Buffer) => {
      if (!redis.writable) return;
      const last = lastOf('requests', chunk);
      if (last) redis.end(last);
      else redis.write(chunk);
    });
    redis.on('data', (chunk: Buffer) => {
      if (!client.writable) return;
      const last = lastOf('replies', chunk);
      if (last) client.end(last);
      else client.write(chunk);
    });
    for (const [one, other] of [
      [client, redis],
      [redis, client],
    ] as const) {
      one.on('error', () => undefined);
      one.on('close', () => other.destroySoon());
    }
  }).listen(0, '127.0.0.1');
  await once(way, 'listening');
  return {
    url: `redis://127.0.0.1:${(way.address() as AddressInfo).port}`,
    breakAfter(bytes: number, what: 'requests' | 'replies') {
      cut = { what, bytes };
    },
    close: () => way.close(),
  };
}

function expectComeAgain(reply: Reply, code: string) {
  expectProblem(reply, 503, code);
  expect(reply.headers['retry-after']).toMatch(/^[1-9]\d?$/);
}

describe('when Redis goes in mid-batch', () => {
  test.each<[what: 'requests' | 'replies', bytes: number, shards: number]>([
    ['requests', 40_000, 256],
    ['requests', 40_000, 1],
    ['replies', 4_000, 256],
    ['replies', 4_000, 1],
  ])(
    'after some of the %s (%d bytes, SHARDS %d), the whole batch sent again counts once',
    async (what, bytes, shards) => {
      const way = await frailWay(decodeURIComponent(new URL(server.url).pathname));
      const redis = connectRedis({ url: way.url }, 5000);
      redis.on('error', () => undefined);
      await redis.connect();
      const own = await startApi(redis, { shards });
      try {
        await own.view({ user_id: 'before' }); // Redis knows the script
        const userIds = Array.from({ length: 250 }, (_, i) => `u${i}`);
        const batch = JSON.stringify(
          Array.from({ length: 1000 }, (_, i) => view(i, { user_id: userIds[i % 250] })),
        );
        const back = once(redis, 'ready');
        way.breakAfter(bytes, what);
        expectComeAgain(await postTo(own, batch), 'unavailable');
        expect(own.services.recorder.inFlight()).toBe(0);
        await back;

        const reply = await postTo(own, batch);
        const { recorded, duplicate } = reply.body as { recorded: number; duplicate: number };
        expect(reply.body).toEqual(counts({ recorded, duplicate }));
        expect(recorded + duplicate).toBe(1000);
        expect(duplicate).toBeGreaterThan(0); // it was in the middle
        if (what === 'requests') expect(recorded).toBeGreaterThan(0);
        for (const userId of userIds)
          expect(await own.profile(userId)).toEqual(
            expect.objectContaining({ number_pages_viewed_in_the_last_7_days: 4 }),
          );
        expect(own.log).toEqual([]);
      } finally {
        await stopServer(own.server);
        redis.disconnect();
        way.close();
      }
    },
  );

  test('and is killed: 503, nothing is left in flight', async () => {
    const own = await startRedis();
    const dying = await startApi(own.redis, { shards: 7 });
    try {
      await dying.view();
      process.kill(own.pid, 'SIGSTOP');
      const reply = postTo(dying, JSON.stringify(views(1000)));
      while (dying.services.recorder.inFlight() < 1000) await setImmediate();
      await killRedis(own);
      expectComeAgain(await reply, 'unavailable');
      expect(dying.services.recorder.inFlight()).toBe(0);
      expectComeAgain(await postTo(dying, JSON.stringify(views(2))), 'unavailable');
    } finally {
      await stopServer(dying.server);
      await own.stop();
    }
  });
});

test('a batch past the most that may wait for Redis is a 503, and smaller ones sent again count once', async () => {
  const narrow = await startApi(server.redis, { maxInFlight: 2 });
  try {
    expectComeAgain(await postTo(narrow, JSON.stringify(views(3))), 'overloaded');
    expect(narrow.services.recorder.inFlight()).toBe(0);
    const [first, ...others] = views(3);
    for (const part of [[first], others]) {
      expect(await postTo(narrow, JSON.stringify(part))).toMatchObject({ status: 202 });
    }
    expect(await narrow.profile('ann')).toEqual(profileWith('ann', [3, 0, 1, 'Home']));
  } finally {
    await stopServer(narrow.server);
  }
});

test.each(['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE'])('%s of batches is a 405', async (method) => {
  const reply = await api.send({ method, path: '/v1/pages' });
  expect(reply).toMatchObject({ status: 405, headers: { allow: 'OPTIONS, POST' } });
  if (method !== 'HEAD') expectProblem(reply, 405, 'method_not_allowed');
});

test('OPTIONS of batches names what they take', async () => {
  expect(await api.send({ method: 'OPTIONS', path: '/v1/pages' })).toMatchObject({
    status: 204,
    headers: { allow: 'OPTIONS, POST' },
  });
});
