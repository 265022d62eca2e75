// Charts by uPlot, which draws on a canvas: colours come from the style's properties, and the same numbers stand in a table
// for who can't see it.

import uPlot from 'uplot';
import { append, fill, h } from './dom.ts';
import { short } from './format.ts';
import { table } from './parts.ts';

export interface Series {
  label: string;
  /** A property of the style, such as --accent. */
  colour: string;
  isBars?: boolean;
  /** How one of its numbers is written. */
  write(value: number): string;
}

export interface Chart {
  element: HTMLElement;
  /** All of x in order, and for each series as many numbers, null where there is none. */
  draw(xs: number[], ...values: (number | null)[][]): void;
}

export interface ChartOptions {
  /** What is to be seen, in some words. */
  what: string;
  series: Series[];
  /** What an x is, at the head of the table. */
  head: string;
  /** How an x is written where it is pointed at, and below the axis. */
  writeX(x: number): string;
  tick?(x: number): string;
  /** The x below which something may be written; about so many have room. */
  ticks(first: number, last: number, room: number): number[];
  /** Whole things can't be halved on the axis. */
  areWhole?: boolean;
  height?: number;
  /** How much of x is shown, up to the last one; left out, all of it. */
  span?: number;
  /** A table that changes while it is read can't be read: it shows what was when it was opened. */
  isLive?: boolean;
  signal: AbortSignal;
}

const WHOLE = [1, 2, 5]
  .flatMap((n) => Array.from({ length: 12 }, (_, i) => n * 10 ** i))
  .sort((a, b) => a - b);
const FONT = '12px system-ui, sans-serif';
const TICK = 76; // px
const scheme = matchMedia('(prefers-color-scheme: dark)');

const colour = (property: string) =>
  getComputedStyle(document.documentElement).getPropertyValue(property).trim();

export function chart(options: ChartOptions): Chart {
  const { what, series, head, writeX, tick = writeX, ticks, height = 220, span, signal } = options;
  const isBarred = series.some(({ isBars }) => isBars);
  let data: uPlot.AlignedData = [[], ...series.map(() => [])];

  const readout = h('p', { class: 'legend', 'aria-hidden': 'true' });
  const canvas = h('div', { class: 'canvas', role: 'img', 'aria-label': what });
  const details = h('details', { class: 'as-table' }, h('summary', {}, 'as a table'));
  const element = h('div', { class: 'chart' }, readout, canvas, details);

  const axis: uPlot.Axis = {
    stroke: () => colour('--quiet'),
    font: FONT,
    grid: { stroke: () => colour('--line'), width: 1 },
    ticks: { show: false },
  };
  const plot = new uPlot(
    {
      width: 300,
      height,
      padding: [8, 24, 0, 0],
      legend: { show: false },
      select: { show: false, left: 0, top: 0, width: 0, height: 0 },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
      scales: {
        x: {
          time: false,
          range: (_, first, last) =>
            isBarred ? [first - 0.6, last + 0.6] : [span === undefined ? first : last - span, last],
        },
        y: { range: (_, __, most) => [0, most > 0 ? most * 1.08 : 1] },
      },
      axes: [
        {
          ...axis,
          grid: { show: false },
          size: 28,
          splits: (self) => {
            const [xs] = self.data;
            const room = Math.max(2, Math.floor(self.width / TICK));
            const last = xs.at(-1);
            return last === undefined ? [] : ticks(span === undefined ? xs[0]! : last - span, last, room);
          },
          values: (_, xs) => xs.map(tick),
        },
        {
          ...axis,
          size: 46,
          ...(options.areWhole && { incrs: WHOLE }),
          values: (_, values) => values.map(short),
        },
      ],
      series: [{}, ...series.map(lineOf)],
      hooks: { setCursor: [({ cursor }) => say(cursor.idx)] },
    },
    data,
    canvas,
  );

  function say(pointed: number | null | undefined): void {
    const i = pointed ?? data[0].length - 1;
    readout.hidden = i < 0;
    if (i < 0) return;
    fill(readout, h('span', { class: 'when' }, writeX(data[0][i]!)));
    for (const [n, { label, colour, isBars, write }] of series.entries()) {
      const value = data[n + 1]![i];
      const swatch = h('span', { class: isBars ? 'swatch block' : 'swatch' });
      swatch.style.setProperty('--swatch', `var(${colour})`);
      append(readout, [
        h('span', {}, swatch, ` ${label} `, h('strong', {}, typeof value === 'number' ? write(value) : '–')),
      ]);
    }
  }

  function fillTable(): void {
    const [xs, ...values] = data;
    const rows = Array.from(xs, (x, i) => [
      writeX(x),
      ...series.map(({ write }, n) => (typeof values[n]![i] === 'number' ? write(values[n]![i]!) : '–')),
    ]);
    details.lastElementChild?.matches('.table') && details.lastElementChild.remove();
    append(details, [table([head, ...series.map(({ label }) => label)], rows.reverse())]);
  }

  const fit = new ResizeObserver(() => {
    if (canvas.clientWidth > 0) plot.setSize({ width: canvas.clientWidth, height });
  });
  fit.observe(canvas);
  const repaint = () => plot.redraw(true, true);
  scheme.addEventListener('change', repaint);
  details.addEventListener('toggle', () => details.open && fillTable());
  signal.addEventListener('abort', () => {
    fit.disconnect();
    scheme.removeEventListener('change', repaint);
    plot.destroy();
  });

  return {
    element,
    draw(xs, ...values) {
      if (signal.aborted) return;
      data = [xs, ...values];
      plot.setData(data);
      say(plot.cursor.idx);
      if (details.open && !options.isLive) fillTable();
    },
  };
}

function lineOf({ label, colour: property, isBars }: Series): uPlot.Series {
  const stroke = () => colour(property);
  if (!isBars)
    return {
      label,
      stroke,
      width: 2,
      points: { show: (u) => u.data[0].length <= 40, size: 5, fill: stroke },
    };
  const bars = uPlot.paths.bars!({ size: [0.66, 48], radius: 0.08 });
  return { label, stroke, fill: stroke, width: 0, paths: bars, points: { show: false } };
}

/** Every so many of a row of days, and the last one always. */
export function someDays(first: number, last: number, room: number): number[] {
  const step = Math.ceil((last - first + 1) / room);
  const days = [];
  for (let x = last; x >= first; x -= step) days.unshift(x);
  return days;
}
