// Row 18: erasures of somebody for whom 50 writers send events, new ones and late ones.

import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { createKeys, type Keys } from '../../src/redis/keys.ts';
import type { FootfallRedis } from '../../src/redis/scripts.ts';
import { DAY, dateOf, dayOf, SECOND } from '../../src/time.ts';
import { ask } from '../support/ask.ts';
import { createChecks } from '../support/faultRuns.ts';
import { KEYS, MARK } from '../support/marks.ts';
import { sendTo, until, useProcesses } from '../support/process.ts';
import { type Random, randomOf, seedOf } from '../support/random.ts';
import { count, long, ms, reportRow } from '../support/rows.ts';
import { startStand } from '../support/stand.ts';

const processes = useProcesses();

const SEED = seedOf(process.env.FAULT_SEED);
const WRITERS = 50;
const READERS = 3;
const BETWEEN = 200; // ms
const IN_FLIGHT = 5; // at least, at each erasure
const LATE = 20; // events of a batch that comes late
const AHEAD = 150; // ms
const BUCKET = 50; // ms; what happened in one has a page of its own
const LEAST = long(2000, 300);
const USER = `${MARK.user}-${SEED}`;

const LATE_IS_ERASED = 'what comes late is erased';
const NOTHING = 'nothing up to erased_at is visible';

interface Event {
  at: number;
  name: string;
  url?: string;
  body: string;
  /** How often it was answered so. */
  recorded: number;
  duplicate: number;
}

const pageOf = (at: number) => `${MARK.page} ${Math.floor(at / BUCKET)}`;
const urlOf = (at: number) => `https://shop.example/${Math.floor(at / BUCKET)}`;
/** The latest time of what a page is of. */
const endOf = (page: string) => (Number(page.split(' ').at(-1)) + 1) * BUCKET - 1;

/** Around now, and before. */
function timeOf(random: Random): number {
  const now = Date.now();
  return random.weighted([
    [5, now - random.from(0, 2 * SECOND)],
    [3, now],
    [2, now + random.from(1, AHEAD)],
    [2, now - random.from(0, 5 * DAY)],
  ]);
}

function makeEvent(random: Random, number: number): Event {
  const at = timeOf(random);
  const name = pageOf(at);
  const of = random.chance(0.5) ? { url: urlOf(at), site_id: MARK.site } : {};
  const event = { user_id: USER, name, timestamp: new Date(at).toISOString(), event_id: `${number}`, ...of };
  return {
    at,
    name,
    ...('url' in of && { url: of.url }),
    body: JSON.stringify(event),
    recorded: 0,
    duplicate: 0,
  };
}

/** The load, and what has been promised so far. */
function startWriters(port: number, { check }: ReturnType<typeof createChecks>) {
  const agent = new Agent({ keepAlive: true, maxSockets: WRITERS });
  processes.atEnd(() => agent.destroy());
  const events: Event[] = [];
  const outcomes: Record<string, number> = {};
  let erasedAt = 0; // by the last erasure that was answered
  let inFlight = 0;
  let stopped = false;

  async function post(path: string, body: string) {
    inFlight++;
    const { status, text } = await sendTo(port, 'POST', `${path}?key=${KEYS.write}`, body, agent);
    inFlight--;
    check('all events are answered 202', status === 202, `${status}`);
    return JSON.parse(text);
  }

  async function send(event: Event): Promise<void> {
    const before = erasedAt;
    const { status: outcome } = await post('/v1/page', event.body);
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    if (outcome === 'recorded' || outcome === 'duplicate') event[outcome as 'recorded' | 'duplicate']++;
    if (event.at <= before) {
      check(LATE_IS_ERASED, outcome === 'erased', `${outcome} ${before - event.at} ms late`);
    }
  }

  /** Sends some of what is erased once more. */
  async function sendLate(some: Event[]): Promise<void> {
    const { erased } = await post('/v1/pages', `[${some.map(({ body }) => body).join()}]`);
    outcomes.erased = (outcomes.erased ?? 0) + erased;
    check(LATE_IS_ERASED, erased === some.length, `${erased} of ${some.length}`);
  }

  const isErased = ({ at }: Event) => at <= erasedAt;

  async function write(random: Random): Promise<void> {
    const mine: Event[] = [];
    while (!stopped) {
      const late = mine.filter(isErased).slice(-LATE);
      if (mine.length > 0 && random.chance(0.35)) await send(random.pick(mine));
      else if (late.length > 0 && random.chance(0.05)) await sendLate(late);
      else {
        const event = makeEvent(random, events.length);
        mine.push(event);
        events.push(event);
        await send(event);
      }
      await delay(random.from(5, 30));
    }
  }

  const writers = Array.from({ length: WRITERS }, (_, i) => write(randomOf(SEED, i)));
  for (const writer of writers) writer.catch(() => undefined); // whoever waits for it hears it
  processes.atEnd(() => {
    stopped = true;
  });
  return {
    events,
    outcomes,
    inFlight: () => inFlight,
    erasedAt: () => erasedAt,
    wasErased(at: number) {
      check('the time of an erasure does not go back', at >= erasedAt, `${erasedAt - at} ms`);
      erasedAt = Math.max(erasedAt, at);
    },
    sendLate,
    async stop() {
      stopped = true;
      await Promise.all(writers);
    },
  };
}

