// Where to go is asked for by forms; sending one is following a link.

import { h } from './dom.ts';
import { name } from './parts.ts';
import { hashOf, type Query } from './routes.ts';
import { recentSites } from './session.ts';

let fields = 0;

/** A labelled field. */
export function field(label: string, attributes: Record<string, string | number | boolean | undefined> = {}) {
  const id = `field-${++fields}`;
  const input = h('input', {
    id,
    type: 'text',
    autocomplete: 'off',
    autocapitalize: 'off',
    spellcheck: 'false',
    ...attributes,
  });
  return { input, element: h('div', { class: 'field' }, h('label', { for: id }, label), input) };
}

export function form(
  label: string,
  submit: () => void,
  ...children: Parameters<typeof h>[2][]
): HTMLFormElement {
  const send = (event: Event) => {
    event.preventDefault();
    submit();
  };
  return h('form', { 'aria-label': label, class: 'asks', onsubmit: send }, ...children);
}

const go = (hash: string) => {
  location.hash = hash;
};

const button = (text: string) => h('button', { type: 'submit' }, text);

export function siteForm(): HTMLElement {
  const { input, element } = field('Site', { required: true, maxlength: 64, placeholder: 'such as shop' });
  const recent = recentSites();
  return h(
    'div',
    {},
    form('A site', () => go(hashOf('site', input.value)), element, button('Show site')),
    recent.length > 0 &&
      h(
        'p',
        { class: 'quiet' },
        'In this tab: ',
        recent.map((site, i) => [i > 0 && ', ', name(site, 64, hashOf('site', site))]),
      ),
  );
}

export function userForm(): HTMLElement {
  const { input, element } = field('User', { required: true, maxlength: 128, placeholder: 'such as u1' });
  return form('A user', () => go(hashOf('user', input.value)), element, button('Show user'));
}

/** By url or by name: what looks like an address is a url, unless it is said otherwise. */
export function pageForm(
  given: { text?: string; by?: string; site?: string; days?: number } = {},
): HTMLElement {
  const page = field('Page', {
    required: true,
    maxlength: 2048,
    value: given.text ?? '',
    placeholder: 'such as https://shop.example/sale',
  });
  const site = field('On a site (or all)', { maxlength: 64, value: given.site ?? '' });
  const isUrl = () => /^[a-z][a-z\d+.-]*:\/\//i.test(page.input.value);
  const by = h(
    'select',
    { id: `field-${++fields}` },
    ['url', 'name'].map((kind) =>
      h('option', { value: kind, selected: kind === (given.by ?? 'url') }, kind === 'url' ? 'URL' : 'name'),
    ),
  );
  let isChosen = given.by !== undefined;
  by.addEventListener('change', () => {
    isChosen = true;
  });
  page.input.addEventListener('input', () => {
    if (!isChosen) by.value = isUrl() ? 'url' : 'name';
  });
  const submit = () => {
    const query: Query = { [by.value]: page.input.value, site: site.input.value, days: given.days };
    go(hashOf('page', '', query));
  };
  return form(
    'A page',
    submit,
    h('div', { class: 'field narrow' }, h('label', { for: by.id }, 'By'), by),
    page.element,
    site.element,
    button('Show page'),
  );
}
