// `npm run test:faults`: makes the faults of docs/faults.md and writes there what came of them. Arguments go to Jest:
// `npm run test:faults -- overload` makes those of one file. `--short` has less load and writes nothing.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { folderOf } from './ensure.mjs';

const RESULTS = 'test/faults/results.json';
const PAGE = 'docs/faults.md';

/** Row, fault, what must hold. */
const ROWS = [
  [
    '1',
    'Redis killed (-9) under load and restarted on its files; the same with a slow disk (fsync held up)',
    '`DURABILITY=disk`: exact. `local`: exact on a normal disk; on a slow one at most 2 s of traffic. Nothing but 202, 429 and 503; serving again within 1.5 s of the port opening',
  ],
  ['2', 'Footfall killed (-9) under load', 'exact after retries: acknowledged means stored'],
  [
    '3',
    'Redis ran the call, the reply is lost',
    '503 within the deadline; the retry says `duplicate`; counted once',
  ],
  [
    '4',
    'Redis asleep (SIGSTOP) for 5 s',
    'every request is answered within its deadline; memory stays flat; exact',
  ],
  ['5', 'Redis away at start', 'alive, not ready; ready within 2 s of Redis; no crash'],
  [
    '6',
    'a connection that swallows everything for a minute; one that resets every 300 ms',
    'no hang, no unhandled rejection, no leaked socket; exact',
  ],
  ['7', '`SCRIPT FLUSH` every 50 ms', 'no failure; exact'],
  ['8', "Redis busy in somebody's endless script", '503 within the deadline; recovery after `SCRIPT KILL`'],
  [
    '9',
    'Redis out of memory (`noeviction`)',
    'writes 503, reads and erasures 200; recovery within 1 s; nothing evicted',
  ],
  ['10', 'the wrong eviction policy', 'not ready, and the log says which command mends it'],
  [
    '11',
    'disk full under the append-only file',
    '`local`: writes 503, reads 200, recovers by itself, exact. `disk`: Redis stops; restarted, exact',
  ],
  [
    '12',
    'Sentinel (3, one master, two replicas): master killed; master asleep for 6.5 s; planned failover by the runbook',
    'outage of at most 5 s, 5 s and the timeout, 2 s; nothing doubled; nothing seen lost (what was not yet replicated may go); `DURABILITY=replica`: exact',
  ],
  [
    '13',
    'Cluster (3 and 3): a primary killed; asleep; manual failover; rolling restart',
    'other slots go on; back within the node timeout and 3 s; else as row 12',
  ],
  ['14', 'Cluster: 2,500 slots moved and moved back under load', 'no request fails; exact'],
  [
    '15',
    'the archive: Postgres away for a minute under load (killed, asleep, cut off, until the outbox is full); workers killed, some between commit and deletion; entries that cannot be read',
    "ingest does not notice, its p99 is within 20 % of its usual; the backlog drains in at most twice the outage; every event is in Postgres once; what can't be read ends in a dead-letter stream",
  ],
  [
    '16',
    'a key of another type planted under one user: each kind of key, at each place of a group of events',
    '500 for that event alone; the others of the group are whole; erasure repairs it',
  ],
  ['17', 'SIGTERM under load', 'no request dropped; exit 0 within the deadline; exact'],
  [
    '18',
    'an erasure against 50 concurrent writers and late retries; in the archive, against a worker that sleeps on a batch from before',
    'once answered, nothing at or before `erased_at` is visible again; once `done`, nothing of it is in Postgres again',
  ],
  [
    '18b',
    'one public write key that invents users and page names as fast as it can',
    'memory stays bounded, known users go on counting, other clients are not hurt',
  ],
  [
    '19',
    'one user with 20,000 events a second, then 100,000 page names',
    "the others' p99 within twice its normal; that user's memory bounded; the profile reads in under 50 ms",
  ],
  [
    '20',
    'slow clients: headers, bodies, silence, 500 sockets',
    'closed within the limit and a second; others not slowed',
  ],
  [
    '21',
    '10 MB bodies, a gzip bomb, JSON 50,000 levels deep',
    '413 or 400; no 500; the event loop is not held for 50 ms',
  ],
  [
    '22',
    'hostile ids: `__proto__`, `*`, `a:b`, `{0}`, emoji, right-to-left, lone surrogates, NUL, …',
    'stored and returned as sent, or 400; two ids never share a key; erasing `*` deletes nobody else',
  ],
  [
    '23',
    'three times the load that it can carry, for a minute',
    '80 % of the best throughput goes on; refusals are quick; memory flat; normal within 5 s',
  ],
  ['24', 'every key, after the faults above', 'has a TTL (but the outbox and `ff:meta`)'],
  ['25', 'logs and metrics after the faults above', 'no user id, key, page name or address in any'],
  [
    'fuzz',
    'random requests over all routes, methods, types, headers and bodies',
    'no 500, no crash, no hang, no key without TTL, memory flat',
  ],
  [
    'upgrade',
    'a rolling upgrade: two versions of the scripts at once, `SCRIPT FLUSH`, every node restarted in turn',
    'exact; on one Redis no request is refused',
  ],
  ['soak', 'ten minutes of random faults', 'nothing lost, nothing doubled, memory and descriptors flat'],
];

