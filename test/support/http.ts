// The service behind a port, and requests that a tidy client would not send.

import { once } from 'node:events';
import { type IncomingHttpHeaders, type OutgoingHttpHeaders, request, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { pino } from 'pino';
import type { Profile, ProfileDay, Receipt } from '../../src/answers.ts';
import { createApp } from '../../src/app.ts';
import type { Config } from '../../src/config.ts';
import { createFastServer } from '../../src/http/fastServer.ts';
import type { FootfallRedis } from '../../src/redis/scripts.ts';
import type { Services } from '../../src/services.ts';
import { usualShards } from './anyRedis.ts';
import type { TestRedis } from './redis.ts';
import { type FakeClock, NOON, service } from './service.ts';

export interface Reply {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  /** The text as JSON, undefined if it is none. */
  body: unknown;
}

export interface Sent {
  method?: string;
  /** Goes out as it is. */
  path?: string;
  headers?: OutgoingHttpHeaders;
  body?: string | Buffer;
}

export interface Api {
  readonly server: Server;
  readonly port: number;
  readonly clock: FakeClock;
  readonly services: Services;
  /** What was logged since the test began. */
  readonly log: string[];
  send(sent: Sent): Promise<Reply>;
  /** A body to `POST /v1/page` as JSON, as it is. */
  post(body: string | Buffer, headers?: OutgoingHttpHeaders): Promise<Reply>;
  /** Records a view, by default one of ann's of Home, now. Returns what became of it; anything but a 202 throws. */
  view(fields?: ViewFields): Promise<unknown>;
  /** The same of an event of a site, by default a click of ann's in the shop, now. */
  event(fields?: EventFields): Promise<unknown>;
  /** The same of a login, by default ann's, now. */
  login(userId?: string, time?: string): Promise<unknown>;
  /** The body of a 200; anything else throws. */
  read(path: string, query?: Record<string, string>): Promise<unknown>;
  /** How many saw a page, or a site's. */
  visitors(query: Record<string, string>): Promise<number>;
  profile(userId: string): Promise<Profile>;
  days(userId: string): Promise<ProfileDay[]>;
  erase(userId: string): Promise<Receipt>;
}

export type ViewFields = Partial<
  Record<'user_id' | 'name' | 'timestamp' | 'url' | 'event_id' | 'site_id', unknown>
>;

export type EventFields = Partial<
  Record<'user_id' | 'site_id' | 'event_type' | 'path' | 'timestamp' | 'event_id', unknown>
>;

export const JSON_TYPE = { 'Content-Type': 'application/json' };

export const iso = (ms: number) => new Date(ms).toISOString();

export const userPath = (userId: string) => `/v1/user/${encodeURIComponent(userId)}`;

/** The service over a test file's Redis. Call it after `useRedis`. Its clock is back at NOON before each test. */
export function useApi(redis: { redis: FootfallRedis }, config: Partial<Config> = {}): Api {
  let api: Api;
  beforeAll(async () => {
    api = await startApi(redis.redis, config);
  });
  beforeEach(() => {
    api.clock.set(NOON);
    api.log.length = 0;
  });
  afterAll(() => stopServer(api.server));
  // Members are looked up when a test asks for them: there is no api before beforeAll.
  return new Proxy({} as Api, { get: (_target, name) => Reflect.get(api, name) });
}

export async function startApi(
  redis: FootfallRedis,
  config: Partial<Config> = {},
  replaced: Partial<Services & { unreadyBecause(): string | undefined }> = {},
): Promise<Api> {
  const log: string[] = [];
  const {
    app: _,
    settings: __,
    redis: ___,
    clock,
    ...services
  } = service(redis, { shards: usualShards, ...config });
  const app = createApp({
    ...services,
    clock,
    log: pino({ level: 'trace' }, { write: (line) => log.push(line) }),
    unreadyBecause: () => undefined,
    ...replaced,
  });
  const server = createFastServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;

  const send = (sent: Sent) => sendRequest(port, sent);
  const post = (body: string | Buffer, headers: OutgoingHttpHeaders = JSON_TYPE) =>
    send({ method: 'POST', path: '/v1/page', headers, body });
  const ok = async (sent: Sent, status = 200) => {
    const reply = await send(sent);
    if (reply.status !== status) throw new Error(`${reply.status} instead of ${status}: ${reply.text}`);
    return reply.body;
  };
  const record = async (path: string, event: object) => {
    const body = JSON.stringify(event);
    const reply = await ok({ method: 'POST', path, headers: JSON_TYPE, body }, 202);
    return (reply as { status: string }).status;
  };
  const read = (path: string, query?: Record<string, string>) =>
    ok({ path: query ? `${path}?${new URLSearchParams(query)}` : path });
  const event = () => ({ site_id: 'shop', event_type: 'click', path: '/', user_id: 'ann', timestamp: now() });
  const now = () => iso(clock());
  return {
    server,
    port,
    clock,
    services,
    log,
    send,
    post,
    view: (fields = {}) => record('/v1/page', { user_id: 'ann', name: 'Home', timestamp: now(), ...fields }),
    event: (fields = {}) => record('/v1/event', { ...event(), ...fields }),
    login: (user_id = 'ann', time = now()) => record('/v1/user/login', { user_id, login_time: time }),
    read,
    async visitors(query) {
      const body = (await read('/v1/page/visitors', query)) as { distinct_visitors: number };
      return body.distinct_visitors;
    },
    profile: async (userId) => (await ok({ path: userPath(userId) })) as Profile,
    days: async (userId) => (await ok({ path: `${userPath(userId)}/days` })) as ProfileDay[],
    erase: async (userId) => (await ok({ method: 'DELETE', path: userPath(userId) })) as Receipt,
  };
}

export async function stopServer(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}

/** Kills Redis, and waits until its client has noticed. */
export async function killRedis({ redis, pid }: TestRedis): Promise<void> {
  const closed = new Promise((resolve) => redis.once('close', resolve));
  process.kill(pid, 'SIGKILL');
  await closed;
}

/** One request on a connection of its own. */
export function sendRequest(
  port: number,
  { method = 'GET', path = '/', headers = {}, body }: Sent,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const req = request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk) => chunks.push(chunk));
      res.on('error', reject);
      res.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: res.statusCode!, headers: res.headers, text, body: jsonOf(text) });
      });
    });
    req.on('error', reject);
    req.end(body);
  });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What the server says to these bytes until it closes the connection, so let the last request ask for that. */
