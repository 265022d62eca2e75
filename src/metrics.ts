// What an operator can watch, for Prometheus. Labels are few and name nobody: outcomes, routes, statuses, scripts.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { BacklogFigures } from './archive/backlog.ts';
import { FAILURES, type Failure } from './redis/errors.ts';

export type Script = 'record' | 'profile' | 'days' | 'visits' | 'visitors' | 'erase';

/** What may have no room for a further name, in the order of `record.lua`'s reply. */
export const FOLDED = ['page', 'url_or_site', 'path', 'event_type'] as const;

/** What has a limit. */
export const LIMITED = ['address', 'key', 'user', 'new_users'] as const;

export interface Metrics {
  /** Events by what became of them. */
  event(outcome: string): void;
  /** Names that found no place of their own, since there were too many. */
  folded(kind: (typeof FOLDED)[number], count: number): void;
  /** A call that came to nothing. */
  failed(why: Failure): void;
  /** A request or event that was past a limit. */
  limited(kind: (typeof LIMITED)[number]): void;
  /** A request that was answered: the route's pattern, never its path. */
  request(route: string, status: number, seconds: number): void;
  /** A call of a script, with how many events or users it carried. */
  call(script: Script, seconds: number, size: number): void;
  readonly contentType: string;
  readonly registry: Registry;
  text(): Promise<string>;
}

/** Figures that are read when they are asked for. */
export interface Gauges {
  /** Events that wait for Redis. */
  eventsInFlight(): number;
  /** Requests under way. */
  requestsUnderWay(): number;
  /** Shards whose node does not answer. */
  shardsAway(): number;
  /** Redis's own: bytes in use and allowed, and how long it takes to answer; undefined when it does not. */
  redis(): Promise<{ memory: number; maxmemory: number | undefined; lagSeconds: number } | undefined>;
  /** What waits for the archive, where there is one. */
  backlog?(): BacklogFigures | undefined;
}

/** Upper bounds of the buckets of times, s. */
export const TIMES = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];
const SIZES = [1, 2, 4, 8, 16, 32, 64, 128];

export function createMetrics(): Metrics & { watch(gauges: Gauges): void; watchProcess(): void } {
  const registry = new Registry();
  const registers = [registry];
  const events = new Counter({
    name: 'footfall_events_total',
    help: 'Events by what became of them.',
    labelNames: ['outcome'] as const,
    registers,
  });
  const folded = new Counter({
    name: 'footfall_names_folded_total',
    help: 'Names past a cap: pages, paths and event types count under (other), urls and sites of a user have no visitor.',
    labelNames: ['kind'] as const,
    registers,
  });
  const limited = new Counter({
    name: 'footfall_limited_total',
    help: 'Requests and events refused since a client, a key or a user sent too much, or an address too many new users.',
    labelNames: ['limit'] as const,
    registers,
  });
  const requests = new Counter({
    name: 'footfall_http_requests_total',
    help: 'Requests answered, by route and status.',
    labelNames: ['route', 'status'] as const,
    registers,
  });
  const requestTimes = new Histogram({
    name: 'footfall_http_request_seconds',
    help: 'From the head of a request to the end of its answer, by route.',
    labelNames: ['route'] as const,
    buckets: TIMES,
    registers,
  });
  const callTimes = new Histogram({
    name: 'footfall_redis_call_seconds',
    help: 'Calls of scripts, from sending to the reply, by script.',
    labelNames: ['script'] as const,
    buckets: TIMES,
    registers,
  });
  const failures = new Counter({
    name: 'footfall_redis_failures_total',
    help: 'Calls of scripts that came to nothing, by why: what Redis said, or that it said nothing.',
    labelNames: ['why'] as const,
    registers,
  });
  const groupSizes = new Histogram({
    name: 'footfall_group_size',
    help: 'Events or users that one call of a script carried, by script.',
    labelNames: ['script'] as const,
    buckets: SIZES,
    registers,
  });

  for (const why of FAILURES) failures.labels(why).inc(0);
  for (const kind of LIMITED) limited.labels(kind).inc(0);
  for (const kind of FOLDED) folded.labels(kind).inc(0); // a series that is not there can't be seen to rise
  // A label set is looked up once, not with every request: prom-client would build its key each time.
  const eventsOf = each((outcome: string) => events.labels(outcome));
  const requestsOf = each((route: string) => ({
    time: requestTimes.labels(route),
    of: each((status: number) => requests.labels(route, String(status))),
  }));
  const callsOf = each((script: Script) => ({
    time: callTimes.labels(script),
    size: groupSizes.labels(script),
  }));

  return {
    event: (outcome) => eventsOf(outcome).inc(),
    folded(kind, count) {
      if (count > 0) folded.labels(kind).inc(count);
    },
    failed: (why) => failures.labels(why).inc(),
    limited: (kind) => limited.labels(kind).inc(),
    request(route, status, seconds) {
      const { time, of } = requestsOf(route);
      time.observe(seconds);
      of(status).inc();
    },
    call(script, seconds, carried) {
      const { time, size } = callsOf(script);
      time.observe(seconds);
      size.observe(carried);
    },
    contentType: registry.contentType,
    registry,
    text: () => registry.metrics(),
    watch: (gauges) => watch(gauges, registers),
    watchProcess: () => collectDefaultMetrics({ register: registry }),
  };
}

