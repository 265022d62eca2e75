// The store without HTTP, and how its cost grows: with the views of a user's day, and with the users in Redis. Redis and
// this process are measured apart, while 32 events are under way at once, as from 32 connections.

import { readConfig } from '../dist/config.js';
import { createMetrics } from '../dist/metrics.js';
import { connectRedis } from '../dist/redis/connect.js';
import { createServices } from '../dist/services.js';
import { DAY, MINUTE } from '../dist/time.js';
import { median } from './measure.mjs';
import { atEnd } from './processes.mjs';
import { startRedis } from './redis.mjs';

const GROUP = 32;
const NOW = Date.parse('2026-11-21T12:00:00Z');
const PAGES = 53;

export async function measureStore({ quick, say }) {
  say('the store');
  const store = await openStore();
  const kinds = await measureKinds(store, quick, say);
  const counts = await measureCounts(store, quick, say);
  const days = await measureDays(store, quick, say);
  const sizes = await measureSizes(quick, say);
  return { redis: { version: store.version }, kinds, counts, days, sizes };
}

/** Footfall's services over a Redis of their own. */
async function openStore() {
  const redis = await startRedis();
  const client = connectRedis({ url: redis.url }, 60_000);
  atEnd(() => client.disconnect());
  client.on('error', () => undefined);
  const ready = new Promise((resolve) => client.once('ready', resolve));
  client.connect().catch(() => undefined);
  await ready;
  const config = { ...readConfig({}), eraseScanMs: 0 }; // the walk through the keyspace is no part of the cost here
  return { ...redis, ...createServices(client, config, () => NOW, createMetrics()) };
}

/** Runs `job(i)` for i below `count`, a group at a time; gives CPU and time in µs a job. */
async function measure(store, count, job, group = GROUP) {
  const redisBefore = await store.cpu();
  const nodeBefore = process.cpuUsage();
  const start = performance.now();
  for (let i = 0; i < count; i += group) {
    const jobs = [];
    for (let j = i; j < Math.min(i + group, count); j++) jobs.push(job(j));
    await Promise.all(jobs);
  }
  const took = (performance.now() - start) * 1000;
  const { user, system } = process.cpuUsage(nodeBefore);
  const redis = (await store.cpu()) - redisBefore;
  return { redis: redis / count, node: (user + system) / count, took: took / count };
}

/** The same as the median of some parts: of little work, a moment of the machine's own would show. */
async function steady(store, count, job) {
  const size = Math.ceil(count / 8);
  const parts = [];
  for (let from = 0; from < count; from += size) {
    parts.push(await measure(store, Math.min(size, count - from), (i) => job(from + i)));
  }
  return middle(parts);
}

const LARGE = 2000; // where only the result counts
const fill = (store, count, job) => measure(store, count, job, LARGE);

const userId = (n) => `u${n.toString(36).padStart(9, '0')}`;

// 1. Kinds of events and reads, with 20,000 users, three active days, 53 pages.

const USERS = 20_000;
const ACTIVE_DAYS = 3;

/** The i-th view; `direction` 1: later and later; -1: ever earlier. */
function visit(i, direction) {
  const user = i % USERS;
  const round = Math.floor(i / USERS);
  const noon = NOW - (1 + (round % ACTIVE_DAYS) * 2) * DAY;
  return {
    kind: 'view',
    userId: userId(user),
    at: noon + direction * Math.floor(round / ACTIVE_DAYS) * 61_000 + (user % 977),
    name: `page ${(user + round) % PAGES}`,
  };
}

async function measureKinds(store, quick, say) {
  const first = USERS * ACTIVE_DAYS;
  const count = quick ? USERS : 5 * first;
  const rows = [];
  const add = async (what, n, job) => {
    say(`the store: ${what}`);
    rows.push({ what, ...(await measure(store, n, job)) });
  };
  const record = (direction) => (i) => store.recorder.record(visit(first + i, direction));
  await add("first event of a user's day", first, (i) => store.recorder.record(visit(i, 1)));
  await add('further event, in order of time', count, record(1));
  await add('further event, ever earlier', count, record(-1));
  await add('duplicate', count, record(1));
  await add('profile, three active days', count, (i) => store.profiles.of(userId(i % USERS)));
  await add('profile of somebody unknown', count, (i) => store.profiles.of(`nobody-${i}`));
  return rows;
}

// 2. By what an event feeds: users who come on three days, two new pages on each, in order of time; 53 pages, two sites.

