// Too much, or nowhere to put it: refused at once and before a body is read; writes first, then reads, then erasures.

import { once } from 'node:events';
import type { Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { createFastServer } from '../src/http/fastServer.ts';
import { createOverload } from '../src/http/overload.ts';
import {
  type Api,
  expectProblem,
  JSON_TYPE,
  killRedis,
  type Reply,
  type Sent,
  sendRequest,
  startApi,
  stopServer,
  userPath,
} from './support/http.ts';
import { until, useProcesses } from './support/process.ts';
import { startRedis, type TestRedis, useRedis } from './support/redis.ts';
import { service } from './support/service.ts';

const json = (path: string, body: unknown): Sent => ({
  method: 'POST',
  path,
  headers: JSON_TYPE,
  body: JSON.stringify(body),
});

const write = json('/v1/page', { user_id: 'ann', name: 'Home' });
const read: Sent = { path: userPath('ann') };
const erase: Sent = { method: 'DELETE', path: userPath('ann') };

const CALLS: [name: string, sent: Sent][] = [
  ['a view', write],
  ['a batch', json('/v1/pages', [{ user_id: 'ann', name: 'Home' }])],
  ['an event', json('/v1/event', {})],
  ['an event by its other path', json('/event', {})],
  ['a login', json('/v1/user/login', {})],
  ['a profile', read],
  ['days', { path: `${userPath('ann')}/days` }],
  ['visits', { path: `${userPath('ann')}/visits` }],
  ['profiles', json('/v1/users/profiles', { user_ids: ['ann'] })],
  ['daily uniques', { path: '/v1/user/uniques/daily?date=2026-11-21' }],
  ['monthly uniques', { path: '/v1/user/uniques/monthly?month=2026-11' }],
  ['visitors', { path: '/v1/page/visitors?name=Home' }],
  ['a report', { path: '/v1/site/shop/report' }],
  ['an erasure', erase],
];

/** A request whose head is sent, and no byte of the body that it speaks of. */
function headOf({ method = 'GET', path = '/' }: Sent, more = ''): string {
  return `${method} ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${more}Content-Length: 1000\r\n\r\n`;
}

function expectComeAgain(reply: Reply, code: string): void {
  expectProblem(reply, 503, code);
  expect(reply.headers['retry-after']).toMatch(/^[1-9]\d?$/);
}

describe('while Redis is away', () => {
  let own: TestRedis;
  let away: Api;
  beforeAll(async () => {
    own = await startRedis();
    away = await startApi(own.redis);
    await killRedis(own);
  });
  afterAll(async () => {
    await stopServer(away.server);
    await own.stop();
  });

  test.each(CALLS)('%s is a 503 that says when to come again', async (_name, sent) => {
    expectComeAgain(await away.send(sent), 'unavailable');
  });

  test.each(CALLS)('%s is refused before its body is read', async (_name, sent) => {
    const socket = connect(away.port, '127.0.0.1');
    socket.write(headOf(sent));
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1\.1 503 [^\n]+\r\n[\s\S]*^Retry-After: [1-9]\d?\r\n/im);
    socket.destroy();
  });

  test('a connection is in order after a body that nobody read', async () => {
    const socket = connect(away.port, '127.0.0.1');
    socket.write(headOf(write));
    await once(socket, 'data');
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      text += chunk;
    });
    socket.write(`${'x'.repeat(1000)}GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    await once(socket, 'close');
    expect(text).toMatch(/^HTTP\/1\.1 200 [\s\S]*\{"status":"alive"\}$/);
  });

  test('not everybody is told to come again at the same time', async () => {
    const replies = await Promise.all(Array.from({ length: 40 }, () => away.send(write)));
    expect(new Set(replies.map(({ headers }) => headers['retry-after'])).size).toBeGreaterThan(1);
  });

  test('it says how it is, and what it counts', async () => {
    expect((await away.send({ path: '/livez' })).status).toBe(200);
    expect((await away.send({ path: '/metrics' })).status).toBe(200);
  });

  test('it works again when Redis does', async () => {
    const redis = await startRedis({ tcp: true });
    const api = await startApi(redis.redis);
    try {
      const drop = () => redis.redis.disconnect(true);
      expect((await api.send(write)).status).toBe(202);
      drop();
      await until('it refuses', async () => (await api.send(write)).status === 503, { every: 0 });
      await until('it takes', async () => (await api.send(write)).status === 202);
    } finally {
      await stopServer(api.server);
      await redis.stop();
    }
  });
});

describe('with too many requests under way', () => {
  const server = useRedis();
  const MOST = 10; // reads have 12, erasures 15
  let open = () => {};
  let http: Server;
  let port = 0;
  let underWay = () => 0;

  beforeEach(async () => {
    // A Redis that answers when it is let.
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const held = (name: 'ffRecord' | 'ffProfile' | 'ffErase') => ({
      async value(shard: string, args: string[]) {
        await gate;
        return server.redis[name](shard, args);
      },
    });
    const redis = Object.create(server.redis, {
      ffRecord: held('ffRecord'),
      ffProfile: held('ffProfile'),
      ffErase: held('ffErase'),
    });
    const { app, overload } = service(redis, { maxRequests: MOST });
    ({ underWay } = overload);
    http = createFastServer(app).listen(0, '127.0.0.1');
    await once(http, 'listening');
    ({ port } = http.address() as AddressInfo);
  });
  afterEach(async () => {
    open();
    await stopServer(http);
  });

  const send = (sent: Sent) => sendRequest(port, sent);

  /** Sends so many, which Redis does not answer; they are under way when it resolves. */
  async function hold(count: number, sent: Sent): Promise<Promise<Reply>[]> {
    const before = underWay();
    const replies = Array.from({ length: count }, () => send(sent));
    await until('they are under way', () => underWay() === before + count);
    return replies;
  }

  test('writes are refused first, then reads, then erasures, health never', async () => {
    const held = await hold(10, write);
    expectComeAgain(await send(write), 'overloaded');
    held.push(...(await hold(2, read)));
    expectComeAgain(await send(read), 'overloaded');
    expectComeAgain(await send(write), 'overloaded');
    held.push(...(await hold(3, erase)));
    expectComeAgain(await send(erase), 'overloaded');
    expectComeAgain(await send(read), 'overloaded');
    for (const path of ['/livez', '/readyz', '/metrics']) expect((await send({ path })).status).toBe(200);

    open();
    const statuses = (await Promise.all(held)).map(({ status }) => status);
    expect(statuses).toEqual([...new Array(10).fill(202), ...new Array(5).fill(200)]);
    await until('none is under way', () => underWay() === 0);
    expect((await send(write)).status).toBe(202);
  });

  test.each(CALLS)('%s is refused before its body is read', async (_name, sent) => {
    const held = await hold(10, write);
    held.push(...(await hold(2, read)), ...(await hold(3, erase)));
    const socket = connect(port, '127.0.0.1');
    socket.write(headOf(sent));
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1\.1 503 [\s\S]*"code":"overloaded"/);
    socket.destroy();
    open();
    await Promise.all(held);
  });

  test('those that were refused leave no trace', async () => {
    const held = await hold(10, write);
    for (let i = 0; i < 20; i++) expect((await send(write)).status).toBe(503);
    await until('only the others are under way', () => underWay() === 10);
    open();
    expect((await Promise.all(held)).every(({ status }) => status === 202)).toBe(true);
  });

  const ABORTED: [when: string, bytes: string][] = [
    ['in its body', `${headOf(write)}{"user`],
    [
      'in a body without a length',
      headOf(write).replace('Content-Length: 1000', 'Transfer-Encoding: chunked'),
    ],
    ['after 100 Continue', headOf(write, 'Expect: 100-continue\r\n')],
    ['while a write waits for Redis', bytesOf(write)],
    ['while a read waits for Redis', bytesOf(read)],
    ['while an erasure waits for Redis', bytesOf(erase)],
    ['while several wait behind each other', bytesOf(read).repeat(3)],
  ];

  test.each(ABORTED)('one that is broken off %s is under way no more', async (_when, bytes) => {
    const sockets: Socket[] = [];
    for (let i = 0; i < 5; i++) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.write(bytes);
      sockets.push(socket);
    }
    await until('all are under way', () => underWay() >= 5);
    for (const socket of sockets) socket.destroy();
    await until('none is', () => underWay() === 0);
    open();
    for (let i = 0; i < 2 * MOST; i++) expect((await send(write)).status).toBe(202);
    expect(underWay()).toBeLessThanOrEqual(1); // the last one's end may not be heard yet
  });

  const docs = 'GET /docs HTTP/1.1\r\nHost: x\r\n\r\n';

  test('what needs no key takes no room from calls, though nobody may read it', async () => {
    const seen: number[] = [];
    http.on('request', () => seen.push(underWay())); // given by then, and not gone out
    open();
    for (const path of ['/docs', '/', '/tracker.js', '/openapi.json', '/nothing']) await send({ path });
    expect(seen).toEqual([0, 0, 0, 0, 0]);
    await send({ path: '/metrics' });
    expect(seen.at(-1)).toBe(1);
  });

  test('of many files behind one another none is read to the end of the line', async () => {
    const socket = connect(port, '127.0.0.1');
    const closed = once(socket, 'close');
    let text = '';
    socket
      .on('error', () => undefined)
      .on('data', (chunk) => {
        text += chunk;
      });
    socket.write(docs.repeat(50));
    await closed;
    expect(text.split('HTTP/1.1 200').length - 1).toBeLessThanOrEqual(10);
  });

  test('however a request ends, it is under way no more', async () => {
    open();
    for (const sent of [
      ...CALLS.map(([, call]) => call),
      ...[
        { path: '/livez' },
        { path: '/nothing' },
        { path: '/v1/user/%zz' },
        { method: 'PUT', path: '/v1/page' },
      ],
      ...[
        { method: 'OPTIONS', path: '/v1/page' },
        { method: 'HEAD', path: userPath('ann') },
      ],
      { ...write, body: 'x'.repeat(100_000) },
      { ...write, headers: {} },
    ]) {
      await send(sent);
    }
    await until('none is under way', () => underWay() === 0);
  });
});

