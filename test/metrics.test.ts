import { once } from 'node:events';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { EVENT_LIMIT } from '../src/http/body.ts';
import { DAY, dayOf } from '../src/time.ts';
import { metricsOfArchive } from './support/archive.ts';
import { outputsOf, readPage } from './support/console.ts';
import { JSON_TYPE, type Sent, startApi, stopServer, useApi, userPath } from './support/http.ts';
import { NOW } from './support/lua.ts';
import { useRedis } from './support/redis.ts';
import { NOON, type service } from './support/service.ts';

const DATASOURCE = `${'$'}{datasource}`; // Grafana's own placeholder

const server = useRedis();
const api = useApi(server, { maxViewsPerUserDay: 3 });

interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

interface Family {
  type: string;
  samples: Sample[];
}

const SAMPLE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\n"])*)"(?:,|$)/y;

/** Prometheus's text format, taken strictly: throws where Prometheus would. */
function parse(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line is cut');
  const families = new Map<string, Family>();
  const helps = new Set<string>();
  const series = new Set<string>();
  let open = '';
  for (const line of text.split('\n').filter(Boolean)) {
    const [, kind, name, rest] = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/.exec(line) ?? [];
    if (kind === 'HELP') {
      if (helps.has(name!)) throw new Error(`two helps: ${line}`);
      helps.add(name!);
    } else if (kind === 'TYPE') {
      if (families.has(name!)) throw new Error(`two types: ${line}`);
      if (!/^(counter|gauge|histogram|summary)$/.test(rest!)) throw new Error(`no type: ${line}`);
      families.set(name!, { type: rest!, samples: [] });
      open = name!;
    } else {
      const sample = parseSample(line);
      const own = families.get(open);
      const suffix = sample.name.slice(open.length);
      const fits = own?.type === 'histogram' ? /^(_bucket|_sum|_count)$/.test(suffix) : suffix === '';
      if (!own || !sample.name.startsWith(open) || !fits) throw new Error(`of no family: ${line}`);
      const id = sample.name + JSON.stringify(Object.entries(sample.labels).sort());
      if (series.has(id)) throw new Error(`twice: ${line}`);
      series.add(id);
      own.samples.push(sample);
    }
  }
  return families;
}

function parseSample(line: string): Sample {
  const [, name, inBraces = '', number] = SAMPLE.exec(line) ?? [];
  if (name === undefined) throw new Error(`no sample: ${line}`);
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < inBraces.length) {
    const label = LABEL.exec(inBraces);
    if (!label || label[1]! in labels) throw new Error(`labels: ${line}`);
    labels[label[1]!] = label[2]!;
  }
  const value = /^[+-]?inf$/i.test(number!) ? (number!.startsWith('-') ? -1 : 1) / 0 : Number(number);
  if (Number.isNaN(value) && !/^nan$/i.test(number!)) throw new Error(`no number: ${line}`);
  return { name, labels, value };
}

async function scrape(from: { send: typeof api.send } = api) {
  const reply = await from.send({ path: '/metrics' });
  expect(reply.status).toBe(200);
  expect(reply.headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4(;|$)/);
  return parse(reply.text);
}

/** A counter's samples, or a histogram's counts, by their labels: `{ 'GET 200': 3 }`. */
function numbers(families: Map<string, Family>, name: string): Record<string, number> {
  const all = [...families.values()].flatMap(({ samples }) => samples);
  return Object.fromEntries(
    all
      .filter((sample) => sample.name === name)
      .map(({ labels, value }) => [Object.values(labels).join(' '), value]),
  );
}

const total = (counts: Record<string, number>) => Object.values(counts).reduce((sum, n) => sum + n, 0);

/** What `action` added to a counter. */
async function added(name: string, action: () => Promise<unknown>): Promise<Record<string, number>> {
  const before = numbers(await scrape(), name);
  await action();
  const after = numbers(await scrape(), name);
  const rows = Object.entries(after).map(([key, n]) => [key, n - (before[key] ?? 0)] as const);
  return Object.fromEntries(rows.filter(([, n]) => n !== 0));
}

