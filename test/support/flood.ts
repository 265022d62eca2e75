// Loads, each a process of its own: what sends must not be what slows.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setPriority } from 'node:os';
import { join } from 'node:path';
import { KEYS, MARK } from './marks.ts';
import { stopProcess } from './redis.ts';

export interface Job {
  /** See flood.mjs. */
  kind: 'views' | 'strangers' | 'names' | 'batches' | 'batchesOfAll' | 'profile' | 'livez' | 'raw';
  port: number;
  seconds: number;
  /** At most so many; without a rate all of them, each with one request after the other. */
  connections: number;
  /** Requests a second, whatever becomes of those before. */
  rate?: number;
  /** From which addresses. */
  from?: string[];
  key?: string;
  user?: string;
  users?: number;
  page?: string;
  pages?: number | undefined;
  /** Events of a batch. */
  size?: number;
  request?: string;
}

export interface Times {
  count: number;
  p50: number;
  p99: number;
  most: number;
}

export interface Figures {
  seconds: number;
  sent: number;
  statuses: Record<string, number>;
  /** By status, ms. */
  times: Record<string, Times>;
  bySecond: Record<string, number>[];
  /** Requests whose connection ended before the answer. */
  lost: number;
  /** Requests without an answer ten seconds after the end. */
  late: number;
  /** Requests for which there was no connection left. */
  notSent: number;
  connections: number;
  /** Cores that the load itself used. */
  cpu: number;
}

export interface Flood {
  run(job: Job): Promise<Figures>;
}

const CHILD = join(__dirname, 'flood.mjs');
let runs = 0;

/** What stands for other machines must not take this one's time from the service. */
const LEAST_PRIORITY = 4;

/** Call it at the top of a test file. The processes end with each test. */
export function useFloods(): (kind?: 'attack') => Promise<Flood> {
  const children: ChildProcess[] = [];
  afterEach(async () => {
    await Promise.all(children.splice(0).map((child) => stopProcess(child)));
  });
  return async (kind) => {
    const child = fork(CHILD, { execArgv: [], env: { PATH: process.env.PATH } });
    children.push(child);
    child.setMaxListeners(0); // two for each run
    await once(child, 'message');
    if (kind === 'attack') setPriority(child.pid!, LEAST_PRIORITY);
    return {
      run(job) {
        const id = ++runs;
        // What this run calls its users and pages, no other does.
        const run = `${process.pid.toString(36)}.${id.toString(36)}.`;
        const { key = KEYS.write, user = `${MARK.user}-`, page = MARK.page, users = 1000 } = job;
        const figures = new Promise<Figures>((resolve, reject) => {
          child.on('message', (message: { id: number; figures: Figures }) => {
            if (message.id === id) resolve(message.figures);
          });
          child.once('exit', () => reject(new Error('the load ended early')));
          child.send({ ...job, id, run, key, user, page, users });
        });
        figures.catch(() => undefined); // a test that failed before does not wait for it
        return figures;
      },
    };
  };
}

export const answered = ({ statuses }: Figures, status: number) => statuses[status] ?? 0;

/** Times of an answer; zeros where it was not given. */
export const timesOf = ({ times }: Figures, status: number): Times =>
  times[status] ?? { count: 0, p50: 0, p99: 0, most: 0 };

/** 202: 81,233, 503: 12. */
export const shownStatuses = ({ statuses }: Figures) =>
  Object.entries(statuses)
    .map(([status, number]) => `${status}: ${number.toLocaleString('en')}`)
    .join(', ');
