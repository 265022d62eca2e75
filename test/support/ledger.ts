// Whether events were lost or counted twice: a load whose every event has an identity of its own and is sent until it is
// acknowledged, and an audit of what the service says afterwards.

import { Agent, type ClientRequest, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type Asked, ask } from './ask.ts';
import { MARK } from './marks.ts';
import { until } from './process.ts';
import { randomOf } from './random.ts';

export interface LedgerOptions {
  /** A function where the service comes back on another one. */
  port: number | (() => number);
  key: string;
  readKey: string;
  /** Users and event_ids are this seed's own. */
  seed: number;
  /** Events a second. Events for which no connection is free are not made up for. */
  rate?: number;
  connections?: number;
  users?: number;
  /** Events of a request to /v1/pages; without it each goes to /v1/page. */
  batch?: number;
  /** How long to wait for an answer. */
  deadlineMs?: number;
  /** False: every event is sent once. */
  retries?: boolean;
}

export interface Ledger {
  run(options: LedgerOptions): Running;
}

export interface Running {
  /** Requests sent and not answered. */
  inFlight(): number;
  /** A fault strikes now: how many requests are in flight. */
  strike(): number;
  /** Events. */
  acknowledged(): number;
  /** Requests that got no answer so far. */
  unanswered(): number;
  /** The longest time without any 202 since `strike()`, or since the start; ms. */
  outage(): number;
  /** Of the answers that came between two moments (of `performance.now()`), ms. */
  p99(since: number, until: number): number;
  /** Makes no new events, and waits until all are acknowledged. What is not by then stays so. */
  finish(withinMs?: number): Promise<Tally>;
  events: readonly LedgerEvent[];
  options: LedgerOptions;
}

export interface LedgerEvent {
  id: string;
  user: number;
  page: number;
  acknowledged: boolean;
  /** Sent, and what became of it is not known. */
  doubtful: boolean;
  /** While one is under way with it. */
  request?: ClientRequest | undefined;
}

export interface Tally {
  /** Distinct events. */
  sent: number;
  acknowledged: number;
  /** Requests. */
  attempts: number;
  /** Of requests; `202 not counted` is one whose events were erased, expired or capped. */
  statuses: Record<string, number>;
  /** Requests whose connection ended, or that waited too long. */
  unanswered: number;
  /** Events never acknowledged. */
  stuck: number;
  /** Events acknowledged as such. */
  duplicates: number;
  /** Of an answer, ms. */
  slowest: number;
  p99: number;
}

export interface Audit {
  /** Acknowledged events that are missing. */
  lost: number;
  /** Views beyond the events. */
  doubled: number;
  /** By how many visitors pages are off. */
  visitorsOff: number;
}

const PAGES = 20;
const TICK = 10;
const PAUSE = 100; // before an event is sent again; as long as Retry-After says, but no longer than
const LONGEST_PAUSE = 200;

/** Call it at the top of a test file. Loads end with each test. */
export function useLedger(): Ledger {
  const runs: (Running & { end(): void })[] = [];
  afterEach(() => {
    for (const run of runs.splice(0)) run.end();
  });
  return {
    run(options) {
      const running = start(options);
      runs.push(running);
      return running;
    },
  };
}

function start(options: LedgerOptions): Running & { end(): void } {
  const { rate = 400, connections = 64, batch: size = 1, retries = true } = options;
  const { send, inFlight, close } = sender(options);
  const events: LedgerEvent[] = [];
  const carried = new Set<Promise<void>>();
  const statuses: Record<string, number> = {};
  const answers: { at: number; ms: number }[] = [];
  const quiet = stretches();
  let attempts = 0;
  let unanswered = 0;
  let acknowledged = 0;
  let duplicates = 0;
  let ended = false;

  let last = performance.now();
  let owed = 0;
  const pacer = setInterval(() => {
    const now = performance.now();
    const free = connections - carried.size;
    owed = Math.min(owed + ((now - last) / 1000) * rate, free * size);
    last = now;
    for (; owed >= size; owed -= size) {
      const carrying = carry(makeEvents()).finally(() => carried.delete(carrying));
      carried.add(carrying);
    }
  }, TICK);

  function makeEvents(): LedgerEvent[] {
    const made = Array.from({ length: size }, (_, i) => eventOf(options, events.length + i));
    events.push(...made);
    return made;
  }

  /** Events that wait to be sent again keep their connection, so that an outage piles up no more than that. */
  async function carry(left: LedgerEvent[]): Promise<void> {
    while (!ended) {
      attempts++;
      const reply = await send(left);
      count(reply, noteReply(left, reply));
      left = left.filter((event) => !event.acknowledged);
      if (!retries || left.length === 0) return;
      const wanted = reply.retryAfter === undefined ? PAUSE : reply.retryAfter * 1000;
      await delay(Math.min(wanted, LONGEST_PAUSE));
    }
  }

  function count({ status, ms }: Reply, noted: Noted): void {
    if (status === undefined) {
      unanswered++;
      return;
    }
    const as = noted.uncounted ? `${status} not counted` : status;
    statuses[as] = (statuses[as] ?? 0) + 1;
    answers.push({ at: performance.now(), ms });
    if (status === 202) quiet.end();
    acknowledged += noted.acknowledged;
    duplicates += noted.duplicates;
  }

  function end(): void {
    ended = true;
    clearInterval(pacer);
    quiet.freeze();
    close();
  }

  return {
    events,
    options,
    inFlight,
    strike() {
      quiet.begin();
      return inFlight();
    },
    acknowledged: () => acknowledged,
    unanswered: () => unanswered,
    outage: quiet.longest,
    p99: (since, until) => p99Of(answers.filter(({ at }) => at >= since && at <= until)),
    async finish(withinMs = 10_000) {
      clearInterval(pacer);
      const late = setTimeout(end, withinMs);
      await Promise.all(carried);
      clearTimeout(late);
      end();
      const sent = events.length;
      const stuck = sent - acknowledged;
      const p99 = p99Of(answers);
      const slowest = answers.reduce((most, { ms }) => Math.max(most, ms), 0);
      return { sent, acknowledged, attempts, statuses, unanswered, stuck, duplicates, slowest, p99 };
    },
    end,
  };
}

