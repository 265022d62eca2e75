// A private Postgres, as the archive would have one: a cluster of its own on a Unix socket, by default as safe as it comes.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { folderOf } from '../scripts/ensure.mjs';
import { atEnd, temporaryFolder } from './processes.mjs';

/** Not `durable`: it does not sync to the disk. */
export async function startPostgres({ durable = true } = {}) {
  const programs = await folderOf('postgres');
  const folder = temporaryFolder();
  const files = join(folder, 'data');
  const user = userOfServer();
  if (user) chownSync(folder, user.uid, user.gid);
  const how = { ...user, cwd: folder, env: { PATH: process.env.PATH, TZ: 'UTC', LC_ALL: 'C' } };
  const cluster = ['--username=footfall', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync'];
  execFileSync(join(programs, 'initdb'), ['-D', files, ...cluster], {
    ...how,
    stdio: ['ignore', 'ignore', 'inherit'],
  });

  const settings = {
    listen_addresses: '',
    port: 5432,
    unix_socket_directories: folder,
    fsync: durable ? 'on' : 'off',
  };
  const child = spawn(
    join(programs, 'postgres'),
    ['-D', files, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    { ...how, stdio: 'ignore' },
  );
  atEnd(() => stopAtOnce(child));
  child.on('error', () => undefined); // it has no pid then
  const urlOf = (database) => `postgres://footfall@localhost:5432/${database}?host=${folder}`;
  for (;;) {
    if (child.pid === undefined || child.exitCode !== null) throw new Error('postgres ended');
    if (await ask(urlOf('postgres'), 'SELECT 1').catch(() => undefined)) break;
    await delay(20);
  }
  await ask(urlOf('postgres'), 'CREATE DATABASE footfall');

  return {
    url: urlOf('footfall'),
    pid: child.pid,
    version: (await ask(urlOf('postgres'), 'SHOW server_version'))[0].server_version.split(' ')[0],
    /** CPU used so far in µs by all of its processes, those that have ended too. */
    async cpu() {
      const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').split(' ');
      const ticks = children.filter(Boolean).map((pid) => ticksOf(pid).own);
      const { own, ended } = ticksOf(child.pid);
      return (ticks.reduce((sum, it) => sum + it, own + ended) / TICKS_A_SECOND) * 1e6;
    },
  };
}

const TICKS_A_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** Of a process, and of the children that it has seen end. */
function ticksOf(pid) {
  let stat;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return { own: 0, ended: 0 }; // it has just ended
  }
  // The name before the last parenthesis may have anything in it.
  const [user, system, endedUser, endedSystem] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 15)
    .map(Number);
  return { own: user + system, ended: endedUser + endedSystem };
}

/** Not by SIGTERM, for which it waits until all clients have gone. */
async function stopAtOnce(child) {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = once(child, 'exit');
  child.kill('SIGQUIT');
  await gone;
}

/** Postgres refuses to run as root. */
function userOfServer() {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const named = (name) => users.find((it) => it[0] === name);
  const [, , uid, gid] = named('postgres') ?? named('nobody') ?? [];
  return { uid: Number(uid), gid: Number(gid) };
}

async function ask(url, sql) {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined); // the call fails, too
  try {
    await client.connect();
    return (await client.query(sql)).rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}
