// A Redis of others: away, back, set up wrongly. The service lives, says what is amiss, and is ready as soon as it can be.

import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { type Service, sendTo, until, useProcesses, viewOf } from './support/process.ts';
import { freePort, startRedis, type TestRedis } from './support/redis.ts';

const processes = useProcesses();

async function redisOn(port: number, args: string[] = []): Promise<TestRedis> {
  const redis = await startRedis({ args: ['--port', String(port), '--appendonly', 'yes', ...args] });
  processes.atEnd(() => redis.stop());
  return redis;
}

const urlOf = (port: number) => ({ REDIS_URL: `redis://127.0.0.1:${port}` });

async function readiness(service: Service): Promise<[status: number, reason: string | undefined]> {
  const { status, text } = await service.get('/readyz');
  return [status, JSON.parse(text).reason];
}

const ready = (service: Service, within: number) =>
  until('ready', async () => (await readiness(service))[0] === 200, { within });

async function expectAway(service: Service): Promise<void> {
  expect(await readiness(service)).toEqual([503, 'Redis does not answer']);
  expect((await service.get('/livez')).status).toBe(200);
  const { status, headers } = await sendTo(service.port, 'POST', '/v1/page', viewOf('ann', 'e'));
  expect(status).toBe(503);
  expect(headers['retry-after']).toMatch(/^[1-9]\d*$/);
}

const troubles = (service: Service) =>
  service.said().filter((message) => !message.startsWith('Footfall listens on'));

const MEND = 'redis-cli CONFIG SET maxmemory-policy noeviction';

test('with Redis away at the start it is alive, and ready within two seconds of Redis', async () => {
  const port = await freePort();
  const service = await processes.start(urlOf(port));
  await expectAway(service);
  await redisOn(port);
  await ready(service, 2000);
  expect(await service.view('ann', 'e')).toEqual([202, 'recorded']);
  expect(troubles(service)).toEqual(["Redis can't be reached (ECONNREFUSED); trying again", 'ready again']);
});

test('a Redis that turns out wrong when it comes ends the process', async () => {
  const port = await freePort();
  const service = await processes.start(urlOf(port));
  const redis = await startRedis();
  processes.atEnd(() => redis.stop());
  await redis.redis.hset('ff:meta', 'layout', '99');
  await redis.redis.config('SET', 'port', String(port));
  expect(await service.ended).toMatchObject({ code: 2 });
  expect(service.err()).toMatch(/^ff:meta in Redis says layout 99[^\n]+\n$/);
});

test.each<[what: string, word: string, onConnection: (socket: Socket) => unknown]>([
  ['says nothing', 'it does not answer', () => undefined],
  ['closes at once', 'it closed the connection', (socket) => socket.end()],
])('a REDIS_URL at something that %s is as a Redis that is away', async (_, word, onConnection) => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    onConnection(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  processes.atEnd(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const service = await processes.start(urlOf((server.address() as { port: number }).port));
  await expectAway(service);
  await until('it is said', () => troubles(service).length > 0);
  expect(troubles(service)).toEqual([`Redis can't be reached (${word}); trying again`]);
});

test('a wrong eviction policy is not ready, says the command, and is ready soon after it', async () => {
  const port = await freePort();
  const { redis } = await redisOn(port, ['--maxmemory-policy', 'allkeys-lru']);
  const service = await processes.start(urlOf(port));
  const reason = `Redis may drop profiles in silence (maxmemory-policy allkeys-lru): ${MEND}`;
  expect(await readiness(service)).toEqual([503, reason]);
  expect(service.said().filter((message) => message === reason)).toHaveLength(1);
  const [, ...command] = MEND.split(' ');
  await redis.call(...(command as [string, ...string[]]));
  await ready(service, 3000);
  await until('it is said', () => service.said().at(-1) === 'ready again');
});

test('no append-only file is a warning with its command, and it is ready', async () => {
  const port = await freePort();
  await redisOn(port, ['--appendonly', 'no']);
  const service = await processes.start(urlOf(port));
  await ready(service, 1000);
  expect(service.said()).toContain(
    'Redis keeps no append-only file, so a crash loses data: redis-cli CONFIG SET appendonly yes',
  );
});

test('a Redis that is killed and comes back with its files is used again', async () => {
  const port = await freePort();
  const args = ['--dir', processes.dir];
  const first = await redisOn(port, args);
  const service = await processes.start(urlOf(port));
  await ready(service, 1000);
  expect(await service.view('ann', 'e1')).toEqual([202, 'recorded']);
  process.kill(first.pid, 'SIGKILL');
  await until('it is noticed', async () => (await readiness(service))[0] === 503);
  await expectAway(service);
  await redisOn(port, args);
  await ready(service, 2000);
  expect(await service.view('ann', 'e1')).toEqual([202, 'duplicate']);
  expect(await service.view('ann', 'e2')).toEqual([202, 'recorded']);
  await until('it is said', () => service.said().at(-1) === 'ready again');
});

test('what the password of a running service is changed to is told, and it goes on once it is changed back', async () => {
  const port = await freePort();
  const { redis } = await redisOn(port);
  const service = await processes.start(urlOf(port));
  await ready(service, 1000);
  await redis.config('SET', 'requirepass', 'another');
  await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await until('it is said', () =>
    service.said().some((it) => it.startsWith('Redis asks for another password')),
  );
  expect((await readiness(service))[0]).toBe(503);
  await redis.config('SET', 'requirepass', '');
  await ready(service, 2000);
});

test('a full Redis that holds ff:meta starts: what is there can be read and erased', async () => {
  const port = await freePort();
  const { redis } = await redisOn(port);
  const first = await processes.start(urlOf(port));
  expect(await first.view('ann', 'e1')).toEqual([202, 'recorded']);
  first.kill('SIGTERM');
  await first.ended;
  await redis.config('SET', 'maxmemory', '1');
  const second = await processes.start(urlOf(port));
  await ready(second, 1000);
  expect(await second.viewsOf('ann')).toBe(1);
  expect((await sendTo(second.port, 'DELETE', '/v1/user/ann')).status).toBe(200);
  expect((await second.view('ann', 'e2'))[0]).toBe(503);
});
