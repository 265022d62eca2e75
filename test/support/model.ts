// The service as it would be written if nothing had to be fast: all accepted views in a list, everything worked out
// again from it at every question. It shares no code with the service, so that both are unlikely to be wrong alike.

import type { PageView } from '../../src/events/pageView.ts';
import type { Profile, ProfileDay } from '../../src/profiles/profiles.ts';
import type { Outcome } from '../../src/redis/recorder.ts';

export interface ModelSettings {
  sessionGapSeconds: number;
  timeSpentUnit: 'minutes' | 'seconds';
  maxViewsPerUserDay: number;
  maxPagesPerUserDay: number;
}

export interface Model {
  record(view: PageView, now: number): Outcome;
  /** When the user counts as erased. */
  erase(userId: string, now: number): string;
  profile(userId: string, now: number): Profile;
  days(userId: string, now: number): ProfileDay[];
  /** The views of each page on a date, under the names that they count under. */
  pages(userId: string, date: string): Record<string, number>;
}

interface Accepted extends PageView {
  date: string;
}

const OTHER = '(other)';

const dateOf = (ms: number) => new Date(ms).toISOString().slice(0, 10);
const midnightOf = (date: string) => Date.parse(`${date}T00:00:00Z`);

function daysAfter(date: string, days: number): string {
  const moved = new Date(`${date}T00:00:00Z`);
  moved.setUTCDate(moved.getUTCDate() + days);
  return moved.toISOString().slice(0, 10);
}

const windowOf = (now: number) => [-6, -5, -4, -3, -2, -1, 0].map((days) => daysAfter(dateOf(now), days));

/** `note` hears of every noteworthy case, so that a test can tell whether it met them. */
export function createModel(settings: ModelSettings, note: (what: string) => void = () => undefined): Model {
  const gap = settings.sessionGapSeconds * 1000;
  const unit = settings.timeSpentUnit === 'minutes' ? 60_000 : 1000;
  const accepted = new Map<string, Accepted[]>(); // by user, in order of arrival
  const erasures = new Map<string, number>();

  const viewsOf = (userId: string) => accepted.get(userId) ?? [];

  function record(view: PageView, now: number): Outcome {
    const outcome = judge(view, now);
    note(outcome);
    if (outcome === 'recorded') {
      const views = viewsOf(view.userId);
      if (views.some(({ at }) => at > view.at)) note('late arrival');
      if (dateOf(view.at) > dateOf(now)) note('view on tomorrow');
      if (view.eventId !== undefined && views.some(({ eventId }) => eventId === view.eventId)) {
        note('same event_id, too many days apart');
      }
      accepted.set(view.userId, [...views, { ...view, date: dateOf(view.at) }]);
    }
    return outcome;
  }

  function judge(view: PageView, now: number): Outcome {
    const date = dateOf(view.at);
    const oldest = windowOf(now)[0]!;
    const erasedAt = erasures.get(view.userId);
    if (erasedAt !== undefined && view.at <= erasedAt) {
      if (date < oldest) note('erased although expired');
      if (view.at === erasedAt)
        note(date < oldest ? 'erased to the ms although expired' : 'erased to the ms');
      return 'erased';
    }
    if (date < oldest) return 'expired';

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
    if (erasedAt !== undefined && sameDay.length > 0) note('day goes on after an erasure');
    return full ? 'capped' : 'recorded';
  }

  function erase(userId: string, now: number): string {
    const times = viewsOf(userId).map(({ at }) => at);
    const erasedAt = Math.max(now, ...times, erasures.get(userId) ?? now);
    if (erasedAt > now) note('erased ahead of the clock');
    accepted.delete(userId);
    erasures.set(userId, erasedAt);
    note('erasure');
    return new Date(erasedAt).toISOString();
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

  return { record, erase, profile, days, pages };
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