type Writers = ReturnType<typeof startWriters>;

const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0);

interface DayRow {
  date: string;
  views: number;
  seconds: number;
}

/** What the service says of the user. */
function reader(port: number) {
  const read = async (path: string) => {
    const { status, text } = await ask(port, path);
    if (status !== 200) throw new Error(`${status} from ${path}`);
    return JSON.parse(text);
  };
  return {
    profile: async (): Promise<[views: number, page: string | null]> => {
      const profile = await read(`/v1/user/${USER}`);
      return [profile.number_pages_viewed_in_the_last_7_days, profile.most_viewed_page_in_last_7_days];
    },
    days: async (): Promise<DayRow[]> => {
      const days = await read(`/v1/user/${USER}/days`);
      return Array.isArray(days) ? days : days.days;
    },
    visitors: async (of: 'name' | 'url', what: string): Promise<number> =>
      (await read(`/v1/page/visitors?${of}=${encodeURIComponent(what)}`)).distinct_visitors,
    siteUsers: async (): Promise<number> => (await read(`/v1/site/${MARK.site}/report`)).unique_users,
  };
}

/** Reads, and checks that nothing up to the last erasure before it is there. */
function inspector(port: number, writers: Writers, { check }: ReturnType<typeof createChecks>) {
  const { events } = writers;
  const { profile, days, visitors } = reader(port);

  return async function inspect(pages: number): Promise<number> {
    const erasedAt = writers.erasedAt();
    const gone = events.filter(({ at, name }) => at <= erasedAt && endOf(name) <= erasedAt).slice(-pages);
    const [[views, page], rows, names, urls] = await Promise.all([
      profile(),
      days(),
      Promise.all(gone.map(({ name }) => visitors('name', name))),
      Promise.all(gone.flatMap(({ url }) => (url === undefined ? [] : [visitors('url', url)]))),
    ]);
    const times = events.map(({ at }) => at).filter((at) => at > erasedAt);
    const latest = times.reduce((a, b) => Math.max(a, b), erasedAt);
    const before = rows.filter(({ date }) => date < dateOf(dayOf(erasedAt)));
    check(NOTHING, views <= times.length, `${views} views of ${times.length} in the profile`);
    check(NOTHING, page === null || endOf(page) > erasedAt, `most viewed: ${page}`);
    check(NOTHING, sum(before.map((row) => row.views)) === 0, `days: ${JSON.stringify(before)}`);
    check(NOTHING, sum(rows.map((row) => row.views)) <= times.length, `days: ${JSON.stringify(rows)}`);
    check(
      NOTHING,
      sum(rows.map(({ seconds }) => seconds)) <= (latest - erasedAt) / SECOND + 1,
      `seconds in ${JSON.stringify(rows)}`,
    );
    check(NOTHING, sum([...names, ...urls]) === 0, `visitors: ${names}; ${urls}`);
    return 2 + names.length + urls.length;
  };
}

interface Race {
  shards: number;
  erasures: number;
  /** Is done after each erasure was answered. */
  sabotage?(redis: FootfallRedis, keys: Keys): Promise<unknown>;
}

