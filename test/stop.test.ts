// How the service ends: what was begun is finished, what was acknowledged is stored, and nothing stays behind.

import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { connect, type Socket } from 'node:net';
import { delimiter, join } from 'node:path';
import { connectRedis } from '../src/redis/connect.ts';
import { type Answer, type Service, sendTo, until, useProcesses, viewOf } from './support/process.ts';

const processes = useProcesses();

interface Connection {
  socket: Socket;
  /** All that came. */
  text(): string;
  closed: Promise<unknown>;
}

async function open(service: Service, bytes = ''): Promise<Connection> {
  const socket = connect(service.port, '127.0.0.1');
  processes.atEnd(() => socket.destroy());
  let text = '';
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('error', () => undefined);
  socket.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
  });
  await once(socket, 'connect');
  socket.write(bytes);
  return { socket, text: () => text, closed };
}

const GET = 'GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n';

/** A request whose body does not come to its end before `finish`. */
async function holdUpload(service: Service) {
  const body = viewOf('ann', 'held');
  const head = `POST /v1/page HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
  const connection = await open(service, `${head}${body.slice(0, 9)}`);
  await underWay(service);
  return { ...connection, finish: () => connection.socket.write(body.slice(9)) };
}

/** What was written to other connections before is being worked on once a later request has been answered. */
const underWay = (service: Service) => sendTo(service.port, 'GET', '/livez');

const isStopping = (service: Service) =>
  until('stopping', () => /: stopping$/m.test(service.said().join('\n')));

async function storedAfterwards(userId: string): Promise<number> {
  const service = await processes.start();
  return service.viewsOf(userId);
}

test('SIGTERM ends it with 0, and its private Redis with it', async () => {
  const service = await processes.start();
  expect(await service.view('ann', 'e')).toEqual([202, 'recorded']);
  service.kill('SIGTERM');
  expect(await service.ended).toMatchObject({ code: 0, signal: null });
  expect(processes.redisPids()).toEqual([]);
  expect(service.err()).toBe('');
  expect(await storedAfterwards('ann')).toBe(1);
});

test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
  '%s twice within a moment is one, and graceful',
  async (signal) => {
    const service = await processes.start();
    const upload = await holdUpload(service);
    service.kill(signal);
    service.kill(signal);
    await isStopping(service);
    service.kill(signal);
    upload.finish();
    await upload.closed;
    expect(upload.text()).toMatch(/^HTTP\/1\.1 202 /);
    expect(await service.ended).toMatchObject({ code: 0 });
    expect(service.said().slice(1)).toEqual([`${signal}: stopping`]);
    expect(processes.redisPids()).toEqual([]);
  },
);

test('a signal during the start ends it with 0 and leaves nothing behind', async () => {
  writeFileSync(join(processes.dir, 'redis-server'), '#!/bin/sh\nexec sleep 60\n', { mode: 0o755 }); // never answers
  const service = processes.begin({ PATH: `${processes.dir}${delimiter}${process.env.PATH}` });
  await until('its Redis runs', () => processes.pids().length === 2);
  service.kill('SIGTERM');
  expect(await service.ended).toMatchObject({ code: 0 });
  expect(service.err()).toBe('');
  await until('its Redis has ended', () => processes.pids().length === 0);
});

describe('while it stops', () => {
  test('a request under way is answered and stored, and its connection closed', async () => {
    const service = await processes.start();
    const upload = await holdUpload(service);
    service.kill('SIGTERM');
    await isStopping(service);
    upload.finish();
    await upload.closed;
    expect(upload.text()).toMatch(/^HTTP\/1\.1 202 .*\r\nConnection: close\r\n.*\{"status":"recorded"\}$/s);
    expect(await service.ended).toMatchObject({ code: 0 });
    expect(await storedAfterwards('ann')).toBe(1);
  });

  test('an open connection hears that it is not ready, and is closed', async () => {
    const service = await processes.start();
    const upload = await holdUpload(service);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    processes.atEnd(() => agent.destroy());
    const ask = () => sendTo(service.port, 'GET', '/readyz', undefined, agent);
    expect(await ask()).toMatchObject({ status: 200, headers: { connection: 'keep-alive' } });
    service.kill('SIGTERM');
    let answer: Answer;
    do answer = await ask();
    while (answer.status === 200);
    expect(answer).toMatchObject({
      status: 503,
      headers: { connection: 'close' },
      text: '{"status":"unready","reason":"stopping"}',
    });
    await expect(sendTo(service.port, 'GET', '/readyz')).rejects.toThrow(/ECONNREFUSED/);
    upload.finish();
    expect(await service.ended).toMatchObject({ code: 0 });
  });

  test('it does not wait for connections that ask for nothing', async () => {
    const service = await processes.start();
    const silent = await open(service);
    const idle = await open(service, GET);
    await until('an answer', () => idle.text().includes('"ready"'));
    service.kill('SIGTERM');
    await Promise.all([silent.closed, idle.closed]);
    expect(await service.ended).toMatchObject({ code: 0 }); // 3 past SHUTDOWN_MS
  });

  test('its private Redis lives until the last request is answered', async () => {
    const service = await processes.start();
    const uploads = await Promise.all([holdUpload(service), holdUpload(service)]);
    service.kill('SIGINT');
    await isStopping(service);
    for (const upload of uploads) {
      expect(processes.redisPids()).toHaveLength(1);
      upload.finish();
      await upload.closed;
    }
    expect(uploads.map(({ text }) => /"(recorded|duplicate)"/.exec(text())?.[1])).toEqual([
      'recorded',
      'duplicate',
    ]);
    await service.ended;
    expect(processes.redisPids()).toEqual([]);
  });
});

test('SIGTERM under load drops no request, and what was acknowledged is stored', async () => {
  const CLIENTS = 24;
  const service = await processes.start();
  const counts = { sent: 0, recorded: 0, refused: 0, unanswered: 0, other: [] as number[] };
  let pending = 0;
  /** Sends on one connection until the service says that it closes it. */
  async function client(name: string): Promise<number> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    processes.atEnd(() => agent.destroy());
    let recorded = 0;
    for (let i = 0; ; i++) {
      counts.sent++;
      pending++;
      const answer = await sendTo(service.port, 'POST', '/v1/page', viewOf(name, `e${i}`), agent).catch(
        (): Answer | undefined => undefined,
      );
      pending--;
      if (answer === undefined) counts.unanswered++;
      else if (answer.status === 202) recorded++;
      else counts.other.push(answer.status);
      if (answer === undefined || answer.headers.connection === 'close') return recorded;
    }
  }
  const clients = Array.from({ length: CLIENTS }, (_, i) => client(`user-${i}`));
  await until('all clients at work', () => counts.sent > 50 * CLIENTS);
  service.kill('SIGTERM');
  const pendingThen = pending;
  const recorded = await Promise.all(clients);
  const { code } = await service.ended;

  const acknowledged = recorded.reduce((sum, n) => sum + n, 0);
  process.stdout.write(
    `SIGTERM under load: ${counts.sent} sent, ${pendingThen} under way then, ${acknowledged} acknowledged, ${counts.unanswered} unanswered\n`,
  );
  expect(pendingThen).toBeGreaterThan(CLIENTS / 2);
  expect({ ...counts, code }).toEqual({ ...counts, unanswered: 0, other: [], code: 0 });
  expect(acknowledged).toBe(counts.sent);

  const after = await processes.start();
  const stored = await Promise.all(recorded.map((_, i) => after.viewsOf(`user-${i}`)));
  expect(stored).toEqual(recorded);
});

describe('stopping is cut off, with 3, and the private Redis ends too', () => {
  afterEach(async () => {
    await until('the private Redis has ended', () => processes.redisPids().length === 0);
    expect(await storedAfterwards('bob')).toBe(1);
  });

  async function withHeldUpload(settings = {}) {
    const service = await processes.start(settings);
    expect(await service.view('bob', 'e')).toEqual([202, 'recorded']);
    await holdUpload(service);
    return service;
  }

  test('by another signal', async () => {
    const service = await withHeldUpload();
    service.kill('SIGINT');
    await isStopping(service);
    service.kill('SIGTERM');
    expect(await service.ended).toMatchObject({ code: 3 });
    expect(service.said().slice(1)).toEqual([
      'SIGINT: stopping',
      'SIGTERM: stopping at once, open requests are cut off',
    ]);
  });

  test('by the same signal again, once it can be no echo', async () => {
    const service = await withHeldUpload();
    service.kill('SIGINT');
    const since = performance.now();
    await isStopping(service);
    let ended = false;
    void service.ended.then(() => {
      ended = true;
    });
    await until('it has ended', () => {
      if (!ended) service.kill('SIGINT');
      return ended;
    });
    expect(performance.now() - since).toBeGreaterThan(900);
    expect(await service.ended).toMatchObject({ code: 3 });
  });

  test('after SHUTDOWN_MS', async () => {
    const service = await withHeldUpload({ SHUTDOWN_MS: '300' });
    service.kill('SIGTERM');
    expect(await service.ended).toMatchObject({ code: 3 });
    expect(service.said().at(-1)).toBe(
      'it took longer than SHUTDOWN_MS: stopping at once, open requests are cut off',
    );
  });
});

describe('npm start in a terminal', () => {
  // `script` gives a terminal; what is written to it is typed there. Without the build, which other tests run from.
  const npmStart = () => {
    const script = (process.env.PATH ?? '')
      .split(delimiter)
      .map((it) => join(it, 'script'))
      .find(existsSync);
    if (!script) throw new Error('these tests need `script`, of bsdutils or util-linux');
    return {
      cwd: join(__dirname, '..'),
      command: [script, '-qec', 'npm start --ignore-scripts', '/dev/null'],
    };
  };

  test('is stopped by one Ctrl-C as by one signal', async () => {
    const service = await processes.start({}, npmStart());
    await until('it says what to try', () =>
      service.out().includes(`curl -s http://127.0.0.1:${service.port}/v1/page`),
    );
    expect(await service.view('ann', 'e1')).toEqual([202, 'recorded']);
    const upload = await holdUpload(service);
    let ended = false;
    void service.ended.then(() => {
      ended = true;
    });
    service.type('\x03');
    await until('it stops', () => service.out().includes('SIGINT: stopping'));
    expect(processes.redisPids()).toHaveLength(1);
    expect(ended).toBe(false);
    upload.finish();
    await upload.closed;
    expect(upload.text()).toContain('"recorded"');
    const { code } = await service.ended;
    expect(service.out().match(/stopping/g)).toHaveLength(1);
    await until('its Redis has ended', () => processes.redisPids().length === 0);
    // npm waits for the service, and then answers a Ctrl-C as a shell does (npm 11) or with the service's own code.
    expect([0, 130]).toContain(code);
    expect(await storedAfterwards('ann')).toBe(2);
  });
});