function p99Of(answers: { ms: number }[]): number {
  const times = answers.map(({ ms }) => ms).sort((a, b) => a - b);
  return times[Math.floor(times.length * 0.99)] ?? 0;
}

/** The longest stretch of time between two ends. */
function stretches() {
  let since = performance.now();
  let most = 0;
  let frozen: number | undefined;
  const now = () => frozen ?? performance.now();
  const longest = () => Math.max(most, now() - since);
  return {
    longest,
    begin() {
      most = 0;
      since = now();
    },
    end() {
      most = longest();
      since = now();
    },
    freeze() {
      frozen ??= performance.now();
    },
  };
}

export const userId = (seed: number, number: number) => `${MARK.user}-${seed}-${number}`;
const pageName = (seed: number, number: number) => `${MARK.page} ${seed} ${number}`;

function eventOf({ seed, users = 200 }: LedgerOptions, number: number): LedgerEvent {
  const random = randomOf(seed, number);
  return {
    id: `${seed}-${number}`,
    user: random.from(0, users),
    page: random.from(0, PAGES),
    acknowledged: false,
    doubtful: false,
  };
}

// --- Sending ---

interface Reply {
  /** Undefined where there was no answer. */
  status?: number;
  text: string;
  /** Seconds. */
  retryAfter?: number | undefined;
  ms: number;
  /** Nobody was there to get it. */
  refused: boolean;
}

function sender({ port, key, seed, connections = 64, batch, deadlineMs = 5000 }: LedgerOptions) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const path = batch === undefined ? '/v1/page' : '/v1/pages';
  const headers = { 'X-Api-Key': key, 'Content-Type': 'application/json' };
  let inFlight = 0;

  const bodyOf = ({ id, user, page }: LedgerEvent) => ({
    user_id: userId(seed, user),
    name: pageName(seed, page),
    event_id: id,
  });

  function send(events: LedgerEvent[]): Promise<Reply> {
    const bodies = events.map(bodyOf);
    const since = performance.now();
    inFlight++;
    return new Promise<Reply>((resolve) => {
      const where = { host: '127.0.0.1', port: typeof port === 'number' ? port : port(), path };
      const req = request({ ...where, method: 'POST', headers, agent }, (res) => {
        let text = '';
        res.setEncoding('utf8').on('data', (chunk) => {
          text += chunk;
        });
        res.on('error', failed);
        res.on('end', () => {
          const wait = res.headers['retry-after'];
          const ms = performance.now() - since;
          const retryAfter = wait === undefined ? undefined : Number(wait);
          done({ status: res.statusCode!, text, retryAfter, ms, refused: false });
        });
      });
      for (const event of events) event.request = req;
      const late = setTimeout(() => req.destroy(), deadlineMs);
      const done = (reply: Reply) => {
        clearTimeout(late);
        resolve(reply);
      };
      const failed = ({ code }: NodeJS.ErrnoException) =>
        done({ text: '', ms: performance.now() - since, refused: code === 'ECONNREFUSED' });
      req.on('error', failed);
      req.end(JSON.stringify(batch === undefined ? bodies[0] : bodies));
    }).finally(() => {
      inFlight--;
      for (const event of events) event.request = undefined;
    });
  }

  return { send, inFlight: () => inFlight, close: () => agent.destroy() };
}