/** Makes a value for each key, once. */
function each<K, V>(make: (key: K) => V): (key: K) => V {
  const made = new Map<K, V>();
  return (key) => {
    let value = made.get(key);
    if (value === undefined) {
      value = make(key);
      made.set(key, value);
    }
    return value;
  };
}

function watch(gauges: Gauges, registers: Registry[]): void {
  const { eventsInFlight, requestsUnderWay, shardsAway, redis, backlog } = gauges;
  if (backlog) watchBacklog(backlog, registers);

  new Gauge({
    name: 'footfall_events_in_flight',
    help: 'Events that wait for Redis.',
    registers,
    collect() {
      this.set(eventsInFlight());
    },
  });

  new Gauge({
    name: 'footfall_requests_under_way',
    help: 'Requests that are not answered yet; files and health are none.',
    registers,
    collect() {
      this.set(requestsUnderWay());
    },
  });

  // A scrape asks every gauge at once, and each must wait for the figures: they share one reading.
  let reading: ReturnType<Gauges['redis']> | undefined;
  const figures = () => {
    reading ??= redis().finally(() => {
      reading = undefined;
    });
    return reading;
  };
  new Gauge({
    name: 'footfall_redis_up',
    help: '1 when Redis answers.',
    aggregator: 'max', // each worker asks the same Redis
    registers,
    async collect() {
      this.set((await figures()) ? 1 : 0);
    },
  });
  new Gauge({
    name: 'footfall_redis_memory_bytes',
    help: 'Memory that Redis uses.',
    aggregator: 'max', // each worker asks the same Redis
    registers,
    async collect() {
      setOrLeaveOut(this, (await figures())?.memory);
    },
  });
  new Gauge({
    name: 'footfall_redis_maxmemory_bytes',
    help: 'Memory that Redis may use; left out where there is no bound.',
    aggregator: 'max',
    registers,
    async collect() {
      setOrLeaveOut(this, (await figures())?.maxmemory);
    },
  });
  new Gauge({
    name: 'footfall_shards_away',
    help: 'Shards whose node does not answer.',
    aggregator: 'max', // one worker may see it before another
    registers,
    collect() {
      this.set(shardsAway());
    },
  });
  new Gauge({
    name: 'footfall_redis_lag_seconds',
    help: 'How long Redis takes to answer now.',
    aggregator: 'max', // each worker asks the same Redis
    registers,
    async collect() {
      setOrLeaveOut(this, (await figures())?.lagSeconds);
    },
  });
}

function watchBacklog(backlog: NonNullable<Gauges['backlog']>, registers: Registry[]): void {
  const gauge = (name: string, help: string, of: (figures: BacklogFigures) => number) =>
    new Gauge({
      name,
      help,
      aggregator: 'max', // each worker looks at the same outboxes
      registers,
      collect() {
        const figures = backlog();
        setOrLeaveOut(this, figures && of(figures));
      },
    });
  gauge(
    'footfall_outbox_entries',
    'What waits for the archive: each has the events of one call.',
    (it) => it.entries,
  );
  gauge('footfall_outbox_bytes', "Redis's memory that it takes.", (it) => it.bytes);
  gauge('footfall_outbox_limit_bytes', 'How much it may take: past it events are refused.', (it) => it.limit);
  gauge('footfall_outbox_dead_letters', 'Entries that could not be read, of the last days.', (it) => it.dead);
  gauge('footfall_outbox_age_seconds', 'How long the oldest of it has waited.', (it) => it.ageSeconds);
}

/** What is not known is not told: an old figure would look like a new one. */
function setOrLeaveOut(gauge: Gauge, value: number | undefined): void {
  if (value === undefined) gauge.remove();
  else gauge.set(value);
}