const page = (body: object): Sent => ({
  method: 'POST',
  path: '/v1/page',
  headers: JSON_TYPE,
  body: JSON.stringify(body),
});

describe('events', () => {
  test('are counted by what became of them', async () => {
    const { services } = api;
    const outcomes = await added('footfall_events_total', async () => {
      await api.view({ timestamp: '2026-11-21T10:00:00Z' });
      await api.view({ timestamp: '2026-11-21T10:01:00Z' });
      await api.view({ timestamp: '2026-11-21T10:01:00Z' });
      await api.view({ timestamp: '2026-11-21T10:02:00Z' });
      await api.view({ timestamp: '2026-11-21T10:03:00Z' });
      await api.view({ timestamp: '2026-11-21T10:04:00Z' });
      await api.view({ timestamp: '2012-12-21T10:00:00Z' });
      await api.erase('ann');
      await api.view({ timestamp: '2026-11-21T10:05:00Z' });
      await services.recorder.record({ kind: 'view', userId: 'bob', at: NOW + 3 * DAY, name: 'Home' });
      await server.redis.set(services.keys.stats('eve', dayOf(NOW)), 'x');
      await api.send(page({ user_id: 'eve', name: 'Home', timestamp: NOON }));
      await api.send(page({ user_id: '', name: 'Home' })); // no event
    });
    expect(outcomes).toEqual({
      recorded: 3,
      duplicate: 1,
      capped: 2,
      expired: 1,
      erased: 1,
      future: 1,
      damaged: 1,
    });
  });

  test('that come together go in one call', async () => {
    let families = new Map<string, Family>();
    const calls = await added('footfall_redis_call_seconds_count', async () => {
      const events = await added('footfall_group_size_sum', () =>
        Promise.all(
          Array.from({ length: 20 }, (_, i) =>
            api.services.recorder.record({ kind: 'view', userId: `user${i}`, at: NOW, name: 'Home' }),
          ),
        ),
      );
      expect(events).toEqual({ record: 20 });
      await api.profile('user1');
      families = await scrape();
    });
    expect(calls).toEqual({ record: 1, profile: 1 });
    expect(numbers(families, 'footfall_group_size_count')).toEqual(
      numbers(families, 'footfall_redis_call_seconds_count'),
    );
  });
});

