// Redis that can be killed, what stands before it, the built service, and a load whose every event is accounted for: where
// rows 1 to 8 of docs/faults.md are made.

import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Redis, type RedisOptions } from 'ioredis';
import { connectRedis } from '../../src/redis/connect.ts';
import type { FootfallRedis } from '../../src/redis/scripts.ts';
import { survey } from './keyspace.ts';
import { audit, type Ledger, type LedgerOptions, type Running } from './ledger.ts';
import { KEY_SETTINGS, KEYS, marksIn } from './marks.ts';
import { type Begun, type Processes, type Service, type Settings, until } from './process.ts';
import { type Proxy as Between, startProxy } from './proxy.ts';
import { seedOf } from './random.ts';
import { count, type Held, long, ms, reportRow } from './rows.ts';
import { steadyPort } from './topologies.ts';

const DEADLINE = 1000 + 1000; // REDIS_TIMEOUT_MS, and for the machine
const HANGS = 5 * DEADLINE; // the load gives an answer up
const LEAST = long(2000, 300); // events of a row

export interface Server {
  port: number;
  url: string;
  pid(): number;
  /** As the service has it, but more patient. It comes back by itself. */
  client: FootfallRedis;
  /** With the same files; gives the time at which the port was open. */
  start(): Promise<number>;
  /** SIGKILL. Done when it is gone. */
  kill(): Promise<void>;
}

export interface ServerOptions {
  /** Further arguments, or others than the usual. */
  args?: string[];
  env?: Settings;
}

/** A Redis on TCP. It is started with `start`, and ends with the test. */
export function makeServer(
  processes: Processes,
  port: number,
  { args = [], env = {} }: ServerOptions,
): Server {
  const dir = join(processes.dir, 'redis');
  mkdirSync(dir, { recursive: true });
  const usual = ['--bind', '127.0.0.1', '--dir', dir, '--save', '', '--appendonly', 'yes'];
  const command = ['redis-server', '--port', String(port), ...usual, ...args];
  const url = `redis://127.0.0.1:${port}`;
  const client = connectRedis({ url }, 5000);
  client.on('error', () => undefined);
  processes.atEnd(() => client.disconnect());
  let running: Begun;
  return {
    port,
    url,
    client,
    pid: () => running.pid,
    async start() {
      running = processes.begin(env, { command });
      await until('the port of Redis is open', () => isOpen(port), { every: 2 });
      const openedAt = performance.now();
      if (client.status === 'wait') client.connect().catch(() => undefined);
      return openedAt;
    },
    async kill() {
      running.kill('SIGKILL');
      await running.ended;
    },
  };
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const opened = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return opened;
}

type PlainOptions = Pick<RedisOptions, 'commandTimeout' | 'enableReadyCheck'>;

/** A client with the defaults of ioredis, for the controls and for others who use that Redis. */
export function plainClient(processes: Processes, url: string, options: PlainOptions = {}): Redis {
  const client = new Redis(url, options);
  client.on('error', () => undefined);
  processes.atEnd(() => client.disconnect());
  return client;
}

export interface FaultStand {
  server: Server;
  /** Stands between the two if it was asked for. */
  proxy: Between;
  service: Service;
  settings: Settings;
  load(options?: Partial<LedgerOptions>): Running;
}

export interface FaultStandOptions extends ServerOptions {
  settings?: Settings;
  proxied?: boolean;
  /** Redis is not there. */
  away?: boolean;
}

export async function startFaultStand(
  processes: Processes,
  ledger: Ledger,
  { settings: own = {}, proxied = false, away = false, ...options }: FaultStandOptions = {},
): Promise<FaultStand> {
  const server = makeServer(processes, await steadyPort(), options);
  if (!away) await server.start();
  const proxy = await startProxy({ port: server.port });
  processes.atEnd(proxy.stop);
  const settings = {
    ...KEY_SETTINGS,
    PORT: String(await steadyPort()),
    LOG_LEVEL: 'debug',
    REDIS_URL: proxied ? proxy.url : server.url,
    ...own,
  };
  const service = await processes.start(settings);
  if (!away) await ready(service);
  return {
    server,
    proxy,
    service,
    settings,
    load: (more) =>
      ledger.run({
        port: service.port,
        key: KEYS.write,
        readKey: KEYS.read,
        seed: seedOf(process.env.FAULT_SEED),
        rate: 800,
        connections: 64,
        deadlineMs: HANGS,
        ...more,
      }),
  };
}

