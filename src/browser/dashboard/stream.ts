// Server-sent events by fetch, since EventSource can't send a key but in its address. It connects again by itself, and rests
// while nobody looks.

import { Away, ask, Problem } from './api.ts';
import { after } from './dom.ts';

export interface Hears {
  event(name: string, data: string): void;
  /** It will be tried again. */
  lost(): void;
  /** It won't: the key does not do. */
  refused(problem: Problem): void;
}

const LONGEST_PAUSE = 30_000; // ms
const SILENCE = 10_000; // ms; the service says something each second

/** Listens until the signal. */
export async function listen(path: string, hears: Hears, signal: AbortSignal): Promise<void> {
  let pause = 2000; // ms, until the service says otherwise
  let failures = 0;
  while (!signal.aborted) {
    await shown(signal);
    const connection = new AbortController();
    const stop = () => connection.abort();
    const rest = () => document.hidden && stop();
    signal.addEventListener('abort', stop);
    document.addEventListener('visibilitychange', rest);
    let wait: number | undefined;
    try {
      const answer = await soon(ask(path, { signal: connection.signal }), stop);
      await read(answer, stop, {
        event(name, data) {
          failures = 0;
          hears.event(name, data);
        },
        retry(ms) {
          pause = ms;
        },
      });
    } catch (error) {
      if (error instanceof Problem) {
        if (error.status < 500 && error.status !== 429) return hears.refused(error);
        wait = error.retryAfter;
      }
    } finally {
      signal.removeEventListener('abort', stop);
      document.removeEventListener('visibilitychange', rest);
      stop();
    }
    if (signal.aborted) return;
    if (document.hidden) continue;
    hears.lost();
    // Not all tabs at the same moment.
    const most = Math.min(pause * 2 ** failures++, LONGEST_PAUSE);
    await after((wait ?? 0) + most * (0.5 + Math.random() / 2), signal);
  }
}

/** Done when somebody looks. */
function shown(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    if (!document.hidden) return done();
    const look = () => {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener('visibilitychange', look);
      signal.removeEventListener('abort', look);
      done();
    };
    document.addEventListener('visibilitychange', look);
    signal.addEventListener('abort', look);
  });
}

/** A connection that went without a word is known by its silence, and a service that stands still, too. */
function soon<T>(word: Promise<T>, stop: () => void): Promise<T> {
  const timer = setTimeout(stop, SILENCE);
  return word.finally(() => clearTimeout(timer));
}

async function read(answer: Response, stop: () => void, to: Parsed): Promise<void> {
  if (!answer.body) throw new Away();
  const reader = answer.body.getReader();
  const decoder = new TextDecoder();
  const parse = parser(to);
  for (;;) {
    const { done, value } = await soon(reader.read(), stop);
    if (done) return;
    parse(decoder.decode(value, { stream: true }));
  }
}

export interface Parsed {
  event(name: string, data: string): void;
  retry(ms: number): void;
}

/** Takes the text of a stream in pieces, as they come. */
export function parser(to: Parsed): (text: string) => void {
  let rest = '';
  let name = '';
  let data: string[] = [];
  return (text) => {
    // A line may end with \r\n, of which the \n is still on its way.
    const lines = (rest + text).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop()!;
    for (const line of lines) {
      if (line === '') {
        if (data.length > 0) to.event(name || 'message', data.join('\n'));
        name = '';
        data = [];
        continue;
      }
      const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line)!;
      if (field === 'event') name = value;
      else if (field === 'data') data.push(value);
      else if (field === 'retry' && /^\d+$/.test(value)) to.retry(Number(value));
    }
  };
}
