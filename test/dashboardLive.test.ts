// The dashboard's live figures: each is what the API says in that second, under traffic, behind an archive, without Redis.

import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Page } from 'playwright-core';
import type { Figures } from '../src/live/sampler.ts';
import { useBrowser } from './support/browser.ts';
import { asTable, count, figuresOn, part, rowsOf } from './support/dashboard.ts';
import { added, listen } from './support/listener.ts';
import { usePostgres } from './support/postgres.ts';
import { type Settings, sendTo, until, useProcesses, viewOf } from './support/process.ts';
import { startRedis } from './support/redis.ts';

const browser = useBrowser();
const postgres = usePostgres();
const processes = useProcesses();

const TRAFFIC = join(__dirname, '../dist/traffic/command.js');
const OUTCOMES = ['recorded', 'duplicate', 'erased', 'expired', 'capped'] as const;

const to = (digits: number, n: number) => n.toLocaleString('en', { maximumFractionDigits: digits });
const rate = (n: number) => to(n < 10 ? 1 : 0, n);
const ms = (n: number | null) => (n === null ? '–' : `${to(n < 100 ? 1 : 0, n)} ms`);
const bytes = (n: number) =>
  n < 1e9 ? `${to(n < 1e8 ? 1 : 0, n / 1e6)} MB` : `${to(n < 1e11 ? 1 : 0, n / 1e9)} GB`;

/** Figures as they should be written. */
function written(figures: Figures) {
  const { events, redis, refused_per_second: refused, backlog } = figures;
  const { memory_bytes: held, maxmemory_bytes: most } = redis;
  const note = (text: string | null | 0) => (text ? [text] : []);
  return {
    'Events per second': [rate(events.recorded), 'recorded'],
    'p99 of writes': [ms(figures.p99_ms), ...note(figures.p99_ms === null ? 'no writes' : null)],
    'Redis answers in': [redis.up ? ms(redis.lag_ms) : 'away'],
    'Redis memory': [
      held === null ? '–' : bytes(held),
      ...note(most && `${to(1, (100 * held!) / most)}% of ${bytes(most)}`),
    ],
    Service: [
      { ready: 'Ready', degraded: 'Degraded', unready: 'Not ready' }[figures.ready],
      ...note(figures.reason),
    ],
    'Requests per second': [rate(figures.requests_per_second)],
    'Refused per second': [
      rate(refused['429'] + refused['503']),
      `429: ${rate(refused['429'])}, 503: ${rate(refused['503'])}`,
    ],
    'Events in flight': [count(figures.events_in_flight)],
    ...(backlog && { 'Archive backlog': [count(backlog.entries), expect.any(String)] }),
    ...(backlog && { 'Put aside': [count(backlog.dead)] }),
  };
}

async function start(settings: Settings = {}) {
  const service = await processes.start(settings);
  const visitor = await browser.visitor();
  const page = await visitor.open(`http://127.0.0.1:${service.port}/#/live`);
  const { figures, leave } = await listen(service.port);
  processes.atEnd(leave);
  /** Figures that the API gave, and the page shows just them. */
  const seen = (what: string, holds: (one: Figures) => boolean) =>
    until(`the page shows ${what}`, async () => {
      const [shown, outcomes] = [await figuresOn(page), await rowsOf(part(page, 'Outcomes'))];
      const told = figures.toReversed().find((one) => holds(one) && isShown(one, shown));
      // The two were read one after the other, and a second may have ended in between.
      const expected = OUTCOMES.map((name) => [name, told ? rate(told.events[name]) : '']);
      return told && isDeepStrictEqual(outcomes, expected) ? told : undefined;
    });
  return { ...service, page, figures, seen, troubles: visitor.troubles };
}

function isShown(one: Figures, shown: Awaited<ReturnType<typeof figuresOn>>): boolean {
  try {
    expect(shown).toEqual(written(one));
    return true;
  } catch {
    return false;
  }
}

const post = (port: number, body: string) => sendTo(port, 'POST', '/v1/page', body);

const inTable = (page: Page) => asTable(page, /^Events per second/);

