// Connections that are slow, silent or idle are closed, and nobody else waits for them. Each limit is set small here, and
// a test waits seconds past it: how near to it they are closed is measured elsewhere.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type ConfigError, readConfig } from '../src/config.ts';
import { sendRequest } from './support/http.ts';
import { type Service, sendTo, until, useProcesses, viewOf } from './support/process.ts';

const processes = useProcesses();

const LIMITS = { HEADERS_TIMEOUT_MS: '500', REQUEST_TIMEOUT_MS: '1000', KEEP_ALIVE_MS: '700' };
/** Of those that a test is not about. */
const PATIENT = { HEADERS_TIMEOUT_MS: '60000', REQUEST_TIMEOUT_MS: '60000', KEEP_ALIVE_MS: '60000' };

interface Connection {
  socket: Socket;
  text(): string;
  isClosed(): boolean;
}

async function open({ port }: Service, bytes = ''): Promise<Connection> {
  const socket = connect(port, '127.0.0.1');
  processes.atEnd(() => socket.destroy());
  let text = '';
  let closed = false;
  socket.on('error', () => undefined);
  socket.once('close', () => {
    closed = true;
  });
  socket.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  await once(socket, 'connect');
  socket.write(bytes);
  return { socket, text: () => text, isClosed: () => closed };
}

const isClosed = (connection: Connection) =>
  until('the connection is closed', () => connection.isClosed(), { every: 50 });

/** Sends a byte now and then, so that the connection is never idle. */
async function trickleUntilClosed(connection: Connection, byte: string): Promise<void> {
  await until(
    'the connection is closed',
    () => {
      if (!connection.isClosed()) connection.socket.write(byte);
      return connection.isClosed();
    },
    { every: 50 },
  );
}

const HEAD = 'POST /v1/page HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
const GET = 'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n';
const ALIVE = '{"status":"alive"}';
const TIMED_OUT = /^HTTP\/1\.1 408 /;

async function underWay({ port }: Service): Promise<number> {
  const { text } = await sendRequest(port, { path: '/metrics' });
  return Number(/^footfall_requests_under_way (\d+)$/m.exec(text)?.[1]);
}

