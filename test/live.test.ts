// Live figures: what they say, what they cost, and how a stream of them ends.

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { pino } from 'pino';
import { createApp } from '../src/app.ts';
import type { Config } from '../src/config.ts';
import { createFastServer } from '../src/http/fastServer.ts';
import { createRates } from '../src/live/rates.ts';
import { createSampler, type Figures, type Sampler, type Sources } from '../src/live/sampler.ts';
import { createStreams } from '../src/live/streams.ts';
import { BOUNDS, ofOne, quantile, type Totals } from '../src/live/totals.ts';
import { JSON_TYPE, sendRequest, stopServer } from './support/http.ts';
import { added, type Listener, listen } from './support/listener.ts';
import { type Service, type Settings, sendTo, until, useProcesses, viewOf } from './support/process.ts';
import { startRedis, useRedis } from './support/redis.ts';
import { service } from './support/service.ts';

const server = useRedis();

const FIGURES: Figures = {
  at: '2026-11-21T12:00:00.000Z',
  events: { recorded: 1, duplicate: 0, erased: 0, expired: 0, capped: 0 },
  requests_per_second: 1,
  refused_per_second: { 429: 0, 503: 0 },
  p99_ms: null,
  events_in_flight: 0,
  redis: { up: true, lag_ms: 1, memory_bytes: 1, maxmemory_bytes: null },
  backlog: null,
  ready: 'ready',
  reason: null,
};

/** A sampler whose beats are the test's. */
function byHand() {
  const hearing = new Set<Parameters<Sampler['start']>[0]>();
  let starts = 0;
  const sampler: Sampler = {
    start(hear) {
      starts++;
      hearing.add(hear);
      return () => hearing.delete(hear);
    },
  };
  return {
    sampler,
    beat: (figures = FIGURES) => {
      for (const hear of hearing) hear(figures);
    },
    silence: () => {
      for (const hear of hearing) hear(undefined);
    },
    starts: () => starts,
    running: () => hearing.size,
  };
}

let stopping: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stopping.reverse()) await stop();
  stopping = [];
});

const KEY = 'metrics-key-of-2026';
const CLOSED = { metricsKeys: [KEY], adminKeys: ['admin-key-of-2026-a'] };

/** The service with live figures of this sampler, or of its own metrics. */
async function start(config: Partial<Config> = {}, sampler?: Sampler, sources: Partial<Sources> = {}) {
  const it = service(server.redis, config);
  const own = createSampler({
    totals: ofOne(it.metrics.registry),
    redis: async () => ({ memory: 1000, maxmemory: 4000, lagSeconds: 0.0015 }),
    state: () => ({ status: 'ready' }),
    clock: Date.now,
    ...sources,
  });
  const live = createStreams({ sampler: sampler ?? own, ...it });
  const app = createApp({ ...it, live, log: pino({ level: 'silent' }), unreadyBecause: () => undefined });
  const http: Server = createFastServer(app).listen(0, '127.0.0.1');
  await once(http, 'listening');
  const sockets: Socket[] = [];
  http.on('connection', (socket: Socket) => sockets.push(socket));
  const { port } = http.address() as AddressInfo;
  stopping.push(() => stopServer(http));
  return {
    ...it,
    live,
    port,
    sockets,
    listen: async (key?: string) => {
      const listener = await listen(port, key);
      stopping.push(listener.leave);
      return listener;
    },
    get: (path: string, key = KEY, method = 'GET') =>
      sendRequest(port, { method, path, headers: { Authorization: `Bearer ${key}` } }),
    post: (body: object) =>
      sendRequest(port, { method: 'POST', path: '/v1/page', headers: JSON_TYPE, body: JSON.stringify(body) }),
  };
}

