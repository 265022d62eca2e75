// What Redis holds of a person. It knows what the profile needs: numbers by day, and of single views when they were.

import type { Part, StoredUser } from '../inspect/read.ts';
import { type View, type WalkedDay, walk } from '../inspect/walk.ts';
import { DAY, dateOf, SECOND } from '../time.ts';
import type { Line } from './line.ts';

export function* storedLines(userId: string, user: StoredUser): Generator<Line> {
  const { days, months, script } = walk(user);
  const from = 'redis';
  const until = ({ ttl }: Part<unknown>) => (ttl === undefined ? null : iso(user.now + ttl));
  const unreadable = (what: string, why: string): Line => ({ from, is: 'unreadable', what, why });

  yield script
    ? {
        ...{ from, is: 'profile', user_id: userId, views: script.views },
        ...{ seconds: secondsOf(script.active), days: script.days, most_viewed_page: script.page },
      }
    : unreadable('profile', 'damaged');

  for (const day of days) {
    const date = dateOf(day.stored.day);
    const { stats, pages, visits, events } = day.stored;
    const parts = { stats, pages, visits, events };
    const last = Object.values(parts).find(({ content }) => content !== undefined);
    if (last) yield { from, is: 'day', date, ...dayOf(day), kept_until: until(last) };
    for (const [part, { fault }] of Object.entries(parts)) {
      if (fault !== undefined) yield unreadable(`${part} of ${date}`, fault);
    }
  }

  for (const { stored } of months) {
    const { month, logins } = stored;
    if (logins.fault !== undefined) yield unreadable(`logins of ${month}`, logins.fault);
    else {
      const dates = logins.content!.map((day) => `${month}-${String(day).padStart(2, '0')}`);
      yield { from, is: 'logins', dates, kept_until: until(logins) };
    }
  }

  const { mark } = user;
  if (mark.fault !== undefined) yield unreadable('mark of an erasure', mark.fault);
  if (mark.content !== undefined) {
    yield { from, is: 'erasure', refused_until: timeOf(mark.content), kept_until: until(mark) };
  }
}

function dayOf({ stored, views, others }: WalkedDay): Record<string, unknown> {
  const { stats, pages, events, seen } = stored;
  const start = stored.day * DAY;
  const { views: count, active_ms, first, last, erased_until } = stats.content ?? {};
  const timeIn = (ms: string | undefined) => ms && timeOf(String(start + Number(ms)));
  return {
    views: count === undefined ? 0 : numberOf(count),
    seconds: active_ms === undefined ? 0 : secondsOf(Number(active_ms)),
    first_view: timeIn(first),
    last_view: timeIn(last),
    pages: Object.fromEntries(pages.content ?? []),
    views_at: views.map(momentOf),
    seen: seen.length > 0 ? seen : undefined,
    other_events_at: events.content?.map(([member, ms]) =>
      momentOf({ at: start + ms, member, page: undefined }),
    ),
    other_days: others.length > 0 ? others.map(dateOf) : undefined,
    refused_until: erased_until && timeOf(erased_until),
  };
}

/** A view is known by its event_id, or by a digest of what it was; of which page that is is told where it is known. */
function momentOf({ at, member, page }: View) {
  if (member.startsWith('e:')) return { time: iso(at), event_id: member.slice(2) };
  return page === undefined ? { time: iso(at), digest: member } : { time: iso(at), page };
}

const secondsOf = (ms: number) => Math.round(ms / SECOND);
const isTime = (ms: number) => Number.isFinite(ms) && Math.abs(ms) <= 8.64e15;
const iso = (ms: number) => (isTime(ms) ? new Date(ms).toISOString() : ms);

/** As it stands there where it is not what it should be. */
const timeOf = (ms: string) => (isTime(Number(ms)) ? iso(Number(ms)) : ms);
const numberOf = (text: string) => (Number.isFinite(Number(text)) ? Number(text) : text);