export async function ready({ get }: Service): Promise<void> {
  await until('the service is ready', async () => (await get('/readyz')).status === 200);
}

/** So many more events are acknowledged. */
export async function more(running: Running, events: number, within = 30_000): Promise<void> {
  const enough = running.acknowledged() + events;
  await until(`${events} more events`, () => running.acknowledged() >= enough, { within, every: 5 });
}

const IN_FLIGHT = 4; // the load sends some together

/** Waits for calls that are in flight, makes the fault at once, and says how many they were. */
export async function strike(running: Running, fault: () => unknown): Promise<number> {
  await until('calls are in flight', () => running.inFlight() >= IN_FLIGHT, { every: 0 });
  const calls = running.strike();
  await fault();
  return calls;
}

/** How long after a moment the next event was acknowledged, ms. */
export async function servedAgain(running: Running, since: number): Promise<number> {
  await more(running, 1);
  return performance.now() - since;
}

export interface Conclusion {
  /** Calls in flight at each strike. */
  strikes: number[];
  /** Further figures. */
  figures?: string[];
  held?: Held;
  aims?: Held;
  /** Events that may be lost; without it not one. */
  mayLose?: number;
  /** Footfall itself was away. */
  unanswered?: boolean;
  /** Those that served before. */
  others?: Service[];
}

/** What served, and every Redis that holds what was stored. */
type Concluded = { service: Service } & ({ server: Pick<Server, 'client'> } | { stores: Redis[] });

/** Waits until all is acknowledged (the load may have been finished already), counts what is stored, and reports. */
export async function conclude(
  row: string,
  fault: string,
  stand: Concluded,
  running: Running,
  conclusion: Conclusion,
): Promise<void> {
  const { strikes, figures = [], held = {}, aims = {}, mayLose = 0, unanswered = false } = conclusion;
  const tally = await running.finish(30_000);
  const found = await audit(running);
  const surveys = await Promise.all(('stores' in stand ? stand.stores : [stand.server.client]).map(survey));
  const keys = surveys.reduce((sum, store) => sum + store.keys, 0);
  const services = [stand.service, ...(conclusion.others ?? [])];
  const said = services.map(({ out, err }) => out() + err()).join('');
  const statuses = Object.entries(tally.statuses);
  const isExpected = ([status]: [string, number]) => ['202', '429', '503'].includes(status);
  reportRow(
    row,
    fault,
    {
      'calls were in flight whenever it struck': strikes.length > 0 && strikes.every((calls) => calls > 0),
      [`at least ${count(LEAST)} events were acknowledged`]: tally.acknowledged >= LEAST,
      'all were acknowledged in the end': tally.stuck === 0,
      [mayLose === 0 ? 'nothing is lost' : `at most ${count(mayLose)} are lost`]: found.lost <= mayLose,
      'nothing is doubled': found.doubled === 0,
      'visitors are right': mayLose > 0 || found.visitorsOff === 0,
      'nothing but 202, 429 and 503': statuses.every(isExpected),
      'every request was answered': unanswered || tally.unanswered === 0,
      'every key has a TTL and is of the dictionary': surveys.every(
        ({ staying, foreign }) => staying.length + foreign.length === 0,
      ),
      'nothing of a person is logged': marksIn(said).length === 0,
      'no unhandled rejection': services.every(({ err }) => err() === ''),
      ...held,
    },
    [
      `seed ${running.options.seed}`,
      `${shownStrikes(strikes)} in flight`,
      `${count(tally.acknowledged)} events acknowledged, ${count(found.lost)} lost, ${count(found.doubled)} doubled`,
      `${count(tally.attempts)} requests: ${statuses.map(([status, n]) => `${status} ${count(n)}`).join(', ')}${tally.unanswered > 0 ? `, unanswered ${count(tally.unanswered)}` : ''}`,
      `${count(tally.duplicates)} retries said duplicate`,
      `slowest answer ${ms(tally.slowest)}, p99 ${ms(tally.p99)}`,
      ...figures,
      `${count(keys)} keys`,
    ].join('; '),
    { 'every answer within the deadline': tally.slowest <= DEADLINE, ...aims },
  );
}

function shownStrikes(strikes: number[]): string {
  if (strikes.length <= 5) return `${strikes.join(', ')} calls`;
  return `struck ${strikes.length} times, ${Math.min(...strikes)} to ${Math.max(...strikes)} calls`;
}
