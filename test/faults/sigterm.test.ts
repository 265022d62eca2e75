// Row 17: Footfall is told to stop under load, and another takes its place.

import { setTimeout as delay } from 'node:timers/promises';
import { conclude, type FaultStand, more, startFaultStand, strike } from '../support/faultStand.ts';
import { type LedgerEvent, type LedgerOptions, type Running, useLedger } from '../support/ledger.ts';
import { type Ended, type Service, until, useProcesses } from '../support/process.ts';
import { long, ms, reportRow } from '../support/rows.ts';

const processes = useProcesses();
const ledger = useLedger();

const STOPS = long(6, 2);
const EVENTS = long(600, 300); // before every second stop, and after all
const FEW = 5; // before the others: connections still wait to be accepted
const SHUTDOWN = 5000;

const LOADS: [what: string, load: Partial<LedgerOptions>][] = [
  ['single requests', {}],
  ['batches of 5', { rate: 4000, batch: 5 }],
];
const RUNS = [1, 2].flatMap((workers) => LOADS.map(([what, load]) => [workers, what, load] as const));

interface Stop {
  /** In flight then. */
  calls: number;
  /** Events in them on connections that the service has answered on before; others may wait to be accepted. */
  held: number;
  /** Events that were sent, and of which nobody knows what became. */
  dropped: number;
  /** Of those that were held. */
  droppedHeld: number;
  ended: Ended;
  ms: number;
}

const isHeld = ({ request }: LedgerEvent) => request?.reusedSocket;

async function stopUnder(running: Running, service: Service, signal: NodeJS.Signals): Promise<Stop> {
  let since = 0;
  let held: LedgerEvent[] = [];
  const calls = await strike(running, () => {
    since = performance.now();
    service.kill(signal);
    held = running.events.filter(isHeld);
  });
  const ended = await service.ended;
  const took = performance.now() - since;
  await delay(100); // for what the load has yet to hear
  // Nobody listens now: what is refused was never sent.
  const isDropped = ({ doubtful, acknowledged }: LedgerEvent) => doubtful && !acknowledged;
  return {
    calls,
    held: held.length,
    dropped: running.events.filter(isDropped).length,
    droppedHeld: held.filter(isDropped).length,
    ended,
    ms: took,
  };
}

const startOn = (workers: number) =>
  startFaultStand(processes, ledger, {
    settings: { WORKERS: String(workers), SHUTDOWN_MS: String(SHUTDOWN) },
  });

test.each(RUNS)('SIGTERM, WORKERS=%i, %s', async (workers, what, load) => {
  const stand: FaultStand = await startOn(workers);
  const running = stand.load(load);
  const stops: Stop[] = [];
  const others: Service[] = [];
  while (stops.length < STOPS) {
    if (stops.length % 2 === 1) await more(running, FEW);
    else {
      await more(running, EVENTS);
      await until('some are on connections in use', () => running.events.some(isHeld), { every: 0 });
    }
    stops.push(await stopUnder(running, stand.service, 'SIGTERM'));
    others.push(stand.service);
    stand.service = await processes.start(stand.settings);
  }
  await more(running, EVENTS);
  const sum = (of: (stop: Stop) => number) => stops.reduce((total, stop) => total + of(stop), 0);
  const dropped = sum((stop) => stop.dropped);
  const held = sum((stop) => stop.held);
  const droppedHeld = sum((stop) => stop.droppedHeld);
  await conclude('17', `WORKERS=${workers}, ${what}`, stand, running, {
    strikes: stops.map(({ calls }) => calls),
    unanswered: true, // refused, while none listens
    others,
    held: {
      'every request that was in flight is answered': held > 0 && droppedHeld === 0,
      'it ends with 0, within SHUTDOWN_MS': stops.every(({ ended }) => ended.code === 0),
    },
    figures: [
      `${dropped} events dropped in ${stops.length} stops, ${droppedHeld} of the ${held} on connections in use`,
      `ended after ${stops.map((stop) => ms(stop.ms)).join(', ')}`,
    ],
    // A connection that is made while listening ends may be reset: with workers, that takes a message.
    aims: { 'nor is any that is sent while it stops dropped': dropped === 0 },
  });
});

test('control: SIGKILL', async () => {
  const stand = await startOn(1);
  const running = stand.load();
  await more(running, EVENTS);
  stand.service.kill('SIGSTOP'); // or it might answer all that is under way before it hears of it
  let heard = -1;
  const isStill = () => {
    const before = heard;
    heard = running.acknowledged();
    return heard === before;
  };
  await until('what it had answered is heard', isStill, { every: 300 });
  const { calls, held, droppedHeld } = await stopUnder(running, stand.service, 'SIGKILL');
  reportRow(
    '17',
    'control: SIGKILL',
    { 'it drops requests, as expected': droppedHeld > 0 },
    `seed ${running.options.seed}; ${calls} calls in flight, ${droppedHeld} of the ${held} on connections in use dropped`,
  );
});
