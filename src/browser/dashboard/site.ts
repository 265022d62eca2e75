// How a site did, day by day.

import type { SiteReport } from '../../answers.ts';
import { api, now, Problem } from './api.ts';
import { chart, someDays } from './charts.ts';
import type { Context } from './context.ts';
import { fill, h } from './dom.ts';
import { noSite } from './empty.ts';
import { addDays, count, dateOf, day, dayAlone } from './format.ts';
import { siteForm } from './forms.ts';
import { bars, choice, figure, figures, name, part } from './parts.ts';
import { hashOf, oneOf, pageLink } from './routes.ts';
import { rememberSite, session } from './session.ts';
import { term } from './term.ts';
import { load } from './trouble.ts';

const SPANS = [7, 30, 35, 90, 400];

export function sitePage(context: Context): void {
  const { id, query, root, heading } = context;
  if (!id) {
    fill(root, h('p', { class: 'lede' }, 'Which one? A site is what its pages send as site_id.'), siteForm());
    return;
  }
  fill(heading, 'Site ', name(id));
  const most = session.service?.report_days ?? 35;
  const spans = SPANS.filter((days) => days <= most);
  const days = oneOf(query, 'days', spans, 7);
  const body = h('div');
  fill(
    root,
    choice(
      'Span',
      spans.map((n) => [`${n} days`, hashOf('site', id, { days: n }), n === days]),
    ),
    body,
  );
  load(
    context,
    body,
    (signal) => ask(id, days, signal),
    (report) => {
      if (report.views === 0 && Object.keys(report.events_by_type).length === 0) {
        return fill(
          body,
          noSite(id, [`Nothing happened on this site from ${day(report.from)} to ${day(report.to)}.`]),
        );
      }
      rememberSite(id);
      show(body, report, days, context.signal);
    },
  );
}

/** As far back as there is something: what is not kept any more is refused with the first day that is. */
async function ask(id: string, days: number, signal: AbortSignal): Promise<SiteReport> {
  const to = dateOf(now());
  const from = addDays(to, 1 - days);
  try {
    return await api.report(id, from, to, signal);
  } catch (error) {
    const kept = error instanceof Problem && /^\/from .*before (\d{4}-\d\d-\d\d)/.exec(error.message)?.[1];
    if (!kept || kept <= from || kept > to) throw error;
    return api.report(id, kept, to, signal);
  }
}

function show(body: HTMLElement, report: SiteReport, asked: number, signal: AbortSignal): void {
  const { days, views, unique_users: users, exact, events_by_type, top_paths } = report;
  const byDay = chart({
    what: `Views and unique users a day, ${day(report.from)} to ${day(report.to)}`,
    series: [
      { label: 'views', colour: '--bars', isBars: true, write: count },
      { label: 'unique users', colour: '--ink', write: count },
    ],
    head: 'day',
    writeX: (x) => day(days[x]?.date ?? report.to),
    tick: (x) => dayAlone(days[x]?.date ?? report.to),
    ticks: someDays,
    areWhole: true,
    height: 260,
    signal,
  });
  const others = Object.entries(events_by_type).reduce(
    (sum, [type, n]) => (type === 'page_view' ? sum : sum + n),
    0,
  );
  fill(
    body,
    h(
      'p',
      { class: 'lede' },
      `${day(report.from)} to ${day(report.to)}, which is not over yet.`,
      days.length < asked && ` Nothing before ${day(report.from)} is kept.`,
    ),
    figures(
      figure('Views', 'siteViews', count(views)),
      figure(
        'Unique users',
        'uniqueUsers',
        exact ? count(users) : `≈ ${count(users)}`,
        term(exact ? 'exact' : 'an estimate', exact ? 'exact' : 'estimate'),
      ),
      figure('Views per user', 'viewsPerUser', users > 0 ? (views / users).toFixed(1) : '–'),
      figure('Other events', 'otherEvents', count(others)),
    ),
    part('Day by day', byDay.element),
    h(
      'div',
      { class: 'columns' },
      part(
        'Top paths',
        top_paths.length > 0
          ? bars(
              [term('path', 'topPaths'), 'views'],
              top_paths.map(({ path, views }) => ({
                label: name(path, 90, pageLink(path, report.site_id)),
                value: views,
              })),
            )
          : h('p', { class: 'quiet' }, 'No page was viewed in these days.'),
      ),
      part(
        'Types of events',
        bars(
          [term('type', 'eventTypes'), 'events'],
          Object.entries(events_by_type).map(([type, n]) => ({ label: name(type), value: n })),
          { shares: true },
        ),
      ),
    ),
  );
  byDay.draw(
    days.map((_, i) => i),
    days.map(({ views }) => views),
    days.map(({ unique_users }) => unique_users),
  );
}
