// What to do where there is nothing to be seen yet.

import { type Child, h } from './dom.ts';
import { copyable } from './parts.ts';
import { session } from './session.ts';

const attribute = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');

/** The tag that a page of the site takes. */
export function tag(site: string): string {
  const src = new URL('tracker.js', location.href).href;
  const key = session.service?.keys ? ' data-key="YOUR-WRITE-KEY"' : '';
  return `<script defer src="${attribute(src)}"${key} data-site="${attribute(site)}"></script>`;
}

export function noSite(site: string, what: Child): HTMLElement {
  return h(
    'div',
    { class: 'empty' },
    h('p', {}, what),
    h('p', {}, 'To count the views of your pages, put this into their HTML:'),
    copyable(tag(site), 'the tag'),
    h(
      'p',
      {},
      'To see the dashboard at work at once, let made-up people visit two made-up sites, shop and magazine, beside the service:',
    ),
    copyable('npm run traffic', 'the command'),
  );
}
