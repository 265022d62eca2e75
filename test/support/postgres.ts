// Postgres servers of the tests' own: a private cluster in a temporary folder, on a Unix socket in it or on a free port.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chownSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { isGone, until } from './process.ts';
import { steadyPort } from './topologies.ts';

export interface TestPostgres {
  /** As the package `pg` takes it; its database is empty at first. */
  url: string;
  /** Of the postmaster. */
  pid: number;
  /** Rows that a statement gives, by a connection of its own: it is none the worse for a restart. */
  query<Row extends object>(sql: string, values?: unknown[]): Promise<Row[]>;
  /**
   * SIGKILL, SIGSTOP and SIGCONT go to all of its processes, others to the postmaster, which tells the rest: SIGINT breaks
   * connections and stops in order, SIGTERM waits until clients have gone. Done when it has ended, if that is to be.
   */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** On the same files, under the same URL, with SIGKILL before if it runs. Done when it answers. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface TestPostgresOptions {
  /** Syncs to the disk, which only the end of the whole machine would tell from not doing so. */
  durable?: boolean;
  /** Listens on a port of 127.0.0.1, and the URL says that: for what goes through a proxy. */
  tcp?: boolean;
  /** Further arguments, `['-c', 'max_connections=10']`. */
  args?: string[];
}

const ENSURE = join(__dirname, '../../scripts/ensure.mjs');
const SOCKET_FOLDER_LIMIT = 80; // bytes; a socket's whole path may have 107 on Linux, 103 on a Mac
const TO_ALL = new Set<NodeJS.Signals>(['SIGKILL', 'SIGSTOP', 'SIGCONT']);
const TO_ITS_END = new Set<NodeJS.Signals>(['SIGKILL', 'SIGQUIT', 'SIGINT', 'SIGTERM']);
const ENV = { PATH: process.env.PATH, TZ: 'UTC', LC_ALL: 'C' }; // and no PGDATA, PGPORT, … of whoever tests

export async function startPostgres(options: TestPostgresOptions = {}): Promise<TestPostgres> {
  const { durable, tcp, args = [] } = options;
  const programs = await whereProgramsAre();
  const port = tcp ? await steadyPort() : 5432;
  const dir = mkdtempSync(join(tmpdir().length > SOCKET_FOLDER_LIMIT ? '/tmp' : tmpdir(), 'ff-test-'));
  const files = join(dir, 'data');
  const log = join(dir, 'log');
  const user = userOfServer();
  const guard = guardOf(dir);
  const urlOf = (database: string) =>
    tcp
      ? `postgres://footfall@127.0.0.1:${port}/${database}`
      : `postgres://footfall@localhost:${port}/${database}?host=${dir}`;
  let child: ChildProcess | undefined;

  async function begin(): Promise<void> {
    const out = openSync(log, 'a');
    const started = spawn(
      join(programs, 'postgres'),
      [
        ['-D', files, '-k', dir, '-p', String(port), '-c', `listen_addresses=${tcp ? '127.0.0.1' : ''}`],
        durable ? [] : ['-c', 'fsync=off'], // commits still outlive a kill -9: the kernel has them
        args,
      ].flat(),
      { ...user, cwd: dir, env: ENV, stdio: ['ignore', out, out] },
    );
    child = started;
    closeSync(out);
    started.on('error', () => undefined); // it has no pid then
    await until(
      'Postgres answers',
      async () => {
        if (started.pid === undefined || isGone(started.pid)) {
          throw new Error(`postgres ended: ${readFileSync(log, 'utf8').slice(-2000)}`);
        }
        return queryAt(urlOf('postgres'), 'SELECT 1').catch(() => undefined);
      },
      { within: 60_000 },
    );
  }

  async function kill(signal: NodeJS.Signals): Promise<void> {
    const pid = child?.pid;
    if (pid === undefined || isGone(pid)) return;
    const pids = TO_ALL.has(signal) ? allOf(pid) : [pid];
    for (const it of pids) signalTo(it, signal);
    if (!TO_ITS_END.has(signal)) return;
    // Those that a killed postmaster leaves hold its memory, and no other can start before they have gone.
    await until('Postgres has ended', () => pids.every(isGone), { within: 30_000 });
  }

  async function stop(): Promise<void> {
    try {
      await kill('SIGCONT');
      await kill('SIGQUIT'); // at once; not SIGKILL, after which its shared memory would stay in the system
    } finally {
      guard.kill('SIGKILL');
      rmSync(dir, { recursive: true, force: true });
    }
  }

  try {
    if (user) chownSync(dir, user.uid, user.gid);
    const cluster = ['--username=footfall', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync'];
    await run(join(programs, 'initdb'), ['-D', files, ...cluster], { ...user, cwd: dir, env: ENV });
    await begin();
    await queryAt(urlOf('postgres'), 'CREATE DATABASE footfall');
  } catch (error) {
    await stop();
    throw error;
  }
  const url = urlOf('footfall');
  return {
    url,
    get pid() {
      return child!.pid!;
    },
    query: (sql, values) => queryAt(url, sql, values),
    kill,
    async restart() {
      await kill('SIGKILL');
      await begin();
    },
    stop,
  };
}

const run = promisify(execFile);

/** Jest can't import what finds them. */
async function whereProgramsAre(): Promise<string> {
  return (await run(process.execPath, [ENSURE, '--where', 'postgres'])).stdout.trim();
}

/** Postgres refuses to run as root. */
function userOfServer(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const named = (name: string) => users.find((it) => it[0] === name);
  const [, , uid, gid] = named('postgres') ?? named('nobody') ?? [];
  return { uid: Number(uid), gid: Number(gid) };
}

/**
 * Ends the server and removes its folder should this process be killed, by which the guard's standard input closes. Its
 * session is its own, so that a Ctrl-C does not reach it.
 */
function guardOf(dir: string): ChildProcess {
  const script = `read -r _
    pid=$(head -n 1 "$1/data/postmaster.pid") && kill -CONT $pid && kill -QUIT $pid && while kill -0 $pid; do sleep 0.1; done
    rm -rf "$1"`;
  const guard = spawn('sh', ['-c', script, 'sh', dir], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  guard.unref();
  return guard;
}

/** The postmaster and what it has started. It stands still from now on, so that it starts nothing meanwhile. */
function allOf(pid: number): number[] {
  signalTo(pid, 'SIGSTOP');
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  return [pid, ...children.map(Number)];
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // it has just ended
  }
}

export async function queryAt<Row extends object>(
  url: string,
  sql: string,
  values?: unknown[],
): Promise<Row[]> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  client.on('error', () => undefined); // the call fails, too
  try {
    await client.connect();
    return (await client.query<Row>(sql, values)).rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** One Postgres for a test file. */
export function usePostgres(options?: TestPostgresOptions): Omit<TestPostgres, 'stop'> & {
  /** The URL of a new empty database, which goes when the test has ended. */
  freshDatabase(): Promise<string>;
} {
  let server: TestPostgres;
  let count = 0;
  let fresh: string[] = [];
  beforeAll(async () => {
    server = await startPostgres(options);
  });
  afterEach(async () => {
    for (const name of fresh) await server.query(`DROP DATABASE ${name} WITH (FORCE)`);
    fresh = [];
  });
  afterAll(() => server?.stop());
  return {
    get url() {
      return server.url;
    },
    get pid() {
      return server.pid;
    },
    query: (sql, values) => server.query(sql, values),
    kill: (signal) => server.kill(signal),
    restart: () => server.restart(),
    async freshDatabase() {
      const name = `fresh_${++count}`;
      await server.query(`CREATE DATABASE ${name}`);
      fresh.push(name);
      return Object.assign(new URL(server.url), { pathname: name }).href;
    },
  };
}
