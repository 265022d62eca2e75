// The profile again, from the single views: slowly, step by step, and by another road than the scripts take.

import { digestOf } from '../events/event.ts';
import { DAY, dateOf, dayOf, WINDOW_DAYS } from '../time.ts';
import { byViews, PARTS, type Part, type StoredDay, type StoredMonth, type StoredUser } from './read.ts';

export interface View {
  /** ms since 1970. */
  at: number;
  member: string;
  /** Whose digest the member holds; undefined if it has an event_id, or no page of its day has that digest. */
  page: string | undefined;
}

/** From one view to the next. */
export interface Step {
  ms: number;
  verdict: 'counted' | 'too long' | 'outside';
}

export interface WalkedDay {
  stored: StoredDay;
  place: 'before' | 'window' | 'after';
  views: View[];
  /** One fewer than the views. */
  steps: Step[];
  /** Time counted between views of the day. */
  active: number;
  /** From the last view of the day to the next one of a later day. */
  onward: (Step & { to: number }) | undefined;
  /** The user's other days, as this one knows them. */
  others: number[];
  /** Where the day's keys contradict each other. */
  faults: string[];
}

export interface WalkedMonth {
  stored: StoredMonth;
  faults: string[];
}

export interface Sums {
  views: number;
  active: number;
  days: number;
  page: string | null;
}

export interface Walk {
  /** Days that hold anything. */
  days: WalkedDay[];
  /** Months with a login. */
  months: WalkedMonth[];
  sums: Sums;
  /** What profile.lua says; undefined if it finds the user damaged. */
  script: Sums | undefined;
}

const OTHER = '(other)';

export function walk({ days: stored, months, now, gap, profile }: StoredUser): Walk {
  const today = dayOf(now);
  const days = stored
    .filter((day) => PARTS.some((part) => isThere(day[part])))
    .map((day) => walkDay(day, placeOf(day.day, today), gap));
  for (const day of days) day.faults.push(...strangersTo(day, days));
  for (const [i, day] of days.entries()) {
    const from = day.views.at(-1);
    const next = days.slice(i + 1).find(({ views }) => views.length > 0);
    if (!from || !next) continue;
    const inside = day.place === 'window' && next.place === 'window';
    day.onward = { ...stepTo(next.views[0]!, from, gap, inside), to: next.stored.day };
  }
  const script = profile === 'damaged' ? undefined : profile;
  return {
    days,
    months: months
      .filter(({ logins }) => isThere(logins))
      .map((month) => ({ stored: month, faults: faultsOfMonth(month) })),
    sums: sumsOf(days.filter(({ place }) => place === 'window')),
    script: script && { views: script[0], active: script[1], days: script[2], page: script[3] },
  };
}

const isThere = ({ content, fault }: Part<unknown>) => content !== undefined || fault !== undefined;

function placeOf(day: number, today: number): WalkedDay['place'] {
  if (day > today) return 'after';
  return day > today - WINDOW_DAYS ? 'window' : 'before';
}

function walkDay(stored: StoredDay, place: WalkedDay['place'], gap: number): WalkedDay {
  const views = viewsOf(stored.day, stored.visits.content ?? [], stored.pages.content ?? []);
  const steps = views.slice(1).map((view, i) => stepTo(view, views[i]!, gap, place === 'window'));
  // A day's own sum is kept whether or not the day is in the window.
  const active = sum(steps.filter(({ verdict }) => verdict !== 'too long').map(({ ms }) => ms));
  const others = othersOf(stored);
  const day = { stored, place, views, steps, active, onward: undefined, others, faults: [] };
  return { ...day, faults: faultsOf(day) };
}

/** The views of a day as they are stored, with the pages that they were of. */
export function viewsOf(
  day: number,
  visits: [member: string, ms: number][],
  pages: [string, number][],
): View[] {
  const digests = visits.map(([member]) =>
    member.startsWith('e:') ? undefined : member.slice(member.indexOf('.') + 1),
  );
  const wanted = new Set(digests.filter((digest) => digest !== undefined));
  const names = new Map<string, string>();
  for (const [name] of pages) {
    if (names.size >= wanted.size) break; // a day has many pages, and a digest takes its time
    const digest = digestOf(name);
    if (wanted.has(digest)) names.set(digest, name);
  }
  return visits.map(([member, ms], i) => ({ at: day * DAY + ms, member, page: names.get(digests[i] ?? '') }));
}

/** From one view to the one after it. */
export function stepTo({ at }: View, before: View, gap: number, isInWindow = true): Step {
  const ms = at - before.at;
  return { ms, verdict: ms > gap ? 'too long' : isInWindow ? 'counted' : 'outside' };
}