const isShort = process.argv.includes('--short');
const postgres = join(await folderOf('postgres'), 'postgres');
const folder = mkdtempSync(join(tmpdir(), 'footfall-faults-'));
const reports = join(folder, 'reports');
writeFileSync(reports, '');
const { status } = spawnSync(
  process.execPath,
  [
    'node_modules/jest/bin/jest.js',
    ...['--config', 'jest.faults.config.mjs', '--forceExit'], // a load that is late holds nothing up
    ...process.argv.slice(2).filter((argument) => argument !== '--short'),
  ],
  {
    stdio: 'inherit',
    env: { ...process.env, FAULTS_REPORTS: reports, ...(!isShort && { FAULTS_LONG: '1' }) },
  },
);
const found = readFileSync(reports, 'utf8')
  .split('\n')
  .filter(Boolean)
  .map((line) => JSON.parse(line));
rmSync(folder, { recursive: true });
const bad = found.filter(({ amiss }) => amiss.length > 0);
const missed = found.filter((report) => report.missed.length > 0);
console.log(`${found.length} reports: ${bad.length} do not hold, ${missed.length} missed an aim`);
if (!isShort && found.length > 0) keep(found);
process.exitCode = status ?? 1;

/** What was measured now takes the place of what was known of the same fault of the same row. */
function keep(found) {
  const before = JSON.parse(readFileSync(RESULTS, 'utf8'));
  const measuredNow = new Set(found.map(({ row }) => row));
  const date = new Date().toISOString().slice(0, 10);
  const versions = `Node ${process.versions.node}, Redis ${versionOf('redis-server', /v=([\d.]+)/)}, Postgres ${versionOf(postgres, /\) ([\d.]+)/)}, Linux ${release().split('-')[0]}, ${availableParallelism()} cores`;
  const whole = process.argv.length === 2;
  const stays = before.filter(({ row, fault }) =>
    whole
      ? !measuredNow.has(row)
      : !found.some((report) => report.row === row && nameOf(report.fault) === nameOf(fault)),
  );
  const all = [...stays, ...found.map((report) => ({ ...report, date, versions }))];
  const place = ({ row }) => ROWS.findIndex(([name]) => name === row);
  all.sort((a, b) => place(a) - place(b));
  writeFileSync(RESULTS, `${JSON.stringify(all, null, 1)}\n`);
  writeFileSync(PAGE, pageOf(all));
}

/** Without its seed, which is another each time. */
function nameOf(fault) {
  return fault.replace(/seed \d+/, 'seed');
}

function versionOf(program, pattern) {
  return pattern.exec(execFileSync(program, ['--version'], { encoding: 'utf8' }))?.[1] ?? 'unknown';
}

function pageOf(all) {
  const lines = [
    '# Faults and abuse: what holds',
    '',
    'Each fault is made for real, on loopback, against the built service and a Redis of its own; `npm run test:faults` makes them',
    'and writes this page. **Lost** is what was acknowledged and is not stored, **doubled** what counts more than once; "exact" is',
    '0 of both. What is about time is an aim: on a machine that others use it may be missed, which is said then, and fails no test.',
    '',
  ];
  for (const [row, fault, holds] of ROWS) {
    const reports = all.filter((report) => report.row === row);
    lines.push(`## ${row}: ${fault}`, '', `Must hold: ${holds}.`, '');
    if (reports.length === 0) lines.push('Not measured yet.', '');
    for (const { fault, figure, amiss, missed } of reports) {
      const verdict =
        amiss.length > 0
          ? `**does not hold: ${amiss.join('; ')}**`
          : missed.length > 0
            ? `holds, but missed: ${missed.join('; ')}`
            : 'holds';
      lines.push(`- ${fault && `*${fault}*: `}${figure}. → ${verdict}`);
    }
    if (reports.length > 0)
      lines.push(
        '',
        `${[...new Set(reports.map(({ date, versions }) => `${date}; ${versions}`))].join(' · ')}.`,
        '',
      );
  }
  return `${lines.join('\n').trimEnd()}\n`;
}
