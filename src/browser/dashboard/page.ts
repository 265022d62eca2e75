// How many different people saw a page, over one to seven days.

import { api } from './api.ts';
import type { Context } from './context.ts';
import { fill, h } from './dom.ts';
import { noSite } from './empty.ts';
import { count } from './format.ts';
import { pageForm } from './forms.ts';
import { bars, choice, figure, figures, name, part } from './parts.ts';
import { hashOf, oneOf } from './routes.ts';
import { term } from './term.ts';
import { load } from './trouble.ts';

const DAYS = [1, 2, 3, 4, 5, 6, 7];

const lastDays = (n: number) => (n === 1 ? 'today' : `last ${n} days`);

export function pagePage(context: Context): void {
  const { query, root, heading } = context;
  const by = query.get('name') ? 'name' : 'url';
  const text = query.get(by) ?? '';
  const site = query.get('site') ?? '';
  const days = oneOf(query, 'days', DAYS, 7);
  if (!text) {
    fill(
      root,
      h('p', { class: 'lede' }, 'Which one? By its URL, or by the name it was sent with.'),
      pageForm(),
    );
    return;
  }
  fill(heading, 'Page ', name(text));
  // A path of a site does not say which of them it is.
  const other = by === 'url' ? (['name', 'name'] as const) : (['url', 'URL'] as const);
  const otherwise = hashOf('page', '', { [other[0]]: text, site, days });
  const body = h('div');
  const place = (days: number) => hashOf('page', '', { [by]: text, site, days });
  fill(
    root,
    h(
      'p',
      { class: 'lede' },
      `By its ${by === 'url' ? 'URL' : 'name'}`,
      site && [', on the site ', name(site, 64, hashOf('site', site))],
      '.',
    ),
    choice(
      'Span',
      DAYS.map((n) => [n === 1 ? 'today' : `${n} days`, place(n), n === days]),
    ),
    body,
    part('Another page', pageForm({ text, by, site, days })),
  );
  const asked = (n: number) => ({ [by]: text, days: `${n}`, ...(site && { site_id: site }) });
  load(
    context,
    body,
    (signal) => Promise.all(DAYS.map((n) => api.visitors(asked(n), signal))),
    (answers) => {
      const visitors = answers.map(({ distinct_visitors }) => distinct_visitors);
      const chosen = visitors[days - 1]!;
      fill(
        body,
        figures(
          figure(
            'Distinct visitors',
            'visitors',
            count(chosen),
            days === 1 ? 'today' : `in the ${lastDays(days)}`,
          ),
        ),
        visitors.at(-1) === 0 && h('p', {}, h('a', { href: otherwise }, `Look for it by its ${other[1]}`)),
        visitors.at(-1) === 0
          ? noSite(
              site || 'my-site',
              by === 'url'
                ? 'Nobody saw a page with this URL in the last seven days. The URL must be exactly the one that was sent; perhaps it was sent by name alone.'
                : 'Nobody saw a page of this name in the last seven days. The name must be exactly the one that was sent.',
            )
          : part(
              'By span',
              bars(
                [term('days that end today', 'window'), 'distinct visitors'],
                DAYS.map((n) => ({
                  label: h('a', { href: place(n), 'aria-current': n === days && 'true' }, lastDays(n)),
                  value: visitors[n - 1]!,
                })),
              ),
            ),
      );
    },
  );
}
