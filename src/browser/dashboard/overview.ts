// Where one begins: what is going on, and what to look for.

import type { Context } from './context.ts';
import { fill, h } from './dom.ts';
import { pageForm, siteForm, userForm } from './forms.ts';
import { eventsChart, strip } from './live.ts';
import { part } from './parts.ts';
import { hashOf } from './routes.ts';
import { hearSamples } from './samples.ts';
import { may } from './session.ts';

export function overview(context: Context): void {
  if (may('metrics')) rightNow(context);
  if (may('read')) lookUp(context.root);
  if (may('metrics') || may('read')) return;
  const needed =
    'This key records events and may read nothing. A read key, a metrics key or an admin key shows figures.';
  fill(context.root, h('p', {}, needed));
}

function rightNow(context: Context): void {
  const figures = strip();
  const events = eventsChart(context.signal, 140);
  const more = h('p', {}, h('a', { href: hashOf('live') }, 'More of the last minutes'));
  context.root.append(part('Right now', figures.element, events.element, more));
  hearSamples(context, (sample) => {
    figures.set(sample);
    events.draw();
  });
}

function lookUp(root: HTMLElement): void {
  root.append(
    h('div', { class: 'columns' }, part('A site', siteForm()), part('A user', userForm())),
    part('A page', pageForm()),
    part('Logins', h('p', {}, h('a', { href: hashOf('logins') }, 'How many logged in, by day and by month'))),
  );
}
