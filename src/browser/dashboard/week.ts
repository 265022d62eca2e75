// A user's seven days as bars: how much was viewed, and for how long.

import type { UserVisits } from '../../answers.ts';
import { chart, someDays } from './charts.ts';
import { h } from './dom.ts';
import { count, day, dayAlone, duration } from './format.ts';
import { part } from './parts.ts';
import { term } from './term.ts';

const SECONDS = 60;

export function weekPart({ days }: UserVisits, signal: AbortSignal): HTMLElement {
  const bars = (what: string, label: string, write: (value: number) => string, areWhole: boolean) =>
    chart({
      what: `${what}, ${day(days[0]!.date)} to ${day(days.at(-1)!.date)}`,
      series: [{ label, colour: '--bars', isBars: true, write }],
      head: 'day',
      writeX: (x) => day(days[x]!.date),
      tick: (x) => dayAlone(days[x]!.date),
      ticks: someDays,
      areWhole,
      height: 150,
      signal,
    });
  const views = bars('Views a day', 'views', count, true);
  const minutes = bars('Time spent a day', 'time spent', (value) => duration(value * SECONDS), false);
  const xs = days.map((_, i) => i);
  const element = part(
    'Seven days',
    h('h3', {}, term('Views', 'views')),
    views.element,
    h('h3', {}, term('Time spent', 'dayTime'), ', in minutes'),
    minutes.element,
  );
  views.draw(
    xs,
    days.map((it) => it.views),
  );
  minutes.draw(
    xs,
    days.map(({ seconds }) => seconds / SECONDS),
  );
  return element;
}
