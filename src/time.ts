// Times are milliseconds since 1970, days are UTC and counted from 1970-01-01.

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** A profile looks at today and the six days before it. */
export const WINDOW_DAYS = 7;

export type Clock = () => number;

export const dayOf = (ms: number): number => Math.floor(ms / DAY);

export function dateOf(day: number): string {
  let date = dates.get(day);
  if (date === undefined) {
    date = new Date(day * DAY).toISOString().slice(0, 10);
    if (dates.size >= 100) dates.clear();
    dates.set(day, date);
  }
  return date;
}

/** `2026-11` */
export const monthOf = (day: number): string => dateOf(day).slice(0, 7);

/** The first day after the month that a day is in. */
export function monthEnd(day: number): number {
  const [year, month] = dateOf(day).split('-');
  return Date.UTC(Number(year), Number(month), 1) / DAY;
}

const dates = new Map<number, string>(); // the same few days are asked for with every event

/** The days from one to the other as the scripts take them: `2026-11-14 2026-11-15 …`. */
export function datesBetween(from: number, to: number): string {
  return Array.from({ length: to - from + 1 }, (_, i) => dateOf(from + i)).join(' ');
}

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

const DAYS_IN_400_YEARS = 146_097;
const DAYS_IN_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

function daysInMonth(year: number, month: number): number {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 && leap ? 29 : (DAYS_IN_MONTH[month - 1] ?? 0);
}

let lastText = '';
let lastTime = Number.NaN;

/**
 * An RFC 3339 time with a zone, to the millisecond (finer digits are cut), or NaN. `Date.parse` will not do: it takes
 * 30 February and times without a zone. The last answer is kept, since validation asks first and the handler again.
 */
export function parseTimestamp(text: string): number {
  if (text !== lastText) {
    lastTime = parse(text);
    lastText = text;
  }
  return lastTime;
}

function parse(text: string): number {
  const m = RFC3339.exec(text);
  if (!m) return Number.NaN;
  const year = Number(m[1]);
  const month = Number(m[2]);
  const day = Number(m[3]);
  const hour = Number(m[4]);
  const minute = Number(m[5]);
  const second = Number(m[6]);
  const offset = m[8] ? (m[8] === '-' ? -1 : 1) * (Number(m[9]) * HOUR + Number(m[10]) * MINUTE) : 0;
  const inRange =
    day >= 1 &&
    day <= daysInMonth(year, month) &&
    hour <= 23 &&
    minute <= 59 &&
    second <= 60 && // a leap second, which becomes the first second of the next minute
    (!m[8] || (Number(m[9]) <= 23 && Number(m[10]) <= 59));
  if (!inRange) return Number.NaN;
  const fraction = m[7] ? Number(m[7].slice(0, 3).padEnd(3, '0')) : 0;
  // Date.UTC takes years 0 to 99 for 1900 to 1999; a calendar repeats itself every 400 years.
  const utc = Date.UTC(year + 400, month - 1, day, hour, minute, second, fraction) - DAYS_IN_400_YEARS * DAY;
  return utc - offset;
}

const DATE = /^(\d{4})-(\d\d)-(\d\d)$/;

/** The day of a date like 2026-11-21, or NaN. */
export function parseDate(text: string): number {
  const [, year, month, day] = (DATE.exec(text) ?? []).map(Number);
  if (year === undefined || day! < 1 || day! > daysInMonth(year, month!)) return Number.NaN;
  return dayOf(parse(`${text}T00:00:00Z`));
}

/** The first day of a month like 2026-11, or NaN. */
export const parseMonth = (text: string): number => parseDate(`${text}-01`);