describe('is closed', () => {
  test('a head that comes byte by byte', async () => {
    const service = await processes.start({ ...PATIENT, HEADERS_TIMEOUT_MS: '500' });
    const connection = await open(service, `${HEAD}X-Slow: `);
    await trickleUntilClosed(connection, 'x');
    expect(connection.text()).toMatch(TIMED_OUT);
  });

  test.each([
    ['with a length', `${HEAD}Content-Length: 50000\r\n\r\n{`, ' '],
    ['in chunks', `${HEAD}Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n`, '1\r\n \r\n'],
  ])('a body that comes byte by byte, %s', async (_how, head, byte) => {
    const service = await processes.start({
      ...PATIENT,
      HEADERS_TIMEOUT_MS: '900',
      REQUEST_TIMEOUT_MS: '1000',
    });
    const connection = await open(service, head);
    await trickleUntilClosed(connection, byte);
    expect(connection.text()).toMatch(TIMED_OUT);
    await until('it is under way no more', async () => (await underWay(service)) === 1);
  });

  test.each([
    ['a connection that says nothing', ''],
    ['a head that stops', `${HEAD}X-Slow: `],
    ['a body that stops', `${HEAD}Content-Length: 1000\r\n\r\n{`],
    ['a second request that stops', `${GET}${HEAD}`],
  ])('%s', async (_what, bytes) => {
    const service = await processes.start({ ...LIMITS, KEEP_ALIVE_MS: '60000' });
    await isClosed(await open(service, bytes));
  });

  test('a connection that is idle after its answer', async () => {
    const service = await processes.start({ ...PATIENT, KEEP_ALIVE_MS: '700' });
    const connection = await open(service, GET);
    await until('it is answered', () => connection.text().includes(ALIVE));
    await isClosed(connection);
    expect(connection.text().match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200']);
  });

  test('one who does not read the answers', async () => {
    const service = await processes.start(LIMITS);
    const views = Array.from({ length: 1000 }, (_, i) => JSON.parse(viewOf('ann', `e${i}`)));
    await sendTo(service.port, 'POST', '/v1/pages', JSON.stringify(views));
    const connection = await open(service);
    connection.socket.pause();
    // More than the buffers on the way hold, and fewer requests than a connection may have under way.
    connection.socket.write('GET /v1/user/ann/export HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(99));
    await until('its answers wait', async () => (await underWay(service)) > 10);
    await until('nothing of it is under way', async () => (await underWay(service)) === 1);
  });
});

describe('is not closed', () => {
  test('a connection that is used', async () => {
    const service = await processes.start({ ...LIMITS, KEEP_ALIVE_MS: '2000' });
    const connection = await open(service);
    const since = performance.now();
    let asked = 0;
    // Longer than the limits for one request.
    while (performance.now() - since < 2500) {
      connection.socket.write(GET);
      asked++;
      await until('it is answered', () => connection.text().split(ALIVE).length - 1 === asked);
    }
    expect(connection.isClosed()).toBe(false);
  });

  test('an upload that is slow, but in time', async () => {
    const service = await processes.start({ ...PATIENT, KEEP_ALIVE_MS: '700' });
    const body = viewOf('ann', 'e');
    const connection = await open(service, `${HEAD}Content-Length: ${body.length}\r\n\r\n`);
    const idle = await open(service, GET);
    await isClosed(idle); // so much time has passed
    connection.socket.write(body);
    await until('it is answered', () => connection.text().includes('recorded'));
    expect(connection.text()).toMatch(/^HTTP\/1\.1 202 /);
  });
});

test('others are served while many are slow, and these are closed all the same', async () => {
  const service = await processes.start(LIMITS);
  const kinds = ['', `${HEAD}X-Slow: `, `${HEAD}Content-Length: 1000\r\n\r\n{`, GET];
  const slow = await Promise.all(
    Array.from({ length: 200 }, (_, i) => open(service, kinds[i % kinds.length]!)),
  );
  let served = 0;
  await until(
    'all are closed',
    async () => {
      expect(await service.view('ann', `e${served}`)).toEqual([202, 'recorded']);
      served++;
      return slow.every((connection) => connection.isClosed());
    },
    { every: 20 },
  );
  expect(served).toBeGreaterThan(3);
  expect(await service.viewsOf('ann')).toBe(served);
  expect(service.err()).toBe('');
  expect(service.said()).toHaveLength(1); // that it listens: a slow client is no news
});

describe('the settings', () => {
  const faultOf = (env: Record<string, string>) => {
    try {
      readConfig(env);
      return '';
    } catch (error) {
      return (error as ConfigError).faults.join();
    }
  };

  test('keep a connection longer than a load balancer does', () => {
    expect(readConfig({}).keepAliveMs).toBeGreaterThan(60_000);
  });

  test('a head that may take longer than its request is a fault, not a crash', async () => {
    expect(faultOf({ HEADERS_TIMEOUT_MS: '20000' })).toBe(
      'HEADERS_TIMEOUT_MS=20000 must not be longer than REQUEST_TIMEOUT_MS=15000: the head is a part of the request',
    );
    expect(faultOf({ REQUEST_TIMEOUT_MS: '4999' })).toMatch(/^HEADERS_TIMEOUT_MS=5000 must not be longer/);
    expect(faultOf({ HEADERS_TIMEOUT_MS: '15000' })).toBe('');
    const { code, err } = await processes.startToEnd({ HEADERS_TIMEOUT_MS: '20000' });
    expect({ code, lines: err.trim().split('\n').length }).toEqual({ code: 2, lines: 1 });
  });
});