export async function sendBytes(port: number, bytes: string | Buffer): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(bytes);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Holds for every problem: exact fields, its media type, and `errors` naming just these fields. */
export function expectProblem(reply: Reply, status: number, code: string, pointers?: string[]): void {
  expect(reply).toMatchObject({ status, body: { code } });
  const { errors, ...problem } = reply.body as { errors?: { pointer: string; detail: string }[] };
  expect(problem).toEqual({
    type: `urn:footfall:problem:${code}`,
    title: expect.stringMatching(/./),
    status,
    detail: expect.stringMatching(/./),
    code,
  });
  expect(reply.headers['content-type']).toMatch(/^application\/problem\+json(;|$)/);
  expect(errors?.map(({ pointer }) => pointer).sort()).toEqual(pointers?.toSorted());
  for (const error of errors ?? []) {
    expect(error).toEqual({ pointer: error.pointer, detail: expect.stringMatching(/./) });
  }
}

/** A profile by the product document's names. */
export function profileWith(
  user_id: string,
  [views, minutes, days, page]: [number, number, number, string | null],
): Profile {
  return {
    user_id,
    number_pages_viewed_in_the_last_7_days: views,
    time_spent_on_site_in_last_7_days: minutes,
    number_of_days_active_in_last_7_days: days,
    most_viewed_page_in_last_7_days: page,
  };
}

export const emptyProfile = (userId: string) => profileWith(userId, [0, 0, 0, null]);
