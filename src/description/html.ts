// HTML out of text: whatever is put in is escaped, unless it is HTML by this same road.

export class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

type Part = Html | Html[] | string | number | undefined;

export function html(strings: TemplateStringsArray, ...parts: Part[]): Html {
  return new Html(strings.map((text, i) => text + textOf(parts[i])).join(''));
}

function textOf(part: Part): string {
  if (part === undefined) return '';
  if (part instanceof Html) return part.text;
  if (Array.isArray(part)) return part.map(({ text }) => text).join('');
  return escaped(String(part));
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

const escaped = (text: string) => text.replace(/[&<>"']/g, (one) => ENTITIES[one]!);

/** Text with `code` in it. */
export function prose(text: string): Html[] {
  return text.split('`').map((part, i) => (i % 2 === 1 ? html`<code>${part}</code>` : html`${part}`));
}

export const paragraphs = (text: string): Html[] =>
  text.split('\n\n').map((part) => html`<p>${prose(part)}</p>\n`);

/** A name, which may be broken where its parts meet. */
export const word = (name: string): Html =>
  html`<code>${name.split(/(?<=[_-])/).map((part, i) => html`${i > 0 ? new Html('<wbr>') : ''}${part}`)}</code>`;