describe('the figures', () => {
  test('tell what was sent, a second', async () => {
    const it = await start();
    const { figures, headers, text, status } = await it.listen();
    expect(status).toBe(200);
    expect(headers).toMatchObject({ 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    expect(headers['content-length']).toBeUndefined();
    await until('there are figures', () => figures.length > 0);
    expect(text()).toMatch(/^retry: 2000\n\n(:\n\n)+event: figures\ndata: \{/);

    const sent = [
      ...Array.from({ length: 30 }, (_, i) => ({ user_id: 'ann', name: 'Home', event_id: `e${i}` })),
      ...Array.from({ length: 7 }, () => ({ user_id: 'ann', name: 'Home', event_id: 'e1' })),
      ...[1, 2, 3].map(() => ({ user_id: 'ann', name: 'Home', timestamp: '2012-12-21T00:00:00Z' })),
    ];
    for (const body of sent) expect((await it.post(body)).status).toBe(202);
    await until(
      'they are told',
      () => Math.round(added(figures, (one) => one.requests_per_second)) >= sent.length,
    );
    const sum = (of: (one: Figures) => number) => Math.round(added(figures, of));
    expect(sum(({ events }) => events.recorded)).toBe(30);
    expect(sum(({ events }) => events.duplicate)).toBe(7);
    expect(sum(({ events }) => events.expired)).toBe(3);
    expect(sum(({ events }) => events.erased + events.capped)).toBe(0);
    const last = figures.at(-1)!;
    expect(last.p99_ms).toBeGreaterThan(0);
    expect(last).toMatchObject({
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:]+\.\d{3}Z$/),
      refused_per_second: { 429: 0, 503: 0 },
      events_in_flight: 0,
      redis: { up: true, lag_ms: 1.5, memory_bytes: 1000, maxmemory_bytes: 4000 },
      backlog: null,
      ready: 'ready',
      reason: null,
    });
  });

  test('tell what was refused, and not that health was asked for', async () => {
    const it = await start({ limitAddress: 1, unlimitedClients: [] });
    const { figures } = await it.listen();
    await until('there are figures', () => figures.length > 0);
    let refused = 0;
    while (refused < 5) if ((await it.post({ user_id: 'ann', name: 'Home' })).status === 429) refused++;
    await until(
      'they are told',
      () => Math.round(added(figures, (one) => one.refused_per_second[429])) >= refused,
    );
    expect(Math.round(added(figures, (one) => one.refused_per_second[429]))).toBe(refused);
    expect(added(figures, (one) => one.refused_per_second[503])).toBe(0);
  });

  test('go on where Redis is away, and say so', async () => {
    const it = await start({}, undefined, {
      redis: async () => undefined,
      state: () => ({ status: 'unready', reason: 'Redis does not answer' }),
      backlog: () => ({ entries: 1, bytes: 2, limit: 3, ageSeconds: 4.5, dead: 5 }),
    });
    const { figures } = await it.listen();
    await until('there are two', () => figures.length >= 2);
    expect(figures.at(-1)).toMatchObject({
      redis: { up: false, lag_ms: null, memory_bytes: null, maxmemory_bytes: null },
      backlog: { entries: 1, bytes: 2, limit_bytes: 3, age_seconds: 4.5, dead: 5 },
      ready: 'unready',
      reason: 'Redis does not answer',
    });
  });

  test('that can not be had are nothing, and the stream lives', async () => {
    let fails = true;
    const it = await start({}, undefined, {
      redis: async () => {
        if (fails) throw new Error('of Redis');
        return undefined;
      },
    });
    const { figures, text } = await it.listen();
    await until('it is silent', () => text().split(':\n\n').length > 3);
    expect(figures).toEqual([]);
    fails = false;
    await until('it speaks', () => figures.length > 0);
  });
});

describe('rates', () => {
  const totals = (at: number, recorded: number, more: Partial<Totals> = {}): Totals => ({
    at,
    events: { recorded, duplicate: 0, erased: 0, expired: 0, capped: 0 },
    requests: 0,
    refused: { 429: 0, 503: 0 },
    writes: BOUNDS.map(() => 0),
    eventsInFlight: 0,
    ...more,
  });
  /** Writes of which so many took no longer than 1 ms, and so many more no longer than 5 ms. */
  const writes = (fast: number, slow: number) => BOUNDS.map((bound) => (bound < 0.005 ? fast : fast + slow));

  test('begin with the second reading, and are those of the time in between', () => {
    const rates = createRates();
    expect(rates.add({ a: totals(0, 100) })).toBeUndefined();
    expect(rates.add({ a: totals(1000, 150) })).toMatchObject({ events: { recorded: 50 } });
    expect(rates.add({ a: totals(3000, 160, { requests: 3, eventsInFlight: 4 }) })).toMatchObject({
      events: { recorded: 5 },
      requests: 1.5,
      eventsInFlight: 4,
    });
  });

  test('of several processes add up, and one that begins, ends or is late is no leap', () => {
    const rates = createRates();
    rates.add({ a: totals(0, 100), b: totals(500, 1000) });
    const both = rates.add({ a: totals(1000, 110), b: totals(1500, 1020) });
    expect(both!.events.recorded).toBe(30);
    expect(rates.add({ a: totals(2000, 120) })!.events.recorded).toBe(10); // b is late
    const again = rates.add({ a: totals(3000, 130), b: totals(3500, 1060) });
    expect(again!.events.recorded).toBe(30); // what b did in two seconds, by the second
    expect(rates.add({ a: totals(4000, 130), c: totals(10, 5000) })!.events.recorded).toBe(0); // c took b's place
    expect(rates.add({ a: totals(5000, 0), c: totals(1010, 5007) })!.events.recorded).toBe(7);
    expect(rates.add({})!.events.recorded).toBe(0);
  });

  test('the p99 is that of ten seconds, and of nobody else', () => {
    const rates = createRates();
    rates.add({ a: totals(0, 0, { writes: writes(500, 500) }) });
    expect(rates.add({ a: totals(1000, 0, { writes: writes(500, 500) }) })!.p99).toBeNull();
    const p99 = Array.from({ length: 12 }, (_, i) => {
      const [fast, slow] = i === 0 ? [500, 600] : [500 + 1000 * i, 600];
      return rates.add({ a: totals(2000 + 1000 * i, 0, { writes: writes(fast, slow) }) })!.p99;
    });
    expect(p99[0]).toBeCloseTo(4.975, 3); // of a hundred between 2.5 and 5 ms the 99th
    expect(p99[9]).toBeCloseTo(2.725, 3); // beside 9,000 fast ones: of the hundred the ninth
    expect(p99[10]).toBeCloseTo(0.99, 3); // they have left
  });

  test.each<[what: string, counts: number[], seconds: number | undefined]>([
    ['none', BOUNDS.map(() => 0), undefined],
    ['all in the first bucket', BOUNDS.map(() => 10), 0.00099],
    ['a half in each of two', BOUNDS.map((_, i) => (i === 0 ? 5 : 10)), 0.001 + 0.0015 * 0.98],
    ['longer than any bound', BOUNDS.map((bound) => (bound === Number.POSITIVE_INFINITY ? 10 : 0)), 2.5],
  ])("are taken from buckets as Prometheus's are: %s", (_what, counts, seconds) => {
    if (seconds === undefined) expect(quantile(0.99, counts)).toBeUndefined();
    else expect(quantile(0.99, counts)).toBeCloseTo(seconds, 9);
  });
});

describe('the sampler', () => {
  afterEach(() => jest.useRealTimers());

  test('reads once a second while somebody listens, and has no timer otherwise', async () => {
    jest.useFakeTimers();
    const read = jest.fn(async () => ({}));
    const redis = jest.fn(async () => undefined);
    const sampler = createSampler({
      totals: read,
      redis,
      state: () => ({ status: 'ready' }),
      clock: Date.now,
    });
    expect(jest.getTimerCount()).toBe(0);
    const hear = jest.fn();
    const stop = sampler.start(hear);
    await jest.advanceTimersByTimeAsync(3000);
    expect(read).toHaveBeenCalledTimes(4);
    expect(redis).toHaveBeenCalledTimes(3);
    expect(hear).toHaveBeenCalledTimes(4);
    stop();
    expect(jest.getTimerCount()).toBe(0);
    await jest.advanceTimersByTimeAsync(3000);
    expect(read).toHaveBeenCalledTimes(4);
  });

  test('does not read again what has not come yet, and says that it waits', async () => {
    jest.useFakeTimers();
    let answer: (value: Record<string, Totals>) => void = () => undefined;
    const totals = jest.fn(
      () =>
        new Promise<Record<string, Totals>>((resolve) => {
          answer = resolve;
        }),
    );
    const sampler = createSampler({
      ...{
        totals,
        redis: async () => undefined,
        state: () => ({ status: 'ready' as const }),
        clock: Date.now,
      },
    });
    const hear = jest.fn();
    const stop = sampler.start(hear);
    await jest.advanceTimersByTimeAsync(5000);
    expect(totals).toHaveBeenCalledTimes(1);
    expect(hear.mock.calls).toEqual(Array(5).fill([undefined]));
    stop();
    answer({});
    await jest.advanceTimersByTimeAsync(0);
    expect(hear).toHaveBeenCalledTimes(5);
  });
});

describe('streams', () => {
  test('share one sampler, which ends with the last of them', async () => {
    const { sampler, beat, silence, starts, running } = byHand();
    const it = await start({}, sampler);
    const listeners = [await it.listen(), await it.listen(), await it.listen()];
    expect([starts(), running()]).toEqual([1, 1]);
    beat();
    silence();
    for (const { figures, text } of listeners) {
      await until('it has them', () => figures.length === 1 && text().endsWith('}\n\n:\n\n'));
      expect(figures).toEqual([FIGURES]);
    }
    listeners[0]!.leave();
    listeners[1]!.leave();
    await until('two are gone', () => it.live.count() === 1);
    expect(running()).toBe(1);
    listeners[2]!.leave();
    await until('all are gone', () => running() === 0);
    const again = await it.listen();
    expect([starts(), running()]).toEqual([2, 1]);
    expect(again.text()).not.toContain('figures'); // those of before are old
  });

  test('one that comes later has the figures of now at once', async () => {
    const { sampler, beat } = byHand();
    const it = await start({}, sampler);
    await it.listen();
    beat();
    const { figures } = await it.listen();
    await until('it has them', () => figures.length === 1);
  });

  test('are no requests under way, and are not timed', async () => {
    const { sampler, beat } = byHand();
    const it = await start({}, sampler);
    const listeners = [await it.listen(), await it.listen()];
    expect(it.overload.underWay()).toBe(0);
    await sendRequest(it.port, { path: '/livez' });
    beat();
    listeners[0]!.leave();
    await until('it is gone', () => it.live.count() === 1);
    it.live.end();
    expect(await listeners[1]!.ended).toBe('ended');
    await until('all is counted', () => it.overload.underWay() === 0);
    const text = await it.metrics.text();
    expect(text).toContain('footfall_http_request_seconds_count{route="/livez"} 1');
    expect(text).not.toContain('/v1/live');
  });

  test('a request behind one on its connection, which would never be answered, ends both', async () => {
    const { sampler, running } = byHand();
    const it = await start({}, sampler);
    const socket = connect(it.port, '127.0.0.1');
    const gone = once(socket, 'close');
    socket.on('error', () => undefined).resume();
    socket.write('GET /v1/live HTTP/1.1\r\nHost: x\r\n\r\n');
    await until('it listens', () => running() === 1);
    socket.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2000));
    await gone;
    await until('it is gone', () => it.live.count() === 0);
    expect(it.overload.underWay()).toBe(0);
    expect(running()).toBe(0);
  });

  test('there are a hundred at most', async () => {
    const { sampler } = byHand();
    const it = await start(CLOSED, sampler);
    const listeners: Listener[] = [];
    for (let i = 0; i < 100; i++) listeners.push(await it.listen(KEY));
    const refused = await it.get('/v1/live');
    expect(refused).toMatchObject({ status: 503, body: { code: 'overloaded' } });
    expect(refused.headers['retry-after']).toMatch(/^[1-9]$/);
    expect((await it.get('/metrics')).status).toBe(200);
    listeners[7]!.leave();
    await until('there is room', () => it.live.count() === 99);
    expect((await it.listen(KEY)).status).toBe(200);
  });

  test('HEAD has the headers alone', async () => {
    const { sampler, starts } = byHand();
    const it = await start({}, sampler);
    const { status, headers, text } = await it.get('/v1/live', KEY, 'HEAD');
    expect({ status, text, type: headers['content-type'] }).toEqual({
      ...{ status: 200, text: '', type: 'text/event-stream' },
    });
    expect(starts()).toBe(0);
  });

  test('a key that is good no more ends its own, and no other', async () => {
    const { sampler, beat } = byHand();
    const it = await start(CLOSED, sampler);
    const [old, other] = [await it.listen(KEY), await it.listen('admin-key-of-2026-a')];
    beat();
    await until('it has them', () => old.figures.length === 1);
    it.keyring.replace({ ...CLOSED, metricsKeys: ['another-metrics-key'], readKeys: [KEY] });
    beat();
    expect(await old.ended).toBe('ended');
    expect(old.figures).toHaveLength(1);
    await until('the other has two', () => other.figures.length === 2);
    expect(it.live.count()).toBe(1);
  });

  test('one that does not read costs no memory, and is cut off', async () => {
    const { sampler, beat, running } = byHand();
    const it = await start({}, sampler);
    const large = { ...FIGURES, reason: 'x'.repeat(50_000) };
    const socket = connect(it.port, '127.0.0.1');
    stopping.push(() => socket.destroy());
    socket.pause();
    socket.write('GET /v1/live HTTP/1.1\r\nHost: x\r\n\r\n');
    await until('it listens', () => running() === 1);
    const reader = await it.listen();
    let most = 0;
    for (let i = 0; i < 2000 && !it.sockets[0]!.destroyed; i++) {
      beat(large);
      most = Math.max(most, it.sockets[0]!.writableLength);
      await turn();
      if (i < 5) await until('the other has it', () => reader.figures.length > i);
      else reader.leave();
    }
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(400_000);
    await until('it is cut off', () => it.sockets[0]!.destroyed);
  });

  test('none begins once they end', async () => {
    const { sampler, running } = byHand();
    const it = await start({}, sampler);
    const { ended } = await it.listen();
    it.live.end();
    expect(await ended).toBe('ended');
    expect(running()).toBe(0);
    expect(await it.get('/v1/live')).toMatchObject({ status: 503, body: { code: 'overloaded' } });
  });
});

