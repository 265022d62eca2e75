// The built service as a process of its own, with a data folder and a port of its own.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const ROOT = join(__dirname, '../..');
const SERVER = join(ROOT, 'dist/server.js');

export type Settings = Record<string, string>;

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** From its start. */
  ms: number;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

export interface Begun {
  pid: number;
  out(): string;
  err(): string;
  /** Its log lines' messages. */
  said(): string[];
  ended: Promise<Ended>;
  kill(signal: NodeJS.Signals): void;
  type(text: string): void;
}

export interface Service extends Begun {
  port: number;
  get(path: string): Promise<Answer>;
  /** Records a view under this event_id; the answer's status, and what became of the view. */
  view(userId: string, eventId: string): Promise<[status: number, outcome: string | undefined]>;
  viewsOf(userId: string): Promise<number>;
}

export interface StartOptions {
  cwd?: string;
  args?: string[];
  /** What starts it, in place of Node: gets Node and the service's file as arguments. */
  through?: string[];
  /** In place of all of that. */
  command?: string[];
}

export interface Processes {
  /** A folder of this test's own. Whatever runs in it, or was given it, ends with the test. */
  dir: string;
  /** Starts it, and waits for nothing. */
  begin(settings?: Settings, options?: StartOptions): Begun;
  /** Starts it, and gives it once it listens. DATA_DIR and the port are its own unless given. */
  start(settings?: Settings, options?: StartOptions): Promise<Service>;
  /** Starts it, and waits for its end. */
  startToEnd(settings?: Settings, options?: StartOptions): Promise<Ended & { out: string; err: string }>;
  /** What runs in this test's folder. */
  pids(): number[];
  /** The private Redis among it. */
  redisPids(): number[];
  /** Is done when the test has ended and nothing runs in its folder any more. */
  atEnd(step: () => unknown): void;
}

/** Call it at the top of a test file. */
export function useProcesses(): Processes {
  let dir = '';
  let children: ChildProcess[] = [];
  let atEnd: (() => unknown)[] = [];
  const agents = new Set<Agent>();

  beforeEach(() => {
    dir = realpathSync(mkdtempSync(join(tmpdir(), 'ff-')));
  });
  afterEach(async () => {
    const gone = children.filter(lives).map((child) => once(child, 'exit'));
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(gone);
    children = [];
    for (const pid of pidsIn(dir)) process.kill(pid, 'SIGKILL');
    await until('the processes of the test have ended', () => pidsIn(dir).length === 0);
    for (const agent of agents) agent.destroy();
    agents.clear();
    for (const step of atEnd.reverse()) await step();
    atEnd = [];
    rmSync(dir, { recursive: true, force: true });
    dir = '';
  });

  function begin(
    settings: Settings = {},
    { cwd = dir, args = [], through = [], command }: StartOptions = {},
  ) {
    const [program, ...rest] = command ?? [...through, process.execPath, SERVER, ...args];
    const since = performance.now();
    const child = spawn(program!, rest, {
      cwd,
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME ?? dir,
        TMPDIR: dir,
        PORT: '0',
        DATA_DIR: join(dir, 'data'),
        ...settings,
      },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    children.push(child);
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      err += text;
    });
    child.stdin.on('error', () => undefined);
    const ended = once(child, 'close').then(
      ([code, signal]): Ended => ({ code, signal, ms: performance.now() - since }),
    );
    const begun: Begun = {
      pid: child.pid!,
      out: () => out,
      err: () => err,
      said: () => messagesIn(out),
      ended,
      kill: (signal) => void child.kill(signal),
      type: (keys) => void child.stdin.write(keys),
    };
    return Object.assign(begun, { child });
  }

  return {
    get dir() {
      return dir;
    },
    begin,
    async start(settings, options) {
      const { child, ...begun } = begin(settings, options);
      const { out, err } = begun;
      let port = 0;
      await until('the service listens', () => {
        port = Number(/listens on http:\/\/\S+:(\d+)/.exec(out())?.[1] ?? 0);
        if (port === 0 && !lives(child)) throw new Error(`ended instead of listening: ${out()}${err()}`);
        return port > 0;
      });
      const agent = new Agent({ keepAlive: true });
      agents.add(agent);
      const send = (method: string, path: string, body?: string) => sendTo(port, method, path, body, agent);
      return {
        ...begun,
        port,
        get: (path) => send('GET', path),
        async view(userId, eventId) {
          const { status, text } = await send('POST', '/v1/page', viewOf(userId, eventId));
          return [status, JSON.parse(text).status === status ? undefined : JSON.parse(text).status];
        },
        async viewsOf(userId) {
          const { text } = await send('GET', `/v1/user/${encodeURIComponent(userId)}`);
          return JSON.parse(text).number_pages_viewed_in_the_last_7_days;
        },
      };
    },
    async startToEnd(settings, options) {
      const { ended, out, err, kill } = begin(settings, options);
      const late = setTimeout(() => kill('SIGKILL'), 90_000);
      const how = await ended;
      clearTimeout(late);
      return { ...how, out: out(), err: err() };
    },
    pids: () => pidsIn(dir),
    atEnd: (step) => void atEnd.push(step),
    redisPids: () => pidsIn(dir).filter((pid) => /^(redis|valkey)-server/.test(read(`/proc/${pid}/comm`))),
  };
}

export const viewOf = (userId: string, eventId: string) =>
  JSON.stringify({ user_id: userId, name: 'Home', event_id: eventId });

/** One request; without an agent, on a connection of its own. */
export function sendTo(
  port: number,
  method: string,
  path: string,
  body?: string,
  agent: Agent | false = false,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
    const req = request({ host: '127.0.0.1', port, method, path, headers, agent }, (res) => {
      let text = '';
      res.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      res.on('end', () => resolve({ status: res.statusCode!, headers: res.headers, text }));
      res.on('error', reject);
    });
    req.on('error', reject);
    req.end(body);
  });
}

/** Looks again and again until it holds. What it takes for true is returned. */
export async function until<T>(
  what: string,
  holds: () => T | Promise<T>,
  { within = 60_000, every = 10 } = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + within;
  for (;;) {
    const result = await holds();
    if (result) return result as NonNullable<T>;
    if (performance.now() > deadline) throw new Error(`not within ${within} ms: ${what}`);
    await delay(every);
  }
}

/** Ended, as far as anybody can tell; a zombie counts. */
export function isGone(pid: number): boolean {
  return !/^State:\s+[^ZX\s]/m.test(read(`/proc/${pid}/status`));
}

function lives({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid !== undefined && exitCode === null && signalCode === null;
}

/** What works in a folder, or has it in its environment. */
export function pidsIn(dir: string): number[] {
  if (dir === '') return []; // a hook before it failed; every process of the machine would match
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      if (isGone(Number(pid))) return false;
      try {
        if (`${readlinkSync(`/proc/${pid}/cwd`)}/`.startsWith(`${dir}/`)) return true;
      } catch {
        return false; // not ours
      }
      return read(`/proc/${pid}/environ`).includes(`${dir}/`);
    })
    .map(Number);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function messagesIn(out: string): string[] {
  return out
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line).msg);
}
