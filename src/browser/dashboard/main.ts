// The page: who may see what, where one is, and one view at a time.

import type { Right } from '../../answers.ts';
import { Away, api, hasKey, Problem, setKey } from './api.ts';
import { after, fill, h } from './dom.ts';
import { askForKey } from './key.ts';
import { hashOf, readRoute, type Section } from './routes.ts';
import { may, session } from './session.ts';
import { close } from './term.ts';
import { answers, forget, problem } from './trouble.ts';
import { KEY_FOR, VIEWS } from './views.ts';

const NAME = 'Footfall';
const main = document.getElementById('main')!;
const menu = document.getElementById('menu')!;
const about = document.getElementById('about')!;

let current = new AbortController();
/** What was shown last, to see whether one has moved. */
let place = '';

function leave(): AbortSignal {
  close();
  current.abort();
  current = new AbortController();
  return current.signal;
}

/** Asks what the key may do, until the service says so. */
async function begin(): Promise<void> {
  const signal = leave();
  signal.addEventListener('abort', () => forget(session));
  for (let failures = 0; !signal.aborted; failures++) {
    try {
      session.service = await api.service(signal);
      answers(session, true);
      showMenu();
      show();
      return;
    } catch (error) {
      if (signal.aborted) return;
      const again = error instanceof Away || (error instanceof Problem && error.retryAfter !== undefined);
      answers(session, !again);
      if (error instanceof Problem && error.status === 401) return showKeyForm(hasKey() ? 'wrong' : 'none');
      if (!again) return fill(main, problem(error));
      await after(Math.min(1000 * 2 ** failures, 10_000), signal);
    }
  }
}

function showKeyForm(why: 'none' | 'wrong' | 'other'): void {
  if (why === 'wrong') setKey('');
  delete session.service; // whatever address is gone to meanwhile, first a key
  leave();
  place = '';
  fill(menu);
  fill(about);
  document.title = `Key · ${NAME}`;
  const use = (key: string) => {
    setKey(key);
    begin();
  };
  askForKey(main, { why, use, ...(why === 'other' && { cancel: begin }) });
}

function showMenu(): void {
  const keys = session.service?.keys;
  const seen = Object.entries(VIEWS).filter(([, { needs }]) => !needs || may(needs));
  fill(
    menu,
    h(
      'ul',
      {},
      seen.map(([section, { title }]) =>
        h('li', {}, h('a', { href: hashOf(section as Section), 'data-section': section }, title)),
      ),
    ),
  );
  fill(about, missing(), keys && keyLine());
}

/** What another key would show. */
function missing(): HTMLElement | false {
  const lines = [
    !may('read') && 'Sites, pages, logins and users are shown with a read key.',
    !may('metrics') && 'Live figures are shown with a metrics key.',
    !may('admin') &&
      'Saving what is held of a user, and erasing it, take an admin key, which shows all the rest, too.',
  ];
  return lines.some(Boolean) && h('p', {}, lines.filter(Boolean).join(' '));
}

const plain = (text: string, onclick: () => void) =>
  h('button', { type: 'button', class: 'plain', onclick }, text);

function keyLine(): HTMLElement {
  const rights = session.service!.may.map(
    (right) => ({ write: 'record', admin: 'erase', read: 'read', metrics: 'read metrics' })[right],
  );
  return h(
    'p',
    {},
    `The key of this tab may ${rights.join(', ')}. `,
    plain('Use another key', () => showKeyForm('other')),
    ' ',
    plain('Forget it', () => {
      setKey('');
      begin();
    }),
  );
}

function show(): void {
  if (!session.service) return;
  const signal = leave();
  const route = readRoute(location.hash);
  const here = route ? `${route.section}/${route.id}` : location.hash;
  const focused = document.activeElement?.getAttribute('href');
  const view = route && VIEWS[route.section];
  const title = view?.title ?? 'Nothing here';
  // Without the id: a title is kept in more places than the address.
  document.title = view && route.section === 'overview' ? NAME : `${title} · ${NAME}`;
  for (const link of menu.querySelectorAll('a')) {
    if (link.dataset.section === route?.section) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  const heading = h('h1', { tabindex: -1 }, title);
  const root = h('div', { class: 'view' });
  fill(main, heading, root);
  if (!view)
    fill(
      root,
      h('p', {}, 'No part of the dashboard has this address. ', h('a', { href: '#/' }, 'To the overview')),
    );
  else if (view.needs && !may(view.needs))
    fill(
      root,
      h('p', {}, needsKey(view.needs)),
      h(
        'p',
        {},
        plain('Use another key', () => showKeyForm('other')),
      ),
    );
  else view.show({ ...route, root, heading, signal, wrongKey: () => showKeyForm('wrong') });

  const isFirst = place === '';
  const hasMoved = place !== here;
  place = here;
  if (isFirst) return; // a page that has just opened begins at its top anyway
  const same = focused && main.querySelector<HTMLElement>(`a[href="${CSS.escape(focused)}"]`);
  if (!hasMoved) (same || heading).focus({ preventScroll: true });
  else {
    scrollTo(0, 0);
    heading.focus({ preventScroll: true });
  }
}

const needsKey = (right: Right) =>
  `This needs ${KEY_FOR[right]}${right === 'admin' ? '' : ' or an admin key'}; the one of this tab is another.`;

// Its address would be another view's.
document.getElementById('skip')!.addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener('hashchange', show);
begin();
