// Row 6: connections to Redis that swallow everything, or break again and again.

import { setTimeout as delay } from 'node:timers/promises';
import {
  conclude,
  type FaultStand,
  more,
  servedAgain,
  startFaultStand,
  strike,
} from '../support/faultStand.ts';
import { type Running, useLedger } from '../support/ledger.ts';
import { until, useProcesses } from '../support/process.ts';
import { openFilesOf } from '../support/resident.ts';
import { long, ms } from '../support/rows.ts';

const processes = useProcesses();
const ledger = useLedger();

const SWALLOWED = long(60_000, 6000);
const RESETS = long(20_000, 3000);
const EACH = 300;
const CONNECTIONS = 64;
const MOST_OPEN = 3; // one that is being given up, one that is being made, one that works

const FAULTS: [fault: string, make: (stand: FaultStand, running: Running) => Promise<number[]>][] = [
  [
    `everything is swallowed for ${SWALLOWED / 1000} s`,
    async ({ proxy }, running) => {
      const calls = await strike(running, () => proxy.set('swallow'));
      await delay(SWALLOWED);
      proxy.set('pass');
      return [calls];
    },
  ],
  [
    `a reset every ${EACH} ms for ${RESETS / 1000} s`,
    async ({ proxy }, running) => {
      const strikes: number[] = [];
      const since = performance.now();
      while (performance.now() - since < RESETS) {
        strikes.push(await strike(running, proxy.cut));
        await delay(EACH);
      }
      return strikes;
    },
  ],
];

test.each(FAULTS)('%s', async (fault, make) => {
  const stand = await startFaultStand(processes, ledger, { proxied: true });
  const { proxy, service } = stand;
  const filesBefore = openFilesOf(service.pid);
  const openBefore = proxy.open();
  const running = stand.load({ connections: CONNECTIONS });
  await more(running, long(1200, 300));
  const open: number[] = [];
  const opened: number[] = [];
  const watch = setInterval(() => {
    open.push(proxy.open());
    opened.push(openFilesOf(service.pid));
  }, 20);
  const strikes = await make(stand, running);
  const served = await servedAgain(running, performance.now());
  clearInterval(watch);
  await more(running, long(1200, 300));
  await running.finish();
  const files = () => openFilesOf(service.pid);
  await until('all sockets are closed', () => files() <= filesBefore, { within: 20_000 }).catch(
    () => undefined,
  );
  const [mostOpen, mostFiles] = [Math.max(...open), Math.max(...opened)];
  await conclude('6', fault, stand, running, {
    strikes,
    held: {
      'no socket is left open': files() <= filesBefore && proxy.open() === openBefore,
      'few connections at a time':
        mostOpen <= MOST_OPEN && mostFiles <= filesBefore + CONNECTIONS + MOST_OPEN,
    },
    figures: [
      `serving again ${ms(served)} after it`,
      `at most ${mostOpen} connections to Redis at a time, ${proxy.open()} after it`,
      `${filesBefore} open files before, at most ${mostFiles} with the ${CONNECTIONS} connections of the load, ${files()} after`,
    ],
  });
});
