// What a client of sentinels goes through that a test with real ones would have to wait for by chance.

import { createServer, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connectRedis } from '../src/redis/connect.ts';
import { ask } from './support/ask.ts';
import { until, useProcesses } from './support/process.ts';
import { freePort, startRedis } from './support/redis.ts';

const processes = useProcesses();

/** Says who is master, as late as it is told to, and tells of a failover when it is told to. */
async function startSentinel() {
  const state = { master: 0, lateBy: 0, asked: 0 };
  const listeners = new Set<Socket>();
  const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    let turn = Promise.resolve();
    socket.on('data', (data) => {
      for (const command of data
        .toString()
        .toLowerCase()
        .split(/(?=\*\d+\r\n)/)) {
        turn = turn.then(async () => {
          if (command.includes('subscribe')) {
            listeners.add(socket);
            socket.write(`*3\r\n${bulk('subscribe')}${bulk('+switch-master')}:1\r\n`);
          } else if (command.includes('get-master')) {
            state.asked++;
            if (state.lateBy > 0) await delay(state.lateBy);
            socket.write(`*2\r\n${bulk('127.0.0.1')}${bulk(String(state.master))}`);
          } else {
            socket.write(command.includes('sentinels') ? '*0\r\n' : '+OK\r\n');
          }
        });
      }
    });
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  processes.atEnd(() => {
    for (const socket of listeners) socket.destroy();
    server.close();
  });
  return {
    state,
    port,
    listeners,
    announce() {
      for (const socket of listeners) {
        socket.write(`*3\r\n${bulk('message')}${bulk('+switch-master')}${bulk('m 127.0.0.1 1 127.0.0.1 2')}`);
      }
    },
  };
}

test('news of a failover that comes while it asks for the master does not end it', async () => {
  const [first, second] = await Promise.all([startRedis({ tcp: true }), startRedis({ tcp: true })]);
  processes.atEnd(() => Promise.all([first.stop(), second.stop()]));
  const sentinel = await startSentinel();
  const portOf = (url: string) => Number(new URL(url).port);
  sentinel.state.master = portOf(first.url);
  const redis = connectRedis({ sentinels: [{ host: '127.0.0.1', port: sentinel.port }], master: 'm' }, 1000);
  redis.on('error', () => undefined);
  processes.atEnd(() => redis.disconnect());
  await redis.connect();
  await until('it listens for news', () => sentinel.listeners.size > 0);

  sentinel.state.lateBy = 500; // as one whose machine has died with the master's
  const asked = sentinel.state.asked;
  process.kill(first.pid, 'SIGKILL');
  await until('it asks again', () => sentinel.state.asked > asked);
  sentinel.state.master = portOf(second.url);
  sentinel.announce();
  await delay(600);
  sentinel.state.lateBy = 0;
  await until('it is connected to the new one', () => redis.status === 'ready');
  expect(await redis.ping()).toBe('PONG');

  const ended = new Promise((resolve) => redis.once('end', resolve));
  redis.disconnect();
  await ended;
  await delay(300);
  expect(redis.status).toBe('end'); // whoever wants no more of it gets no more
});

test('without any sentinel the service is alive, and not ready', async () => {
  const REDIS_SENTINELS = `127.0.0.1:${await freePort()},127.0.0.1:${await freePort()}`;
  const service = await processes.start({ REDIS_SENTINELS, REDIS_MASTER: 'm' });
  expect((await ask(service.port, '/livez')).status).toBe(200);
  expect((await ask(service.port, '/readyz')).status).toBe(503);
  expect((await service.view('ann', 'e'))[0]).toBe(503);
});