async function measureCounts(store, quick, say) {
  const rounds = quick ? 1 : 3;
  const users = quick ? USERS / 4 : USERS;
  const kinds = {
    'name alone': () => ({}),
    'name and url': (page) => ({ url: urlOf(page) }),
    'name, url and site': (page) => ({ url: urlOf(page), siteId: 'shop', path: urlOf(page) }),
  };
  const rows = Object.keys(kinds).map((what) => ({ what, rounds: [], bytes: [] }));
  for (let round = 0; round <= rounds; round++) {
    for (const row of rows) {
      say(`the store: ${row.what}`);
      await store.clear();
      const count = users * ACTIVE_DAYS * 2;
      const empty = await store.memory();
      const cost = await measure(store, count, (i) => {
        const visit = Math.floor(i / (users * 2));
        const second = Math.floor(i / users) % 2;
        const user = i % users;
        const page = (user + visit + second) % PAGES;
        const at = NOW - (ACTIVE_DAYS - visit) * DAY + second * MINUTE + (user % 997);
        const view = {
          kind: 'view',
          userId: userId(user),
          at,
          name: `page ${page}`,
          ...kinds[row.what](page),
        };
        return store.recorder.record(view);
      });
      if (round === 0) continue; // to get warm
      row.rounds.push(cost);
      row.bytes.push(((await store.memory()) - empty) / count);
    }
  }
  const others = [];
  const add = async (what, job) => {
    say(`the store: ${what}`);
    await store.clear();
    const empty = await store.memory();
    others.push({
      what,
      ...(await measure(store, users, job)),
      bytes: ((await store.memory()) - empty) / users,
    });
  };
  await add('a click, of a new user', (i) =>
    store.recorder.record({
      kind: 'event',
      userId: userId(i),
      at: NOW - i,
      siteId: 'shop',
      type: 'click',
      path: '/',
    }),
  );
  await add('a login, the first of the month', (i) =>
    store.recorder.record({ kind: 'login', userId: userId(i), at: NOW - i }),
  );
  const events = [
    ...rows.map(({ what, rounds, bytes }) => ({ what, ...middle(rounds), bytes: median(bytes) })),
    ...others,
  ];
  return { events, crowd: await measureCrowd(store, quick ? 20_000 : 1_000_000, say) };
}

const urlOf = (page) => `https://shop.example/pages/${page}`;

/** One page of a site and everybody: what its visitors take, beside what the users themselves do, and how right they are. */
async function measureCrowd(store, users, say) {
  say(`the store: a page with ${users.toLocaleString('en')} visitors`);
  await store.clear();
  const days = 3; // everybody comes on one of them
  const at = (i) => NOW - ((i % days) + 1) * DAY + (i % 997);
  const page = { name: 'Home', url: urlOf(0), siteId: 'shop', path: urlOf(0) };
  await fill(store, users, (i) =>
    store.recorder.record({ kind: 'view', userId: userId(i), at: at(i), ...page }),
  );
  const [oldest, newest] = [days, 1].map((ago) => Math.floor(NOW / DAY) - ago);
  let bytes = 0;
  for (let day = oldest; day <= newest; day++) {
    for (const key of [store.keys.visitors(0, day), store.keys.returning(0, day)]) {
      bytes += Number((await store.client.call('MEMORY', 'USAGE', key, 'SAMPLES', '0')) ?? 0);
    }
  }
  const hlls = Array.from({ length: days }, (_, i) => store.keys.site(0, 'shop', oldest + i, 'hll'));
  const visitors = await measure(store, 200, () => store.visitors.of('name:Home', 7), 1);
  return {
    users,
    days,
    bytesADay: bytes / days, // of all that is counted of the page: by name, by url, by site
    distinct: await store.visitors.of('name:Home', 7),
    estimate: await store.client.pfcount(...hlls),
    question: visitors,
  };
}

// 3. By views of a user and day.

const VIEWS = [1, 3, 20, 100, 1000];
const BETWEEN = 30_000; // ms: halfway between two views

/** The n-th view of a user on one day, in order of time; a user sees a new page in three views. */
const view = (user, n) => ({
  kind: 'view',
  userId: userId(user),
  at: NOW - 2.5 * DAY + 10 * MINUTE + n * 61_000 + (user % 997),
  name: `/blog/post-${(user + Math.floor(n / 3)) % PAGES}`,
});

