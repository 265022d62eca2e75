// Postgres away under load, for a while: rows 15 of docs/faults.md.

import { setTimeout as delay } from 'node:timers/promises';
import {
  type ArchiveStand,
  concludeArchive,
  drained,
  OUTBOX,
  startArchiveStand,
  watchReadiness,
} from './archiveStand.ts';
import { more, strike } from './faultStand.ts';
import type { Ledger } from './ledger.ts';
import type { usePostgres } from './postgres.ts';
import type { Processes } from './process.ts';
import { count, long, ms } from './rows.ts';

const RATE = 400; // events a second
const WARM = long(2000, 200); // events
const USUAL = long(20_000, 2000); // ms under load before it goes away
const SLOWER = 1.2; // p99 of ingest
const MUCH = 50; // entries that wait

export interface Outage {
  fault: string;
  forMs: number;
  begin(stand: ArchiveStand): unknown;
  end(stand: ArchiveStand): unknown;
  /** A proxy stands before Postgres. */
  cutOff?: boolean;
}

export async function outage(
  processes: Processes,
  ledger: Ledger,
  postgres: ReturnType<typeof usePostgres>,
  { fault, forMs, begin, end, cutOff = false }: Outage,
): Promise<void> {
  const stand = await startArchiveStand(processes, ledger, postgres, { cutOff });
  const { server, service } = stand;
  const running = stand.load({ rate: RATE });
  await more(running, WARM);
  const from = performance.now();
  await delay(USUAL);
  const readiness = watchReadiness(processes, service);
  let gone = 0;
  const calls = await strike(running, async () => {
    gone = performance.now();
    await begin(stand);
  });
  await delay(forMs);
  const waiting = await server.client.xlen(OUTBOX);
  const back = performance.now();
  await end(stand);
  const took = performance.now() - gone;
  const drain = await drained(server.client, 2 * took + 30_000);
  const healed = performance.now();
  const p99s = [running.p99(from, gone), running.p99(gone, back), running.p99(back, healed)];
  const [usual, during, draining] = p99s as [number, number, number];
  await more(running, 100);
  const said = readiness.stop();
  await concludeArchive(`${fault} for ${forMs / 1000} s`, stand, running, {
    strikes: [calls],
    held: {
      'it is ready all the time': said.length === 1 && said[0] === 'ready',
      'much waited': waiting > MUCH,
    },
    aims: {
      "ingest's p99 is within 20 % of its usual": during <= SLOWER * usual,
      'the backlog drains in at most twice the outage': drain <= 2 * took,
    },
    figures: [
      `p99 ${ms(usual)} before, ${ms(during)} without Postgres, ${ms(draining)} while it drains`,
      `${count(waiting)} entries waited, drained in ${ms(drain)} after ${ms(took)}`,
    ],
  });
}
