// How many people logged in, by day and by month. The service tells of one at a time.

import { api, now, Problem } from './api.ts';
import { chart, someDays } from './charts.ts';
import type { Context } from './context.ts';
import { fill, h } from './dom.ts';
import { addDays, count, dateOf, day, dayAlone, month, monthsUpTo } from './format.ts';
import { bars, choice, copyable, figure, figures, part } from './parts.ts';
import { hashOf, oneOf } from './routes.ts';
import { term } from './term.ts';
import { load } from './trouble.ts';

const SPANS = [7, 30, 90];
const MONTHS = 13;
const AT_ONCE = 4; // a browser has six connections, and one may be a stream's

export function loginsPage(context: Context): void {
  const { query, root, signal } = context;
  const span = oneOf(query, 'days', SPANS, 30);
  const body = h('div');
  fill(
    root,
    choice(
      'Span',
      SPANS.map((n) => [`${n} days`, hashOf('logins', '', { days: n }), n === span]),
    ),
    body,
  );
  const today = dateOf(now());
  const days = Array.from({ length: span }, (_, i) => addDays(today, i + 1 - span));
  const months = monthsUpTo(today, MONTHS);
  load(
    context,
    body,
    async (signal) => ({
      daily: await inTurns(days, (date) => kept(api.logins('date', date, signal))),
      monthly: await inTurns(months, (name) => kept(api.logins('month', name, signal))),
    }),
    ({ daily, monthly }) => {
      const byDay = chart({
        what: `How many logged in each day, ${day(days[0]!)} to ${day(today)}`,
        series: [{ label: 'logged in', colour: '--bars', isBars: true, write: count }],
        head: 'day',
        writeX: (x) => day(days[x] ?? today),
        tick: (x) => dayAlone(days[x] ?? today),
        ticks: someDays,
        areWhole: true,
        signal,
      });
      const known = months.flatMap((name, i) => (monthly[i] === null ? [] : [{ name, users: monthly[i]! }]));
      // Months before the first login say nothing.
      while ((known.at(-1)?.users ?? 1) === 0 && known.length > 1) known.pop();
      const isEmpty = daily.every((n) => !n) && known.every(({ users }) => users === 0);
      fill(
        body,
        figures(
          figure('Logged in today', 'dailyLogins', count(daily.at(-1) ?? 0), day(today)),
          figure('This month', 'monthlyLogins', count(monthly[0] ?? 0), month(months[0]!)),
        ),
        isEmpty
          ? h(
              'div',
              { class: 'empty' },
              h(
                'p',
                {},
                'Nobody has logged in yet. A server of yours says so with POST /v1/user/login; made-up people do beside the service with',
              ),
              copyable('npm run traffic', 'the command'),
            )
          : [
              part('Day by day', byDay.element),
              part(
                'By month',
                bars(
                  [term('month', 'monthlyLogins'), 'logged in'],
                  known.map(({ name, users }) => ({ label: month(name), value: users })),
                ),
              ),
            ],
      );
      byDay.draw(
        days.map((_, i) => i),
        daily,
      );
    },
  );
}

/** Null for what is not kept any more. */
const kept = (answer: Promise<{ unique_users: number }>): Promise<number | null> =>
  answer.then(
    ({ unique_users }) => unique_users,
    (error: unknown) => {
      if (error instanceof Problem && error.code === 'invalid_query') return null;
      throw error;
    },
  );

async function inTurns<T, R>(all: T[], ask: (one: T) => Promise<R>): Promise<R[]> {
  const answers: R[] = [];
  for (let i = 0; i < all.length; i += AT_ONCE) {
    answers.push(...(await Promise.all(all.slice(i, i + AT_ONCE).map(ask))));
  }
  return answers;
}