async function race({ shards, erasures, sabotage }: Race) {
  const { port, store, service, lookBack } = await startStand(processes, {
    settings: {
      ...{ SHARDS: String(shards), LIMIT_ADDRESS: '0', LIMIT_USER: '0', LIMIT_NEW_USERS: '0' },
      ...{ MAX_VIEWS_PER_USER_DAY: '1000000', MAX_PAGES_PER_USER_DAY: '100000' },
    },
  });
  await until('ready', async () => (await service.get('/readyz')).status === 200);
  const { redis } = store;
  const keys = createKeys('ff', shards);
  const checks = createChecks();
  const { check } = checks;
  const writers = startWriters(port, checks);
  const inspect = inspector(port, writers, checks);
  const random = randomOf(SEED, WRITERS);
  let reads = 0;
  let reading = true;
  processes.atEnd(() => {
    reading = false;
  });
  const readers = Array.from({ length: READERS }, async () => {
    while (reading) {
      reads += await inspect(1);
      await delay(10);
    }
  });
  for (const one of readers) one.catch(() => undefined);

  const erase = async (): Promise<number> => {
    const { status, text } = await ask(port, `/v1/user/${USER}`, { method: 'DELETE' });
    check('erasures are 200', status === 200, `${status}`);
    return Date.parse(JSON.parse(text).erased_at);
  };

  /** What Redis holds of it, that no read may show. */
  async function leftInRedis(erasedAt: number): Promise<string[]> {
    const day = dayOf(erasedAt);
    const older = keys.storedDays(erasedAt).filter((other) => other < day);
    const stats = older.flatMap((other) => [keys.stats(USER, other), keys.visits(USER, other)]);
    const [left, [, first]] = await Promise.all([
      redis.exists(...stats),
      redis.zrange(keys.visits(USER, day), '0', '0', 'WITHSCORES'),
    ]);
    const isBefore = first !== undefined && day * DAY + Number(first) <= erasedAt;
    return [...(left > 0 ? [`${left} older keys`] : []), ...(isBefore ? [`a view at ${first}`] : [])];
  }

  const strikes: number[] = [];
  const took: number[] = [];
  while (strikes.length < erasures) {
    await delay(random.from(BETWEEN / 2, 1.5 * BETWEEN));
    await until('events are in flight', () => writers.inFlight() >= IN_FLIGHT, { every: 0 });
    strikes.push(writers.inFlight());
    const since = performance.now();
    writers.wasErased(await erase());
    took.push(performance.now() - since);
    await sabotage?.(redis, keys);
    const [read, left] = await Promise.all([inspect(10), leftInRedis(writers.erasedAt())]);
    reads += read;
    check('nothing up to erased_at is stored', left.length === 0, left.join());
  }
  await delay(long(1000, 400));
  await writers.stop();
  reading = false;
  await Promise.all(readers);

  // All that ever was erased comes once more, late.
  const erasedAt = writers.erasedAt();
  const { events, outcomes } = writers;
  const [late, counting] = [
    events.filter(({ at }) => at <= erasedAt),
    events.filter(({ at }) => at > erasedAt),
  ];
  for (let i = 0; i < late.length; i += 500) await writers.sendLate(late.slice(i, i + 500));
  await until('none is ahead any more', () => events.every(({ at }) => at < Date.now()));

  const { profile, days, visitors, siteUsers } = reader(port);
  const [views] = await profile();
  for (const event of counting) {
    check('what is later counts, once', event.recorded === 1, `recorded ${event.recorded} times`);
  }
  check('the profile is exact', views === counting.length, `${views} views of ${counting.length}`);
  for (const row of await days()) {
    const there = counting.filter(({ at }) => dateOf(dayOf(at)) === row.date).length;
    check('the days are exact', row.views === there, `${row.date}: ${row.views} of ${there}`);
  }
  const seen = (of: 'name' | 'url') => [...new Set(counting.map((event) => event[of]))];
  for (const kind of ['name', 'url'] as const) {
    const there = new Set(seen(kind));
    const gone = late
      .map((event) => event[kind])
      .filter((what) => !there.has(what))
      .slice(-100);
    for (const what of [...there, ...gone]) {
      if (what === undefined) continue;
      const found = await visitors(kind, what);
      check('visitors are exact', found === Number(there.has(what)), `${found} of ${what}`);
    }
  }
  const users = await siteUsers();
  check("the site's users are exact", users === Number(seen('url').some(Boolean)), `${users}`);

  await erase();
  const left = (await redis.keys('ff:*')).filter((key) => /:user:|:visitors$|:returning$/.test(key));
  check('then nothing of anybody is left, nor in any count', left.length === 0, left.join());
  check('nor among the users of the site', (await siteUsers()) === 0, `${await siteUsers()}`);

  const acknowledged = sum(['recorded', 'duplicate'].map((outcome) => outcomes[outcome] ?? 0));
  const shown = Object.entries(outcomes).map(([outcome, n]) => `${outcome} ${count(n)}`);
  return {
    held: checks.held(),
    amiss: checks.shown(),
    strikes,
    outcomes,
    lookBack,
    figure: [
      `seed ${SEED}`,
      `${erasures} erasures, each in ${ms(Math.max(...took))} at most, with ${Math.min(...strikes)} to ${Math.max(...strikes)} requests in flight`,
      `${count(events.length)} events, ${count(acknowledged)} times acknowledged (${shown.join(', ')})`,
      `${count(reads)} reads beside`,
      `in the end ${count(views)} views of ${count(counting.length)} later than erased_at`,
    ].join('; '),
  };
}

test.each([1, 256])('erasures among writers, SHARDS=%i', async (shards) => {
  const { held, amiss, strikes, outcomes, figure, lookBack } = await race({ shards, erasures: long(25, 6) });
  reportRow(
    '18',
    `${WRITERS} writers, SHARDS=${shards}`,
    {
      ...held,
      'requests were in flight at each erasure': strikes.every((calls) => calls >= IN_FLIGHT),
      [`at least ${count(LEAST)} events were recorded`]: outcomes.recorded! >= LEAST,
      'some came late': outcomes.erased! > 0,
    },
    figure + amiss,
  );
  await lookBack('18');
});

test('control: an erasure that leaves no mark', async () => {
  const forget = (redis: FootfallRedis, keys: Keys) => redis.del(keys.erased(USER));
  const { held, figure } = await race({ shards: 1, erasures: 4, sabotage: forget });
  const seen = [LATE_IS_ERASED, NOTHING, 'the profile is exact'].filter((what) => held[what] === false);
  reportRow(
    '18',
    'control: no mark',
    { 'it is seen': seen.length === 3 },
    `not so: ${seen.join('; ')}; ${figure}`,
  );
});
