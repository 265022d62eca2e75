// What all views are built of.

import { append, type Child, fill, h } from './dom.ts';
import { count, percent } from './format.ts';
import type { Meaning } from './meanings.ts';
import { term } from './term.ts';

const MOST_SHOWN = 120; // characters

/** A text that others sent: apart from the text around it, whichever way it runs, and short until asked. Or a link of it. */
export function name(text: string, most = MOST_SHOWN, href = ''): HTMLElement {
  const linked = (element: HTMLElement) => (href ? h('a', { href }, element) : element);
  if (!/[^\p{C}\p{Z}\p{M}]/u.test(text)) return linked(h('code', {}, codesOf(text))); // nothing to be seen
  const characters = Array.from(text);
  if (characters.length <= most) return linked(h('bdi', {}, text));
  const short = `${characters.slice(0, most).join('')}…`;
  const shown = h('bdi', {}, short);
  const button = h(
    'button',
    {
      type: 'button',
      class: 'more',
      'aria-expanded': 'false',
      onclick: () => {
        const opens = shown.textContent === short;
        fill(shown, opens ? text : short);
        button.setAttribute('aria-expanded', `${opens}`);
        fill(button, opens ? 'less' : all);
      },
    },
    `all ${count(characters.length)} characters`,
  );
  const all = button.textContent;
  return h('span', {}, linked(shown), ' ', button);
}

function codesOf(text: string): string {
  const codes = Array.from(text, (c) => `U+${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`);
  return codes.length > 8 ? `${codes.slice(0, 8).join(' ')} …` : codes.join(' ');
}

export interface Figure {
  element: HTMLElement;
  set(value: Child, note?: Child): void;
}

/** A number with its label; all of a row stand in one `figures`. */
export function figure(label: string, meaning: Meaning, value: Child = '–', note?: Child): Figure {
  const number = h('span', { class: 'number' });
  const aside = h('span', { class: 'note' });
  const set = (value: Child, note?: Child) => {
    fill(number, value);
    fill(aside, note);
  };
  set(value, note);
  return { element: h('div', {}, h('dt', {}, term(label, meaning)), h('dd', {}, number, aside)), set };
}

export const figures = (...all: Figure[]) =>
  h(
    'dl',
    { class: 'figures' },
    all.map(({ element }) => element),
  );

/** A part of a page under its own heading. */
export const part = (heading: string, ...children: Child[]) =>
  h('section', {}, h('h2', {}, heading), ...children);

export interface Row {
  label: Child;
  value: number;
  shown?: string;
}

/** Numbers by size: a table whose last column draws them. */
export function bars(heads: [label: Child, value: Child], rows: Row[], { shares = false } = {}): HTMLElement {
  const largest = Math.max(...rows.map(({ value }) => value), 0);
  const sum = rows.reduce((total, { value }) => total + value, 0);
  return table(
    [heads[0], heads[1], shares && 'share'],
    rows.map(({ label, value, shown = count(value) }) => [
      label,
      barCell(shown, value, largest),
      shares && percent(sum > 0 ? value / sum : 0),
    ]),
  );
}

/** A number over a bar of its size. */
export function barCell(shown: string, value: number, largest: number): HTMLElement {
  const cell = h('span', { class: 'barred' }, h('span', { class: 'bar', 'aria-hidden': 'true' }), h('span'));
  setBar(cell, shown, value, largest);
  return cell;
}

export function setBar(cell: HTMLElement, shown: string, value: number, largest: number): void {
  const [bar, number] = cell.children as unknown as [HTMLElement, HTMLElement];
  bar.style.inlineSize = `${largest > 0 ? (100 * value) / largest : 0}%`;
  number.textContent = shown;
}

/** The first rows of many, and all of them when asked. */
export function longTable(rows: number, draw: (most: number) => HTMLElement): HTMLElement {
  const FIRST = 12;
  const root = h('div', {}, draw(FIRST));
  if (rows > FIRST + 3) {
    const all = () => {
      fill(root, draw(rows));
      root.tabIndex = -1;
      root.focus();
    };
    append(root, [h('button', { type: 'button', class: 'more', onclick: all }, `all ${count(rows)}`)]);
  } else if (rows > FIRST) fill(root, draw(rows));
  return root;
}

/** The first cell of a row is its heading; a false column is left out. */
export function table(heads: Child[], rows: Child[][]): HTMLElement {
  const shown = heads.map((head) => head !== false);
  const cells = (row: Child[], scope: 'col' | 'row') =>
    row.flatMap((cell, i) => {
      if (!shown[i]) return [];
      return scope === 'row' && i > 0 ? [h('td', {}, cell)] : [h('th', { scope }, cell)];
    });
  return h(
    'div',
    { class: 'table' },
    h(
      'table',
      {},
      h('thead', {}, h('tr', {}, cells(heads, 'col'))),
      h(
        'tbody',
        {},
        rows.map((row) => h('tr', {}, cells(row, 'row'))),
      ),
    ),
  );
}

/** A choice among places. */
export function choice(
  label: string,
  options: [text: string, href: string, isChosen: boolean][],
): HTMLElement {
  return h(
    'nav',
    { class: 'choice', 'aria-label': label },
    options.map(([text, href, isChosen]) => h('a', { href, 'aria-current': isChosen && 'true' }, text)),
  );
}

/** A text to take along. */
export function copyable(text: string, what: string): HTMLElement {
  const said = h('span', { role: 'status', class: 'quiet' });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      fill(said, 'Copied.');
    } catch {
      getSelection()?.selectAllChildren(code); // where the browser forbids it, a key press does
      fill(said, 'Selected: press Ctrl+C.');
    }
  };
  const code = h('code', {}, text);
  return h(
    'div',
    { class: 'copyable' },
    h('pre', { tabindex: 0, role: 'region', 'aria-label': what }, code),
    h('button', { type: 'button', onclick: copy }, `Copy ${what}`),
    said,
  );
}
