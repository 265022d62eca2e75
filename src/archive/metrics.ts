// What an operator can watch of the archive's worker. It runs in a process of its own, so it has a registry of its own.

import { Counter, Gauge, Histogram, Registry } from 'prom-client';

export interface ArchiveMetrics {
  /** A batch was stored: how many rows were new, and how many were there already or are of somebody who was erased. */
  batch(seconds: number, stored: number, known: number): void;
  /** Something failed and is done again. */
  retried(): void;
  /** Entries were put aside. */
  buried(count: number): void;
  /** Somebody was forgotten. */
  erased(): void;
  /** How many shards are this worker's. */
  holds(shards: number): void;
  readonly registry: Registry;
}

const TIMES = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export function createArchiveMetrics(): ArchiveMetrics {
  const registry = new Registry();
  const registers = [registry];
  const batches = new Histogram({
    name: 'footfall_archive_batch_seconds',
    help: 'Batches stored in Postgres, by how long it took.',
    buckets: TIMES,
    registers,
  });
  const rows = new Counter({
    name: 'footfall_archive_rows_total',
    help: 'Events carried to Postgres: stored, or known there already (or of somebody who was erased since).',
    labelNames: ['outcome'] as const,
    registers,
  });
  const retries = new Counter({
    name: 'footfall_archive_retries_total',
    help: 'Times that the worker began anew: Postgres or Redis failed, or an entry could not be read.',
    registers,
  });
  const dead = new Counter({
    name: 'footfall_archive_dead_letters_total',
    help: 'Events of the outbox that could not be read and were put aside.',
    registers,
  });
  const erasures = new Counter({
    name: 'footfall_archive_erasures_total',
    help: 'Erasures carried out in Postgres.',
    registers,
  });
  const shards = new Gauge({
    name: 'footfall_archive_shards',
    help: 'Shards that this worker carries; another may carry the rest.',
    registers,
  });
  for (const outcome of ['stored', 'known']) rows.labels(outcome).inc(0);
  return {
    batch(seconds, stored, known) {
      batches.observe(seconds);
      rows.labels('stored').inc(stored);
      rows.labels('known').inc(known);
    },
    retried: () => retries.inc(),
    buried: (count) => dead.inc(count),
    erased: () => erasures.inc(),
    holds: (count) => shards.set(count),
    registry,
  };
}
