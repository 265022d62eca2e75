// The service as it would be written if nothing had to be fast: all accepted events in a list, everything worked out
// again from it at every question. It shares no code with the service, so that both are unlikely to be wrong alike.

import type { Profile, ProfileDay, SiteReport } from '../../src/answers.ts';
import type { Event, PageView, SiteEvent } from '../../src/events/event.ts';
import type { Outcome } from '../../src/redis/recorder.ts';
import { type Asked, type Counted, correctionsOf, createCounts, dateOf, daysAfter } from './modelOfCounts.ts';

export interface ModelSettings {
  sessionGapSeconds: number;
  timeSpentUnit: 'minutes' | 'seconds';
  maxViewsPerUserDay: number;
  maxPagesPerUserDay: number;
  lateLoginDays?: number;
}

export interface Model {
  record(event: Event, now: number): Outcome;
  /** `isNamed` is asked whether the user still has keys of a day or month that is about to go, by user some hours sooner. */
  erase(userId: string, now: number, isNamed?: (date: string) => boolean): Erasure;
  profile(userId: string, now: number): Profile;
  days(userId: string, now: number): ProfileDay[];
  /** The views of each page on a date, under the names that they count under. */
  pages(userId: string, date: string): Record<string, number>;
  /** Users who saw a page on one of the last days. */
  visitors(of: Asked, days: number, now: number): number;
  /** Users who logged in on a date, or in a month. */
  logins(dateOrMonth: string): number;
  /** An estimate is the figure that it should come near to. */
  report(siteId: string, from: string, to: string, now: number): SiteReport;
}

export interface Erasure {
  erased_at: string;
  counts_corrected: number;
}

interface Accepted extends PageView {
  date: string;
}

const OTHER = '(other)';
const DAY = 86_400_000;

const midnightOf = (date: string) => Date.parse(`${date}T00:00:00Z`);
const monthAfter = (date: string) => `${daysAfter(`${date.slice(0, 7)}-01`, 31).slice(0, 7)}-01`;

const windowOf = (now: number) => [-6, -5, -4, -3, -2, -1, 0].map((days) => daysAfter(dateOf(now), days));

