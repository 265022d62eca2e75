// Erasing a user: says what it will do, asks for the id to be typed, and shows the receipt.

import type { Receipt } from '../../answers.ts';
import { Away, api, Problem } from './api.ts';
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
  const whileOpen = new AbortController();
  let isUnderWay = false;
  const { input, element } = field('Type the user’s id to confirm', { required: true });
  const erase = h('button', { type: 'submit', class: 'danger', disabled: true }, 'Erase for good');
  const cancel = h('button', { type: 'button', onclick: () => dialog.close() }, 'Cancel');
  const said = h('div', { role: 'status' });
  const trouble = h('div');
  // Some keyboards make the same letter of other code points.
  const isSame = () => input.value.normalize() === id.normalize();
  input.addEventListener('input', () => {
    erase.disabled = !isSame();
  });
  /** The receipt of a second call would say that there was nothing to erase. */
  const setUnderWay = (is: boolean) => {
    isUnderWay = is;
    input.readOnly = is;
    erase.disabled = is;
    cancel.disabled = is;
    fill(said, is && h('p', {}, 'Erasing…'));
  };
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!isSame() || isUnderWay) return;
    setUnderWay(true);
    fill(trouble);
    try {
      const receipt = await api.erase(id).finally(() => setUnderWay(false));
      if (signal.aborted) return showReceiptHere(receipt);
      dialog.close();
      showReceipt(receipt);
    } catch (error) {
      if (error instanceof Problem && error.status === 401) {
        dialog.close();
        return context.wrongKey();
      }
      if (!dialog.open) reopen();
      const isOpen = error instanceof Away || (error instanceof Problem && error.status === 503);
      fill(trouble, isOpen ? h('p', { class: 'problem', role: 'alert' }, OPEN) : problem(error));
      if (document.activeElement === document.body) erase.focus(); // it had it, and lost it
    }
  };
  const closed = () => {
    if (isUnderWay) return reopen(); // a second Escape closes it, whatever we say
    if (dialog.open) return; // it was opened again before this was told
    whileOpen.abort();
    dialog.remove();
  };
  const dialog = h(
    'dialog',
    {
      'aria-labelledby': 'erase-title',
      onclose: closed,
      oncancel: (event) => isUnderWay && event.preventDefault(),
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
      trouble,
      h('div', { class: 'buttons' }, cancel, erase),
    ),
  );
  const reopen = () => {
    append(document.body, [dialog]);
    dialog.showModal();
  };
  signal.addEventListener('abort', () => !isUnderWay && dialog.close());
  reopen();
  input.focus();

  /** Who has gone back meanwhile must not lose it. */
  function showReceiptHere(receipt: Receipt): void {
    const leave = () => dialog.close();
    const close = h('button', { type: 'button', onclick: leave }, 'Close');
    const wrongKey = () => {
      leave();
      context.wrongKey();
    };
    fill(
      dialog,
      h('h2', { id: 'erase-title', tabindex: -1 }, name(id, 60), ' is erased'),
      receiptPart(receipt, { ...context, wrongKey, signal: whileOpen.signal }, leave),
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
