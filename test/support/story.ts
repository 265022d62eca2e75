// A history that is told to several services and to the model at once: after each step all of them must agree on every
// count about everybody.

import { isDeepStrictEqual } from 'node:util';
import type { SiteReport } from '../../src/answers.ts';
import type { Event } from '../../src/events/event.ts';
import { thing } from '../../src/redis/keys.ts';
import type { FootfallRedis } from '../../src/redis/scripts.ts';
import { DAY, dateOf, dayOf, MINUTE, WINDOW_DAYS } from '../../src/time.ts';
import { createAgeing } from './ageing.ts';
import { createModel } from './model.ts';
import type { Asked } from './modelOfCounts.ts';
import { fakeClock, service } from './service.ts';

export const USERS = ['019mr8mf4r', 'ann', 'bob:{0}', 'user', '*'];
export const SITES = ['shop', 'bl:g {1}*'];
const LONG = 'https://example.com/'.padEnd(60, 'x');
export const NAMES = ['Home', '#home', 'x'.repeat(41)];
export const URLS = ['/a', `${LONG}?1`, `${LONG}?2`];
const TYPES = ['click', 'type:page_view', '__proto__'];

/** How each service is set, and how much of it is asked after each step: many shards are slow to ask. */
const SERVICES = [
  { keyPrefix: 'one', shards: 1, share: 1 },
  { keyPrefix: 'seven', shards: 7, share: 5 },
  { keyPrefix: 'many', shards: 256, share: 97 },
];

const ASKED: Asked[] = [undefined, ...SITES].flatMap((siteId) => [
  ...NAMES.map((name) => ({ name, siteId })),
  ...URLS.map((url) => ({ url, siteId })),
]);

export type Story = ReturnType<typeof createStory>;

export function createStory(redis: FootfallRedis, start: string, note: (what: string) => void) {
  const clock = fakeClock(start);
  const told: string[] = [start]; // for whoever has to find out what went wrong
  const model = createModel(
    {
      sessionGapSeconds: 1800,
      timeSpentUnit: 'minutes',
      maxViewsPerUserDay: 10_000,
      maxPagesPerUserDay: 1000,
    },
    note,
  );
  const services = SERVICES.map(({ share, ...config }) => ({
    share,
    ...service(redis, { ...config, eraseScanMs: 0 }, clock),
  }));
  const ageing = createAgeing(redis, clock);
  let turn = 0; // which share is asked next
  let latest = clock();

  function equal(what: string, actual: unknown, expected: unknown): void {
    if (isDeepStrictEqual(actual, expected)) return;
    const words = [what, 'is', JSON.stringify(actual), 'and should be', JSON.stringify(expected)];
    throw new Error([...told, words.join(' ')].join('\n'));
  }

  async function send(events: Event[]): Promise<void> {
    const expected = events.map((event) => model.record(event, clock()));
    events.forEach((event, i) => {
      told.push(`${JSON.stringify({ ...event, at: new Date(event.at) })}: ${expected[i]}`);
    });
    for (const { recorder, keys } of services) {
      const outcomes = await Promise.all(events.map((event) => recorder.record(event)));
      equal(`what became of them with ${keys.shards} shards`, outcomes, expected);
    }
    await ageing.settle();
    await compare();
  }

  async function erase(userId: string): Promise<void> {
    const { keys } = services[0]!;
    const now = clock();
    const named = new Set<string>();
    for (const day of keys.storedDays(now)) {
      if (await redis.exists(keys.stats(userId, day))) named.add(dateOf(day));
    }
    for (const month of keys.storedMonths(now)) {
      if (await redis.exists(keys.logins(userId, month))) named.add(month);
    }
    const expected = model.erase(userId, now, (date) => named.has(date));
    told.push(`erase ${userId}: ${JSON.stringify(expected)}`);
    for (const { eraser, keys } of services) {
      const { erased_at, counts_corrected } = await eraser.erase(userId);
      equal(`the receipt with ${keys.shards} shards`, { erased_at, counts_corrected }, expected);
    }
    await ageing.settle();
    await compare();
    equal('counts that are no counts', await redis.eval(NO_COUNTS, 0), []);
  }

  async function moveTo(ms: number): Promise<void> {
    if (dayOf(ms) > dayOf(clock())) note('midnight passes');
    clock.set(ms);
    latest = Math.max(latest, ms);
    told.push(`it is ${new Date(ms).toISOString()}`);
    await ageing.pass();
    await compare();
  }

  /** Every answer of the first service, and a share of the others'. */
  async function compare(everything = false): Promise<void> {
    turn++;
    for (const one of services) {
      const share = everything ? Math.ceil(one.share / 10) : one.share;
      let question = 0;
      const asked = questions(one).filter(() => (question++ + turn) % share === 0);
      await Promise.all(asked.map((ask) => ask()));
    }
  }

  function questions({ visitors, uniques, sites, profiles, keys }: (typeof services)[number]) {
    const now = clock();
    const today = dayOf(now);
    const how = `with ${keys.shards} shards`;
    const ofVisitors = ASKED.flatMap((asked) =>
      Array.from({ length: WINDOW_DAYS }, (_, i) => async () => {
        const { siteId, ...page } = asked;
        const actual = await visitors.of(thing(page as { name: string }, siteId), i + 1);
        equal(`${JSON.stringify(asked)} in ${i + 1} days ${how}`, actual, model.visitors(asked, i + 1, now));
      }),
    );
    const ofDays = Array.from({ length: 38 }, (_, i) => async () => {
      const actual = await uniques.daily(today - i);
      equal(`logins of ${dateOf(today - i)} ${how}`, actual, model.logins(dateOf(today - i)));
    });
    const ofMonths = [today - 40, today - 20, today].map((day) => async () => {
      const month = dateOf(day).slice(0, 7);
      equal(`logins of ${month} ${how}`, await uniques.monthly(day), model.logins(month));
    });
    const spans = [
      [-6, 0],
      [0, 0],
      [-3, 2],
      [-6, -2],
      [-7, -7],
      [-9, 0],
      [dayOf(latest) - today - 34, 0], // of what another clock has dropped, this one knows nothing
    ] as const;
    const askable = spans.filter(([from, to]) => (to - from) * keys.shards < 2000);
    const ofSites = SITES.flatMap((site) =>
      askable.map(([from, to]) => async () => {
        const actual = await sites.report(site, today + from, today + to);
        const expected = model.report(site, dateOf(today + from), dateOf(today + to), now);
        equal(`report ${how}`, actual, { ...expected, unique_users: nearly(actual, expected) });
      }),
    );
    const ofUsers = USERS.map((userId) => async () => {
      equal(`profile ${how}`, await profiles.of(userId), model.profile(userId, now));
    });
    return [...ofVisitors, ...ofDays, ...ofMonths, ...ofSites, ...ofUsers];
  }

  return { clock, latest: () => latest, send, erase, moveTo, compare };
}