describe('requests', () => {
  const requests: [Sent, what: string][] = [
    [page({ user_id: 'ann', name: 'Home' }), '/v1/page 202'],
    [page({ user_id: 'ann' }), '/v1/page 400'],
    [{ ...page({}), body: 'x'.repeat(EVENT_LIMIT + 1) }, '/v1/page 413'],
    [{ ...page({}), headers: {} }, '/v1/page 415'],
    [{ method: 'OPTIONS', path: '/v1/page' }, '/v1/page 204'],
    [{ method: 'PUT', path: '/v1/page' }, '/v1/page 405'],
    [{ path: userPath('ann') }, '/v1/user/:user_id 200'],
    [{ method: 'HEAD', path: userPath('bob') }, '/v1/user/:user_id 200'],
    [{ path: userPath('undefined') }, '/v1/user/:user_id 400'],
    [{ method: 'DELETE', path: userPath('ann') }, '/v1/user/:user_id 200'],
    [{ path: `${userPath('ann')}/days` }, '/v1/user/:user_id/days 200'],
    [{ path: `${userPath('ann')}/visits` }, '/v1/user/:user_id/visits 200'],
    [{ path: '/v1/key' }, '/v1/key 200'],
    [{ method: 'HEAD', path: '/v1/live' }, '/v1/live 200'],
    [{ path: `${userPath('ann')}/export` }, '/v1/user/:user_id/export 200'],
    [{ path: '/livez' }, '/livez 200'],
    [{ path: '/readyz?x=1' }, '/readyz 200'],
    [{ path: '/nothing' }, 'none 404'],
    [{ path: '/v1/user/%zz' }, 'none 400'],
    [{ method: 'PROPFIND', path: '/nothing' }, 'none 404'],
  ];

  test('are counted by route and status, and timed once each', async () => {
    const expected: Record<string, number> = { '/metrics 200': 1 }; // the look before
    const times: Record<string, number> = { '/metrics': 1 };
    for (const [, what] of requests) {
      expected[what] = (expected[what] ?? 0) + 1;
      const route = what.split(' ')[0]!;
      times[route] = (times[route] ?? 0) + 1;
    }
    const send = async () => {
      for (const [sent] of requests) await api.send(sent);
    };
    expect(await added('footfall_http_requests_total', send)).toEqual(expected);
    expect(await added('footfall_http_request_seconds_count', send)).toEqual(times);
  });

  test('on one connection are counted each', async () => {
    const counts = await added('footfall_http_request_seconds_count', async () => {
      const socket = connect(api.port, '127.0.0.1');
      const head = 'GET /livez HTTP/1.1\r\nHost: x\r\n';
      socket.write(`${head}\r\n`.repeat(4));
      socket.write(`${head}Connection: close\r\n\r\n`);
      socket.resume();
      await once(socket, 'close');
    });
    expect(counts).toMatchObject({ '/livez': 5 });
  });

  test('to nowhere do not grow the number of series', async () => {
    const lines = async () => (await api.send({ path: '/metrics' })).text.split('\n').length;
    const wander = (i: number): Sent[] => [
      { path: `/x${i}` },
      { path: `/v1/user/u${i}/x${i}` },
      { path: `/v1/user/u${i}` },
      { path: `/livez/${i}` },
      { path: `/%zz${i}` },
      { path: `//${i}?a=${i}` },
      { method: 'PUT', path: `/v1/user/u${i}` },
      { method: 'PROPFIND', path: `/x${i}` },
      page({ user_id: `u${i}`, name: `Page ${i}` }),
    ];
    const round = (i: number) => Promise.all(wander(i).map((sent) => api.send(sent)));
    await lines();
    await round(0);
    const before = await lines();
    for (let i = 1; i < 20; i++) await round(i);
    expect(await lines()).toBe(before);
    const routes = Object.keys(numbers(await scrape(), 'footfall_http_requests_total'));
    expect(new Set(routes.map((what) => what.split(' ')[0]))).toEqual(
      new Set([
        '/v1/page',
        '/v1/user/:user_id',
        '/v1/user/:user_id/days',
        '/v1/user/:user_id/visits',
        '/v1/user/:user_id/export',
        '/v1/key',
        '/v1/live',
        '/livez',
        '/readyz',
        '/metrics',
        'none',
      ]),
    );
  });
});

test('nothing names a person, a page or a path', async () => {
  const secret = 'Qx7';
  const path = `/v1/user/${secret}user`;
  const body = { user_id: `${secret}user`, name: `${secret}page`, event_id: `${secret}event` };
  await api.send(page(body));
  await api.send(
    page({ ...body, name: undefined, url: `https://${secret}.example/`, site_id: `${secret}site` }),
  );
  await api.send(page({ ...body, timestamp: secret }));
  for (const end of ['', '/days', '/visits', `/${secret}`, `?key=${secret}`])
    await api.send({ path: path + end });
  await api.send({ method: 'PUT', path, headers: { 'X-Request-Id': secret, 'User-Agent': secret } });
  await api.send({ method: 'DELETE', path });
  const { text } = await api.send({ path: '/metrics' });
  expect(text.toLowerCase()).not.toContain(secret.toLowerCase());
  const labels = new Set(
    [...parse(text).values()].flatMap(({ samples }) => samples.flatMap((s) => Object.keys(s.labels))),
  );
  expect(labels).toEqual(new Set(['outcome', 'kind', 'limit', 'route', 'status', 'script', 'why', 'le']));
});

