// Row 1: Redis is killed under load, and started again on its files.

import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  conclude,
  type FaultStand,
  more,
  type ServerOptions,
  servedAgain,
  startFaultStand,
  strike,
} from '../support/faultStand.ts';
import { audit, type Running, useLedger } from '../support/ledger.ts';
import { until, useProcesses } from '../support/process.ts';
import { count, long, ms, reportRow } from '../support/rows.ts';

const processes = useProcesses();
const ledger = useLedger();

const KILLS = long(3, 1);
const BETWEEN = long(800, 300); // events
const RATE = 800;
const SERVING = 1500; // ms after the port is open

type Durability = 'local' | 'disk';

const argsOf = (durability: Durability) => (durability === 'disk' ? ['--appendfsync', 'always'] : []);

const startOn = (durability: Durability, { args = [], ...options }: ServerOptions = {}) =>
  startFaultStand(processes, ledger, {
    ...options,
    args: [...argsOf(durability), ...args],
    settings: { DURABILITY: durability },
  });

/** Kills Redis and starts it again; how many calls were in flight, and when there was service again. */
async function killOnce({ server }: FaultStand, running: Running): Promise<[calls: number, ms: number]> {
  const calls = await strike(running, server.kill);
  await delay(300);
  return [calls, await servedAgain(running, await server.start())];
}

test.each<Durability>(['local', 'disk'])('Redis killed, DURABILITY=%s', async (durability) => {
  const stand = await startOn(durability);
  const running = stand.load({ rate: RATE });
  const strikes: number[] = [];
  const served: number[] = [];
  for (let i = 0; i < KILLS; i++) {
    await more(running, BETWEEN);
    const [calls, after] = await killOnce(stand, running);
    strikes.push(calls);
    served.push(after);
  }
  await more(running, BETWEEN);
  await conclude('1', `normal disk, DURABILITY=${durability}`, stand, running, {
    strikes,
    figures: [`serving again ${served.map(ms).join(', ')} after the port was open`],
    aims: { 'serving within 1.5 s of the port opening': served.every((after) => after <= SERVING) },
  });
});

const LONGEST = 2000; // ms for which Redis puts off writing to its file

const SLOW: [durability: Durability, seconds: number][] = [
  ['local', 1.5],
  ['local', 4],
  ['disk', 1.5],
  ['disk', 4],
];

// What holds fsync up is machine code.
const slowTest = process.arch === 'x64' ? test.each(SLOW) : test.skip.each(SLOW);

slowTest('Redis killed on a slow disk, DURABILITY=%s, fsync +%d s', async (durability, seconds) => {
  const disk = slowDisk(seconds * 1000);
  const stand = await startOn(durability, { env: disk.env });
  const running = stand.load({ rate: RATE });
  await more(running, long(1200, 300));
  disk.slow();
  if (durability === 'local') await untilKeptBack(stand, Math.min(1000 * seconds, LONGEST) - 300);
  else
    await until('an fsync holds calls up past their deadline', () => running.outage() >= 1200, { every: 5 });
  const calls = await strike(running, stand.server.kill);
  disk.fast();
  await delay(300);
  const after = await servedAgain(running, await stand.server.start());
  await more(running, long(1200, 300));
  await conclude('1', `fsync held up by ${seconds} s, DURABILITY=${durability}`, stand, running, {
    strikes: [calls],
    mayLose: durability === 'local' ? (LONGEST / 1000) * RATE : 0,
    figures: [`serving again ${ms(after)} after the port was open`],
    aims: { 'serving within 1.5 s of the port opening': after <= SERVING },
  });
});

/** While a background fsync is under way, Redis keeps what it acknowledges in its own memory. */
async function untilKeptBack({ server }: FaultStand, forMs: number): Promise<void> {
  const keepsBack = async () => {
    const info = await server.client.info('persistence');
    return /aof_pending_bio_fsync:[1-9]/.test(info) && /aof_buffer_length:[1-9]/.test(info);
  };
  const lasts = async () => {
    const since = performance.now();
    while (await keepsBack()) {
      if (performance.now() - since >= forMs) return true;
      await delay(10);
    }
    return false;
  };
  await until(`events are kept back for ${forMs} ms`, lasts, { within: 30_000 });
}

