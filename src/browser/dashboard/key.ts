// Where keys are set, one is asked for.

import { fill, h } from './dom.ts';
import { field, form } from './forms.ts';

const WHY = {
  none: '',
  wrong: 'The service does not know this key, or does not take it any more. ',
  other: '',
};

export interface KeyForm {
  why: keyof typeof WHY;
  use(key: string): void;
  /** Where there is a way back. */
  cancel?(): void;
}

export function askForKey(root: HTMLElement, { why, use, cancel }: KeyForm): void {
  const { input, element } = field('Key', { type: 'password', required: true, maxlength: 200 });
  const said = h('p', { class: 'problem', role: 'alert' }, WHY[why]);
  const submit = () => {
    const key = input.value.trim();
    // Nothing else can stand in a header.
    if (/^[\w.~+/=-]+$/.test(key)) use(key);
    else fill(said, 'A key is letters, digits and _ . ~ + / = -');
  };
  fill(
    root,
    h('h1', { tabindex: -1 }, 'A key, please'),
    h(
      'div',
      { class: 'view' },
      h(
        'p',
        {},
        'This service is protected. A read key shows sites, pages, logins and users; a metrics key shows live figures; an admin key shows all and may erase.',
      ),
      said,
      form(
        'Use a key',
        submit,
        element,
        h('button', { type: 'submit' }, 'Use this key'),
        cancel && h('button', { type: 'button', onclick: cancel }, 'Cancel'),
      ),
      h(
        'p',
        { class: 'quiet' },
        'It is kept in this tab only, and gone when the tab is closed. Whoever runs the service has the keys.',
      ),
    ),
  );
  input.focus();
}
