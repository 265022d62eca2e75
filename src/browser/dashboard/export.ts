// All that is held of a user, saved as a file: for a person who asks what it is.

import { Away, api, now, Problem } from './api.ts';
import type { Context } from './context.ts';
import { fill, h } from './dom.ts';
import { bytes, dateOf, plural } from './format.ts';
import { part } from './parts.ts';
import { problem } from './trouble.ts';

/** Without a byte for so long, nobody is there. */
const LONGEST_SILENCE = 45_000; // ms

export function exportPart(context: Context): HTMLElement {
  const said = h('span', { role: 'status' });
  const progress = h('span', { 'aria-hidden': 'true' }); // it would be spoken with every piece that comes
  const trouble = h('div');
  const button = h('button', { type: 'button', onclick: () => save() }, 'Save a copy');
  let isUnderWay = false;
  /** A button that is disabled would lose the focus. */
  const setUnderWay = (is: boolean) => {
    isUnderWay = is;
    button.setAttribute('aria-disabled', `${is}`);
  };
  const tell = (text: string, wrong?: HTMLElement) => {
    fill(said, text);
    fill(progress);
    fill(trouble, wrong);
  };

  async function save(): Promise<void> {
    if (isUnderWay) return;
    setUnderWay(true);
    tell('Reading…');
    try {
      const { file, lines } = await read(context, (size) => fill(progress, ` ${bytes(size)}`));
      const name = `footfall-user-${dateOf(now())}.ndjson`; // not the id: names of files are kept in more places
      offer(file, name);
      tell(`${plural(lines, 'line')} of JSON, ${bytes(file.size)}, as ${name}.`);
    } catch (error) {
      if (context.signal.aborted) return;
      if (error instanceof Problem && error.status === 401) return context.wrongKey();
      tell('', error instanceof Away ? h('p', { class: 'problem', role: 'alert' }, CUT_OFF) : problem(error));
    } finally {
      setUnderWay(false);
    }
  }

  return part(
    'What is held',
    h(
      'p',
      { class: 'quiet' },
      'For a person who asks what is known of them: every view, event and login, from wherever it is kept.',
    ),
    button,
    h('div', { class: 'said' }, said, progress, trouble),
  );
}

const CUT_OFF = 'The answer did not come to its end, so nothing was saved. Try again.';

/** The file, once its last line says that it is all. */
async function read(
  { id, signal }: Context,
  progress: (size: number) => void,
): Promise<{ file: Blob; lines: number }> {
  const connection = new AbortController();
  const stop = () => connection.abort();
  signal.addEventListener('abort', stop);
  let timer = setTimeout(stop, LONGEST_SILENCE);
  try {
    const answer = await api.export(id, connection.signal);
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    let size = 0;
    const reader = answer.body!.getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      clearTimeout(timer);
      timer = setTimeout(stop, LONGEST_SILENCE);
      chunks.push(next.value);
      size += next.value.length;
      progress(size);
    }
    const file = new Blob(chunks, { type: 'application/x-ndjson' });
    return { file, lines: linesToldAt(await file.slice(-100).text()) };
  } catch (error) {
    throw error instanceof Problem || signal.aborted ? error : new Away(); // cut off on the way, too
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

/** Throws where the last line is another one. */
function linesToldAt(end: string): number {
  const { is, lines } = JSON.parse(end.trimEnd().split('\n').at(-1)!);
  if (is !== 'end') throw new Error('no end');
  return lines;
}

function offer(file: Blob, name: string): void {
  const href = URL.createObjectURL(file);
  h('a', { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000); // a browser may ask first where to put it
}
