// Row 4: Redis stands still for a while, and goes on.

import { setTimeout as delay } from 'node:timers/promises';
import { connectRedis } from '../../src/redis/connect.ts';
import {
  conclude,
  makeServer,
  more,
  plainClient,
  servedAgain,
  startFaultStand,
  strike,
} from '../support/faultStand.ts';
import { useLedger } from '../support/ledger.ts';
import { until, useProcesses } from '../support/process.ts';
import { startProxy } from '../support/proxy.ts';
import { highest, watchResident } from '../support/resident.ts';
import { count, long, ms, reportRow } from '../support/rows.ts';
import { steadyPort } from '../support/topologies.ts';

const processes = useProcesses();
const ledger = useLedger();

const ASLEEP = long(5000, 2500);
const WAITING = 900; // ms, before the first give up
const TIMES = long(2, 1);
const BETWEEN = long(3000, 800); // events
const CONNECTIONS = 500;
const GROWTH = 48; // megabytes

test('Redis asleep', async () => {
  const stand = await startFaultStand(processes, ledger);
  const { server, service } = stand;
  const running = stand.load({ rate: 1500, connections: CONNECTIONS });
  await more(running, 2 * BETWEEN); // its memory has what it needs
  const memory = watchResident(() => [service.pid], 50);
  await more(running, BETWEEN);
  const before = highest(memory.samples);
  const strikes: number[] = [];
  const served: number[] = [];
  const waited: number[] = [];
  for (let i = 0; i < TIMES; i++) {
    strikes.push(await strike(running, () => process.kill(server.pid(), 'SIGSTOP')));
    await delay(WAITING);
    waited.push(running.inFlight());
    await delay(ASLEEP - WAITING);
    process.kill(server.pid(), 'SIGCONT');
    served.push(await servedAgain(running, performance.now()));
    await more(running, BETWEEN);
  }
  memory.stop();
  const most = highest(memory.samples);
  await conclude('4', `SIGSTOP for ${ASLEEP / 1000} s, ${CONNECTIONS} connections`, stand, running, {
    strikes,
    held: { 'memory is flat': most <= before + GROWTH },
    figures: [
      `${waited.map(count).join(', ')} requests wait after ${ms(WAITING)}`,
      `memory ${before} MB before, at most ${most} MB`,
      `serving again ${served.map(ms).join(', ')} after it woke up`,
    ],
  });
});

test('controls: what had failed is written later', async () => {
  const server = makeServer(processes, await steadyPort(), {});
  await server.start();
  const proxy = await startProxy({ port: server.port });
  processes.atEnd(proxy.stop);
  const plain = plainClient(processes, proxy.url, { commandTimeout: 300 });
  const ours = connectRedis({ url: proxy.url }, 300);
  ours.on('error', () => undefined);
  processes.atEnd(() => ours.disconnect());
  const reader = plainClient(processes, server.url);
  await Promise.all([plain.ping(), ours.connect(), reader.ping()]);

  process.kill(server.pid(), 'SIGSTOP');
  const asleep = await outcomeOf(plain.incr('asleep'));
  process.kill(server.pid(), 'SIGCONT');
  await until('Redis is awake', async () => (await outcomeOf(plain.ping())) === 'PONG');
  const reply = await plain.incr('asleep'); // the caller sends again what had failed
  reportRow(
    '4',
    'control: ioredis with a timeout, INCR while Redis sleeps, sent again',
    { 'it doubles, as expected': asleep instanceof Error && reply === 2 },
    `the caller heard "${asleep}", then ${reply}: ${reply} counted of 1`,
  );

  proxy.set('refuse');
  await until('both are cut off', () => plain.status !== 'ready' && ours.status !== 'ready');
  const away = await Promise.all([outcomeOf(plain.incr('plain')), outcomeOf(ours.incr('ours'))]);
  proxy.set('pass');
  for (const client of [plain, ours]) {
    await until('it is back', async () => (await outcomeOf(client.ping())) === 'PONG');
  }
  const [stored, storedByOurs] = (await reader.mget('plain', 'ours')).map(Number);
  reportRow(
    '4',
    'control: ioredis with its queue and a timeout, INCR while Redis is away',
    {
      'both callers were told that it failed': away.every((outcome) => outcome instanceof Error),
      'it is written later, as expected': stored === 1,
      "with Footfall's settings it is not": storedByOurs === 0,
    },
    `the caller heard "${away[0]}", ${stored} counted later; with Footfall's settings "${away[1]}", ${storedByOurs} counted later`,
  );
});

const outcomeOf = (call: Promise<unknown>): Promise<unknown> => call.catch((error: Error) => error);
