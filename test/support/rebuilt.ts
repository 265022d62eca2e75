// A history of months, told to a service with an archive, and to its twin: that one has none, and never heard of those events
// whose users were erased later. What a replay rebuilds must be the twin.

import pg from 'pg';
import { pino } from 'pino';
import { createArchiveMetrics } from '../../src/archive/metrics.ts';
import { everythingAt } from '../../src/archive/replay/plan.ts';
import { createReplay, type ReplayOptions } from '../../src/archive/replay/replay.ts';
import { startWorker, type Worker } from '../../src/archive/worker.ts';
import type { Config } from '../../src/config.ts';
import type { Event } from '../../src/events/event.ts';
import { thing } from '../../src/redis/keys.ts';
import type { FootfallRedis } from '../../src/redis/scripts.ts';
import { DAY, dateOf, dayOf, MINUTE, monthEnd, parseMonth, WINDOW_DAYS } from '../../src/time.ts';
import { until } from './process.ts';
import { type Random, randomOf } from './random.ts';
import { fakeClock, service } from './service.ts';

export const USERS = Array.from(
  { length: 30 },
  (_, i) => `${['ann', 'b:{0}', '019mr8mf4r', '*', 'ü'][i % 5]}${i}`,
);
export const BUSY = 'busy';
const SITES = ['shop', 'bl:g {1}*', 'news'];
const NAMES = ['Home', '#home', 'x'.repeat(60), 'Preise', '(other)', 'Blog', 'Jobs'];
const URLS = Array.from({ length: 12 }, (_, i) => `https://example.com/${'y'.repeat(5 * i)}`);
const TYPES = Array.from({ length: 110 }, (_, i) => `type-${i}`);

/** Small enough that all of them are met. */
export const CAPS = { maxViewsPerUserDay: 14, maxPagesPerUserDay: 4, maxPathsPerSiteDay: 6 };

type Step = { now: number } & ({ events: Event[] } | { erased: string });

const LAST = Date.parse('2026-11-27T23:58:00Z'); // some events are of tomorrow

/** Weeks of everything, and logins of months before. */
export function historyOf(seed: number): Step[] {
  const random = randomOf(seed, 0);
  const { chance, from, pick } = random;
  const steps: Step[] = [];
  for (const date of ['2026-03-30', '2026-04-01', '2026-08-15', '2026-09-20']) {
    const now = Date.parse(`${date}T20:00:00Z`);
    steps.push({ now, events: Array.from({ length: 60 }, () => loginOf(random, now, 20)) });
    steps.push({ now: now + 1, events: Array.from({ length: 20 }, () => eventOf(random, now)) });
  }
  steps.push({ now: Date.parse('2026-09-21T10:00:00Z'), erased: USERS[3]! });
  const sent: Event[] = [];
  for (let day = dayOf(LAST) - 40; day <= dayOf(LAST); day++) {
    const times = Array.from({ length: 5 }, () => day * DAY + from(0, DAY - MINUTE)).sort((a, b) => a - b);
    for (const now of day === dayOf(LAST) ? [...times.map((at) => Math.min(at, LAST - 1)), LAST] : times) {
      const events = Array.from({ length: from(3, 12) }, () => {
        if (chance(0.1) && sent.length > 0) return pick(sent);
        return chance(0.2) ? loginOf(random, now, 50) : eventOf(random, now);
      });
      if (now === LAST)
        events.push(...[1, 2, 3].map((i) => eventOf(random, now + 3 * MINUTE + i, USERS[i], 0)));
      sent.push(...events);
      steps.push({ now, events });
      if (chance(0.06)) steps.push({ now, erased: pick([...USERS, BUSY]) });
    }
    if ([4, 9, 20, 30].includes(dayOf(LAST) - day)) steps.push(...crowdedDay(random, day));
  }
  // Whole days back and forth: a clock goes on.
  return steps.sort((a, b) => a.now - b.now);
}

/** More than there is room for: of one user, and of types. */
function crowdedDay(random: Random, day: number): Step[] {
  const now = (day + 1) * DAY - 1;
  const busy = Array.from({ length: 30 }, () => eventOf(random, now, BUSY, 0));
  const types = TYPES.map((type, i): Event => {
    return { kind: 'event', userId: USERS[i % 25]!, at: now - 1000 * i, siteId: 'news', type, path: '/' };
  });
  return [
    { now, events: busy },
    { now, events: types },
  ];
}