test('no line of its output names a user, a page or an event', async () => {
  const service = await processes.start({ LOG_LEVEL: 'debug' });
  const MARK = 'marked7x';
  const post = (body: string) => sendTo(service.port, 'POST', '/v1/page', body);
  const page = (more: object) => JSON.stringify({ user_id: MARK, name: MARK, event_id: MARK, ...more });
  const statuses: number[] = [];
  const all = async (...answers: Promise<Answer>[]) => {
    for (const answer of await Promise.all(answers)) statuses.push(answer.status);
  };
  await all(post(page({})));
  await all(
    post(page({})),
    post(page({ timestamp: '2012-01-01T00:00:00Z' })),
    post(page({ timestamp: '2999-01-01T00:00:00Z' })),
    post(page({ user_id: [MARK] })),
    post(page({ name: `${MARK}\0` })),
    post(`{"user_id":"${MARK}`),
    post(page({ url: MARK.repeat(10_000) })),
    sendTo(service.port, 'GET', `/v1/user/${MARK}`),
    sendTo(service.port, 'GET', `/v1/user/${MARK}/days`),
    sendTo(service.port, 'GET', `/v1/user/${MARK}%zz`),
    sendTo(service.port, 'GET', `/${MARK}?${MARK}`),
    sendTo(service.port, 'PUT', `/v1/user/${MARK}`),
    sendTo(service.port, 'DELETE', `/v1/user/${MARK}`),
  );
  const redis = connectRedis({ url: `unix://${processes.dir}/data/redis/redis.sock` }, 1000);
  processes.atEnd(() => redis.disconnect());
  await redis.connect();
  for (const kind of ['stats', 'pages', 'visits']) {
    await redis.set(`ff:{0}:user:${MARK}:${new Date().toISOString().slice(0, 10)}:${kind}`, 'damage');
  }
  redis.disconnect();
  await all(post(page({ event_id: `${MARK}2` })), sendTo(service.port, 'GET', `/v1/user/${MARK}`));
  process.kill(processes.redisPids()[0]!, 'SIGKILL');
  await all(post(page({})), sendTo(service.port, 'GET', `/v1/user/${MARK}`));
  service.kill('SIGTERM');
  await service.ended;
  expect(statuses).toEqual(expect.arrayContaining([200, 202, 400, 404, 405, 413, 500, 503]));
  expect(service.said()).toEqual(expect.arrayContaining(['damaged', 'SIGTERM: stopping']));
  expect(`${service.out()}${service.err()}`).not.toContain(MARK);
});