/** An estimate that is near enough counts as right. */
function nearly(actual: SiteReport, { unique_users, exact }: SiteReport): number {
  const margin = exact ? 0 : Math.max(1, 0.02 * unique_users);
  return Math.abs(actual.unique_users - unique_users) <= margin ? actual.unique_users : unique_users;
}

// Every field of a hash about everybody that is no number above zero.
const NO_COUNTS = `
  local found = {}
  for _, key in ipairs(redis.call('KEYS', '*')) do
    if not string.find(key, ':user:', 1, true) and redis.call('TYPE', key).ok == 'hash' then
      local all = redis.call('HGETALL', key)
      for i = 1, #all, 2 do
        if not string.find(all[i + 1], '^[1-9]%d*$') then
          found[#found + 1] = key .. ' ' .. all[i] .. ' ' .. all[i + 1]
        end
      end
    end
  end
  return found`;

/** Where an event of a story may lie: a user, a kind, a page, a moment; numbers stand for one of a few. */
export interface Seed {
  user: number;
  kind: number;
  name: number;
  url: number;
  site: number;
  /** How many days ago, for logins five times as many; or ahead of the clock. */
  daysAgo: number | 'ahead';
  /** ms of the day; of what is ahead, up to five minutes. */
  ms: number;
}

function timeOf({ daysAgo, ms }: Seed, now: number, stride: number): number {
  if (daysAgo === 'ahead') return now + (ms % (AHEAD + 1));
  const at = (dayOf(now) - daysAgo * stride) * DAY + ms;
  return at > now + AHEAD ? at - DAY : at;
}

const KINDS = ['page', 'page', 'page', 'page', 'page', 'page', 'site view', 'site event', 'login', 'login'];

const pick = <T>(from: readonly T[], i: number): T => from[i % from.length]!;

const AHEAD = 5 * MINUTE; // the service lets nothing through that lies further ahead

export function eventOf(seed: Seed, now: number, userId = pick(USERS, seed.user)): Event {
  const kind = pick(KINDS, seed.kind);
  const at = timeOf(seed, now, kind === 'login' ? 5 : 1);
  if (kind === 'login') return { kind: 'login', userId, at };
  const path = pick([...URLS, ...NAMES], seed.url);
  if (kind === 'site event') {
    return { kind: 'event', userId, at, siteId: pick(SITES, seed.site), type: pick(TYPES, seed.name), path };
  }
  if (kind === 'site view') {
    return { kind: 'view', userId, at, siteId: pick(SITES, seed.site), name: path, path };
  }
  const url = pick([...URLS, undefined], seed.url);
  const siteId = pick([...SITES, undefined], seed.site);
  const name = url === undefined ? pick(NAMES, seed.name) : pick([...NAMES, url], seed.name);
  return {
    ...{ kind: 'view', userId, at, name, path: url ?? name },
    ...(url !== undefined && { url }),
    ...(siteId !== undefined && { siteId }),
  };
}
