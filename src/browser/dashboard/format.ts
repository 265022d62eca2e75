// Numbers and times as people read them. Days are UTC, as everywhere in the service.

const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const TENTHS = new Intl.NumberFormat('en', { maximumFractionDigits: 1 });
const SHORT = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 1 });
const PERCENT = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 1 });
const UTC = { timeZone: 'UTC' } as const;
const DAY = new Intl.DateTimeFormat('en-GB', { ...UTC, weekday: 'short', day: 'numeric', month: 'short' });
const DAY_ALONE = new Intl.DateTimeFormat('en-GB', { ...UTC, day: 'numeric', month: 'short' });
const MONTH = new Intl.DateTimeFormat('en-GB', { ...UTC, month: 'long', year: 'numeric' });
const CLOCK = new Intl.DateTimeFormat('en-GB', { ...UTC, timeStyle: 'medium' });
const MOMENT = new Intl.DateTimeFormat('en-GB', { ...UTC, dateStyle: 'long', timeStyle: 'medium' });

const DAY_MS = 86_400_000;
const NONE = '–';

export const count = (n: number) => WHOLE.format(n);
export const short = (n: number) => SHORT.format(n);
export const percent = (part: number) => PERCENT.format(part);
export const rate = (n: number) => (n < 10 ? TENTHS : WHOLE).format(n);
export const ms = (n: number | null) => (n === null ? NONE : `${(n < 100 ? TENTHS : WHOLE).format(n)} ms`);

/** One view, two views. */
export const plural = (n: number, one: string, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

export function bytes(n: number): string {
  const units = ['bytes', 'KB', 'MB', 'GB', 'TB'];
  let i = 0;
  for (; n >= 1000 && i < units.length - 1; i++) n /= 1000;
  return `${(i > 0 && n < 100 ? TENTHS : WHOLE).format(n)} ${units[i]}`;
}

/** The largest units, two unless said: 2 h 5 min, 1 min 40 s, 0.4 s. */
export function duration(seconds: number, units = 2): string {
  if (seconds > 0 && seconds < 10) return `${TENTHS.format(seconds)} s`;
  const s = Math.round(seconds);
  const parts: [number, string][] = [
    [Math.floor(s / 86_400), 'd'],
    [Math.floor(s / 3600) % 24, 'h'],
    [Math.floor(s / 60) % 60, 'min'],
    [s % 60, 's'],
  ];
  const first = parts.findIndex(([n]) => n > 0);
  if (first < 0) return '0 s';
  return parts
    .slice(first, first + units)
    .filter(([n]) => n > 0)
    .map(([n, unit]) => `${n} ${unit}`)
    .join(' ');
}

const at = (date: string) => new Date(`${date}T00:00:00Z`);

/** A year is said if it is another one. */
const ofYear = (date: string, text: string) =>
  date.startsWith(`${new Date().getUTCFullYear()}`) ? text : `${text} ${date.slice(0, 4)}`;

/** Sat 28 Nov */
export const day = (date: string) => ofYear(date, DAY.format(at(date)));
/** 28 Nov */
export const dayAlone = (date: string) => ofYear(date, DAY_ALONE.format(at(date)));
/** November 2026 */
export const month = (name: string) => MONTH.format(at(`${name}-01`));
export const clock = (time: string | number) => CLOCK.format(new Date(time));
export const moment = (time: string) => `${MOMENT.format(new Date(time))} UTC`;

export const dateOf = (time: number) => new Date(time).toISOString().slice(0, 10);
export const addDays = (date: string, days: number) => dateOf(at(date).getTime() + days * DAY_MS);

/** That month and those before it, newest first, as 2026-11. */
export function monthsUpTo(date: string, months: number): string[] {
  const first = at(`${date.slice(0, 7)}-01`);
  return Array.from({ length: months }, (_, i) =>
    new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() - i, 1)).toISOString().slice(0, 7),
  );
}
