// From totals to rates: how much more there is than before, process by process, so that one that is late or begins anew
// shows as nothing, and not as a leap of the sum.

import { SECOND } from '../time.ts';
import {
  BOUNDS,
  OUTCOMES,
  type Outcome,
  quantile,
  REFUSALS,
  type Refusal,
  type Totals,
  type TotalsOfAll,
} from './totals.ts';

export interface Rates {
  /** A second. */
  events: Record<Outcome, number>;
  requests: number;
  refused: Record<Refusal, number>;
  /** Of writes in the last samples, ms; null where there was none. */
  p99: number | null;
  eventsInFlight: number;
}

/** Over so many samples; there is one a second. */
const SAMPLES = 10;
/** For how many samples one that is not heard is remembered. */
const FORGOTTEN_AFTER = 60;

export interface RateCounter {
  /** Undefined as long as there is nothing to compare with. */
  add(now: TotalsOfAll): Rates | undefined;
}

export function createRates(): RateCounter {
  const known = new Map<string, { totals: Totals; sample: number }>();
  const writes: number[][] = [];
  let samples = 0;

  return {
    add(now) {
      samples++;
      const pairs = Object.entries(now).flatMap(([process, totals]) => {
        const before = known.get(process)?.totals;
        known.set(process, { totals, sample: samples });
        return before && totals.at > before.at ? [{ before, totals }] : [];
      });
      for (const [process, { sample }] of known)
        if (samples - sample > FORGOTTEN_AFTER) known.delete(process);
      if (samples === 1) return undefined;

      const perSecond = (of: (totals: Totals) => number) =>
        pairs.reduce(
          (sum, { before, totals }) =>
            sum + (SECOND * Math.max(0, of(totals) - of(before))) / (totals.at - before.at),
          0,
        );
      writes.push(
        BOUNDS.map((_, i) =>
          pairs.reduce(
            (sum, { before, totals }) => sum + Math.max(0, totals.writes[i]! - before.writes[i]!),
            0,
          ),
        ),
      );
      if (writes.length > SAMPLES) writes.shift();
      const p99 = quantile(
        0.99,
        BOUNDS.map((_, i) => writes.reduce((sum, sample) => sum + (sample[i] ?? 0), 0)),
      );

      return {
        events: each(OUTCOMES, (outcome) => perSecond(({ events }) => events[outcome])),
        requests: rounded(perSecond(({ requests }) => requests)),
        refused: each(REFUSALS, (status) => perSecond(({ refused }) => refused[status])),
        p99: p99 === undefined ? null : rounded(p99 * SECOND),
        eventsInFlight: Object.values(now).reduce((sum, { eventsInFlight }) => sum + eventsInFlight, 0),
      };
    },
  };
}

const rounded = (value: number) => Math.round(value * 1000) / 1000;

function each<K extends string>(names: readonly K[], value: (name: K) => number): Record<K, number> {
  return Object.fromEntries(names.map((name) => [name, rounded(value(name))])) as Record<K, number>;
}
