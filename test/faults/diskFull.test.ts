// Row 11: the disk under Redis's append-only file is full.

import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ask } from '../support/ask.ts';
import { conclude, more, ready, servedAgain, startFaultStand, strike } from '../support/faultStand.ts';
import { audit, type LedgerOptions, useLedger } from '../support/ledger.ts';
import { MARK } from '../support/marks.ts';
import { isGone, until, useProcesses } from '../support/process.ts';
import { count, long, ms, reportRow } from '../support/rows.ts';

const processes = useProcesses();
const ledger = useLedger();

const SIZE = '24m';
const EVENTS = long(1200, 200); // before and after
const FULL_FOR = long(3000, 1000);
const GUEST = `${MARK.user}-guest`;

const LOADS: [what: string, load: Partial<LedgerOptions>][] = [
  ['single requests', {}],
  ['batches of 5', { rate: 2000, batch: 5 }],
];

interface Disk {
  dir: string;
  fill(): void;
  free(): void;
}

/** A small disk of the test's own; undefined where one may not mount. */
function mountDisk(): Disk | undefined {
  const dir = join(processes.dir, 'disk');
  mkdirSync(dir);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'footfall-test', dir], { stdio: 'ignore' });
  } catch {
    process.stdout.write('row 11: skipped, since this user may not mount a tmpfs\n');
    return undefined;
  }
  processes.atEnd(() => execFileSync('umount', ['--lazy', dir]));
  const ballast = join(dir, 'ballast');
  return {
    dir,
    fill() {
      const file = openSync(ballast, 'w');
      for (const size of [65_536, 4096, 1]) {
        const piece = Buffer.alloc(size);
        try {
          for (;;) writeSync(file, piece);
        } catch {
          // full, for pieces of this size
        }
      }
      closeSync(file);
    },
    free: () => rmSync(ballast),
  };
}

test.each(LOADS)('DURABILITY=local, %s', async (what, load) => {
  const disk = mountDisk();
  if (!disk) return;
  const stand = await startFaultStand(processes, ledger, { args: ['--dir', disk.dir] });
  const { server, service } = stand;
  const { port } = service;
  const read = () => ask(port, `/v1/user/${GUEST}`);
  await ask(port, '/v1/page', { body: JSON.stringify({ user_id: GUEST, name: MARK.page }) });
  const running = stand.load(load);
  await more(running, EVENTS);

  const calls = await strike(running, disk.fill);
  await until('Redis has noticed', async () =>
    /aof_last_write_status:err/.test(await server.client.info('persistence')),
  );
  await delay(300);
  const acknowledged = running.acknowledged();
  const reads: number[] = [];
  const since = performance.now();
  while (performance.now() - since < FULL_FOR) {
    reads.push((await read()).status);
    await delay(5);
  }
  const erasure = (await ask(port, `/v1/user/${GUEST}`, { method: 'DELETE' })).status;
  const refusedAll = running.acknowledged() === acknowledged;
  const freed = performance.now();
  disk.free();
  const served = await servedAgain(running, freed);
  await more(running, EVENTS);
  await conclude('11', `DURABILITY=local, ${what}`, stand, running, {
    strikes: [calls],
    held: {
      'full, no write is acknowledged': refusedAll,
      'full, reads are 200': reads.every((status) => status === 200),
      'full, an erasure is 503': erasure === 503,
    },
    figures: [
      `full for ${ms(freed - since)}: ${count(reads.length)} reads were 200, an erasure ${erasure}`,
      `serving again ${ms(served)} after there was room`,
    ],
    aims: { 'serving within 2 s of there being room': served <= 2000 },
  });

  // What was acknowledged is in the file, too.
  await server.kill();
  await server.start();
  await ready(service);
  const { lost, doubled, visitorsOff } = await audit(running);
  reportRow(
    '11',
    `DURABILITY=local, ${what}, Redis killed afterwards`,
    { 'nothing is lost': lost === 0, 'nothing is doubled': doubled + visitorsOff === 0 },
    `${lost} lost, ${doubled} doubled`,
  );
});

test.each(LOADS)('DURABILITY=disk, %s', async (what, load) => {
  const disk = mountDisk();
  if (!disk) return;
  const stand = await startFaultStand(processes, ledger, {
    args: ['--dir', disk.dir, '--appendfsync', 'always'],
    settings: { DURABILITY: 'disk' },
  });
  const { server } = stand;
  const running = stand.load(load);
  await more(running, EVENTS);
  const calls = await strike(running, disk.fill);
  const since = performance.now();
  await until('Redis has ended', () => isGone(server.pid()), { every: 1 });
  const endedAfter = performance.now() - since;
  await delay(300);
  disk.free();
  const served = await servedAgain(running, await server.start());
  await more(running, EVENTS);
  await conclude('11', `DURABILITY=disk, ${what}`, stand, running, {
    strikes: [calls],
    figures: [
      `Redis ended by itself after ${ms(endedAfter)}`,
      `serving again ${ms(served)} after the port was open`,
    ],
    aims: { 'serving within 1.5 s of the port opening': served <= 1500 },
  });
});
