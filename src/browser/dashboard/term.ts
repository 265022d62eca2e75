// What a figure means, one hover, focus or tap away: the label is a button, and one popover serves them all.

import { fill, h } from './dom.ts';
import { type Meaning, meaningOf } from './meanings.ts';
import { session } from './session.ts';

const LINGERS = 200; // ms, for a pointer on its way to the text

const popover = h('div', { id: 'meaning', popover: 'manual', role: 'tooltip' });
let shownBy: HTMLElement | undefined;
let isPinned = false;
let leaving = 0;

/** A label that tells what it means. */
export function term(label: string, meaning: Meaning): HTMLButtonElement {
  const show = () => open(button, meaning);
  const button = h(
    'button',
    {
      type: 'button',
      class: 'term',
      onpointerenter: (event) => (event as PointerEvent).pointerType === 'mouse' && show(),
      onpointerleave: (event) => (event as PointerEvent).pointerType === 'mouse' && leave(),
      onfocus: () => button.matches(':focus-visible') && show(),
      onblur: close,
      onclick: () => {
        const wasPinned = isPinned && shownBy === button;
        if (wasPinned) return close();
        show();
        isPinned = true;
      },
    },
    label,
  );
  return button;
}

function open(button: HTMLElement, meaning: Meaning): void {
  clearTimeout(leaving);
  if (shownBy === button) return;
  close();
  const around = button.closest('dialog, main'); // what is outside of a dialog can't be pointed at
  if (popover.parentElement !== around) around?.append(popover);
  fill(popover, meaningOf(meaning, session.service));
  popover.showPopover();
  button.setAttribute('aria-describedby', popover.id);
  shownBy = button;
  place(button);
}

/** Above the label, where no number is; below it where there is no room, and never outside. */
function place(button: HTMLElement): void {
  const label = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = popover;
  const room = document.documentElement.clientWidth - width - 8;
  popover.style.left = `${Math.max(8, Math.min(label.left, room))}px`;
  const above = label.top - height - 6;
  popover.style.top = `${above >= 8 ? above : label.bottom + 6}px`;
}

function leave(): void {
  if (!isPinned) leaving = setTimeout(close, LINGERS);
}

export function close(): void {
  clearTimeout(leaving);
  isPinned = false;
  if (!shownBy) return;
  shownBy.removeAttribute('aria-describedby');
  shownBy = undefined;
  if (popover.matches(':popover-open')) popover.hidePopover();
}

popover.addEventListener('pointerenter', () => clearTimeout(leaving));
popover.addEventListener('pointerleave', leave);
addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || !shownBy) return;
  event.preventDefault(); // a dialog around it stays
  close();
});
addEventListener('pointerdown', (event) => {
  const at = event.target as Node;
  if (!popover.contains(at) && !shownBy?.contains(at)) close();
});
// What the keyboard goes to may be scrolled to after that.
addEventListener(
  'scroll',
  () => {
    if (!shownBy) return;
    const { top, bottom } = shownBy.getBoundingClientRect();
    if (bottom < 0 || top > innerHeight) close();
    else place(shownBy);
  },
  { passive: true, capture: true }, // a dialog scrolls by itself
);
