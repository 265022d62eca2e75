// What a fault test measured, for people: printed, and kept for docs/faults.md if `npm run test:faults` runs it.

import { appendFileSync, writeSync } from 'node:fs';
import { quietMoment } from './machine.ts';

/** What must hold, each with whether it did. */
export type Held = Record<string, boolean>;

/**
 * Reports what was measured of a row of docs/faults.md; several reports of one row stand below each other. `fault` says how
 * it was made this time: '2 workers'. Fails the test where something did not hold. `aims` are about time: they are reported
 * as well, but a machine that others use may miss them.
 */
export function reportRow(row: string, fault: string, held: Held, figure: string, aims: Held = {}): void {
  const [amiss, missed] = [failed(held), failed(aims)];
  const verdict = [
    amiss.length === 0 ? 'holds' : `DOES NOT HOLD: ${amiss.join('; ')}`,
    ...(missed.length === 0 ? [] : [`missed: ${missed.join('; ')}`]),
  ];
  writeSync(1, `row ${row}${fault && `, ${fault}`}: ${figure} (${verdict.join('; ')})\n`);
  const file = process.env.FAULTS_REPORTS;
  if (file) appendFileSync(file, `${JSON.stringify({ row, fault, amiss, missed, figure })}\n`);
  expect(amiss).toEqual([]);
}

const failed = (held: Held) => Object.entries(held).flatMap(([what, did]) => (did ? [] : [what]));

/** The same with less load, as in `npm test`; `npm run test:faults` makes the whole of it. */
export const isShort = process.env.FAULTS_LONG !== '1';

/** One of two, by whether the run is short. */
export const long = <T>(whole: T, short: T): T => (isShort ? short : whole);

/** Measures again, up to three times, while what was measured is not good: other programs run on this machine, too. */
export async function measured<T>(measure: () => Promise<T>, isGood: (measured: T) => boolean): Promise<T> {
  for (let left = 2; ; left--) {
    await quietMoment();
    const last = await measure();
    if (left === 0 || isGood(last)) return last;
  }
}

/** 1.2 ms, 35 ms, 1,204 ms. */
export const ms = (value: number) =>
  `${value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString('en')} ms`;

export const count = (value: number) => Math.round(value).toLocaleString('en');
