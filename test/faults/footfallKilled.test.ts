// Row 2: Footfall is killed under load, and started again on its port.

import { setTimeout as delay } from 'node:timers/promises';
import { conclude, more, servedAgain, startFaultStand, strike } from '../support/faultStand.ts';
import { useLedger } from '../support/ledger.ts';
import { type Service, until, useProcesses } from '../support/process.ts';
import { long, ms } from '../support/rows.ts';

const processes = useProcesses();
const ledger = useLedger();

const KILLS = long(3, 1);
const BETWEEN = long(800, 300); // events

test.each([1, 2])('Footfall killed, %i worker(s)', async (workers) => {
  const stand = await startFaultStand(processes, ledger, { settings: { WORKERS: String(workers) } });
  const { server, settings } = stand;
  const footfall = () => processes.pids().filter((pid) => pid !== server.pid());
  const running = stand.load();
  const strikes: number[] = [];
  const served: number[] = [];
  const killed: Service[] = [];
  for (let i = 0; i < KILLS; i++) {
    await more(running, BETWEEN);
    const pids = footfall();
    const calls = await strike(running, () => {
      for (const pid of pids) process.kill(pid, 'SIGKILL');
    });
    await until('Footfall is gone', () => footfall().length === 0);
    await delay(200);
    killed.push(stand.service);
    stand.service = await processes.start(settings);
    strikes.push(calls);
    served.push(await servedAgain(running, performance.now()));
  }
  await more(running, BETWEEN);
  await conclude('2', `${workers} worker${workers > 1 ? 's' : ''}`, stand, running, {
    strikes,
    unanswered: true,
    others: killed,
    figures: [`serving again ${served.map(ms).join(', ')} after it listened`],
  });
});
