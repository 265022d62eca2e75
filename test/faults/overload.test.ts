// Row 23: three times the load that the service can carry.

import { setTimeout as delay } from 'node:timers/promises';
import { answered, type Figures, type Job, shownStatuses, timesOf, useFloods } from '../support/flood.ts';
import { quietMoment } from '../support/machine.ts';
import { address } from '../support/marks.ts';
import { useProcesses } from '../support/process.ts';
import { highest, watchResident } from '../support/resident.ts';
import { count, long, ms, reportRow } from '../support/rows.ts';
import { startStand } from '../support/stand.ts';

const processes = useProcesses();
const startFlood = useFloods();

const SECONDS = long(60, 20);
const RECOVERED = 5; // seconds
const MANY = 6000; // connections, each with one request at a time: fewer than MAX_REQUESTS
const FROM = Array.from({ length: 100 }, (_, i) => address(10 + i));

type Load = Pick<Job, 'kind'> & Partial<Job>;

const LOADS: [what: string, load: Load, events: number][] = [
  ['single views', { kind: 'views', users: 20_000 }, 1],
  ['batches of 100', { kind: 'batchesOfAll', users: 20_000, size: 100 }, 100],
];

test.each(LOADS)('three times the load of %s', async (what, load, events) => {
  const settings = { LIMIT_ADDRESS: '0', LIMIT_USER: '0', LIMIT_NEW_USERS: '0' };
  const { port, pids, lookBack } = await startStand(processes, { settings });
  const flood = await startFlood('attack');
  const light = await startFlood();
  const probe = (seconds: number) =>
    light.run({ kind: 'views', port, seconds, connections: 100, rate: 200, from: [address(3)] });

  await quietMoment();
  // The best that it does, with any number of connections that does not itself cost much.
  const all: number[] = [];
  for (const connections of [32, 64, 256]) {
    const figures = await flood.run({ ...load, port, seconds: long(5, 3), connections, from: FROM });
    all.push(answered(figures, 202) / figures.seconds);
  }
  const best = Math.max(...all);
  const normal = timesOf(await probe(long(5, 2)), 202);

  const memory = watchResident(pids);
  const over: Figures = await flood.run({
    ...load,
    port,
    seconds: SECONDS,
    connections: MANY,
    rate: 3 * best,
    from: FROM,
  });
  memory.stop();
  const since = performance.now();
  let recovered = Number.POSITIVE_INFINITY;
  while (recovered === Number.POSITIVE_INFINITY && performance.now() - since < 15_000) {
    const figures = await probe(1);
    if (Object.keys(figures.statuses).join() === '202' && timesOf(figures, 202).p99 <= 2 * normal.p99) {
      recovered = (performance.now() - since) / 1000;
    }
    await delay(10);
  }

  const [first, second] = [highest(memory.samples, 0.2, 0.6), highest(memory.samples, 0.6)];
  const rate = answered(over, 202) / over.seconds;
  const offered = (over.sent + over.notSent) / over.seconds;
  const refused = timesOf(over, 503);
  const others = over.sent - over.late - answered(over, 202) - answered(over, 503);
  reportRow(
    '23',
    what,
    {
      'at least a quarter of the best throughput goes on': rate >= 0.25 * best,
      // The load's own process, of lower priority, may be too late with a head that it has begun.
      'nothing but 202 and 503, but for one in a thousand': others <= over.sent / 1000,
      'memory is flat': second <= first + 32,
      'it becomes normal again': recovered < Number.POSITIVE_INFINITY,
    },
    `best ${count(best * events)} events/s; offered ${count(offered * events)}/s (${(offered / best).toFixed(1)} times) for ${SECONDS} s on ${count(over.connections)} connections: ${count(rate * events)}/s go on (${Math.round((100 * rate) / best)} %), ${shownStatuses(over)}, ${count(over.lost)} lost; refused in ${ms(refused.p50)} (p50), ${ms(refused.p99)} (p99), answered in ${ms(timesOf(over, 202).p99)} (p99); memory ${first} MB, then ${second} MB; normal (p99 ${ms(normal.p99)}) after ${recovered.toFixed(1)} s`,
    {
      'at least 80 % of the best throughput goes on': rate >= 0.8 * best,
      [`normal within ${RECOVERED} s`]: recovered <= RECOVERED,
    },
  );
  await lookBack('23');
});
