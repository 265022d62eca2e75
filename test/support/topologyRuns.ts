// A service over several Redis processes, a load whose every event is accounted for, and a fault.

import { type Audit, audit, type Ledger, type LedgerOptions, type Running, type Tally } from './ledger.ts';
import { KEY_SETTINGS, KEYS } from './marks.ts';
import type { Processes, Service, Settings } from './process.ts';
import { seedOf } from './random.ts';
import { count, type Held, long, ms, reportRow } from './rows.ts';

export const RATE = 500;
const DEADLINE = 1000 + 1000; // REDIS_TIMEOUT_MS, and what the answer takes on a busy machine

export interface Stand {
  service: Service;
  running: Running;
  seed: number;
}

export async function startLoad(processes: Processes, ledger: Ledger, settings: Settings): Promise<Stand> {
  const service = await processes.start({ ...KEY_SETTINGS, ...settings });
  const running = loadOn(ledger, service);
  return { service, running, seed: running.options.seed };
}

export function loadOn(ledger: Ledger, { port }: Service, options: Partial<LedgerOptions> = {}): Running {
  return ledger.run({
    port,
    key: KEYS.write,
    readKey: KEYS.read,
    seed: seedOf(process.env.FAULT_SEED),
    rate: RATE,
    connections: 64,
    ...options,
  });
}

/** Waits for a moment at which calls are under way; what strikes next must strike at once. */
export async function strike({ running }: Stand): Promise<number> {
  while (running.inFlight() < 2) await new Promise(setImmediate);
  return running.strike();
}

export interface Outcome {
  tally: Tally;
  found: Audit;
  /** Requests under way when the fault struck. */
  struck: number;
  outage: number;
}

/** Ends the load once all is acknowledged, and looks for every event. */
export async function settle({ running }: Stand, struck: number): Promise<Outcome> {
  const tally = await running.finish(20_000);
  const outage = running.outage();
  return { tally, found: await audit(running, 20_000), struck, outage };
}

export interface Report {
  row: string;
  fault: string;
  /** Where an acknowledged event may be missing: what a killed master had not yet passed on. */
  mayLose?: boolean;
  /** Longest time without any 202 that is aimed at, ms. */
  outage?: number;
  held?: Held;
  aims?: Held;
  /** What else was seen. */
  more?: string;
}

export function reportOutcome({ service, seed }: Stand, outcome: Outcome, report: Report): void {
  const { tally, found, struck, outage } = outcome;
  const { row, fault, mayLose = false, held = {}, aims = {}, more = '' } = report;
  const shown = Object.entries(tally.statuses).map(([status, number]) => `${status}: ${count(number)}`);
  const none = { 'nothing is lost': found.lost === 0, 'visitors are right': found.visitorsOff === 0 };
  reportRow(
    row,
    `${fault}, seed ${seed}`,
    {
      'nothing is doubled': found.doubled === 0,
      ...(mayLose ? {} : none),
      'every event is acknowledged in the end': tally.stuck === 0,
      [`at least ${long('2,000', 'some hundred')} events`]: tally.acknowledged >= long(2000, 300),
      'calls were in flight': struck > 0,
      'nothing but 202, 429 and 503': Object.keys(tally.statuses).every((status) =>
        /^(202|429|503)$/.test(status),
      ),
      'every request is answered': tally.unanswered === 0,
      'nothing unhandled': service.err() === '',
      ...held,
    },
    `${count(tally.acknowledged)} events (${shown.join(', ')}), ${struck} in flight when it struck; ${found.lost} lost, ${found.doubled} doubled, ${count(tally.duplicates)} sent again and found counted; longest time without a 202 ${ms(outage)}, slowest answer ${ms(tally.slowest)}${more && `; ${more}`}`,
    {
      ...(mayLose ? none : {}),
      'each is answered within its deadline': tally.slowest <= DEADLINE,
      ...(report.outage !== undefined && {
        [`out for ${ms(report.outage)} at most`]: outage <= report.outage,
      }),
      ...aims,
    },
  );
}

/** A command of the service's, as its user would type it; what it printed. */
export async function runCommand(processes: Processes, file: string, args: string[], settings: Settings) {
  const ended = await processes.startToEnd(settings, {
    command: [process.execPath, `${ROOT}/dist/${file}`, ...args],
  });
  if (ended.code !== 0) throw new Error(`${file}: ${ended.err}`);
  return ended.out;
}

const ROOT = `${__dirname}/../..`;
