// Erasing a user: says what it will do, asks for the id to be typed, and shows the receipt.

import { Away, api, Problem, type Receipt } from './api.ts';
import type { Context } from './context.ts';
import { append, fill, h } from './dom.ts';
import { field } from './forms.ts';
import { name, part } from './parts.ts';
import { receiptPart } from './receipt.ts';
import { session } from './session.ts';
import { problem } from './trouble.ts';

export function erasePart(context: Context): HTMLElement {
  const button = h(
    'button',
    { type: 'button', class: 'danger', onclick: () => askFirst(context) },
    'Erase this user…',
  );
  return part(
    'Erase',
    h(
      'p',
      { class: 'quiet' },
      'For a person who wants to be forgotten. It says what it will do before it does.',
    ),
    button,
  );
}

function askFirst(context: Context): void {
  const { id, root, heading, signal } = context;
  const { input, element } = field('Type the user’s id to confirm', { required: true });
  const erase = h('button', { type: 'submit', class: 'danger', disabled: true }, 'Erase for good');
  const cancel = h('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel');
  const said = h('div', { role: 'status' });
  // Some keyboards make the same letter of other code points.
  const isSame = () => input.value.normalize() === id.normalize();
  input.addEventListener('input', () => {
    erase.disabled = !isSame();
  });
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!isSame() || erase.disabled) return;
    erase.disabled = true;
    cancel.disabled = true;
    fill(said, h('p', {}, 'Erasing…'));
    try {
      const receipt = await api.erase(id);
      if (signal.aborted) return showReceiptHere(receipt);
      dialog.close();
      showReceipt(receipt);
    } catch (error) {
      if (error instanceof Problem && error.status === 401) {
        dialog.close();
        return context.wrongKey();
      }
      if (!dialog.open) reopen(); // a second Escape closes it, whatever we say
      const isOpen = error instanceof Away || (error instanceof Problem && error.status === 503);
      fill(said, isOpen ? h('p', { class: 'problem', role: 'alert' }, OPEN) : problem(error));
      erase.disabled = false;
      cancel.disabled = false;
    }
  };
  const dialog = h(
    'dialog',
    {
      'aria-labelledby': 'erase-title',
      onclose: () => dialog.remove(),
      oncancel: (event) => cancel.disabled && event.preventDefault(), // it is under way
    },
    h('h2', { id: 'erase-title' }, 'Erase ', name(id, 60), '?'),
    h(
      'ul',
      {},
      whatItDoes().map((line) => h('li', {}, line)),
    ),
    h('p', {}, h('strong', {}, 'It cannot be undone.')),
    h(
      'form',
      { onsubmit: submit, 'aria-label': 'Erase' },
      element,
      said,
      h('div', { class: 'buttons' }, cancel, erase),
    ),
  );
  const reopen = () => {
    append(document.body, [dialog]);
    dialog.showModal();
  };
  signal.addEventListener('abort', () => !cancel.disabled && dialog.close());
  reopen();
  input.focus();

  /** Who has gone back meanwhile must not lose it. */
  function showReceiptHere(receipt: Receipt): void {
    const close = h('button', { type: 'button', onclick: () => dialog.close() }, 'Close');
    fill(
      dialog,
      h('h2', { id: 'erase-title', tabindex: -1 }, name(id, 60), ' is erased'),
      receiptPart(receipt, context),
      h('div', { class: 'buttons' }, close),
    );
    if (!dialog.open) reopen();
    close.focus();
  }

  function showReceipt(receipt: Receipt): void {
    fill(heading, name(id), ' is erased');
    fill(root, receiptPart(receipt, context));
    scrollTo(0, 0);
    heading.focus({ preventScroll: true });
  }
}

/** Erasing twice does no harm. */
const OPEN = 'There was no answer in time, so it may or may not have been done. Erase again to be sure.';

function whatItDoes(): string[] {
  return [
    'Every key of this user is dropped: views, pages, other events, logins.',
    'They are taken out of every count of people: visitors of pages, unique users of sites, logins. An estimate over older days keeps them until those days go.',
    'Totals stay: views, events and paths of a site name nobody.',
    'What happened up to now is refused from then on, however late it comes. What is newer starts a new profile.',
    session.service?.archive
      ? 'The archive forgets, too, behind what is on its way to it. The receipt says pending until it has, and this page goes on asking.'
      : 'There is no archive, so nothing is left to forget there.',
  ];
}
