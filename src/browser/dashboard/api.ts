// The calls of the service. The key is kept for this tab only, and goes in a header, never in an address.

import type { ErasureState, Profile, Receipt, Service, SiteReport, UserVisits } from '../../answers.ts';
import { encodeId } from './routes.ts';

/** The service does not answer at all. */
export class Away extends Error {}

/** It answers, and says what is wrong. */
export class Problem extends Error {
  readonly status: number;
  readonly title: string;
  readonly code: string;
  /** ms, where the answer says when to try again. */
  readonly retryAfter: number | undefined;

  constructor(status: number, title: string, detail: string, code: string, retryAfter?: number) {
    super(detail);
    this.status = status;
    this.title = title;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

const KEPT_AS = 'footfall.key';
let key = '';
try {
  key = sessionStorage.getItem(KEPT_AS) ?? '';
} catch {} // the browser refuses to keep anything: then the key is asked for after each reload

export const hasKey = () => key !== '';

export function setKey(given: string): void {
  key = given;
  try {
    if (given) sessionStorage.setItem(KEPT_AS, given);
    else sessionStorage.removeItem(KEPT_AS);
  } catch {}
}

/** The clock of the service against this machine's: which day is today is the service's to say. */
let ahead = 0; // ms

export const now = () => Date.now() + ahead;

/** Throws `Away` or a `Problem` unless all is well. */
export async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = key ? { Authorization: `Bearer ${key}` } : {};
  const answer = await fetch(path, { ...init, headers, cache: 'no-store' }).catch((error: unknown) => {
    throw init.signal?.aborted ? error : new Away();
  });
  const date = Date.parse(answer.headers.get('date') ?? '');
  if (date) ahead = date - Date.now();
  if (answer.ok) return answer;
  throw await problemOf(answer);
}

async function problemOf(answer: Response): Promise<Error> {
  const body: unknown = await answer.json().catch(() => undefined);
  const { title, detail, code } = (body ?? {}) as Record<string, unknown>;
  // What a proxy says in place of the service.
  if (typeof title !== 'string') {
    if (answer.status >= 500) return new Away();
    return new Problem(answer.status, 'It was refused', `The answer was ${answer.status}.`, '');
  }
  const seconds = Number(answer.headers.get('retry-after') ?? Number.NaN);
  return new Problem(answer.status, title, `${detail}`, `${code}`, seconds >= 0 ? seconds * 1000 : undefined);
}

/** A report of the archive may take 30 s. */
const LONGEST = 45_000; // ms

async function call<T>(path: string, signal: AbortSignal, method = 'GET'): Promise<T> {
  const connection = new AbortController();
  const stop = () => connection.abort();
  const timer = setTimeout(stop, LONGEST);
  signal.addEventListener('abort', stop);
  try {
    return await (await ask(path, { method, signal: connection.signal })).json();
  } catch (error) {
    throw error instanceof Problem || signal.aborted ? error : new Away(); // cut off on the way, too
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

const user = (id: string) => `v1/user/${encodeId(id)}`;

export const api = {
  service: (signal: AbortSignal) => call<Service>('v1/key', signal),
  profile: (id: string, signal: AbortSignal) => call<Profile>(user(id), signal),
  visits: (id: string, signal: AbortSignal) => call<UserVisits>(`${user(id)}/visits`, signal),
  report: (site: string, from: string, to: string, signal: AbortSignal) =>
    call<SiteReport>(`v1/site/${encodeId(site)}/report?${new URLSearchParams({ from, to })}`, signal),
  visitors: (query: Record<string, string>, signal: AbortSignal) =>
    call<{ distinct_visitors: number }>(`v1/page/visitors?${new URLSearchParams(query)}`, signal),
  logins: (unit: 'date' | 'month', value: string, signal: AbortSignal) =>
    call<{ unique_users: number }>(
      `v1/user/uniques/${unit === 'date' ? 'daily' : 'monthly'}?${unit}=${value}`,
      signal,
    ),
  /** As it comes; it may be long. */
  export: (id: string, signal: AbortSignal) => ask(`${user(id)}/export`, { signal }),
  /** It goes on to its end where one has left meanwhile. */
  erase: (id: string) => call<Receipt>(user(id), new AbortController().signal, 'DELETE'),
  erasure: (id: string, signal: AbortSignal) =>
    call<ErasureState>(`v1/erasures/${encodeURIComponent(id)}`, signal),
};
