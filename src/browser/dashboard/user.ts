// One user: what they did in the last seven days, and how each number came about.

import type { Profile, UserVisits } from '../../answers.ts';
import { api } from './api.ts';
import type { Context } from './context.ts';
import { fill, h } from './dom.ts';
import { erasePart } from './erase.ts';
import { exportPart } from './export.ts';
import { count, plural } from './format.ts';
import { userForm } from './forms.ts';
import { bars, copyable, figure, figures, longTable, name, part } from './parts.ts';
import { hashOf } from './routes.ts';
import { may, session } from './session.ts';
import { timePart } from './time.ts';
import { load } from './trouble.ts';
import { weekPart } from './week.ts';

export function userPage(context: Context): void {
  const { id, root, heading } = context;
  if (!id) {
    fill(
      root,
      h('p', { class: 'lede' }, 'Which one? A user is what your pages send as user_id.'),
      userForm(),
    );
    return;
  }
  fill(heading, 'User ', name(id));
  // An address with these two would be another call's.
  if (id === '.' || id === '..') {
    fill(root, h('p', { class: 'problem' }, 'No user has this id.'));
    return;
  }
  const body = h('div');
  const rights = may('admin')
    ? h('div', { class: 'columns' }, exportPart(context), erasePart(context))
    : h('p', { class: 'quiet' }, 'Saving what is held, and erasing, take an admin key.');
  fill(root, body, rights);
  load(
    context,
    body,
    async (signal) => {
      const [profile, visits] = await Promise.all([api.profile(id, signal), api.visits(id, signal)]);
      return { profile, visits };
    },
    ({ profile, visits }) =>
      fill(
        body,
        numbers(profile, visits),
        profile.number_pages_viewed_in_the_last_7_days > 0
          ? rest(profile, visits, context.signal)
          : nothing(),
      ),
  ).then((problem) => problem?.status === 400 && rights.remove()); // no id; what is damaged, erasing repairs
}

function numbers(profile: Profile, { pages_total }: UserVisits): HTMLElement {
  const unit = session.service?.time_spent_unit ?? 'minutes';
  const most = profile.most_viewed_page_in_last_7_days;
  return figures(
    figure(
      'Pages viewed',
      'views',
      count(profile.number_pages_viewed_in_the_last_7_days),
      'in the last 7 days',
    ),
    figure('Time spent', 'timeSpent', count(profile.time_spent_on_site_in_last_7_days), unit),
    figure('Days active', 'daysActive', count(profile.number_of_days_active_in_last_7_days), 'of 7'),
    figure('Different pages', 'distinctPages', count(pages_total)),
    figure(
      'Most viewed page',
      'mostViewed',
      most === null ? '–' : h('span', { class: 'text' }, name(most, 60)),
    ),
  );
}

function rest(profile: Profile, visits: UserVisits, signal: AbortSignal): HTMLElement[] {
  const { pages, pages_total } = visits;
  return [
    h(
      'div',
      { class: 'columns' },
      weekPart(visits, signal),
      part(
        'Pages by views',
        longTable(pages.length, (most) => bars(['page', 'views'], pages.slice(0, most).map(pageRow))),
        pages.length < pages_total &&
          h('p', { class: 'quiet' }, `and ${plural(pages_total - pages.length, 'page')} more`),
      ),
    ),
    timePart(profile, visits),
  ];
}

const pageRow = ({ name: page, views }: { name: string; views: number }) => ({
  label: page === '(other)' ? page : name(page, 90, hashOf('page', '', { name: page })),
  value: views,
});

function nothing(): HTMLElement {
  return h(
    'div',
    { class: 'empty' },
    h(
      'p',
      {},
      'In the last seven days nobody saw this user. Ids are taken letter by letter: Ann and ann are two users.',
    ),
    h('p', {}, 'Made-up people, u1 the busiest of them, come beside the service with'),
    copyable('npm run traffic', 'the command'),
  );
}
