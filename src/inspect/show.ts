// A walk through a user's views, told to a person at a terminal.

import { DAY, dateOf, dayOf, HOUR, MINUTE, SECOND, WINDOW_DAYS } from '../time.ts';
import { PARTS, type Part, type StoredUser } from './read.ts';
import type { Step, Sums, View, Walk, WalkedDay, WalkedMonth } from './walk.ts';

export interface ShowOptions {
  userId: string;
  unit: 'minutes' | 'seconds';
  /** Every view of a long day. */
  all: boolean;
}

const ENDS = 20; // views shown at each end of a long day
const MOST = 5; // pages, things seen and events shown of a day

export function show(user: StoredUser, walked: Walk, { userId, unit, all }: ShowOptions) {
  const { days, months, sums, script } = walked;
  const { mark } = user;
  if (days.length + months.length === 0 && mark.content === undefined && mark.fault === undefined) {
    return `Redis holds nothing of ${quoted(userId)}.\n`;
  }
  const today = dayOf(user.now);
  const lines = [
    `${quoted(userId)}: what Redis holds at ${timestamp(user.now)}, days and times in UTC`,
    `  keys    ${escaped(user.begin)}<day>:stats, :pages, :visits, :events; …:<month>:logins`,
    `  window  ${dateOf(today - WINDOW_DAYS + 1)} to ${dateOf(today)}`,
    `  step    counts up to ${duration(user.gap)}`,
    `  erased  ${erasure(mark)}`,
    ...days.flatMap((day) => ['', ...dayLines(day, user.gap, all)]),
    ...(months.length > 0 ? ['', 'Logins', ...months.flatMap(monthLines)] : []),
    '',
    ...sumLines(days, sums, script, unit),
  ];
  return `${lines.join('\n')}\n`;
}

function erasure({ content, fault, ttl }: Part<string>): string {
  if (fault !== undefined) return `the mark holds something else than it should (${fault})`;
  if (content === undefined) return 'no';
  const ms = Number(content);
  const at = Math.abs(ms) < 8.64e15 ? timestamp(ms) : quoted(content);
  return `what happened up to ${at} is refused; the mark goes ${life(ttl)}`;
}

const PLACES = {
  before: '  outside the window: too old',
  window: '',
  after: '  outside the window: yet to come',
};

function dayLines(day: WalkedDay, gap: number, all: boolean): string[] {
  const { stored, place, views, faults } = day;
  const lines = [`${dateOf(stored.day)}${PLACES[place]}`, ...faults.map((fault) => `  ! ${escaped(fault)}`)];
  const { stats, pages, seen, events } = stored;
  const most = all ? Number.POSITIVE_INFINITY : MOST;
  if (stats.content) lines.push(`  stats   ${numbersOf(stats.content)}`);
  if (day.others.length > 0) lines.push(`  others  ${day.others.map(dateOf).join(', ')}`);
  if (pages.content) {
    lines.push(
      `  pages   ${shortened(pages.content, most, ([name, views]) => `${views} × ${quoted(name)}`)}`,
    );
  }
  if (seen.length > 0) lines.push(`  seen    ${shortened(seen, most, quoted)}`);
  if (events.content) {
    lines.push(`  events  ${shortened(events.content, most, ([member, ms]) => momentLine(ms, member))}`);
  }
  lines.push(`  goes    ${livesOf(day)}`);
  const cut = !all && views.length > 2 * ENDS;
  for (const [i, view] of views.entries()) {
    if (cut && i >= ENDS && i < views.length - ENDS) continue;
    if (cut && i === views.length - ENDS) lines.push(leftOut(day.steps.slice(ENDS - 1, i), i - ENDS));
    else if (i > 0) lines.push(stepLine(day.steps[i - 1]!, gap));
    lines.push(viewLine(view));
  }
  if (day.onward) lines.push(`${stepLine(day.onward, gap)}, to ${dateOf(day.onward.to)}`);
  return lines;
}

function numbersOf(stats: Record<string, string>): string {
  const { views, active_ms, first, last, erased_until } = stats;
  const ofViews = [
    `views ${escaped(views ?? '?')}`,
    `active ${measured(active_ms, duration)}`,
    `first ${measured(first, clock)}`,
    `last ${measured(last, clock)}`,
  ];
  return [
    ...(views === undefined && active_ms === undefined ? ['no views'] : ofViews),
    ...(erased_until === undefined
      ? []
      : [`what happened up to ${measured(erased_until, timestamp)} is refused`]),
  ].join(', ');
}

/** A number of Redis's for people, or what is there in its place. */
function measured(text: string | undefined, form: (ms: number) => string): string {
  const ms = Number(text ?? Number.NaN);
  return Number.isSafeInteger(ms) && Math.abs(ms) < 8.64e15 ? form(ms) : quoted(text ?? '');
}

function shortened<T>(items: T[], most: number, text: (item: T) => string): string {
  const more = items.length - most;
  return [...items.slice(0, most).map(text), ...(more > 0 ? [`and ${more} more`] : [])].join(', ');
}

function livesOf({ stored }: WalkedDay): string {
  const lives = PARTS.filter(
    (key) => stored[key].content !== undefined || stored[key].fault !== undefined,
  ).map((key) => ({ key, life: life(stored[key].ttl) }));
  return new Set(lives.map((one) => one.life)).size === 1
    ? lives[0]!.life
    : lives.map((one) => `${one.key} ${one.life}`).join(', ');
}

