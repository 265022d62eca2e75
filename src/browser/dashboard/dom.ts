// Elements, made one by one: the policy of the page forbids markup out of text, and so do names that others sent.

export type Child = Node | string | false | null | undefined | Child[];
type Value = string | number | boolean | undefined | ((event: Event) => void);

/** `h('a', { href: '#/', onclick: go }, 'text')`. A false or undefined attribute is left out. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, Value> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false)
      element.setAttribute(name, value === true ? '' : `${value}`);
  }
  append(element, children);
  return element;
}

export function append(to: Element, children: Child[]): void {
  for (const child of children) {
    if (Array.isArray(child)) append(to, child);
    else if (child) to.append(child);
  }
}

/** Puts these in the place of all that is in there. */
export function fill(element: Element, ...children: Child[]): void {
  element.replaceChildren();
  append(element, children);
}

/** Not before this long has passed, or never if the signal says so first. */
export function after(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  });
}
