// Made-up events on their way to a service: waits where it asks for that, sends again, counts what became of them.

import { setTimeout as delay } from 'node:timers/promises';
import { MINUTE, SECOND } from '../time.ts';
import type { Made } from './visits.ts';

export interface Sender {
  /** How many events came to what. */
  readonly outcomes: Record<string, number>;
  sendBatch(events: Made[]): Promise<void>;
  /** One event by the call of its type. */
  send(event: Made): Promise<void>;
  /** Why nothing goes out now, if so. */
  trouble(): string | undefined;
}

const CALLS = { page: '/v1/page', event: '/v1/event', login: '/v1/user/login' };

const PATIENCE = MINUTE; // with a service that takes nothing

export interface SenderOptions {
  url: string;
  key: string | undefined;
  /** From then on nothing is sent, nor sent again. */
  stopped(): boolean;
}

/** What waiting does not mend is thrown, in one line. */
export function createSender({ url, key, stopped }: SenderOptions): Sender {
  const outcomes: Record<string, number> = {};
  const headers = { 'Content-Type': 'application/json', ...(key && { Authorization: `Bearer ${key}` }) };
  let trouble: string | undefined;
  let quietUntil = 0;
  let takenAt = 0;

  function count(outcome: unknown, events = 1): void {
    if (events > 0) outcomes[String(outcome)] = (outcomes[String(outcome)] ?? 0) + events;
  }

  async function post(path: string, body: unknown) {
    const signal = AbortSignal.timeout(10 * SECOND);
    const res = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body), signal });
    return { status: res.status, said: objectIn(await res.text()), after: res.headers.get('retry-after') };
  }

  /** What the service said, or undefined once it is time to stop. */
  async function ask(path: string, body: unknown): Promise<Record<string, unknown> | undefined> {
    const since = Date.now();
    while (!stopped()) {
      if (quietUntil > Date.now()) {
        await delay(100);
        continue;
      }
      const { status, said, after } = await post(path, body).catch(() => NO_ANSWER);
      if (status === 202 || status === 400 || status === 500) {
        trouble = undefined;
        takenAt = Date.now();
        return said;
      }
      trouble =
        status === 0
          ? 'no answer: start the service (npm start), or say --url'
          : `${status} ${said.detail ?? ''}`;
      const passes = status === 503 || status === 429 || (status === 0 && takenAt > 0);
      if (!passes || Date.now() - Math.max(since, takenAt) > PATIENCE)
        throw new Error(`${url}${path}: ${trouble}`);
      quietUntil = Date.now() + (Number(after) || 1) * SECOND;
    }
    return undefined;
  }

  return {
    outcomes,
    trouble: () => trouble,
    async sendBatch(events) {
      const bodies = events.map(({ body }) => body);
      const said = await ask('/v1/pages', bodies);
      if (!said || said.code) {
        count(said?.code ?? 'given up', events.length);
        return;
      }
      const { rejected, ...counts } = said;
      for (const [outcome, n] of Object.entries(counts)) count(outcome, Number(n));
      for (const { code } of rejected as { code: string }[]) count(code);
    },
    async send({ body: { type, ...fields } }) {
      const said = await ask(CALLS[type], fields);
      count(said ? (said.code ?? said.status) : 'given up');
    },
  };
}

const NO_ANSWER: { status: number; said: Record<string, unknown>; after: string | null } = {
  status: 0,
  said: {},
  after: null,
};

function objectIn(text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}
