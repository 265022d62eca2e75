// What the service says of itself each second. The stream runs while a view wants it; what it said in the last minutes stays.

import type { Problem } from './api.ts';
import { type Chart, chart, type Series } from './charts.ts';
import type { Context } from './context.ts';
import { clock, duration } from './format.ts';
import { listen } from './stream.ts';
import { answers, forget, problem } from './trouble.ts';

/** An event of `GET /v1/live`. */
export interface Sample {
  at: string;
  events: Record<string, number>;
  requests_per_second: number;
  refused_per_second: Record<string, number>;
  p99_ms: number | null;
  events_in_flight: number;
  redis: { up: boolean; lag_ms: number | null; memory_bytes: number | null; maxmemory_bytes: number | null };
  backlog: null | { entries: number; bytes: number; limit_bytes: number; age_seconds: number; dead: number };
  ready: 'ready' | 'degraded' | 'unready';
  reason: string | null;
}

const KEPT = 180; // seconds
const GAP = 3; // seconds
const history: Sample[] = [];

const secondsOf = ({ at }: Sample) => Date.parse(at) / 1000;

/** Hears of each sample, and at once of the last one that is known. */
export function hearSamples({ signal, root, wrongKey }: Context, show: (sample: Sample) => void): void {
  const who = {};
  signal.addEventListener('abort', () => forget(who));
  const known = history.at(-1);
  if (known) show(known);
  const event = (name: string, data: string) => {
    if (name !== 'figures') return;
    answers(who, true);
    const sample: Sample = JSON.parse(data);
    history.push(sample);
    while (secondsOf(sample) - secondsOf(history[0]!) > KEPT) history.shift();
    show(sample);
  };
  const refused = (refusal: Problem) => {
    answers(who, true);
    if (refusal.status === 401) wrongKey();
    else root.prepend(problem(refusal));
  };
  const hears = { event, lost: () => answers(who, false), refused };
  listen('v1/live', hears, signal);
}

export interface Line extends Omit<Series, 'isBars'> {
  read(sample: Sample): number | null;
}

/** The last minutes; `draw` again with each sample. */
export function recentChart(what: string, lines: Line[], signal: AbortSignal, height?: number) {
  let last = 0;
  const { element, draw }: Chart = chart({
    what: `${what} over the last three minutes`,
    series: lines,
    head: 'time',
    writeX: (x) => `${clock(x * 1000)} UTC`,
    tick: (x) => (x === last ? 'now' : `−${duration(last - x)}`),
    ticks: marks,
    span: KEPT,
    isLive: true,
    ...(height && { height }),
    signal,
  });
  return {
    element,
    draw(): void {
      const samples = withGaps();
      last = samples.at(-1)?.x ?? 0;
      const values = lines.map(({ read }) => samples.map(({ sample }) => sample && read(sample)));
      draw(
        samples.map(({ x }) => x),
        ...values,
      );
    },
  };
}

/** Where some seconds were not heard, nothing is drawn. */
function withGaps(): { x: number; sample: Sample | null }[] {
  return history.flatMap((sample, i) => {
    const x = secondsOf(sample);
    const before = history[i - 1];
    const isGap = before && x - secondsOf(before) > GAP;
    return isGap
      ? [
          { x: x - 1, sample: null },
          { x, sample },
        ]
      : [{ x, sample }];
  });
}

/** Now, and each minute or half minute before. */
function marks(first: number, last: number, room: number): number[] {
  const step = room > 6 ? 30 : 60;
  const all = [];
  for (let x = last; x > first; x -= step) all.unshift(x);
  return all;
}
