// Row 3: Redis ran the call, and its reply is lost.

import { setTimeout as delay } from 'node:timers/promises';
import {
  conclude,
  type FaultStand,
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
import { long, ms, reportRow } from '../support/rows.ts';
import { steadyPort } from '../support/topologies.ts';

const processes = useProcesses();
const ledger = useLedger();

const TIMES = long(5, 2);
const BETWEEN = long(500, 200); // events

const LOSSES: [how: string, lose: (stand: FaultStand) => Promise<void>][] = [
  [
    'the connection ends',
    async ({ proxy }) => {
      await delay(100); // until Redis has run what is under way
      proxy.cut();
    },
  ],
  [
    'silence, until the calls time out',
    async ({ proxy }) => {
      await delay(1800);
      proxy.cut();
    },
  ],
];

test.each(LOSSES)('replies are lost: %s', async (how, lose) => {
  const stand = await startFaultStand(processes, ledger, { proxied: true });
  const { proxy } = stand;
  const running = stand.load();
  const strikes: number[] = [];
  const served: number[] = [];
  for (let i = 0; i < TIMES; i++) {
    await more(running, BETWEEN);
    strikes.push(await strike(running, () => proxy.set('holdReplies')));
    await lose(stand);
    proxy.set('pass');
    served.push(await servedAgain(running, performance.now()));
  }
  await more(running, BETWEEN);
  const { statuses, duplicates } = await running.finish();
  await conclude('3', how, stand, running, {
    strikes,
    held: { 'whoever waited heard 503': statuses[503]! > 0, 'retries said duplicate': duplicates > 0 },
    figures: [`serving again ${ms(Math.max(...served))} after it at the latest`],
  });
});

test('control: ioredis as it is by default counts a call twice', async () => {
  const server = makeServer(processes, await steadyPort(), {});
  await server.start();
  const proxy = await startProxy({ port: server.port });
  processes.atEnd(proxy.stop);
  const client = plainClient(processes, proxy.url);
  await client.ping();
  const reader = plainClient(processes, server.url);

  proxy.set('holdReplies');
  const call = client.incr('views');
  await until('Redis ran it', async () => (await reader.get('views')) === '1');
  proxy.cut();
  proxy.set('pass');
  const reply = await call;
  const stored = Number(await reader.get('views'));
  reportRow(
    '3',
    'control: ioredis as it is by default, INCR',
    { 'it doubles, as expected': stored === 2 && reply === 2 },
    `1 call was answered ${reply}; ${stored} counted`,
  );
});
