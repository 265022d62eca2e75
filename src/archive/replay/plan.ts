// What of the archive goes which way.
//
// The window, and logins of months that are open, go through record.lua: their users' own keys say what is there already.
// What lies before has no such keys any more, and record.lua would refuse it, or count it again. Of that Redis holds counts
// alone, which nobody writes to any more: sites' days and months of logins. They are counted in the archive, and written
// where Redis has less.

import { dayOf, monthEnd, monthOf, parseMonth, WINDOW_DAYS } from '../../time.ts';

/** Days, both included. */
export interface Range {
  from: number;
  to: number;
}

export interface Kept {
  siteRetentionDays: number;
  lateLoginDays: number;
  uniquesRetentionDays: number;
}

export interface Plan {
  /** Of these days all goes through record.lua. */
  window: Range;
  /** Of these days logins do. */
  logins: Range;
  /** Sites' days before the window. */
  days: Range;
  /** From the first day of a month to the last of another: logins that no user's own keys know. */
  months: Range;
}

/** All that Redis would still hold. An event may be of tomorrow, from a clock that is ahead. */
export function everythingAt(now: number, { siteRetentionDays, uniquesRetentionDays }: Kept): Range {
  const today = dayOf(now);
  return { from: today - Math.max(siteRetentionDays - 1, uniquesRetentionDays), to: today + 1 };
}

export function planAt(now: number, kept: Kept, { from, to }: Range): Plan {
  const today = dayOf(now);
  const window = today - WINDOW_DAYS + 1;
  // While a login of a month is accepted, the bits of all its users are there, and for 18 hours more.
  const open = firstOfMonth(today - kept.lateLoginDays);
  return {
    window: { from: Math.max(from, window), to },
    logins: { from: Math.max(from, open), to },
    days: { from: Math.max(from, today - kept.siteRetentionDays + 1), to: Math.min(to, window - 1) },
    months: {
      from: firstOfMonth(Math.max(from, today - kept.uniquesRetentionDays)),
      to: Math.min(monthEnd(to), open) - 1, // a month is one count: all of it, or nothing
    },
  };
}

/** A site's day, or a month of logins. */
export interface Unit {
  is: 'day' | 'month';
  /** Its day, or its first one. */
  day: number;
}

/** The newest first. */
export function unitsOf({ days, months }: Plan): Unit[] {
  const units: Unit[] = [];
  for (let day = days.from; day <= days.to; day++) units.push({ is: 'day', day });
  for (let day = months.from; day <= months.to; day = monthEnd(day)) units.push({ is: 'month', day });
  return units.sort((a, b) => b.day - a.day);
}

const firstOfMonth = (day: number) => parseMonth(monthOf(day));
