// Footfall against bare node:http, Express and Fastify, its archive against a queue, and how its cost grows: `npm run bench`.
//   -- --quick   about two minutes, for every change: 32 connections, few rounds, no million users
//   -- --store   only how the cost grows
// Figures go to bench/results/, a full run also draws docs/bench.svg.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { measureArchive } from './archive.mjs';
import { startDatabase } from './archived.mjs';
import { measureBatches } from './batches.mjs';
import { chartOf } from './chart.mjs';
import { checksOf } from './checks.mjs';
import { measureDurability } from './durability.mjs';
import { machineOf } from './machine.mjs';
import { endAll, startNode, temporaryFolder } from './processes.mjs';
import { print, say } from './progress.mjs';
import { startRedis } from './redis.mjs';
import { SERVERS, startServer } from './servers.mjs';
import { measureEvents, measureReads } from './singles.mjs';
import { measureStore } from './store.mjs';
import {
  archiveTables,
  batchesTable,
  checksTable,
  durabilityTable,
  singlesTables,
  storeTables,
} from './table.mjs';

const quick = process.argv.includes('--quick');
const storeOnly = process.argv.includes('--store');

/** How many requests a measurement makes, by connections. */
const PLAN = quick
  ? {
      rounds: 3,
      connections: [32],
      warmUp: 3000,
      events: { 32: 8000 },
      reads: { 32: 5000 },
      readers: 5000,
      batches: 30,
      archived: { batches: 40, singles: 20_000, jobs: 5000 },
    }
  : {
      rounds: 5,
      connections: [1, 32, 256],
      warmUp: 10_000,
      events: { 1: 5000, 32: 40_000, 256: 40_000 },
      reads: { 1: 5000, 32: 30_000, 256: 30_000 },
      readers: 20_000,
      batches: 120,
      archived: { batches: 200, singles: 100_000, jobs: 20_000 },
    };

const RESULTS = join(import.meta.dirname, 'results');
const CHART = join(import.meta.dirname, '../docs/bench.svg');
const DAY = 24 * 60 * 60 * 1000;

async function main() {
  const results = { quick };
  if (!storeOnly) await measureServers(results);
  results.store = await measureStore({ quick, say });
  results.machine ??= machineOf(results.store.redis);
  print(storeTables(results.store));

  results.checks = checksOf(results);
  print(checksTable(results.checks));
  mkdirSync(RESULTS, { recursive: true });
  const { date, commit } = results.machine;
  const words = [date.slice(0, 16).replace(':', ''), commit, storeOnly && 'store', quick && 'quick'];
  const name = words.filter(Boolean).join('-');
  write(join(RESULTS, `${name}.json`), `${JSON.stringify(results, null, 2)}\n`);
  if (!storeOnly) write(quick ? join(RESULTS, `${name}.svg`) : CHART, chartOf(results));
}

async function measureServers(results) {
  const folder = temporaryFolder();
  const redis = await startRedis();
  const load = startNode('load.mjs', { folder });
  await load.answer('ready');
  const today = Math.floor(Date.now() / DAY) * DAY;
  say('starting Postgres');
  const database = await startDatabase(today);
  const bench = {
    redis,
    database,
    load,
    folder,
    say,
    today,
    servers: [],
    found: { accepted: 0, stored: 0, archivable: 0, archived: 0 },
  };
  for (const server of SERVERS) {
    say(`starting ${server.title}`);
    bench.servers.push(await startServer(server, redis, folder, database));
  }
  results.machine = machineOf(redis, database);
  const { cpu, cores, node, flags, redis: version, postgres } = results.machine;
  print(
    `${cores} × ${cpu}, Node ${[node, ...flags].join(' ')}, Redis ${version}, Postgres ${postgres}. CPU in µs for one of what is counted.`,
  );

  results.events = await measureEvents(bench, PLAN);
  print(singlesTables('Page views', results.events, 'events'));
  results.reads = await measureReads(bench, PLAN);
  print(singlesTables('Profiles of three active days', results.reads, 'reads'));
  results.batches = await measureBatches(bench, PLAN);
  print(
    results.batches
      ? batchesTable(results.batches)
      : 'Batches: skipped, this Footfall answers POST /v1/pages with 404',
  );
  results.durability = await measureDurability(bench, PLAN);
  print(durabilityTable(results.durability));
  results.archive = await measureArchive(bench, PLAN);
  print(archiveTables(results.events, results.archive));
  results.found = bench.found;
  const { accepted, stored, archivable, archived } = bench.found;
  print(
    `${accepted.toLocaleString('en')} events were accepted, and profiles show ${stored.toLocaleString('en')} views;
${archivable.toLocaleString('en')} were to get to Postgres, and it had ${archived.toLocaleString('en')} rows of them`,
  );
  await endAll(); // the second part has its own Redis, and the machine to itself
}

function write(path, content) {
  writeFileSync(path, content);
  process.stdout.write(`${path}\n`);
}

let ending = false;
async function end(code) {
  if (ending) return;
  ending = true;
  await endAll().catch(() => undefined);
  process.exit(code);
}

process.on('SIGINT', () => end(130));
process.on('SIGTERM', () => end(143));
process.on('SIGHUP', () => end(129));

try {
  await main();
  await end(0);
} catch (error) {
  if (!ending) process.stderr.write(`\n${error.stack}\n`);
  await end(1);
}
