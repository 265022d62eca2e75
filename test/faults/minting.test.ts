// Row 18b: a public write key in wrong hands, which invent users and page names as fast as they can.

import { ask, figure, metricsOf } from '../support/ask.ts';
import { answered, type Figures, type Flood, shownStatuses, timesOf, useFloods } from '../support/flood.ts';
import { quietMoment } from '../support/machine.ts';
import { address, MARK } from '../support/marks.ts';
import { useProcesses } from '../support/process.ts';
import { highest, MB, watchResident } from '../support/resident.ts';
import { count, long, ms, reportRow } from '../support/rows.ts';
import { type Stand, startStand } from '../support/stand.ts';

const processes = useProcesses();
const startFlood = useFloods();

const SECONDS = long(12, 4);
const NEW_USERS = 6000; // LIMIT_NEW_USERS: so many at once, and so many a minute
const MAXMEMORY = 1000 * MB;
const FILLERS = [382, 382, 94]; // megabytes, by what was there before; Redis rounds them up
const BOTS = Array.from({ length: 100 }, (_, i) => address(10 + i));
const KNOWN = 500;

const light = (flood: Flood, { port }: Stand, seconds = SECONDS, users = KNOWN): Promise<Figures> =>
  flood.run({ kind: 'views', port, seconds, connections: 50, rate: 250, users, from: [address(3)] });

async function usedBy({ store }: Stand): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await store.redis.info('memory'))?.[1]);
}

/** Runs a load beside the others; what Redis and the service take meanwhile. */
async function beside<T>(stand: Stand, others: Flood, attack: () => Promise<T>) {
  const resident = watchResident(stand.pids);
  const used: number[] = [];
  const timer = setInterval(() => void usedBy(stand).then((bytes) => used.push(bytes)), 50);
  const [attacked, felt] = await Promise.all([attack(), light(others, stand)]);
  clearInterval(timer);
  resident.stop();
  return { attacked, felt, used: highest(used), resident: highest(resident.samples) };
}

/** What must always go: to read somebody, and to erase somebody. */
async function readsAndErases(port: number, part: number): Promise<boolean> {
  const path = `/v1/user/${MARK.user}-${KNOWN + part}`; // nobody's whom the others need
  const answers = [await ask(port, path), await ask(port, path, { method: 'DELETE' })];
  return answers.every(({ status }) => status === 200);
}

test.each([1, 2])('new users and page names without end, %i workers', async (workers) => {
  const stand = await startStand(processes, {
    settings: { WORKERS: String(workers) },
    redis: ['--maxmemory', String(MAXMEMORY)],
  });
  const { port, store, lookBack } = stand;
  const [bots, others] = await Promise.all([startFlood('attack'), startFlood()]);
  const variant = (what: string) => `${what}, ${workers} worker${workers > 1 ? 's' : ''}`;
  await light(others, stand, 3, KNOWN + 3); // they are known from here on
  await quietMoment();
  const normal = timesOf(await light(others, stand), 202);
  const are = (felt: Figures) =>
    `${shownStatuses(felt)}, p99 ${ms(timesOf(felt, 202).p99)}, normal ${ms(normal.p99)}`;
  const allGood = (felt: Figures) =>
    Object.keys(felt.statuses).join() === '202' && felt.lost + felt.late === 0;

  // One address, under the limits as they are.
  const one = await beside(stand, others, () =>
    bots.run({ kind: 'strangers', port, seconds: SECONDS, connections: 50, from: [address(9)] }),
  );
  const allowed = NEW_USERS + (NEW_USERS / 60) * one.attacked.seconds;
  const users = answered(one.attacked, 202);
  reportRow(
    '18b',
    variant('one address'),
    {
      'new users are bounded': users <= allowed * 1.1 * workers ** 0.5,
      'others are all answered 202': allGood(one.felt),
      'reads and erasures go': await readsAndErases(port, 0),
    },
    `${count(one.attacked.sent / one.attacked.seconds)} events/s of new users and names (${shownStatuses(one.attacked)}): ${count(users)} users came in of ${count(allowed)} allowed; others: ${are(one.felt)}; Redis at most ${one.used} MB, Footfall ${one.resident} MB`,
  );

  // A hundred addresses, until Redis has no room for strangers.
  for (const [i, size] of FILLERS.entries()) await store.redis.setrange(`filler${i}`, size * MB, 'x');
  const hundred = await beside(stand, others, () =>
    bots.run({ kind: 'strangers', port, seconds: 2 * SECONDS, connections: 100, from: BOTS }),
  );
  const share = (hundred.used * MB) / MAXMEMORY;
  const isFull = figure(await metricsOf(port), 'footfall_events_total{outcome="refused"}') > 0;
  reportRow(
    '18b',
    variant('100 addresses, Redis nearly full'),
    {
      'new users are refused once Redis is nearly full': isFull,
      'memory stays below maxmemory': share < 1,
      'others are all answered 202': allGood(hundred.felt),
      'reads and erasures go': await readsAndErases(port, 1),
    },
    `${shownStatuses(hundred.attacked)}; Redis at most ${Math.round(100 * share)} % of its ${MAXMEMORY / MB} MB; others: ${are(hundred.felt)}; Footfall ${hundred.resident} MB`,
  );

  await store.redis.setrange('filler', 46 * MB, 'x');
  // Those who did come in invent page names. These are folded in time; each view still takes its hundred bytes.
  const names = await beside(stand, others, () =>
    bots.run({ kind: 'names', port, seconds: SECONDS, connections: 100, users: KNOWN, from: BOTS }),
  );
  const after = (names.used * MB) / MAXMEMORY;
  const folded = figure(await metricsOf(port), 'footfall_names_folded_total{kind="page"}');
  reportRow(
    '18b',
    variant('page names of known users, Redis nearly full'),
    {
      'memory stays below maxmemory': after < 1,
      'names are folded once Redis is nearly full': folded > 0,
      'others are all answered 202': allGood(names.felt),
      'reads and erasures go': await readsAndErases(port, 2),
    },
    `${shownStatuses(names.attacked)}, ${count(folded)} names folded; Redis at most ${(100 * after).toFixed(1)} %; others: ${are(names.felt)}`,
  );
  await store.redis.del('filler', ...FILLERS.map((_, i) => `filler${i}`));
  await lookBack('18b');
});
