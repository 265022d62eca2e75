// What a process has counted since it began, as much of it as the live figures need. It is read out of what the metrics
// count anyway, so that a request or an event costs nothing more.

import type { Registry } from 'prom-client';
import { TIMES } from '../metrics.ts';
import type { Clock } from '../time.ts';

export interface Totals {
  /** When it was read, ms by a clock of the process's own: what passed in between is what a rate needs. */
  at: number;
  /** By outcome. */
  events: Record<Outcome, number>;
  requests: number;
  refused: Record<Refusal, number>;
  /** Writes that took no longer than each of BOUNDS. */
  writes: number[];
  eventsInFlight: number;
}

export const OUTCOMES = ['recorded', 'duplicate', 'erased', 'expired', 'capped'] as const;
export type Outcome = (typeof OUTCOMES)[number];

export const REFUSALS = ['429', '503'] as const;
export type Refusal = (typeof REFUSALS)[number];

/** Seconds. */
export const BOUNDS = [...TIMES, Number.POSITIVE_INFINITY];

const WRITES = new Set(['/v1/page', '/v1/pages', '/v1/event', '/event', '/v1/user/login']);
/** They answer 503 on purpose, and refuse nobody. */
const HEALTH = new Set(['/livez', '/readyz']);

export async function totalsOf(registry: Registry, clock: Clock = () => performance.now()): Promise<Totals> {
  const of = async (name: string) => (await registry.getSingleMetric(name)?.get())?.values ?? [];
  const [events, requests, times, waiting] = await Promise.all([
    of('footfall_events_total'),
    of('footfall_http_requests_total'),
    of('footfall_http_request_seconds') as Promise<Bucket[]>,
    of('footfall_events_in_flight'),
  ]);
  const sumOf = (values: typeof events, which: (labels: Labels) => boolean = () => true) =>
    values.filter(({ labels }) => which(labels)).reduce((sum, { value }) => sum + value, 0);
  const each = <K extends string>(names: readonly K[], count: (name: K) => number) =>
    Object.fromEntries(names.map((name) => [name, count(name)])) as Record<K, number>;
  const buckets = times.filter(
    ({ metricName, labels }) => isBucket(metricName) && WRITES.has(String(labels.route)),
  );
  return {
    at: clock(),
    events: each(OUTCOMES, (outcome) => sumOf(events, (labels) => labels.outcome === outcome)),
    requests: sumOf(requests),
    refused: each(REFUSALS, (status) =>
      sumOf(requests, (labels) => labels.status === status && !HEALTH.has(String(labels.route))),
    ),
    writes: BOUNDS.map((bound) => sumOf(buckets, ({ le }) => boundOf(le) === bound)),
    eventsInFlight: sumOf(waiting),
  };
}

type Labels = Partial<Record<string, string | number>>;
type Bucket = { value: number; labels: Labels; metricName?: string };

const isBucket = (name: string | undefined) => name?.endsWith('_bucket');
const boundOf = (le: string | number | undefined) => (le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le));

/** Of processes by whatever names each, and differs if another takes its place. */
export type TotalsOfAll = Record<string, Totals>;

export const ofOne = (registry: Registry) => async (): Promise<TotalsOfAll> => ({
  one: await totalsOf(registry),
});

/** As Prometheus's histogram_quantile has it, seconds; undefined where nothing was measured. */
export function quantile(q: number, counts: readonly number[]): number | undefined {
  const all = counts.at(-1) ?? 0;
  if (all === 0) return undefined;
  const rank = q * all;
  const i = counts.findIndex((count) => count >= rank);
  if (i === BOUNDS.length - 1) return BOUNDS[i - 1]; // somewhere beyond
  const [from, before] = i === 0 ? [0, 0] : [BOUNDS[i - 1]!, counts[i - 1]!];
  return from + ((BOUNDS[i]! - from) * (rank - before)) / (counts[i]! - before);
}