test('control: Redis without a file, killed', async () => {
  const { server, service, load } = await startOn('local', { args: ['--appendonly', 'no'] });
  const running = load({ rate: RATE });
  await more(running, BETWEEN);
  const calls = await strike(running, server.kill);
  await server.start();
  await more(running, BETWEEN);
  const { acknowledged } = await running.finish();
  const { lost, doubled } = await audit(running);
  reportRow(
    '1',
    'control: appendonly no',
    {
      'it loses, as expected': lost > 0,
      'nothing is doubled': doubled === 0,
      'stderr is empty': service.err() === '',
    },
    `seed ${running.options.seed}; ${calls} calls in flight; ${count(acknowledged)} events acknowledged, ${count(lost)} lost`,
  );
});

// --- A disk that is slow at will ---

/**
 * fsync of a program that is started with this in its environment takes longer while `slow` holds. No compiler is needed:
 * the library that does it is put together here.
 */
function slowDisk(delayMs: number) {
  const [library, flag] = [join(processes.dir, 'slow.so'), join(processes.dir, 'slow')];
  writeFileSync(library, slowFsync(flag, delayMs));
  return {
    env: { LD_PRELOAD: library },
    slow: () => writeFileSync(flag, ''),
    fast: () => rmSync(flag),
  };
}

/** An ELF library for Linux on x86-64 whose fdatasync sleeps first if there is a file `flag`. */
function slowFsync(flag: string, delayMs: number): Buffer {
  const HEADERS = 64 + 3 * 56;
  const strings = Buffer.from('\0fdatasync\0');
  const path = Buffer.from(`${flag}\0`);
  const pause = numbers([Math.floor(delayMs / 1000), (delayMs % 1000) * 1e6]);
  const code = Buffer.from(
    [
      '57', // push rdi
      '488d3d00000000', // lea rdi, [path]
      '31f6 b815000000 0f05', // access(path, F_OK)
      '85c0 7510', // not there: skip
      '488d3d00000000', // lea rdi, [pause]
      '31f6 b823000000 0f05', // nanosleep(pause, NULL)
      '5f b84b000000 0f05 c3', // fdatasync(fd)
    ]
      .join('')
      .replaceAll(' ', ''),
    'hex',
  );
  const at = { code: HEADERS, pause: 0, strings: 0, symbols: 0, hash: 0, dynamic: 0, path: 0, end: 0 };
  const aligned = (position: number) => Math.ceil(position / 8) * 8;
  at.pause = aligned(at.code + code.length);
  at.strings = at.pause + 16;
  at.symbols = aligned(at.strings + strings.length);
  at.hash = at.symbols + 2 * 24;
  at.dynamic = aligned(at.hash + 5 * 4);
  at.path = at.dynamic + 6 * 16;
  at.end = at.path + path.length;
  code.writeInt32LE(at.path - (at.code + 8), 4);
  code.writeInt32LE(at.pause - (at.code + 28), 24);

  const file = Buffer.alloc(at.end);
  const put = (position: number, bytes: Buffer) => void bytes.copy(file, position);
  put(0, Buffer.from('7f454c46020101', 'hex'));
  put(16, Buffer.from('03003e0001000000', 'hex')); // a shared library, x86-64
  put(32, numbers([64])); // where the program headers are
  put(52, Buffer.from('4000380003004000', 'hex')); // sizes; three of them
  const segment = (position: number, type: number, flags: number, from: number, to: number) => {
    file.writeUInt32LE(type, position);
    file.writeUInt32LE(flags, position + 4);
    put(position + 8, numbers([from, from, from, to - from, to - from, 4096]));
  };
  segment(64, 1, 7, 0, at.end); // PT_LOAD; the loader writes into the dynamic section
  segment(64 + 56, 2, 6, at.dynamic, at.path); // PT_DYNAMIC
  segment(64 + 2 * 56, 0x6474e551, 6, 0, 0); // PT_GNU_STACK: it holds no code
  put(at.code, code);
  put(at.pause, pause);
  put(at.strings, strings);
  put(at.symbols + 24, Buffer.from('0100000012000100', 'hex')); // a global function
  put(at.symbols + 32, numbers([at.code, code.length]));
  for (const [i, word] of [1, 2, 1, 0, 0].entries()) file.writeUInt32LE(word, at.hash + 4 * i);
  // DT_HASH, DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_SYMENT, the end
  put(at.dynamic, numbers([4, at.hash, 5, at.strings, 6, at.symbols, 10, strings.length, 11, 24, 0, 0]));
  put(at.path, path);
  return file;
}

/** As 64-bit words. */
function numbers(values: number[]): Buffer {
  const bytes = Buffer.alloc(8 * values.length);
  for (const [i, value] of values.entries()) bytes.writeBigUInt64LE(BigInt(value), 8 * i);
  return bytes;
}
