// Row 20: clients that take their time, so that they hold what others need.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { shownStatuses, timesOf, useFloods } from '../support/flood.ts';
import { address, KEYS, MARK } from '../support/marks.ts';
import { until, useProcesses } from '../support/process.ts';
import { highest, MB, openFilesOf, residentOf, watchResident } from '../support/resident.ts';
import { count, long, measured, ms, reportRow } from '../support/rows.ts';
import { startStand } from '../support/stand.ts';

const processes = useProcesses();
const startFlood = useFloods();

// The defaults; the short run has shorter ones. The longest is the keep-alive, which is not abuse.
const LIMITS = long(
  { headers: 5000, request: 15_000, keepAlive: 5000 },
  { headers: 1500, request: 3000, keepAlive: 2000 },
);
const SPARE = 1000; // within which the service must notice
const STEP = 200; // between two bytes

const body = JSON.stringify({ user_id: `${MARK.user}-slow`, name: `${MARK.page} slow` });
const head = `POST /v1/page HTTP/1.1\r\nHost: x\r\nX-Api-Key: ${KEYS.write}\r\nContent-Type: application/json\r\nContent-Length: ${body.length + 1000}\r\n\r\n`;

interface Way {
  what: string;
  limit: number;
  /** What it says at once, and what a byte at a time. */
  first: string;
  drip: string;
}

const WAYS: Way[] = [
  { what: 'says nothing', limit: LIMITS.headers, first: '', drip: '' },
  { what: 'half a head, then silence', limit: LIMITS.headers, first: head.slice(0, 60), drip: '' },
  {
    what: 'a head byte by byte',
    limit: LIMITS.headers,
    first: '',
    drip: `GET /livez HTTP/1.1\r\nX: ${'x'.repeat(500)}`,
  },
  {
    what: 'headers without end',
    limit: LIMITS.headers,
    first: 'GET /livez HTTP/1.1\r\n',
    drip: 'X: y\r\n'.repeat(100),
  },
  { what: 'half a body, then silence', limit: LIMITS.request, first: head + body, drip: '' },
  { what: 'a body byte by byte', limit: LIMITS.request, first: head, drip: body + ' '.repeat(999) },
  {
    what: 'one request, then silence',
    limit: LIMITS.keepAlive + 1000, // Node keeps it a second longer than it says
    first: 'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n',
    drip: '',
  },
  {
    what: 'a second head byte by byte',
    limit: LIMITS.headers,
    first: 'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n',
    drip: `GET /livez HTTP/1.1\r\nX: ${'x'.repeat(500)}`,
  },
];

/** Opens so many, and gives how long each stayed open, ms. */
async function slowly(port: number, { first, drip }: Way, number: number, from: string): Promise<number[]> {
  const sockets: Socket[] = [];
  const stays = Array.from({ length: number }, async () => {
    await delay(Math.random() * 1000); // all at once would be another attack
    const socket = connect({ port, host: '127.0.0.1', localAddress: from, noDelay: true });
    sockets.push(socket);
    socket.on('error', () => undefined).resume();
    await once(socket, 'connect');
    const since = performance.now();
    socket.write(first);
    let at = 0;
    const timer = setInterval(() => {
      if (at < drip.length) socket.write(drip[at++]!);
    }, STEP);
    await new Promise((resolve) => socket.once('close', resolve));
    clearInterval(timer);
    return performance.now() - since;
  });
  processes.atEnd(() => sockets.map((socket) => socket.destroy()));
  const late = delay(Math.max(...Object.values(LIMITS)) + 10_000).then(() => [Number.POSITIVE_INFINITY]);
  return Promise.race([Promise.all(stays), late]);
}

const OTHERS = { connections: 100, rate: 300, from: [address(3)] };