/** `note` hears of every noteworthy case, so that a test can tell whether it met them. */
export function createModel(settings: ModelSettings, note: (what: string) => void = () => undefined): Model {
  const gap = settings.sessionGapSeconds * 1000;
  const unit = settings.timeSpentUnit === 'minutes' ? 60_000 : 1000;
  const lateDays = settings.lateLoginDays ?? 35;
  /** All that was ever accepted, in order of arrival. */
  const log: Counted[] = [];
  const erasures = new Map<string, { at: number; until: number }>();
  const counts = createCounts(log, note);

  /** What the user's own keys would still tell, were they kept for ever. */
  const of = (userId: string) => log.filter((one) => one.event.userId === userId && !one.isErased);

  const views = new Map<string, Accepted[]>(); // of `of`, for it is asked most
  const viewsOf = (userId: string) => views.get(userId) ?? [];

  function record(event: Event, now: number): Outcome {
    const outcome = judge(event, now);
    note(outcome);
    if (outcome === 'recorded') {
      if (dateOf(event.at) > dateOf(now)) note(`${event.kind} on tomorrow`);
      log.push({ event, date: dateOf(event.at), isErased: false, isSubtracted: false });
      if (event.kind === 'view') acceptView(event);
    }
    return outcome;
  }

  function acceptView(view: PageView): void {
    const before = viewsOf(view.userId);
    if (before.some(({ at }) => at > view.at)) note('late arrival');
    if (view.eventId !== undefined && before.some(({ eventId }) => eventId === view.eventId)) {
      note('same event_id, too many days apart');
    }
    views.set(view.userId, [...before, { ...view, date: dateOf(view.at) }]);
  }

  function judge(event: Event, now: number): Outcome {
    const date = dateOf(event.at);
    const oldest = event.kind === 'login' ? daysAfter(dateOf(now), -lateDays) : windowOf(now)[0]!;
    const erasure = erasures.get(event.userId);
    if (erasure && now < erasure.until && event.at <= erasure.at) {
      if (date < oldest) note('erased although expired');
      if (event.at === erasure.at)
        note(date < oldest ? 'erased to the ms although expired' : 'erased to the ms');
      return 'erased';
    }
    if (date < oldest) return 'expired';
    if (event.kind === 'login') return judgeLogin(event.userId, date);
    return event.kind === 'view' ? judgeView(event, date, oldest) : judgeOther(event, date);
  }

  function judgeLogin(userId: string, date: string): Outcome {
    const isKnown = of(userId).some((one) => one.event.kind === 'login' && one.date === date);
    return isKnown ? 'duplicate' : 'recorded';
  }

  function judgeView(view: PageView, date: string, oldest: string): Outcome {
    const views = viewsOf(view.userId);
    const sameDay = views.filter((one) => one.date === date);
    const full = sameDay.length >= settings.maxViewsPerUserDay;
    const before = views.find((one) => isSame(one, view));
    if (before) {
      if (full) note('duplicate on a full day');
      if (before.at !== view.at || before.name !== view.name) note('duplicate with another stamp');
      if (before.date < date) note('duplicate of the day before');
      if (before.date > date) note('duplicate of the day after');
      if (before.date < oldest) note('duplicate of the day before the window');
      return 'duplicate';
    }
    if (erasures.has(view.userId) && sameDay.length > 0) note('day goes on after an erasure');
    return full ? 'capped' : 'recorded';
  }

  function judgeOther(event: SiteEvent, date: string): Outcome {
    const others = of(event.userId).flatMap((one) => (one.event.kind === 'event' ? [one.event] : []));
    const sameDay = others.filter(({ at }) => dateOf(at) === date);
    if (others.some((one) => isSameOther(one, event))) return 'duplicate';
    return sameDay.length >= settings.maxViewsPerUserDay ? 'capped' : 'recorded';
  }

  function erase(userId: string, now: number, isNamed: (date: string) => boolean = () => false): Erasure {
    const seen = of(userId).filter(({ event }) => event.kind !== 'login');
    const before = erasures.get(userId);
    const until = before && now < before.until ? before.at : now;
    const erasedAt = Math.max(now, ...seen.map(({ event }) => event.at), until);
    if (erasedAt > now) note('erased ahead of the clock');
    const known = of(userId);
    for (const one of known) {
      one.isErased = true;
      one.isSubtracted = isStillNamed(one, now, isNamed);
      if (!one.isSubtracted) note('erased when nothing named the day any more');
    }
    views.delete(userId);
    erasures.set(userId, { at: erasedAt, until: now + (Math.max(lateDays, 7) + 2) * DAY });
    note('erasure');
    const corrected = correctionsOf(known.filter(({ isSubtracted }) => isSubtracted));
    return { erased_at: new Date(erasedAt).toISOString(), counts_corrected: corrected };
  }

  /** A day's keys go in the last six hours of its eighth day, a month's when no login of it is accepted any more. */
  function isStillNamed({ event, date }: Counted, now: number, isNamed: (date: string) => boolean): boolean {
    const isLogin = event.kind === 'login';
    const gone = isLogin ? midnightOf(monthAfter(date)) + (lateDays + 1) * DAY : midnightOf(date) + 8 * DAY;
    if (now >= gone) return false;
    return now < gone - DAY / 4 || isNamed(isLogin ? date.slice(0, 7) : date);
  }

  /** The steps that count, earliest first, each as [from, to]. */
  function stepsIn(views: Accepted[]): [number, number][] {
    const times = views.map(({ at }) => at).sort((a, b) => a - b);
    const steps: [number, number][] = [];
    for (let i = 1; i < times.length; i++) {
      const [from, to] = [times[i - 1]!, times[i]!];
      if (to === from) note('equal times');
      if (to - from === gap + 1) note('step one ms too long');
      if (to - from > gap) continue;
      if (to - from === gap) note('step as long as the gap');
      if (dateOf(from) !== dateOf(to)) note('step across midnight');
      steps.push([from, to]);
    }
    return steps;
  }

  /** The name that each view counts under: the first ones of a day keep their own. */
  function countedNames(views: Accepted[]): string[] {
    return views.map((view) => {
      if (view.name === OTHER) note('page named (other)');
      const ofDay = views.filter(({ date, name }) => date === view.date && name !== OTHER);
      const names = [...new Set(ofDay.map(({ name }) => name))];
      if (names.indexOf(view.name) < settings.maxPagesPerUserDay) return view.name;
      note('name past the cap');
      return OTHER;
    });
  }

  function countsOf(views: Accepted[]): { name: string; views: number }[] {
    const counted = countedNames(views);
    return [...new Set(counted)].map((name) => ({
      name,
      views: counted.filter((one) => one === name).length,
    }));
  }

  function mostViewed(views: Accepted[]): string | null {
    const counts = countsOf(views);
    const most = Math.max(0, ...counts.filter(({ name }) => name !== OTHER).map((count) => count.views));
    const others = counts.find(({ name }) => name === OTHER)?.views ?? 0;
    if (others > most) note('(other) has most views');
    if (others === most && others > 0) note('(other) ties');
    const best = counts
      .filter((count) => count.name !== OTHER && count.views === most)
      .map(({ name }) => name);
    if (best.length > 1) note('tie');
    const first = [...best].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))[0] ?? null;
    if (best.length > 1 && [...best].sort()[0] !== first) note('tie that UTF-16 would decide otherwise');
    return first;
  }

  function profile(userId: string, now: number): Profile {
    const window = windowOf(now);
    const views = viewsOf(userId).filter(({ date }) => window.includes(date));
    const spent = stepsIn(views).reduce((sum, [from, to]) => sum + (to - from), 0);
    if (spent % unit === unit / 2) note('half a unit');
    return {
      user_id: userId,
      number_pages_viewed_in_the_last_7_days: views.length,
      time_spent_on_site_in_last_7_days: Math.round(spent / unit),
      number_of_days_active_in_last_7_days: new Set(views.map(({ date }) => date)).size,
      most_viewed_page_in_last_7_days: mostViewed(views),
    };
  }

  function days(userId: string, now: number): ProfileDay[] {
    const window = windowOf(now);
    const views = viewsOf(userId).filter(({ date }) => window.includes(date));
    const steps = stepsIn(views);
    return window.map((date) => {
      const start = midnightOf(date);
      const end = midnightOf(daysAfter(date, 1));
      const ms = steps.reduce((sum, [a, b]) => sum + Math.max(0, Math.min(b, end) - Math.max(a, start)), 0);
      const ofDay = views.filter((view) => view.date === date);
      return {
        date,
        views: ofDay.length,
        seconds: Math.round(ms / 1000),
        most_viewed_page: mostViewed(ofDay),
      };
    });
  }

  function pages(userId: string, date: string): Record<string, number> {
    const ofDay = viewsOf(userId).filter((view) => view.date === date);
    return Object.fromEntries(countsOf(ofDay).map(({ name, views }) => [name, views]));
  }

  return { record, erase, profile, days, pages, ...counts };
}

/** Whether a view that was accepted and one that arrives are the same. */
function isSame(before: Accepted, view: PageView): boolean {
  if (view.eventId === undefined) {
    return before.eventId === undefined && before.at === view.at && before.name === view.name;
  }
  const date = dateOf(view.at);
  return (
    before.eventId === view.eventId && [daysAfter(date, -1), date, daysAfter(date, 1)].includes(before.date)
  );
}

/** The same of events that are no page views. */
function isSameOther(before: SiteEvent, event: SiteEvent): boolean {
  const what = ({ siteId, type, path }: SiteEvent) => JSON.stringify([siteId, type, path]);
  if (event.eventId === undefined) {
    return before.eventId === undefined && before.at === event.at && what(before) === what(event);
  }
  const days = Math.abs(midnightOf(dateOf(before.at)) - midnightOf(dateOf(event.at))) / DAY;
  return before.eventId === event.eventId && days <= 1;
}
