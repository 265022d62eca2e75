// The memory of processes, watched.

import { readdirSync, readFileSync } from 'node:fs';

/** Bytes of RAM that a process holds; 0 where there is none. */
export function residentOf(pid: number): number {
  try {
    return 1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}

export function openFilesOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

export interface Watch {
  readonly samples: number[];
  stop(): void;
}

export function watchResident(pids: () => number[], everyMs = 100): Watch {
  const samples: number[] = [];
  const timer = setInterval(
    () => samples.push(pids().reduce((sum, pid) => sum + residentOf(pid), 0)),
    everyMs,
  );
  return { samples, stop: () => clearInterval(timer) };
}

export const MB = 1024 * 1024;

/** The highest of some samples, in megabytes; `from` and `to` are shares of the time. */
export function highest(samples: number[], from = 0, to = 1): number {
  const part = samples.slice(Math.floor(samples.length * from), Math.ceil(samples.length * to));
  return Math.round(Math.max(0, ...part) / MB);
}