function loginOf({ from, pick }: Random, now: number, most: number): Event {
  return { kind: 'login', userId: pick(USERS), at: now - from(0, most) * DAY - from(0, MINUTE) };
}

function eventOf(random: Random, now: number, userId = random.pick(USERS), days = random.from(0, 9)): Event {
  const { chance, from, pick } = random;
  const midnight = dayOf(now) * DAY;
  const at = days === 0 ? from(midnight, now + 1) : midnight - days * DAY + from(0, DAY);
  const common = { userId, at, ...(chance(0.2) && { eventId: `e${from(0, 40)}` }) };
  const siteId = chance(0.8) ? pick(SITES) : undefined;
  if (siteId !== undefined && chance(0.2)) {
    return { kind: 'event', ...common, siteId, type: pick(TYPES.slice(0, 4)), path: pick(URLS) };
  }
  const url = chance(0.6) ? pick(URLS) : undefined;
  const name = url !== undefined && chance(0.3) ? url : pick(NAMES);
  return { kind: 'view', ...common, name, url, siteId, path: url ?? name };
}

export interface WorldOptions {
  redis: FootfallRedis;
  databaseUrl: string;
  config?: Partial<Config>;
}

export type World = Awaited<ReturnType<typeof tell>>;

/** Tells a history, and carries it to the archive. */
export async function tell(history: Step[], { redis, databaseUrl, config = {} }: WorldOptions) {
  const clock = fakeClock(history[0]!.now);
  const pool = new pg.Pool({ connectionString: databaseUrl });
  pool.on('error', () => undefined);
  const settings = { eraseScanMs: 0, ...config };
  const live = service(redis, settings, clock, pool);
  const twin = service(redis, { ...settings, keyPrefix: 'twin' }, clock);
  const { keys, archive } = live;
  const { outbox } = archive!;

  const work = (): Worker => {
    const metrics = createArchiveMetrics();
    return startWorker({
      checkSettings: async () => undefined,
      databaseUrl,
      outbox,
      keys,
      clock,
      metrics,
      log: pino({ level: 'silent' }),
    });
  };

  /** Until nothing waits. */
  async function carry(): Promise<void> {
    const worker = work();
    await until('all is carried', async () => (await outbox.backlog()).entries === 0);
    await worker.stop();
  }

  async function moveTo(now: number): Promise<void> {
    await redis.eval(AGE, 0, now - clock());
    clock.set(now);
  }

  const isForgotten = (userId: string, i: number) =>
    history.some((step, j) => j > i && 'erased' in step && step.erased === userId);

  const worker = work();
  const outcomes = new Set<string>();
  /** Events that counted and were forgotten, by site and date. */
  const gone = new Map<string, number>();
  for (const [i, step] of history.entries()) {
    await moveTo(step.now);
    if ('erased' in step) {
      await Promise.all([live.eraser.erase(step.erased), twin.eraser.erase(step.erased)]);
      continue;
    }
    const kept = step.events.filter(({ userId }) => !isForgotten(userId, i));
    const became = await Promise.all(step.events.map(live.recorder.record));
    for (const [j, event] of step.events.entries()) {
      outcomes.add(became[j]!);
      if (event.kind === 'login' || became[j] !== 'recorded' || kept.includes(event)) continue;
      const place = `${event.siteId} ${dateOf(dayOf(event.at))}`;
      gone.set(place, (gone.get(place) ?? 0) + 1);
    }
    await Promise.all(kept.map(twin.recorder.record));
  }
  await until('all is carried', async () => (await outbox.backlog()).entries === 0);
  await worker.stop();

  /** Until it is done, or `stopped` says so. */
  async function replay(more: Partial<Omit<ReplayOptions, 'keys' | 'clock' | 'limits'>> = {}) {
    const range = everythingAt(clock(), live.settings);
    const work = { redis, keys, database: pool, clock, limits: live.settings };
    const running = createReplay({ ...work, range, after: '0', stopped: () => false, ...more });
    return { running, isDone: await running.run() };
  }

  /** As if Redis had been lost: the twin lies elsewhere. */
  async function lose(): Promise<void> {
    const lost = await redis.keys('ff:*');
    if (lost.length > 0) await redis.unlink(lost);
  }

  return { clock, pool, live, twin, outcomes, gone, carry, moveTo, replay, lose, end: () => pool.end() };
}

