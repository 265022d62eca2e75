// What is said when something does not work: quietly, in words, and gone by itself when it works again.

import { Away, Problem } from './api.ts';
import type { Context } from './context.ts';
import { after, append, fill, h } from './dom.ts';

const banner = document.getElementById('banner')!;
const main = document.getElementById('main')!;
const away = new Set<object>();

/** Says for one of those who ask whether the service answers. */
export function answers(who: object, does: boolean): void {
  if (does) away.clear();
  else away.add(who);
  tell();
}

/** This one asks no more. Others may, and find it away. */
export function forget(who: object): void {
  away.delete(who);
  tell();
}

function tell(): void {
  const isAway = away.size > 0;
  if (isAway === banner.hasChildNodes()) return; // said once
  main.classList.toggle('stale', isAway);
  fill(banner, isAway && 'The service does not answer; trying again…');
}

const LONGEST_PAUSE = 30_000; // ms

/**
 * Asks until it is answered, and shows what comes of it in a part of the page. What is there meanwhile stays, in grey.
 * Gives the problem if it is one that no asking mends.
 */
export async function load<T>(
  { signal, wrongKey }: Context,
  part: HTMLElement,
  question: (signal: AbortSignal) => Promise<T>,
  show: (answer: T) => void,
): Promise<Problem | undefined> {
  const notice = h('p', { class: 'notice', role: 'status' });
  const said = setTimeout(
    () => !part.hasChildNodes() && append(part, [h('p', { class: 'quiet' }, 'Asking…')]),
    400,
  );
  const who = {};
  signal.addEventListener('abort', () => {
    clearTimeout(said);
    forget(who);
  });
  part.setAttribute('aria-busy', 'true');
  for (let failures = 0; !signal.aborted; failures++) {
    try {
      const answer = await question(signal);
      if (signal.aborted) return;
      clearTimeout(said);
      answers(who, true);
      notice.remove();
      part.classList.remove('stale');
      part.removeAttribute('aria-busy');
      part.replaceChildren();
      show(answer);
      return;
    } catch (error) {
      if (signal.aborted) return;
      const isAway = error instanceof Away;
      answers(who, !isAway);
      if (error instanceof Problem && error.status === 401) {
        wrongKey();
        return;
      }
      const again = isAway || (error instanceof Problem && (error.status === 503 || error.status === 429));
      clearTimeout(said);
      if (!again) {
        part.removeAttribute('aria-busy');
        notice.remove();
        fill(part, problem(error));
        return error instanceof Problem ? error : undefined;
      }
      const grown = Math.min(1000 * 2 ** failures, LONGEST_PAUSE) * (0.75 + Math.random() / 2);
      const pause = Math.max((error instanceof Problem && error.retryAfter) || 0, grown);
      part.classList.add('stale');
      if (isAway) notice.remove();
      else {
        fill(notice, `${(error as Problem).title}. Trying again in ${Math.ceil(pause / 1000)} s…`);
        part.before(notice);
      }
      await after(pause, signal);
    }
  }
}

/** What the service says is wrong, in its words. */
export function problem(error: unknown): HTMLElement {
  if (error instanceof Problem) {
    return h(
      'p',
      { class: 'problem', role: 'alert' },
      h('strong', {}, `${error.title}. `),
      h('bdi', {}, error.message),
    );
  }
  console.error(error);
  return h(
    'p',
    { class: 'problem', role: 'alert' },
    'This page has a fault of its own; the console says which.',
  );
}
