// What the store costs: Redis's CPU per event and per read, bytes per user and day, and whether a read and an erasure
// stay as quick among a million users as among a thousand. `npm run bench`; `-- --quick` leaves the million out.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../dist/config.js';
import { createMetrics } from '../dist/metrics.js';
import { connectRedis } from '../dist/redis/connect.js';
import { createServices } from '../dist/services.js';
import { DAY } from '../dist/time.js';

const GROUP = 32; // events under way at once, as from 32 connections
const NOW = Date.parse('2026-11-21T12:00:00Z');
const PAGES = 53;
const quick = process.argv.includes('--quick');

const dir = mkdtempSync(join(tmpdir(), 'ff-bench-'));
const socket = join(dir, 'redis.sock');
const server = spawn(
  'redis-server',
  ['--port', '0', '--unixsocket', socket, '--dir', dir, '--save', '', '--appendonly', 'yes'],
  { stdio: 'ignore' },
);
const redis = connectRedis({ url: `unix://${socket}`, timeoutMs: 60_000 });
redis.on('error', () => undefined);
const ready = new Promise((resolve) => redis.once('ready', resolve));
redis.connect().catch(() => undefined);
await ready;

const { recorder, profiles, eraser } = createServices(
  redis,
  { ...readConfig({}), eraseScanMs: 0 }, // the walk through the keyspace is measured apart
  () => NOW,
  createMetrics(),
);

/** Redis's CPU in µs, all of it: parsing, script, append-only file. */
async function cpu() {
  const info = await redis.info('cpu');
  const seconds = ['used_cpu_user', 'used_cpu_sys'].map((name) => Number(info.match(`${name}:([\\d.]+)`)[1]));
  return (seconds[0] + seconds[1]) * 1e6;
}

async function memory() {
  return Number((await redis.info('memory')).match(/used_memory:(\d+)/)[1]);
}

/** Runs `job(i)` for i below `count`, a group at a time; returns Redis's CPU and the time, in µs per job. */
async function measure(count, job) {
  const before = await cpu();
  const start = performance.now();
  for (let i = 0; i < count; i += GROUP) {
    const group = [];
    for (let j = i; j < Math.min(i + GROUP, count); j++) group.push(job(j));
    await Promise.all(group);
  }
  const took = ((performance.now() - start) * 1000) / count;
  return { cpu: ((await cpu()) - before) / count, took };
}

const rows = [];
function report(what, figures) {
  rows.push({ what, ...figures });
  const text = Object.entries(figures).map(([name, value]) => `${value.toFixed(1)} ${name}`);
  process.stdout.write(`${what.padEnd(58)} ${text.join(', ')}\n`);
}

const userId = (n) => `u${n.toString(36).padStart(9, '0')}`;

/** The n-th view of a user on one day, in order of time; a user sees one new page in three views. */
const view = (user, n) => ({
  userId: userId(user),
  at: NOW - 2 * DAY + n * 61_000 - (user % 50_000),
  name: `/blog/post-${(user + Math.floor(n / 3)) % PAGES}`,
});

const DAYS = 3;
const visitors = 20_000;

/** Every event new: 20,000 users, three active days each, 53 pages. `direction` 1: later and later; -1: ever earlier. */
const event = (i, direction) => {
  const user = i % visitors;
  const round = Math.floor(i / visitors);
  return {
    userId: userId(user),
    at:
      NOW -
      1 -
      (round % DAYS) * 2 * DAY -
      5 * 3_600_000 +
      direction * Math.floor(round / DAYS) * 61_000 +
      (user % 977),
    name: `page ${(user + round) % PAGES}`,
  };
};

process.stdout.write('CPU of Redis, append-only file on, 32 at once\n');
{
  const count = visitors * DAYS * (quick ? 1 : 5);
  const record = (name, direction) =>
    measured(name, count, (i) => recorder.record(event(i + visitors * DAYS, direction)));
  await measured("first event of a user's day", visitors * DAYS, (i) => recorder.record(event(i, 1)));
  await record('further event, in order of time', 1);
  await record('further event, ever earlier', -1);
  await record('duplicate', 1);
  await measured('profile, three active days', count, (i) => profiles.of(userId(i % visitors)));
  await measured('profile of somebody unknown', count, (i) => profiles.of(`nobody-${i}`));
}

async function measured(what, count, job) {
  const { cpu: redisCpu, took } = await measure(count, job);
  report(what, { 'µs of Redis': redisCpu, 'µs in all': took });
}

process.stdout.write('\nBytes per user and day\n');
for (const views of [1, 3, 20, 100]) {
  await redis.flushall();
  const count = quick ? 2000 : 10_000;
  const before = await memory();
  await measure(count * views, (i) => recorder.record(view(i % count, Math.floor(i / count))));
  report(`${views} views`, { bytes: ((await memory()) - before) / count });
}

process.stdout.write('\nAmong many users\n');
await redis.flushall();
let users = 0;
for (const size of quick ? [1000, 100_000] : [1000, 1_000_000]) {
  await measure(size - users, (i) => recorder.record(view(users + i, 0)));
  users = size;
  const known = (i) => userId((i * 7919) % size);
  const reads = await measure(20_000, (i) => profiles.of(known(i)));
  const writes = await measure(20_000, (i) =>
    recorder.record(view((i * 7919) % size, 1 + Math.floor(i / 1000))),
  );
  const before = await cpu();
  const start = performance.now();
  for (let i = 0; i < 200; i++) await eraser.erase(known(i));
  report(`${size} users`, {
    'µs of Redis a read': reads.cpu,
    'an event': writes.cpu,
    'an erasure': ((await cpu()) - before) / 200,
    'µs an erasure takes': ((performance.now() - start) * 1000) / 200,
  });
}

redis.disconnect();
server.kill('SIGTERM');
await once(server, 'exit');
rmSync(dir, { recursive: true, force: true });