async function measureDays(store, quick, say) {
  const rows = [];
  for (const views of VIEWS) {
    say(`the store: ${views} views of a user and day`);
    await store.clear();
    const users = Math.min(10_000, Math.ceil((quick ? 40_000 : 400_000) / views));
    const before = await store.memory();
    await fill(store, users * views, (i) => store.recorder.record(view(i % users, Math.floor(i / users))));
    const bytes = ((await store.memory()) - before) / users;
    // As many passes over few users as make a figure, but no more than leave the day as large as it is said to be.
    const passes = Math.max(1, Math.min(Math.ceil(4000 / users), Math.floor(views / 20)));
    const count = users * passes;
    const read = await steady(store, Math.max(count, 4000), (i) => store.profiles.of(userId(i % users)));
    const next = await steady(store, count, (i) =>
      store.recorder.record(view(i % users, views + Math.floor(i / users))),
    );
    const between = await steady(store, count, (i) => {
      const one = view(i % users, Math.floor((views * (1 + Math.floor(i / users))) / (passes + 1)));
      return store.recorder.record({ ...one, at: one.at + BETWEEN });
    });
    rows.push({ views, users, bytes, bytesAView: bytes / views, next, between, read });
  }
  return rows;
}

// 4. By users in Redis. Every size has a Redis of its own, so that they can take turns: what the machine does meanwhile
// befalls all of them. An event and a read of users from anywhere in the keyspace, then of a few of these again, whom the
// processor has in its caches. Between the two lies what memory costs; the work is the same.

const TOUCHED = 1000; // users of a pass, none of them touched before, so that all sizes do the same
const AGAIN = 100; // of these
const STRIDE = 7919; // a prime, and no divisor of the sizes: users lie all over the keyspace

async function measureSizes(quick, say) {
  const sizes = [];
  for (const users of quick ? [1000, 100_000] : [1000, 100_000, 1_000_000]) {
    say(`the store: ${users.toLocaleString('en')} users`);
    sizes.push(await openSize(users));
  }
  const rounds = quick ? 5 : 9;
  const passes = quick ? 3 : 10; // (rounds + 1) × passes × TOUCHED is at most the second size
  for (let round = 0; round <= rounds; round++) {
    for (const size of sizes) {
      say(`the store: ${size.users.toLocaleString('en')} users, round ${round} of ${rounds}`);
      const figures = [];
      for (let i = 0; i < passes; i++) figures.push(await pass(size));
      if (round > 0) size.rounds.push(each(WORK, (kind) => mean(figures.map((one) => one[kind])))); // the first warms
    }
  }
  const rows = [];
  for (const { users, store, bytes, rounds } of sizes) {
    const erasure = await measure(store, 200, (i) => store.eraser.erase(userId((i * STRIDE) % users)), 1);
    rows.push({ users, bytes, ...each(WORK, (kind) => middle(rounds.map((one) => one[kind]))), erasure });
  }
  return rows;
}

async function openSize(users) {
  const store = await openStore();
  await fill(store, LARGE, (i) => store.recorder.record(view(i, 0))); // buffers grow with the first calls
  await store.clear();
  const size = { users, store, rounds: [], next: 0 };
  const empty = await store.memory();
  await oneViewEach(size);
  return { ...size, bytes: ((await store.memory()) - empty) / users };
}

function oneViewEach({ store, users }) {
  return fill(store, users, (i) => store.recorder.record(view(i, 0)));
}

async function pass(size) {
  const { store, users } = size;
  if (size.next + TOUCHED > users) {
    await store.clear();
    await oneViewEach(size);
    size.next = 0;
  }
  const user = (i) => ((size.next + i) * STRIDE) % users;
  const again = (i) => user(i % AGAIN);
  const figures = {
    read: await measure(store, TOUCHED, (i) => store.profiles.of(userId(user(i)))),
    event: await measure(store, TOUCHED, (i) => store.recorder.record(view(user(i), 1))),
    readAgain: await measure(store, TOUCHED, (i) => store.profiles.of(userId(again(i)))),
    eventAgain: await measure(store, TOUCHED, (i) =>
      store.recorder.record(view(again(i), 2 + Math.floor(i / AGAIN))),
    ),
  };
  size.next += TOUCHED;
  return figures;
}

const WORK = ['event', 'read', 'eventAgain', 'readAgain'];
const COSTS = ['redis', 'node', 'took'];
const each = (names, job) => Object.fromEntries(names.map((name) => [name, job(name)]));
const mean = (all) => each(COSTS, (name) => all.reduce((sum, one) => sum + one[name], 0) / all.length);
const middle = (all) => each(COSTS, (name) => median(all.map((one) => one[name])));
