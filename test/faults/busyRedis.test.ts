// Row 8: Redis is busy in somebody's endless script.

import { setTimeout as delay } from 'node:timers/promises';
import {
  conclude,
  more,
  plainClient,
  ready,
  servedAgain,
  startFaultStand,
  strike,
} from '../support/faultStand.ts';
import { useLedger } from '../support/ledger.ts';
import { useProcesses } from '../support/process.ts';
import { long, ms } from '../support/rows.ts';

const processes = useProcesses();
const ledger = useLedger();

const TIMES = long(2, 1);
const BUSY = long(4000, 2500);
const BETWEEN = long(1000, 300); // events
const RECOVERED = 2000;
const ENDLESS = "while true do redis.call('GET', 'x') end";

// Until it is reached Redis says nothing at all, from then on that it is busy.
test.each([200, 2000])('an endless script, busy-reply-threshold %i', async (threshold) => {
  const stand = await startFaultStand(processes, ledger, {
    args: ['--busy-reply-threshold', String(threshold)],
  });
  const { server, service } = stand;
  const other = plainClient(processes, server.url);
  await other.ping();
  const running = stand.load();
  const strikes: number[] = [];
  const served: number[] = [];
  const readyAgain: number[] = [];
  const answers: unknown[] = [];
  let early = 0;
  for (let i = 0; i < TIMES; i++) {
    await more(running, BETWEEN);
    let script = Promise.resolve<unknown>(undefined);
    const calls = await strike(running, () => {
      script = other.eval(ENDLESS, 0).catch((error: Error) => error.message);
    });
    strikes.push(calls);
    await delay(500); // what Redis had begun is answered
    const before = running.acknowledged();
    await delay(BUSY);
    early += running.acknowledged() - before;
    const killer = plainClient(processes, server.url, { enableReadyCheck: false });
    await killer.script('KILL');
    const killedAt = performance.now();
    answers.push(await script);
    served.push(await servedAgain(running, killedAt));
    await ready(service);
    readyAgain.push(performance.now() - killedAt);
  }
  await more(running, BETWEEN);
  const { statuses } = await running.finish();
  await conclude(
    '8',
    `busy for ${(BUSY + 500) / 1000} s, busy-reply-threshold ${threshold}`,
    stand,
    running,
    {
      strikes,
      held: {
        'whoever waited heard 503': statuses[503]! > 0,
        'nothing is acknowledged meanwhile': early === 0,
        'the script was endless': answers.every((answer) => /killed/i.test(String(answer))),
      },
      figures: [
        `serving again ${served.map(ms).join(', ')} and ready ${readyAgain.map(ms).join(', ')} after SCRIPT KILL`,
      ],
      aims: { 'recovered within 2 s': Math.max(...served, ...readyAgain) <= RECOVERED },
    },
  );
});
