// The profile again, from the single views: slowly, step by step, and by another road than the scripts take.

import { pageDigest } from '../events/pageView.ts';
import { DAY, dayOf, WINDOW_DAYS } from '../time.ts';
import { byViews, type StoredDay, type StoredUser } from './read.ts';

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
  /** Where the day's keys contradict each other. */
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
  sums: Sums;
  /** What profile.lua says; undefined if it finds the user damaged. */
  script: Sums | undefined;
}

const OTHER = '(other)';

export function walk({ days: stored, now, gap, profile }: StoredUser): Walk {
  const today = dayOf(now);
  const days = stored
    .filter(({ stats, pages, visits }) => [stats, pages, visits].some(isThere))
    .map((day) => walkDay(day, placeOf(day.day, today), gap));
  for (const [i, day] of days.entries()) {
    const from = day.views.at(-1);
    const next = days.slice(i + 1).find(({ views }) => views.length > 0);
    if (!from || !next) continue;
    const ms = next.views[0]!.at - from.at;
    const inside = day.place === 'window' && next.place === 'window';
    day.onward = { ms, to: next.stored.day, verdict: ms > gap ? 'too long' : inside ? 'counted' : 'outside' };
  }
  const script = profile === 'damaged' ? undefined : profile;
  return {
    days,
    sums: sumsOf(days.filter(({ place }) => place === 'window')),
    script: script && { views: script[0], active: script[1], days: script[2], page: script[3] },
  };
}

const isThere = ({ content, fault }: { content: unknown; fault: string | undefined }) =>
  content !== undefined || fault !== undefined;

function placeOf(day: number, today: number): WalkedDay['place'] {
  if (day > today) return 'after';
  return day > today - WINDOW_DAYS ? 'window' : 'before';
}

function walkDay(stored: StoredDay, place: WalkedDay['place'], gap: number): WalkedDay {
  const names = new Map(stored.pages.content?.map(([name]) => [pageDigest(name), name]));
  const views = (stored.visits.content ?? []).map(([member, ms]) => ({
    at: stored.day * DAY + ms,
    member,
    page: member.startsWith('e:') ? undefined : names.get(member.slice(member.indexOf('.') + 1)),
  }));
  const steps = views.slice(1).map(({ at }, i): Step => {
    const ms = at - views[i]!.at;
    return { ms, verdict: ms > gap ? 'too long' : place === 'window' ? 'counted' : 'outside' };
  });
  // A day's own sum is kept whether or not the day is in the window.
  const active = sum(steps.filter(({ verdict }) => verdict !== 'too long').map(({ ms }) => ms));
  const day = { stored, place, views, steps, active, onward: undefined, faults: [] };
  return { ...day, faults: faultsOf(day) };
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
  const keys = ['stats', 'pages', 'visits'] as const;
  for (const key of keys) {
    const { content, fault, ttl } = stored[key];
    if (fault !== undefined) faults.push(`${key} holds something else than it should (${fault})`);
    else if (content === undefined) faults.push(`there is no ${key}`);
    else if (ttl === undefined) faults.push(`${key} never goes`);
  }
  const { stats, pages, visits } = stored;
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
