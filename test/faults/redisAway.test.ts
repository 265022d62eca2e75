// Row 5: there is no Redis yet when Footfall starts.

import { setTimeout as delay } from 'node:timers/promises';
import { conclude, more, ready, servedAgain, startFaultStand, strike } from '../support/faultStand.ts';
import { useLedger } from '../support/ledger.ts';
import { useProcesses } from '../support/process.ts';
import { long, ms } from '../support/rows.ts';

const processes = useProcesses();
const ledger = useLedger();

const AWAY = long(8000, 1500); // long enough for the longest pause between two attempts to connect
const READY = 2000;

test('Redis away at start', async () => {
  const stand = await startFaultStand(processes, ledger, { away: true });
  const { server, service } = stand;
  const status = async (path: string) => (await service.get(path)).status;
  const running = stand.load();
  await delay(AWAY);
  const [live, unready] = [await status('/livez'), await status('/readyz')];
  const early = running.acknowledged();

  let openedAt = 0;
  const calls = await strike(running, async () => {
    openedAt = await server.start();
  });
  const [served] = await Promise.all([servedAgain(running, openedAt), ready(service)]);
  const readyAfter = performance.now() - openedAt;
  await more(running, long(2500, 500));
  await conclude('5', `away for ${AWAY / 1000} s`, stand, running, {
    strikes: [calls],
    held: {
      'alive while Redis is away': live === 200,
      'not ready while Redis is away': unready === 503,
      'nothing was acknowledged before': early === 0,
      'it did not end': (await status('/livez')) === 200,
    },
    figures: [
      `/livez ${live}, /readyz ${unready}; ready ${ms(readyAfter)} and serving ${ms(served)} after Redis`,
    ],
    aims: { 'ready within 2 s of Redis': readyAfter <= READY },
  });
});