test('histograms add up', async () => {
  await api.view();
  await api.profile('ann');
  const families = await scrape();
  const histograms = [...families].filter(([, { type }]) => type === 'histogram');
  expect(histograms.map(([name]) => name).sort()).toEqual([
    'footfall_group_size',
    'footfall_http_request_seconds',
    'footfall_redis_call_seconds',
  ]);
  for (const [name, { samples }] of histograms) {
    const counts = samples.filter((sample) => sample.name === `${name}_count`);
    expect(counts.length).toBeGreaterThan(0);
    for (const { labels, value } of counts) {
      const buckets = samples
        .filter((s) => s.name === `${name}_bucket`)
        .filter((s) => Object.entries(labels).every(([label, text]) => s.labels[label] === text));
      const values = buckets.map((bucket) => bucket.value);
      expect(values).toEqual(values.toSorted((a, b) => a - b));
      expect(buckets.at(-1)).toMatchObject({ labels: { le: '+Inf' }, value });
    }
  }
});

describe('what is read when it is asked for', () => {
  let watched: Awaited<ReturnType<typeof startApi>>;
  let figures: { memory: number; maxmemory: number | undefined; lagSeconds: number } | undefined;
  let waiting = 0;
  let away = 0;

  beforeAll(async () => {
    watched = await startApi(server.redis);
    const { metrics } = watched.services as unknown as ReturnType<typeof service>;
    metrics.watch({
      eventsInFlight: () => waiting,
      requestsUnderWay: () => 0,
      shardsAway: () => away,
      redis: async () => figures,
    });
  });
  afterAll(() => stopServer(watched.server as Server));

  const gauges = async () => {
    const families = await scrape(watched);
    const names = [
      ...['events_in_flight', 'shards_away', 'redis_up', 'redis_memory_bytes', 'redis_maxmemory_bytes'],
      'redis_lag_seconds',
    ];
    return names.map((name) => families.get(`footfall_${name}`)?.samples[0]?.value);
  };

  test('is of that moment', async () => {
    waiting = 3;
    figures = { memory: 1000, maxmemory: 5000, lagSeconds: 0.25 };
    expect(await gauges()).toEqual([3, 0, 1, 1000, 5000, 0.25]);
    waiting = 0;
    away = 86;
    figures = { memory: 2000, maxmemory: undefined, lagSeconds: 0.5 };
    expect(await gauges()).toEqual([0, 86, 1, 2000, undefined, 0.5]);
  });

  test('is left out while Redis is away: an old figure would look like a new one', async () => {
    figures = { memory: 1000, maxmemory: 5000, lagSeconds: 0.25 };
    await gauges();
    figures = undefined;
    expect(await gauges()).toEqual([0, 86, 0, undefined, undefined, undefined]);
  });
});

