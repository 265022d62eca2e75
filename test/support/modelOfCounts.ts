// The model's counts about everybody, from the list of all events. A set of users at every question: the very thing that
// the service must do without.

import type { SiteReport } from '../../src/answers.ts';
import type { Event, PageView } from '../../src/events/event.ts';
import type { Model } from './model.ts';

export const dateOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);

export function daysAfter(date: string, days: number): string {
  const moved = new Date(`${date}T00:00:00Z`);
  moved.setUTCDate(moved.getUTCDate() + days);
  return moved.toISOString().slice(0, 10);
}

/** An event that was accepted. */
export interface Counted {
  event: Event;
  date: string;
  /** Its user's own keys know it no more. */
  isErased: boolean;
  /** The erasure took its user out of what the event had counted them in; sums of views stay. */
  isSubtracted: boolean;
}

/** What visitors are asked of: a page by name or url, or of one site alone. */
export interface Asked {
  name?: string;
  url?: string;
  siteId?: string | undefined;
}

const OTHER = '(other)';

export function createCounts(
  log: Counted[],
  note: (what: string) => void,
): Pick<Model, 'visitors' | 'logins' | 'report'> {
  const usersOf = (counted: Counted[]) => new Set(counted.map(({ event }) => event.userId)).size;
  const present = () => log.filter(({ isSubtracted }) => !isSubtracted);

  function visitors(asked: Asked, days: number, now: number): number {
    const today = dateOf(now);
    const oldest = daysAfter(today, 1 - days);
    const seen = present().filter(
      ({ event, date }) => date >= oldest && date <= today && event.kind === 'view' && isOf(event, asked),
    );
    const distinct = usersOf(seen);
    if (distinct < new Set(seen.map(({ event, date }) => `${event.userId} ${date}`)).size) {
      note('visitor on several days');
    }
    return distinct;
  }

  function isOf(view: PageView, { name, url, siteId }: Asked): boolean {
    if (siteId !== undefined && view.siteId !== siteId) return false;
    return url === undefined ? view.name === name : view.url === url;
  }

  const logins = (dateOrMonth: string) =>
    usersOf(present().filter(({ event, date }) => event.kind === 'login' && date.startsWith(dateOrMonth)));

  function report(siteId: string, from: string, to: string, now: number): SiteReport {
    const today = dateOf(now);
    const span: string[] = [];
    for (let date = from; date <= to; date = daysAfter(date, 1)) span.push(date);
    const all = log.filter(
      ({ event, date }) =>
        event.kind !== 'login' && event.siteId === siteId && date >= from && date <= to && date <= today,
    );
    const still = all.filter(({ isSubtracted }) => !isSubtracted);
    const views = all.flatMap(({ event, date }) => (event.kind === 'view' ? [{ ...event, date }] : []));
    const days = span.map((date) => ({
      date,
      views: views.filter((view) => view.date === date).length,
      unique_users: usersOf(still.filter((one) => one.date === date)),
    }));
    const isOneDay = days.filter(({ unique_users }) => unique_users > 0).length <= 1;
    const exact = isOneDay || from >= daysAfter(today, -6);
    note(exact ? 'exact report' : 'estimated report');
    const types = all.map(({ event }) => (event.kind === 'event' ? event.type : 'page_view'));
    return {
      site_id: siteId,
      from,
      to,
      views: views.length,
      // An estimate knows nothing of erasures.
      unique_users: usersOf(exact ? still : all),
      exact,
      events_by_type: numbersOf(types),
      top_paths: Object.entries(numbersOf(views.map(pathOf)))
        .map(([path, views]) => ({ path, views }))
        .filter(({ path }) => path !== OTHER)
        .sort((a, b) => b.views - a.views || Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)))
        .slice(0, 10),
      days,
    };
  }

  return { visitors, logins, report };
}

/** In how many counts about everybody these events of one user stand. */
export function correctionsOf(counted: Counted[]): number {
  const counts = counted.flatMap(({ event, date }) => {
    if (event.kind === 'login')
      return [
        ['day', date],
        ['month', date.slice(0, 7)],
      ];
    const { siteId } = event;
    const pages =
      event.kind === 'view' ? [['name', event.name], ...(event.url ? [['url', event.url]] : [])] : [];
    const everywhere = pages.filter(([, page]) => page !== OTHER).map((page) => [date, ...page]);
    if (siteId === undefined) return everywhere;
    const onSite = pages.map((page) => [date, siteId, ...page]);
    return [...everywhere, ...onSite, [date, siteId, 'visitors'], [date, siteId, 'users']];
  });
  return new Set(counts.map((count) => JSON.stringify(count))).size;
}

/** A view that came through /v1/event has a path of its own. */
const pathOf = ({ path, url, name }: PageView) => path ?? url ?? name;

const numbersOf = (names: string[]) =>
  Object.fromEntries([...new Set(names)].map((name) => [name, names.filter((one) => one === name).length]));
