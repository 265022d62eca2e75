// A site's report as it would be written if nothing had to be fast: all that was ever taken in, in a list. It shares no code
// with the service.

import type { SiteReport } from '../../src/answers.ts';
import type { PageView, SiteEvent } from '../../src/events/event.ts';
import { dateOf, daysAfter } from './modelOfCounts.ts';

export type OfSite = (PageView & { siteId: string }) | SiteEvent;

interface Taken {
  event: OfSite;
  date: string;
  /** Too late for Redis, so only the archive has it. */
  isLate: boolean;
  /** The archive has forgotten who it was. */
  isForgotten: boolean;
  /** Redis has taken its user out of the day's users. */
  isSubtracted: boolean;
}

export interface SiteHistory {
  /** `outcome` is what the service said. */
  take(event: OfSite, outcome: string): void;
  erase(userId: string, now: number): void;
  /** `oldest` is the oldest day that Redis holds. */
  report(siteId: string, from: string, to: string, oldest: string): SiteReport;
}

const KEPT = 8; // days that a user's own keys are kept
const OTHER = '(other)';

export function createSiteHistory(): SiteHistory {
  const all: Taken[] = [];
  const erasedAt = new Map<string, number>();

  const isKnown = (event: OfSite) => all.some((one) => one.event === event && !one.isForgotten);
  const usersOf = (some: Taken[]) => new Set(some.map(({ event }) => event.userId)).size;
  const pathOf = (event: OfSite) => (event.kind === 'view' ? (event.url ?? event.name) : event.path);

  return {
    take(event, outcome) {
      if (outcome !== 'recorded' && outcome !== 'expired') return;
      const isLate = outcome === 'expired';
      // An archive never forgets that it has forgotten.
      if (isLate && (isKnown(event) || event.at <= (erasedAt.get(event.userId) ?? -1))) return;
      all.push({ event, date: dateOf(event.at), isLate, isForgotten: false, isSubtracted: false });
    },
    erase(userId, now) {
      const theirs = all.filter(({ event }) => event.userId === userId);
      for (const one of theirs) {
        one.isForgotten = true;
        one.isSubtracted ||= one.date > daysAfter(dateOf(now), -KEPT);
      }
      const newest = Math.max(...theirs.filter((one) => one.isSubtracted).map(({ event }) => event.at));
      erasedAt.set(userId, Math.max(now, newest, erasedAt.get(userId) ?? 0));
    },
    report(siteId, from, to, oldest) {
      const counted = all.filter(
        ({ event, date, isLate }) =>
          event.siteId === siteId && date >= from && date <= to && (date < oldest || !isLate),
      );
      const views = counted.filter(({ event }) => event.kind === 'view');
      const days: SiteReport['days'] = [];
      for (let date = from; date <= to; date = daysAfter(date, 1)) {
        const present = counted.filter(
          (one) => one.date === date && !(date < oldest ? one.isForgotten : one.isSubtracted),
        );
        const ofDay = views.filter((one) => one.date === date);
        days.push({ date, views: ofDay.length, unique_users: usersOf(present) });
      }
      const busy = days.filter(({ unique_users }) => unique_users > 0);
      const named = views.filter((one) => one.date >= oldest || !one.isForgotten);
      return {
        site_id: siteId,
        from,
        to,
        views: views.length,
        unique_users:
          busy.length > 1
            ? usersOf(counted.filter(({ isForgotten }) => !isForgotten))
            : (busy[0]?.unique_users ?? 0),
        exact: true,
        events_by_type: Object.fromEntries(
          ranked(counted.map(({ event }) => (event.kind === 'view' ? 'page_view' : event.type))),
        ),
        top_paths: ranked(named.map(({ event }) => pathOf(event)))
          .filter(([path]) => path !== OTHER)
          .slice(0, 10)
          .map(([path, views]) => ({ path, views })),
        days,
      };
    },
  };
}

/** Each with how often it is there, the most frequent first; a tie goes to the one that sorts first, byte by byte. */
function ranked(names: string[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort(([a, n], [b, m]) => m - n || Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