function viewLine({ at, member, page }: View): string {
  const moment = momentLine(((at % DAY) + DAY) % DAY, member);
  return `  ${moment}${page === undefined ? '' : ` = ${quoted(page)}`}`;
}

function momentLine(ms: number, member: string): string {
  const what = member.startsWith('e:') ? `event_id ${quoted(member.slice(2))}` : quoted(member);
  return `${clock(ms)}  ${what}`;
}

function monthLines({ stored: { month, logins }, faults }: WalkedMonth): string[] {
  const lines = faults.map((fault) => `  ! ${escaped(fault)}`);
  const days = logins.content?.filter((day) => day <= 31);
  const dates = days?.map((day) => `${month}-${String(day).padStart(2, '0')}`);
  if (dates) lines.push(`  ${dates.join(', ')}; goes ${life(logins.ttl)}`);
  return lines;
}

function stepLine({ ms, verdict }: Step, gap: number): string {
  const why = {
    counted: 'counted',
    'too long': `too long (more than ${duration(gap)})`,
    outside: 'outside the window',
  }[verdict];
  return `      ${verdict === 'counted' ? '+' : '-'} ${duration(ms)} ${why}`;
}

function leftOut(steps: Step[], views: number): string {
  const counted = steps.filter(({ verdict }) => verdict === 'counted');
  const ms = counted.reduce((total, step) => total + step.ms, 0);
  const sign = counted.length > 0 ? '+' : '-';
  return `      ${sign} ${duration(ms)} counted in ${counted.length} of ${steps.length} steps; views not shown: ${views} (--all shows them)`;
}

function sumLines(
  days: WalkedDay[],
  sums: Sums,
  script: Sums | undefined,
  unit: ShowOptions['unit'],
): string[] {
  const window = days.filter(({ place, views }) => place === 'window' && views.length > 0);
  const times = window.flatMap(({ stored, active, onward }) => [
    `${duration(active)} on ${dateOf(stored.day)}`,
    ...(onward?.verdict === 'counted' ? [`${duration(onward.ms)} to ${dateOf(onward.to)}`] : []),
  ]);
  const one = unit === 'minutes' ? MINUTE : SECOND;
  const column = ({ views, active, days, page }: Sums) => [
    String(views),
    duration(active),
    String(Math.round(active / one)),
    String(days),
    page === null ? 'null' : quoted(page),
  ];
  const walked = column(sums);
  const answered = script ? column(script) : walked.map(() => 'damaged');
  const names = [
    'number_pages_viewed_in_the_last_7_days',
    '  time between views, exactly',
    'time_spent_on_site_in_last_7_days',
    'number_of_days_active_in_last_7_days',
    'most_viewed_page_in_last_7_days',
  ];
  const width = Math.max('these views'.length, ...walked.map((text) => text.length));
  const row = (name: string, a: string, b: string) => `${name.padEnd(40)}${a.padEnd(width)}  ${b}`;
  const differ = names.filter((_, i) => walked[i] !== answered[i]).map((name) => name.trim());
  return [
    'The window',
    `  views   ${[...window.map(({ views }) => views.length), 0].slice(0, window.length || 1).join(' + ')} = ${sums.views}`,
    `  time    ${times.join(' + ') || duration(0)} = ${duration(sums.active)}, in ${unit} ${Math.round(sums.active / one)}`,
    '',
    row('The profile', 'these views', 'profile.lua'),
    ...names.map((name, i) => row(name, walked[i]!, answered[i]!)),
    '',
    differ.length === 0 ? 'Both agree.' : `THEY DIFFER: ${differ.join(', ')}.`,
  ];
}

const timestamp = (ms: number) => new Date(ms).toISOString();

const clock = (ms: number) =>
  ms >= 0 && ms < DAY ? new Date(ms).toISOString().slice(11, 23) : `${ms} ms of the day`;

/** To the millisecond, so that sums can be followed: `4 min 10 s`, `1 h 0.250 s`. */
export function duration(ms: number): string {
  const seconds = (ms % MINUTE) / SECOND;
  const parts = [
    [Math.floor(ms / HOUR), 'h'],
    [Math.floor((ms % HOUR) / MINUTE), 'min'],
    [Number.isInteger(seconds) ? seconds : seconds.toFixed(3), 's'],
  ] as const;
  return (
    parts
      .filter(([n]) => n !== 0)
      .map(([n, unit]) => `${n} ${unit}`)
      .join(' ') || '0 s'
  );
}

/** What is left to a key, to the hour; at its end, to the minute. */
function life(ms: number | undefined): string {
  if (ms === undefined) return 'never';
  if (ms < HOUR) return `in ${Math.floor(ms / MINUTE)} min`;
  const days = Math.floor(ms / DAY);
  return `in ${days > 0 ? `${days} ${days === 1 ? 'day' : 'days'} ` : ''}${Math.floor((ms % DAY) / HOUR)} h`;
}

/** As JSON, with nothing in it that a terminal would obey. */
export const quoted = (text: string) => escaped(JSON.stringify(text));

/** Nothing that a terminal would obey, hide or turn round: controls, formats, surrogates, line separators. */
const escaped = (text: string) =>
  text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu, (c) =>
    c
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
