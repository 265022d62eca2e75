// Row 7: Redis forgets its scripts again and again.

import { setTimeout as delay } from 'node:timers/promises';
import { conclude, startFaultStand, strike } from '../support/faultStand.ts';
import { useLedger } from '../support/ledger.ts';
import { useProcesses } from '../support/process.ts';
import { long } from '../support/rows.ts';

const processes = useProcesses();
const ledger = useLedger();

const LASTS = long(10_000, 3000);
const EACH = 50;

test('SCRIPT FLUSH', async () => {
  const stand = await startFaultStand(processes, ledger);
  const { client } = stand.server;
  const running = stand.load();
  const strikes: number[] = [];
  const since = performance.now();
  while (performance.now() - since < LASTS) {
    strikes.push(await strike(running, () => client.script('FLUSH')));
    await delay(EACH - 10); // until calls are in flight it takes a moment
  }
  const { statuses } = await running.finish();
  const flushes = Number(/cmdstat_script\|flush:calls=(\d+)/.exec(await client.info('commandstats'))?.[1]);
  await conclude('7', `every ${EACH} ms for ${LASTS / 1000} s`, stand, running, {
    strikes,
    held: {
      'no failure': Object.keys(statuses).join() === '202',
      'it was made': flushes >= strikes.length,
    },
    figures: [`${flushes} flushes`],
  });
});