test('slow clients are closed in time, and slow nobody', async () => {
  const { port, pids, lookBack } = await startStand(processes, {
    settings: {
      HEADERS_TIMEOUT_MS: String(LIMITS.headers),
      REQUEST_TIMEOUT_MS: String(LIMITS.request),
      KEEP_ALIVE_MS: String(LIMITS.keepAlive),
      LIMIT_NEW_USERS: '0',
    },
  });
  const light = await startFlood();
  const number = Math.ceil(500 / WAYS.length);
  const files = openFilesOf(pids()[0]!);
  const others = (seconds: number) => light.run({ kind: 'views', port, seconds, ...OTHERS });

  const one = await measured(
    async () => {
      const normal = timesOf(await others(long(5, 2)), 202);
      const [stays, beside] = await Promise.all([
        Promise.all(WAYS.map((way, i) => slowly(port, way, number, address(10 + i)))),
        others(LIMITS.request / 1000),
      ]);
      return { normal, beside, p99: timesOf(beside, 202).p99, stays };
    },
    ({ normal, p99 }) => p99 <= 2 * normal.p99,
  );
  const late = WAYS.map(({ limit }, i) => Math.max(...one.stays[i]!) - limit);
  for (const [i, { what, limit }] of WAYS.entries()) {
    process.stdout.write(`  ${what}: closed after ${ms(Math.max(...one.stays[i]!))}, limit ${ms(limit)}\n`);
  }
  const left = openFilesOf(pids()[0]!) - files;
  reportRow(
    '20',
    `${number * WAYS.length} sockets, ${WAYS.length} ways`,
    {
      'closed within the limit and a second': Math.max(...late) <= SPARE,
      'others are all answered 202':
        Object.keys(one.beside.statuses).join() === '202' && one.beside.lost === 0,
      'no socket is left': left <= OTHERS.connections,
    },
    `closed ${ms(Math.max(...late))} after their limits at most; others' p99 ${ms(one.p99)}, normal ${ms(one.normal.p99)} (${shownStatuses(one.beside)})`,
    { "others' p99 is at most twice its normal": one.p99 <= 2 * one.normal.p99 },
  );
  await lookBack('20');
});

test('slow clients do not take the room of others', async () => {
  const settings = {
    ...{ MAX_REQUESTS: '400', LIMIT_NEW_USERS: '0' },
    ...{ HEADERS_TIMEOUT_MS: '2000', REQUEST_TIMEOUT_MS: '4000' },
  };
  const { port, lookBack } = await startStand(processes, { settings });
  const light = await startFlood();
  const way = { what: '', limit: 4000, first: head + body, drip: '' };
  const [, beside] = await Promise.all([
    slowly(port, way, 500, address(10)),
    delay(500).then(() => light.run({ kind: 'views', port, seconds: 3, ...OTHERS })),
  ]);
  reportRow(
    '20',
    '500 half bodies from one address, MAX_REQUESTS=400',
    { 'others are all answered 202': Object.keys(beside.statuses).join() === '202' },
    `others beside them: ${shownStatuses(beside)}`,
  );
  await lookBack('20');
});

test('who reads no answers is closed, and fills no memory', async () => {
  const settings = {
    ...{ HEADERS_TIMEOUT_MS: '2000', REQUEST_TIMEOUT_MS: '2000', KEEP_ALIVE_MS: '2000' },
    ...{ LIMIT_ADDRESS: '0' },
  };
  const { port, service, lookBack } = await startStand(processes, { settings });
  const bad = `[${'0,'.repeat(999)}0]`; // each of a thousand is named in the answer
  const ask = `POST /v1/pages HTTP/1.1\r\nHost: x\r\nX-Api-Key: ${KEYS.write}\r\nContent-Type: application/json\r\nContent-Length: ${bad.length}\r\n\r\n${bad}`;
  const files = () => openFilesOf(service.pid);
  const before = { files: files(), mb: residentOf(service.pid) / MB };
  const memory = watchResident(() => [service.pid]);
  const number = long(50, 20);
  for (let i = 0; i < number; i++) {
    const socket = connect({ port, host: '127.0.0.1', localAddress: address(10) });
    processes.atEnd(() => socket.destroy());
    socket.on('error', () => undefined).pause();
    for (let j = 0; j < 100; j++) socket.write(ask); // their answers are 8 MB
  }
  // The first may be closed before the last is accepted.
  await until('many are open', () => files() >= before.files + number / 2, { within: 20_000 });
  const since = performance.now();
  // Who does not read does not hear of the end, either: it is the service that is asked.
  await until('they are closed', () => files() <= before.files, { within: 20_000 }).catch(() => undefined);
  const stayed = performance.now() - since;
  memory.stop();
  const after = highest(memory.samples);
  reportRow(
    '20',
    `${number} sockets that read any of 8 MB`,
    {
      'closed within the limit and a second': stayed <= 4000 + 4000 + SPARE, // the limit counts from the last that was sent
      'memory is bounded': after - before.mb < 200,
    },
    `closed after ${ms(stayed)}, limit ${ms(4000)} without a byte; memory ${count(before.mb)} to ${count(after)} MB`,
  );
  await lookBack('20');
});