function bytesOf({ method = 'GET', path, body = '' }: Sent): string {
  return `${method} ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

describe('while the event loop is late', () => {
  let now = 0;
  let overload: ReturnType<typeof createOverload>;
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['performance'] });
    jest.spyOn(performance, 'now').mockImplementation(() => now);
    overload = createOverload({ maxRequests: 10, redisIsAway: () => false, eventsPileUp: () => false });
  });
  afterEach(() => {
    overload.stop();
    jest.useRealTimers();
    jest.restoreAllMocks();
  });

  /** Its look at the clock comes so late, ms. */
  function look(late: number): void {
    now += 50 + late;
    jest.advanceTimersByTime(50);
  }
  const refused = () => (['write', 'read', 'erase'] as const).filter((urgency) => overload.refusal(urgency));

  test.each<[late: number[], refused: string[]]>([
    [[0, 0, 0], []],
    [[350, 350, 350], []],
    [[5000], []], // one long pause is no overload
    [[5000, 10], []],
    [[450, 450], ['write']],
    [[5000, 450], ['write']],
    [
      [650, 650],
      ['write', 'read'],
    ],
    [
      [60_000, 60_000, 60_000],
      ['write', 'read'],
    ],
    [[650, 650, 0], []], // over as soon as it is in time again
  ])('by %j ms, look by look, these are refused: %j', (late, names) => {
    for (const ms of late) look(ms);
    expect(refused()).toEqual(names);
  });
});

test('how many requests are under way is in the metrics, of all workers together', async () => {
  const started = await processes.start({ WORKERS: '2' });
  const gauge = async () => {
    const { text } = await sendRequest(started.port, { path: '/metrics' });
    return Number(/^footfall_requests_under_way (\d+)$/m.exec(text)?.[1]);
  };
  await until('the scrape is the only one', async () => (await gauge()) === 1);
  const sockets = Array.from({ length: 4 }, () => connect(started.port, '127.0.0.1'));
  for (const socket of sockets) socket.write(headOf(write));
  await until('they are under way', async () => (await gauge()) === 5);
  for (const socket of sockets) socket.destroy();
  await until('they are not', async () => (await gauge()) === 1);
});

const processes = useProcesses();

test('where events pile up, a write is refused before it is read, and nothing else is', () => {
  let pilesUp = false;
  const overload = createOverload({
    maxRequests: 10,
    redisIsAway: () => false,
    eventsPileUp: () => pilesUp,
  });
  try {
    expect(overload.refusal('write')).toBeUndefined();
    pilesUp = true;
    expect(overload.refusal('write')).toMatchObject({ name: 'Overloaded' });
    expect(overload.refusal('read')).toBeUndefined();
    expect(overload.refusal('erase')).toBeUndefined();
  } finally {
    overload.stop();
  }
});

describe('of requests behind one another on a connection', () => {
  const server = useRedis();
  let api: Api;
  beforeAll(async () => {
    api = await startApi(server.redis, { writeKeys: ['a-write-key-of-a-test'] });
  });
  afterAll(() => stopServer(api.server));

  const ask = (path: string, times: number) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(times);

  test('some are answered, in order', async () => {
    const socket = connect(api.port, '127.0.0.1');
    let heard = '';
    socket.setEncoding('utf8').on('data', (text) => {
      heard += text;
    });
    socket.write(ask('/livez', 50));
    await until('all are answered', () => heard.match(/HTTP\/1.1 200/g)?.length === 50);
    socket.destroy();
  });

  test('hundreds whose answers nobody reads end the connection, and hold up nobody', async () => {
    const sockets = Array.from({ length: 6 }, () => connect(api.port, '127.0.0.1').pause());
    const gone = sockets.map((socket) =>
      once(
        socket.on('error', () => undefined),
        'close',
      ),
    );
    for (const socket of sockets) socket.write(ask('/docs', 1800));
    const headers = { ...JSON_TYPE, 'X-Api-Key': 'a-write-key-of-a-test' };
    expect((await api.send({ ...write, headers })).status).toBe(202);
    for (const socket of sockets) socket.resume(); // only now it hears of its end
    await Promise.all(gone);
    expect((await api.send({ ...write, headers })).status).toBe(202);
  });
});
