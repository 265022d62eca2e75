// Row 17: Footfall is told to stop under load, and another takes its place.

import { setTimeout as delay } from 'node:timers/promises';
import { conclude, type FaultStand, more, startFaultStand, strike } from '../support/faultStand.ts';
import { type LedgerEvent, type LedgerOptions, type Running, useLedger } from '../support/ledger.ts';
import { type Ended, type Service, useProcesses } from '../support/process.ts';
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
  /** Whether nothing but these was open then: nothing waited to be sent again. */
  isSteady: boolean;
  /** Events that were sent, and of which nobody knows what became. */
  dropped: number;
  /** Those of them that were open when it struck. */
  droppedOpen: number;
  ended: Ended;
  ms: number;
}

async function stopUnder(running: Running, service: Service, signal: NodeJS.Signals): Promise<Stop> {
  const isOpen = ({ acknowledged }: LedgerEvent) => !acknowledged;
  let since = 0;
  let open: LedgerEvent[] = [];
  const calls = await strike(running, () => {
    since = performance.now();
    service.kill(signal);
    open = running.events.filter(isOpen);
  });
  const ended = await service.ended;
  const took = performance.now() - since;
  await delay(100); // for what the load has yet to hear
  // Nobody listens now: what is refused was never sent.
  const isDropped = (event: LedgerEvent) => event.doubtful && isOpen(event);
  return {
    calls,
    isSteady: open.length === calls * (running.options.batch ?? 1),
    dropped: running.events.filter(isDropped).length,
    droppedOpen: open.filter(isDropped).length,
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
    await more(running, stops.length % 2 === 0 ? EVENTS : FEW);
    stops.push(await stopUnder(running, stand.service, 'SIGTERM'));
    others.push(stand.service);
    stand.service = await processes.start(stand.settings);
  }
  await more(running, EVENTS);
  const dropped = stops.reduce((sum, stop) => sum + stop.dropped, 0);
  const steady = stops.filter(({ isSteady }) => isSteady);
  await conclude('17', `WORKERS=${workers}, ${what}`, stand, running, {
    strikes: stops.map(({ calls }) => calls),
    unanswered: true, // refused, while none listens
    others,
    held: {
      'every request that was in flight is answered':
        steady.length > 0 && steady.every(({ droppedOpen }) => droppedOpen === 0),
      'it ends with 0, within SHUTDOWN_MS': stops.every(({ ended }) => ended.code === 0),
    },
    figures: [
      `${dropped} events dropped in ${stops.length} stops`,
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
  const { calls, dropped } = await stopUnder(running, stand.service, 'SIGKILL');
  reportRow(
    '17',
    'control: SIGKILL',
    { 'it drops requests, as expected': dropped > 0 },
    `seed ${running.options.seed}; ${calls} calls in flight, ${dropped} dropped`,
  );
});