test('under made-up traffic each figure is what the API says, and all together what was sent', async () => {
  const { port, page, figures, seen, troubles } = await start();
  await seen('nothing, which is something', ({ events, p99_ms }) => events.recorded === 0 && p99_ms === null);
  const begin = figures.length;

  const command = [process.execPath, TRAFFIC, '--url', `http://127.0.0.1:${port}`];
  const traffic = processes.begin({}, { command: [...command, '--days', '0', '--rate', '40', '--for', '4'] });
  const [old, twice] = [{ user_id: 'a', name: 'b', timestamp: '2012-12-21T00:00:00Z' }, viewOf('a', 'e')];
  let posted = 0;
  let isSeen = false;
  const lost = seen(
    'what does not count',
    ({ events }) => events.duplicate > 0 && events.expired > 0,
  ).finally(() => {
    isSeen = true;
  });
  await seen('traffic', ({ events, p99_ms }) => events.recorded > 10 && p99_ms !== null);
  while (!isSeen) {
    const before = figures.length;
    for (const body of [twice, twice, JSON.stringify(old)]) await post(port, body);
    posted++;
    await until('another second', () => figures.length > before);
  }
  await lost;
  expect(await traffic.ended).toMatchObject({ code: 0 });
  const sent = /^live .*: ([\d,]+) recorded/m.exec(traffic.out())?.[1];
  const told = await seen(
    'that it is over',
    ({ events, p99_ms }) => events.recorded === 0 && p99_ms !== null,
  );
  expect(told).toMatchObject({ redis: { up: true }, ready: 'ready', backlog: null });
  expect(told.redis.memory_bytes).toBeGreaterThan(0);

  const sum = (of: (one: Figures) => number) => added(figures, of);
  const all = Number(sent!.replace(',', '')) + 1;
  expect(Math.abs(sum(({ events }) => events.recorded) - all)).toBeLessThan(0.03 * all); // a second is not quite one
  expect(Math.round(sum(({ events }) => events.duplicate))).toBe(2 * posted - 1);
  expect(Math.round(sum(({ events }) => events.expired))).toBe(posted);
  const rows = new Map((await inTable(page)).map(([time, ...rest]) => [time, rest]));
  for (const { at, events } of figures.slice(begin - 1, figures.indexOf(told) + 1)) {
    const lost = OUTCOMES.slice(1).reduce((sum, name) => sum + events[name], 0);
    expect([at, rows.get(`${at.slice(11, 19)} UTC`)]).toEqual([at, [rate(events.recorded), rate(lost)]]);
  }
  expect(troubles).toEqual([]);
});

test('with an archive: how much waits, until it is carried', async () => {
  const settings = { DATABASE_URL: await postgres.freshDatabase(), ARCHIVE_WORKER: 'off' };
  const { port, page, seen, troubles } = await start(settings);
  await seen('that nothing waits', ({ backlog }) => backlog?.entries === 0);
  expect(await figuresOn(page)).toMatchObject({
    'Archive backlog': ['0', expect.stringMatching(/^0 bytes of/)],
  });
  for (let i = 0; i < 12; i++) await post(port, viewOf('ann', `e${i}`));
  const waiting = await seen('what waits', ({ backlog }) => backlog?.entries === 12);
  expect(waiting.backlog!.age_seconds).toBeGreaterThanOrEqual(0);
  const note = (await figuresOn(page))['Archive backlog']![1];
  expect(note).toMatch(/^[\d.]+ (bytes|KB) of [\d.]+ MB, the oldest [\d.]+ m?s old$/);
  const worker = join(__dirname, '../dist/archive/command.js');
  processes.begin(settings, { command: [process.execPath, worker] });
  await seen('that it is carried', ({ backlog }) => backlog?.entries === 0);
  expect(troubles).toEqual([]);
});

test('Redis goes away and comes back', async () => {
  const redis = await startRedis({ tcp: true });
  processes.atEnd(() => redis.stop());
  const { page, seen, troubles } = await start({ REDIS_URL: redis.url });
  await seen('that it is ready', ({ ready }) => ready === 'ready');
  process.kill(redis.pid, 'SIGSTOP');
  const told = await seen('that it is not', ({ ready, redis }) => ready === 'unready' && !redis.up);
  expect(told.reason).toMatch(/Redis/);
  expect(await figuresOn(page)).toMatchObject({
    'Redis answers in': ['away'],
    Service: ['Not ready', told.reason],
  });
  process.kill(redis.pid, 'SIGCONT');
  await seen('that it is ready again', ({ ready, redis }) => ready === 'ready' && redis.up);
  expect(troubles).toEqual([]);
});