describe('the dashboard', () => {
  interface Panel {
    id: number;
    type: string;
    title: string;
    datasource?: { uid: string };
    gridPos: { x: number; y: number; w: number; h: number };
    targets?: { expr: string; datasource: { uid: string }; legendFormat: string }[];
  }
  const dashboard = JSON.parse(readPage('docs/grafana.json')) as {
    schemaVersion: number;
    templating: { list: { name: string; type: string; definition?: string }[] };
    panels: Panel[];
  };
  const targets = dashboard.panels.flatMap((panel) => panel.targets ?? []);
  const queries = [
    ...targets.map(({ expr }) => expr),
    ...dashboard.templating.list.flatMap(({ definition }) => definition ?? []),
  ];
  const namesIn = (query: string) => query.match(/\b(footfall|process|nodejs)_\w+/g) ?? [];
  let real: Map<string, Family>;

  beforeAll(async () => {
    const post = `curl -s localhost:3000/v1/page -H 'Content-Type: application/json' -d '{"user_id":"ann","name":"Home"}'`;
    const commands = [post, 'curl -s localhost:3000/v1/user/ann', 'curl -s localhost:3000/metrics'];
    const outputs = await outputsOf(commands.map((command) => ({ command, output: '' })));
    real = parse(`${outputs.at(-1)}\n${await metricsOfArchive()}`);
  });

  test('asks for nothing that the service does not tell', () => {
    const told = new Set([...real.values()].flatMap(({ samples }) => samples.map(({ name }) => name)));
    expect(queries.flatMap(namesIn).filter((name) => !told.has(name))).toEqual([]);
    for (const query of queries) expect(namesIn(query).length).toBeGreaterThan(0);
  });

  test('groups by labels that its metrics have', () => {
    for (const { expr } of targets) {
      const labels = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, names]) => names!.split(', '));
      const [family] = [...real].filter(([name]) => namesIn(expr)[0]!.startsWith(name)).map(([, f]) => f);
      const known = new Set(family!.samples.flatMap((sample) => Object.keys(sample.labels)));
      expect(labels.filter((label) => !known.has(label))).toEqual([]);
    }
  });

  test('shows every footfall metric', () => {
    const asked = queries.flatMap(namesIn);
    const shown = ([name]: [string, Family]) =>
      asked.some((one) => one.replace(/_(bucket|sum|count)$/, '') === name);
    const own = [...real].filter(([name]) => name.startsWith('footfall_'));
    expect(own.filter((family) => !shown(family)).map(([name]) => name)).toEqual([]);
    expect(own.length).toBeGreaterThanOrEqual(9);
  });

  test('can be opened: any Prometheus, no panel over another, brackets closed', () => {
    expect(dashboard.schemaVersion).toBeGreaterThanOrEqual(39);
    expect(dashboard.templating.list).toContainEqual(
      expect.objectContaining({ name: 'datasource', type: 'datasource', query: 'prometheus' }),
    );
    const sources = [...targets, ...dashboard.panels.filter(({ type }) => type !== 'row')];
    expect(new Set(sources.map(({ datasource }) => datasource?.uid))).toEqual(new Set([DATASOURCE]));
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)} ${y + Math.floor(i / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    for (const { expr } of targets) {
      let left = expr.replace(/"[^"]*"/g, '').replace(/[^()[\]{}]/g, '');
      for (let before = ''; left !== before; ) {
        before = left;
        left = left.replace(/\(\)|\[\]|\{\}/g, '');
      }
      expect(left).toBe('');
    }
  });

  test('a scrape tells of Redis and of the process', () => {
    const value = (name: string) => real.get(name)?.samples[0]?.value;
    expect(value('footfall_redis_up')).toBe(1);
    expect(value('footfall_redis_memory_bytes')).toBeGreaterThan(100_000);
    expect(value('footfall_redis_lag_seconds')).toBeGreaterThan(0);
    expect(value('process_resident_memory_bytes')).toBeGreaterThan(1_000_000);
    expect(total(numbers(real, 'footfall_events_total'))).toBe(1);
  });
});

describe('the parser', () => {
  const good = '# HELP a b\n# TYPE a counter\na{x="1",y="\\"\\\\"} 2\na 3\n';

  test('takes what is right', () => {
    expect(parse(good).get('a')?.samples).toEqual([
      { name: 'a', labels: { x: '1', y: '\\"\\\\' }, value: 2 },
      { name: 'a', labels: {}, value: 3 },
    ]);
  });

  test.each([
    ['a line that is cut', good.slice(0, -1)],
    ['two types', good + good],
    ['a sample of no family', `${good}b 1\n`],
    ['a series twice', `${good}a 4\n`],
    ['no number', `${good}a{x="2"} x\n`],
    ['a quote in a label', `${good}a{x=""2"} 1\n`],
    ['a label twice', `${good}a{x="2",x="3"} 1\n`],
  ])('not %s', (_what, text) => {
    expect(() => parse(text)).toThrow();
  });
});
