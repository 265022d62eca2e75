// Row 15: workers killed, between commit and deletion and at any moment; and an entry that cannot be read.

import { setTimeout as delay } from 'node:timers/promises';
import {
  type ArchiveStand,
  beginWorker,
  concludeArchive,
  DEAD,
  drained,
  holdTable,
  OUTBOX,
  shardIsHeld,
  startArchiveStand,
  waitsForLock,
} from '../support/archiveStand.ts';
import { figure, metricsOf } from '../support/ask.ts';
import { more, strike } from '../support/faultStand.ts';
import { type Running, useLedger } from '../support/ledger.ts';
import { queryAt, usePostgres } from '../support/postgres.ts';
import { type Begun, until, useProcesses } from '../support/process.ts';
import { randomOf, seedOf } from '../support/random.ts';
import { count, long, ms } from '../support/rows.ts';

const processes = useProcesses();
const postgres = usePostgres({ durable: true, tcp: true });
const ledger = useLedger();

const RATE = 400; // events a second
const SEED = seedOf(process.env.FAULT_SEED);
const HELD = long(5, 2); // kills between commit and deletion
const KILLS = long(20, 4);
const BETWEEN = long(1000, 300); // ms
const BAD = long(10, 2); // entries
const SLOWER = 1.2;

const apart = { settings: { ARCHIVE_WORKER: 'off' } };

/** Which events stand in the outbox, as Postgres would have them. */
async function identitiesIn({ server }: ArchiveStand): Promise<string[]> {
  const entries = await server.client.xrange(OUTBOX, '-', '+');
  return entries.flatMap(([, fields]) =>
    fields.flatMap((value, i) => (i % 2 === 1 ? [`e:${JSON.parse(value).event_id}`] : [])),
  );
}

/** Kills a worker whose rows are there, and whose entries are not deleted; gives how many those were. */
async function killBetween(stand: ArchiveStand, running: Running, worker: Begun) {
  const { url, proxy, server } = stand;
  await shardIsHeld(url);
  await drained(server.client, 20_000);
  const { release } = await holdTable(processes, url, 'events');
  await waitsForLock(url);
  proxy.set('swallow'); // so that it never hears of its deletion, nor Redis
  await release();
  const both = async () => {
    const waiting = await identitiesIn(stand);
    const [found] = await queryAt<{ count: number }>(
      url,
      'SELECT count(*)::int FROM events WHERE identity = ANY ($1)',
      [waiting],
    );
    return found!.count;
  };
  const rows = await until('rows are there', both);
  const calls = await strike(running, () => worker.kill('SIGKILL'));
  await worker.ended;
  proxy.set('pass');
  return { rows, calls };
}

test('a worker killed between commit and deletion', async () => {
  const stand = await startArchiveStand(processes, ledger, postgres, apart);
  const running = stand.load({ rate: RATE });
  const settings = { ...stand.settings, REDIS_URL: stand.proxy.url, REDIS_TIMEOUT_MS: '60000' };
  const strikes: number[] = [];
  const both: number[] = [];
  for (let i = 0; i < HELD; i++) {
    const { rows, calls } = await killBetween(stand, running, beginWorker(processes, settings));
    strikes.push(calls);
    both.push(rows);
  }
  const last = beginWorker(processes, settings);
  await more(running, long(1500, 200));
  await concludeArchive('a worker killed between commit and deletion', stand, running, {
    strikes,
    held: { 'the last worker runs': last.err() === '' },
    figures: [`${both.map(count).join(', ')} events were in Postgres and in the outbox when it was killed`],
  });
});

test('one of two workers killed again and again', async () => {
  const stand = await startArchiveStand(processes, ledger, postgres, apart);
  const { settings, server, url } = stand;
  const running = stand.load({ rate: RATE });
  const random = randomOf(SEED, 15);
  const workers = [beginWorker(processes, settings)];
  await shardIsHeld(url);
  const strikes: number[] = [];
  const waited: number[] = [];
  let struck = 0;
  while (strikes.length < KILLS) {
    workers.push(beginWorker(processes, settings));
    await drained(server.client, 20_000);
    const holder = await shardIsHeld(url);
    await delay(random.from(0, BETWEEN));
    strikes.push(await strike(running, () => workers.shift()!.kill('SIGKILL')));
    waited.push(await server.client.xlen(OUTBOX));
    await until('the other one has it', async () => (await shardIsHeld(url)) !== holder, {
      within: 3000,
    }).then(
      () => struck++,
      () => undefined, // it had not been the one
    );
  }
  await more(running, 200);
  await concludeArchive(`one of two workers killed ${KILLS} times`, stand, running, {
    strikes,
    held: { 'it was the one that carries': struck > KILLS / 2 },
    figures: [
      `${struck} times it was the one that carries`,
      `${Math.min(...waited)} to ${Math.max(...waited)} entries waited then`,
    ],
  });
});

test('entries that cannot be read', async () => {
  const stand = await startArchiveStand(processes, ledger, postgres);
  const { server, service } = stand;
  const running = stand.load({ rate: RATE });
  await more(running, long(2000, 300));
  const from = performance.now();
  await more(running, long(4000, 600));
  const begun = performance.now();
  const strikes: number[] = [];
  for (let i = 0; i < BAD; i++) {
    strikes.push(await strike(running, () => server.client.xadd(OUTBOX, '*', 'event', `no JSON ${i}`)));
    await more(running, 100);
  }
  await until('all are put aside', async () => (await server.client.xlen(DEAD)) === BAD, { within: 60_000 });
  const ended = performance.now();
  const [usual, during] = [running.p99(from, begun), running.p99(begun, ended)];
  await more(running, 100);
  const dead = JSON.stringify(await server.client.xrange(DEAD, '-', '+'));
  const metrics = await metricsOf(service.port);
  const tried = BAD + figure(metrics, 'footfall_archive_retries_total');
  await concludeArchive(`${BAD} entries that can't be read`, stand, running, {
    strikes,
    held: {
      'each was tried five times': tried === 5 * BAD,
      'each is put aside once': Array.from(
        { length: BAD },
        (_, i) => dead.split(`no JSON ${i}"`).length,
      ).every((parts) => parts === 2),
      'they are counted': figure(metrics, 'footfall_archive_dead_letters_total') === BAD,
    },
    aims: { "ingest's p99 is within 20 % of its usual": during <= SLOWER * usual },
    figures: [
      `tried ${tried} times, all put aside after ${ms(ended - begun)}`,
      `p99 ${ms(usual)} before, ${ms(during)} with them`,
    ],
  });
});