// Moves the ends of all keys as the test's clock moves, and drops what has ended.
const AGE = `
  for _, key in ipairs(redis.call('KEYS', '*')) do
    local left = redis.call('PTTL', key)
    if left > tonumber(ARGV[1]) then
      redis.call('PEXPIRE', key, left - ARGV[1])
    elseif left >= 0 then
      redis.call('UNLINK', key)
    end
  end`;

export interface Held {
  content: unknown;
  /** When it goes, ms from now; Infinity if never. */
  left: number;
}

/**
 * Everything under a prefix, by what stands behind it, but for what nobody can ask for any more: users' days before the window
 * and who came back from these, months of a user whose logins are all too late.
 */
export async function heldUnder(
  redis: FootfallRedis,
  prefix: string,
  now: number,
  lateLoginDays: number,
): Promise<Map<string, Held>> {
  const oldest = dayOf(now) - WINDOW_DAYS + 1;
  const names = new Set(Array.from({ length: 8 }, (_, i) => dateOf(oldest + i).slice(-2)));
  const held = new Map<string, Held>();
  for (const key of (await redis.keys(`${prefix}:*`)).sort()) {
    const rest = key.slice(prefix.length);
    const day = dayOf(Date.parse(`${/:(\d{4}-\d\d-\d\d):/.exec(rest)?.[1]}T00:00:00Z`));
    const isSite = /^:\{\d+\}:site:/.test(rest);
    if (rest.endsWith(':outbox') || (!isSite && day < oldest)) continue;
    const month = /:user:.*:(\d{4}-\d\d):logins$/.exec(rest)?.[1];
    if (month && monthEnd(parseMonth(month)) + lateLoginDays <= dayOf(now)) continue;
    const content = await contentOf(redis, key, (field, value) => {
      if (rest.endsWith(':returning') && day - Number.parseInt(field, 10) < oldest) return undefined;
      if (field !== 'earlier') return value;
      return value
        .split(' ')
        .filter((name) => names.has(name))
        .join(' ');
    });
    if (JSON.stringify(content) === '{}') continue;
    const left = await redis.pttl(key);
    held.set(rest, { content, left: left < 0 ? Number.POSITIVE_INFINITY : left });
  }
  return held;
}

async function contentOf(
  redis: FootfallRedis,
  key: string,
  field: (name: string, value: string) => string | undefined,
): Promise<unknown> {
  const type = await redis.type(key);
  if (type === 'hash') {
    const all = Object.entries(await redis.hgetall(key)).sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(
      all.flatMap(([name, value]) => {
        const kept = field(name, value);
        return kept === undefined ? [] : [[name, kept]];
      }),
    );
  }
  if (!key.endsWith(':hll')) return (await redis.dumpBuffer(key)).toString('base64');
  const bytes = (await redis.getBuffer(key))!;
  return Buffer.concat([bytes.subarray(0, 8), bytes.subarray(16)]).toString('base64'); // between them what PFCOUNT last said
}

/** Everything that a service tells of people and sites, question by question. */
export async function answersOf({ profiles, visitors, uniques, sites, clock }: World['live']) {
  const today = dayOf(clock());
  const answers = new Map<string, unknown>();
  for (const userId of [...USERS, BUSY]) {
    answers.set(`profile of ${userId}`, await profiles.of(userId));
    answers.set(`days of ${userId}`, await profiles.daysOf(userId));
  }
  for (const siteId of [undefined, ...SITES]) {
    const pages = [...NAMES.map((name) => ({ name })), ...URLS.map((url) => ({ url }))];
    for (const what of pages.map((page) => thing(page, siteId))) {
      for (let days = 1; days <= WINDOW_DAYS; days++) {
        answers.set(`visitors of ${what} in ${days} days`, await visitors.of(what, days));
      }
    }
  }
  for (let ago = 0; ago < 260; ago++) {
    answers.set(`logins of ${dateOf(today - ago)}`, await uniques.daily(today - ago));
    if (ago % 28 === 0)
      answers.set(`logins of the month of ${dateOf(today - ago)}`, await uniques.monthly(today - ago));
  }
  for (const siteId of SITES) {
    for (let ago = 0; ago < 35; ago++) {
      answers.set(
        `report of ${siteId}, ${ago} days ago`,
        await sites.report(siteId, today - ago, today - ago),
      );
    }
    for (const [from, to] of [
      [6, 0],
      [34, 0],
      [20, 10],
    ] as const) {
      answers.set(
        `report of ${siteId}, ${from} to ${to}`,
        await sites.report(siteId, today - from, today - to),
      );
    }
  }
  return answers;
}