describe('the built service', () => {
  const processes = useProcesses();
  const OLD = 'the-key-until-now-0123456789';
  const NEW = 'the-key-from-now-on-0123456789';

  async function listenTo(service: Service, key?: string): Promise<Listener> {
    const listener = await listen(service.port, key);
    processes.atEnd(listener.leave);
    return listener;
  }

  /** On connections of their own: they come to workers in turn. */
  async function listenToEach(service: Service, key?: string): Promise<Listener[]> {
    const listeners = [];
    for (let i = 0; i < 4; i++) listeners.push(await listenTo(service, key));
    for (const { figures } of listeners) await until('there are figures', () => figures.length > 0);
    return listeners;
  }

  describe.each(['1', '2'])('with WORKERS=%s', (workers) => {
    const begin = (settings: Settings = {}) => processes.start({ WORKERS: workers, ...settings });

    test('a stop ends streams, and does not wait for them', async () => {
      const service = await begin({ SHUTDOWN_MS: '9000' });
      const listeners = await listenToEach(service);
      const dumb = connect(service.port, '127.0.0.1').pause(); // never reads
      processes.atEnd(() => dumb.destroy());
      dumb.on('error', () => undefined).write('GET /v1/live HTTP/1.1\r\nHost: x\r\n\r\n');
      await sendTo(service.port, 'GET', '/livez');
      service.kill('SIGTERM');
      expect(await service.ended).toMatchObject({ code: 0, signal: null });
      for (const { ended } of listeners) expect(await ended).toBe('ended');
      expect(service.err()).toBe('');
    });

    test('a key that SIGHUP takes away ends its streams', async () => {
      const file = join(processes.dir, 'secret');
      writeFileSync(file, OLD);
      const service = await begin({ METRICS_KEYS_FILE: file, ADMIN_KEYS: 'an-admin-key-0123456789' });
      const listeners = await listenToEach(service, OLD);
      const admin = await listenTo(service, 'an-admin-key-0123456789');
      writeFileSync(file, NEW);
      service.kill('SIGHUP');
      for (const { ended } of listeners) expect(await ended).toBe('ended');
      const had = admin.figures.length;
      await until('the other goes on', () => admin.figures.length > had);
      expect((await listenTo(service, OLD)).status).toBe(401);
      expect((await listenTo(service, NEW)).status).toBe(200);
    });

    test('figures are of all of it', async () => {
      const service = await begin();
      const listeners = await listenToEach(service);
      const views = 200;
      for (let i = 0; i < views; i += 20) {
        const some = Array.from({ length: 20 }, (_, j) => viewOf('ann', `e${i + j}`));
        await Promise.all(some.map((body) => sendTo(service.port, 'POST', '/v1/page', body)));
      }
      for (const { figures } of listeners) {
        const seen = () => added(figures, ({ events }) => events.recorded);
        await until('they are told', () => seen() > 0.8 * views);
        const more = figures.length + 2;
        await until('what follows is none', () => figures.length >= more);
        expect(seen()).toBeLessThan(1.2 * views);
        expect(figures.some(({ p99_ms }) => p99_ms !== null && p99_ms > 0)).toBe(true);
      }
      const { redis, ready } = listeners[0]!.figures.at(-1)!;
      expect({ redis, ready }).toEqual({
        redis: {
          up: true,
          lag_ms: expect.any(Number),
          memory_bytes: expect.any(Number),
          maxmemory_bytes: expect.any(Number), // it has a Redis of its own
        },
        ready: 'ready',
      });
      expect(redis.memory_bytes).toBeGreaterThan(100_000);
    });
  });

  test('a Redis that goes away is told, and that it is there again', async () => {
    const own = await startRedis();
    processes.atEnd(() => own.stop());
    const service = await processes.start({ REDIS_URL: own.url, REDIS_TIMEOUT_MS: '500' });
    const { figures } = await listenTo(service);
    await until('all is well', () => figures.at(-1)?.redis.up && figures.at(-1)?.ready === 'ready');
    process.kill(own.pid, 'SIGSTOP');
    try {
      await until('it is away', () => figures.at(-1)?.redis.up === false);
      const more = figures.length + 2;
      await until('it goes on', () => figures.length >= more);
      expect(figures.at(-1)!.redis).toEqual({
        up: false,
        lag_ms: null,
        memory_bytes: null,
        maxmemory_bytes: null,
      });
    } finally {
      process.kill(own.pid, 'SIGCONT');
    }
    await until('it is there again', () => figures.at(-1)?.redis.up && figures.at(-1)?.ready === 'ready');
  });
});