interface Noted {
  acknowledged: number;
  duplicates: number;
  /** Some events were answered that they do not count, whichever they are. */
  uncounted: boolean;
}

/** Problems that say that nothing was stored. */
const NOT_STORED = new Set(['too_many_requests', 'too_many_new_users', 'store_full', 'damaged']);

/** Notes in the events what became of them. */
function noteReply(events: LedgerEvent[], { status, text, refused }: Reply): Noted {
  if (status === 202) return noteAccepted(events, JSON.parse(text));
  const code = status === undefined ? '' : codeIn(text);
  // Of several events some may have been stored before there was too much under way.
  const isUntouched = refused || NOT_STORED.has(code) || (code === 'overloaded' && events.length === 1);
  if (!isUntouched) for (const event of events) event.doubtful = true;
  return { acknowledged: 0, duplicates: 0, uncounted: false };
}

interface Accepted {
  /** Of a single event. */
  status?: string;
  recorded?: number;
  duplicate?: number;
  rejected?: { index: number }[];
}

function noteAccepted(events: LedgerEvent[], { status, rejected = [], ...counts }: Accepted): Noted {
  const { recorded = Number(status === 'recorded'), duplicate = Number(status === 'duplicate') } = counts;
  const refused = new Set(rejected.map(({ index }) => index));
  const counted = events.filter((_, index) => !refused.has(index));
  const uncounted = recorded + duplicate < counted.length;
  for (const event of counted) {
    event.acknowledged = !uncounted;
    event.doubtful = uncounted;
  }
  return { acknowledged: uncounted ? 0 : counted.length, duplicates: duplicate, uncounted };
}

function codeIn(text: string): string {
  try {
    return JSON.parse(text).code;
  } catch {
    return '';
  }
}

// --- The audit ---

const PROFILES = 500; // of a call

/** How many there must be, and how many there may be. */
interface Bounds {
  least: number;
  most: number;
}

/** When all is well again. Right after a fault a read may be refused: it is asked again until `withinMs`. */
export async function audit({ events, options }: Running, withinMs = 10_000): Promise<Audit> {
  const { port, readKey, seed, users = 200 } = options;
  const read = (path: string, asked: Asked = {}) =>
    until(
      `200 from ${path}`,
      async () => {
        const where = typeof port === 'number' ? port : port();
        const answer = await ask(where, path, { key: readKey, ...asked }).catch(() => undefined);
        return answer?.status === 200 && JSON.parse(answer.text);
      },
      { within: withinMs, every: 50 },
    );

  const found: Audit = { lost: 0, doubled: 0, visitorsOff: 0 };
  const views = viewsOf(events, users);
  for (let first = 0; first < users; first += PROFILES) {
    const some = views.slice(first, first + PROFILES);
    const user_ids = some.map((_, i) => userId(seed, first + i));
    const { profiles } = await read('/v1/users/profiles', { body: JSON.stringify({ user_ids }) });
    some.forEach(({ least, most }, i) => {
      const stored = profiles[i].number_pages_viewed_in_the_last_7_days;
      found.lost += Math.max(0, least - stored);
      found.doubled += Math.max(0, stored - most);
    });
  }
  for (const [page, { least, most }] of visitorsOf(events).entries()) {
    const name = encodeURIComponent(pageName(seed, page));
    const { distinct_visitors: visitors } = await read(`/v1/page/visitors?name=${name}`);
    found.visitorsOff += Math.max(0, least - visitors, visitors - most);
  }
  return found;
}

function viewsOf(events: readonly LedgerEvent[], users: number): Bounds[] {
  const views = Array.from({ length: users }, () => ({ least: 0, most: 0 }));
  for (const { user, acknowledged, doubtful } of events) {
    if (acknowledged) views[user]!.least++;
    if (acknowledged || doubtful) views[user]!.most++;
  }
  return views;
}

/** Each user has seen each page: no name is news to anybody any more. */
export function haveSeenAll({ events, options: { users = 200 } }: Running): boolean {
  const seen = events.filter(({ acknowledged }) => acknowledged).map(({ user, page }) => `${user} ${page}`);
  return new Set(seen).size === users * PAGES;
}

function visitorsOf(events: readonly LedgerEvent[]): Bounds[] {
  const certain = Array.from({ length: PAGES }, () => new Set<number>());
  const possible = Array.from({ length: PAGES }, () => new Set<number>());
  for (const { user, page, acknowledged, doubtful } of events) {
    if (acknowledged) certain[page]!.add(user);
    if (acknowledged || doubtful) possible[page]!.add(user);
  }
  return certain.map(({ size }, page) => ({ least: size, most: possible[page]!.size }));
}
