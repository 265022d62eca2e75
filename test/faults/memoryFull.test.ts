// Row 9: Redis has no memory left, and evicts nothing.

import { setTimeout as delay } from 'node:timers/promises';
import { ask } from '../support/ask.ts';
import { conclude, more, type Server, servedAgain, startFaultStand, strike } from '../support/faultStand.ts';
import { haveSeenAll, type LedgerOptions, useLedger } from '../support/ledger.ts';
import { MARK } from '../support/marks.ts';
import { until, useProcesses } from '../support/process.ts';
import { MB } from '../support/resident.ts';
import { count, long, ms } from '../support/rows.ts';

const processes = useProcesses();
const ledger = useLedger();

const MAXMEMORY = 64 * MB;
const [NEARLY, FULLY] = ['nearly', 'fully']; // what fills it
const EVENTS = long(1200, 200); // before and after
const FULL_FOR = long(3000, 1000);
const RECOVERED = 1000;
const GUESTS = Array.from({ length: 40 }, (_, i) => `${MARK.user}-guest-${i}`);
const GUESTS_PAGE = `${MARK.page} of guests`;

// Few users, who have all seen all of the ledger's pages before Redis is full: names that are news then are folded.
const USERS = 5;

type Heal = (redis: Server['client']) => Promise<unknown>;

const RUNS: [what: string, load: Partial<LedgerOptions>, heal: Heal][] = [
  ['single requests, maxmemory raised', {}, (redis) => redis.config('SET', 'maxmemory', 4 * MAXMEMORY)],
  ['batches of 5, room made', { rate: 2000, batch: 5 }, (redis) => redis.del(NEARLY, FULLY)],
];

/** Makes Redis hold nearly all that it may. */
async function fillNearly({ client }: Server): Promise<void> {
  const piece = 'x'.repeat(MB / 16);
  const used = async () => Number(/^used_memory:(\d+)/m.exec(await client.info('memory'))?.[1]);
  while ((await used()) < 0.93 * MAXMEMORY) await client.rpush(NEARLY, piece);
}

/** One command may take more than there is: it is the last one. */
const fill = ({ client }: Server) => client.setrange(FULLY, MAXMEMORY / 4, 'x');

const view = (user_id: string, name = GUESTS_PAGE) => ({ user_id, name });
const send = (port: number, user: string) => ask(port, '/v1/page', { body: JSON.stringify(view(user)) });
const codeOf = ({ text }: { text: string }): string => JSON.parse(text).code;

/** Every kind of read, of those who are not erased. */
const READS = [
  `/v1/user/${GUESTS[0]}`,
  `/v1/user/${GUESTS[0]}/days`,
  `/v1/page/visitors?name=${encodeURIComponent(GUESTS_PAGE)}`,
  '/v1/user/uniques/daily',
  `/v1/site/${MARK.site}/report`,
];

async function statusesOf(port: number, paths: string[], method = 'GET'): Promise<number[]> {
  const today = new Date().toISOString().slice(0, 10);
  const whole = (path: string) => (path.endsWith('daily') ? `${path}?date=${today}` : path);
  const answers = await Promise.all(paths.map((path) => ask(port, whole(path), { method })));
  return answers.map(({ status }) => status);
}

test.each(RUNS)('Redis full under %s', async (what, load, heal) => {
  const stand = await startFaultStand(processes, ledger, { args: ['--maxmemory', String(MAXMEMORY)] });
  const { server, service } = stand;
  const { port } = service;
  await ask(port, '/v1/pages', { body: JSON.stringify(GUESTS.map((guest) => view(guest))) });
  const running = stand.load({ users: USERS, ...load });
  await more(running, EVENTS);
  await until('all users have seen all pages', () => haveSeenAll(running));

  await fillNearly(server);
  const stranger = await until('strangers are refused', async () => {
    const answer = await send(port, `${MARK.user}-stranger-${Math.random()}`);
    return answer.status === 202 ? undefined : answer;
  });
  const known = (await send(port, GUESTS[1]!)).status;

  const calls = await strike(running, () => fill(server));
  await delay(300);
  const acknowledged = running.acknowledged();
  const write = await send(port, GUESTS[1]!);
  const reads: number[] = [];
  const erasures: number[] = [];
  const erased = GUESTS.slice(GUESTS.length / 2);
  const since = performance.now();
  const left = [...erased];
  while (performance.now() - since < FULL_FOR || left.length > 0) {
    const guests = left.splice(0, 2).map((guest) => `/v1/user/${guest}`);
    reads.push(...(await statusesOf(port, READS)));
    erasures.push(...(await statusesOf(port, guests, 'DELETE')));
    await delay(20);
  }
  const refusedAll = running.acknowledged() === acknowledged;

  const healed = performance.now();
  await heal(server.client);
  const served = await servedAgain(running, healed);
  await until('strangers may come', async () => (await send(port, `${MARK.user}-new`)).status === 202);
  const open = performance.now() - healed;
  await more(running, EVENTS);
  await server.client.del(NEARLY, FULLY);
  const evicted = Number(/^evicted_keys:(\d+)/m.exec(await server.client.info('stats'))?.[1]);
  const { text } = await ask(port, '/v1/users/profiles', { body: JSON.stringify({ user_ids: GUESTS }) });
  const views: number[] = JSON.parse(text).profiles.map(
    (profile: Record<string, number>) => profile.number_pages_viewed_in_the_last_7_days,
  );
  await conclude('9', what, stand, running, {
    strikes: [calls],
    held: {
      'nearly full, strangers are refused and known users count':
        stranger.status === 503 && codeOf(stranger) === 'store_full' && known === 202,
      'full, no write is acknowledged': refusedAll,
      'full, a write is 503 with Retry-After':
        write.status === 503 && /^[1-9]\d*$/.test(write.headers['retry-after'] ?? ''),
      'full, reads are 200': reads.every((status) => status === 200),
      'full, erasures are 200': erasures.length > 0 && erasures.every((status) => status === 200),
      'those who were erased are gone, the others are there':
        views.slice(erased.length).every((n) => n === 0) &&
        views.slice(0, erased.length).every((n, i) => n === (i === 1 ? 2 : 1)),
      'nothing is evicted': evicted === 0,
    },
    figures: [
      `full for ${ms(healed - since)}: ${count(reads.length)} reads and ${erasures.length} erasures were 200`,
      `${evicted} keys evicted`,
      `serving again ${ms(served)} after there was room, strangers ${ms(open)}`,
    ],
    aims: { 'serving within 1 s of there being room': served <= RECOVERED },
  });
});