/** They stand there by their day of the month, which is enough to tell the days of a week apart. */
function othersOf({ day, stats }: StoredDay): number[] {
  const { earlier = '', next = '' } = stats.content ?? {};
  const find = (names: string, from: number) =>
    Array.from({ length: WINDOW_DAYS + 1 }, (_, i) => from + i).filter((other) =>
      names.split(' ').includes(dateOf(other).slice(8)),
    );
  return [...find(earlier, day - WINDOW_DAYS - 1), ...find(next, day + 1)];
}

/** A day knows all earlier ones and the next: what the user saw is looked up on days that are known, and nowhere else. */
function strangersTo({ stored, others, place }: WalkedDay, days: WalkedDay[]): string[] {
  if (!stored.stats.content || place === 'before') return [];
  const known = days.filter((one) => one.place !== 'before' && one.stored.stats.content);
  const earlier = known.filter((one) => one.stored.day < stored.day);
  const next = known.find((one) => one.stored.day > stored.day);
  return [...earlier, ...(next ? [next] : [])]
    .filter((one) => !others.includes(one.stored.day))
    .map((one) => `stats does not know of ${dateOf(one.stored.day)}`);
}

function sumsOf(days: WalkedDay[]): Sums {
  const onward = days.filter((day) => day.onward?.verdict === 'counted').map((day) => day.onward!.ms);
  const pages = new Map<string, number>();
  for (const [name, views] of days.flatMap(({ stored }) => stored.pages.content ?? [])) {
    pages.set(name, (pages.get(name) ?? 0) + views);
  }
  pages.delete(OTHER); // it stands for many names
  return {
    views: sum(days.map(({ views }) => views.length)),
    active: sum(days.map(({ active }) => active)) + sum(onward),
    days: days.filter(({ views }) => views.length > 0).length,
    page: [...pages].sort(byViews)[0]?.[0] ?? null,
  };
}

const sum = (numbers: number[]) => numbers.reduce((total, n) => total + n, 0);

function faultsOf({ stored, views, active }: WalkedDay): string[] {
  const faults: string[] = [];
  const { stats, pages, visits, seen } = stored;
  const hasViews = stats.content?.views !== undefined || isThere(pages) || isThere(visits);
  const needed = { stats: true, pages: hasViews, visits: hasViews, events: false };
  for (const key of PARTS) {
    const { content, fault, ttl } = stored[key];
    if (fault !== undefined) faults.push(`${key} holds something else than it should (${fault})`);
    else if (content !== undefined && ttl === undefined) faults.push(`${key} never goes`);
    else if (content === undefined && needed[key]) faults.push(`there is no ${key}`);
  }
  if (stats.content && visits.content) {
    const start = stored.day * DAY;
    const walked = {
      views: views.length,
      active_ms: active,
      first: (views[0]?.at ?? start) - start,
      last: (views.at(-1)?.at ?? start) - start,
    };
    for (const [field, value] of Object.entries(walked)) {
      const kept = stats.content[field];
      if (kept !== String(value)) faults.push(`stats says ${field} ${kept}, visits make it ${value}`);
    }
  }
  if (stats.content && (stats.content.seen ?? '0') !== String(seen.length)) {
    faults.push(`stats says seen ${stats.content.seen}, and has ${seen.length}`);
  }
  if (stats.content && pages.content) {
    const names = pages.content.filter(([name]) => name !== OTHER).length;
    if (stats.content.pages !== String(names))
      faults.push(`stats says pages ${stats.content.pages}, pages has ${names}`);
  }
  if (pages.content && visits.content) {
    const counted = sum(pages.content.map(([, n]) => n));
    if (counted !== views.length) faults.push(`pages counts ${counted} views, visits has ${views.length}`);
    const seenOf = new Map<string, number>();
    for (const { page } of views) if (page !== undefined) seenOf.set(page, (seenOf.get(page) ?? 0) + 1);
    for (const [name, n] of pages.content) {
      const seen = seenOf.get(name) ?? 0; // fewer where an event_id stands for the page
      if (seen > n) faults.push(`pages counts ${n} views of ${JSON.stringify(name)}, visits has ${seen}`);
    }
  }
  return faults;
}

function faultsOfMonth({ month, logins }: StoredMonth): string[] {
  const { content, fault, ttl } = logins;
  if (fault !== undefined) return [`logins of ${month} holds something else than it should (${fault})`];
  return [
    ...(content?.some((day) => day > 31) ? [`logins of ${month} has days that no month has`] : []),
    ...(ttl === undefined ? [`logins of ${month} never goes`] : []),
  ];
}
