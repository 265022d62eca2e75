// The built service with keys, over a Redis of the test's own: where the faults of docs/faults.md are made.

import { metricsOf } from './ask.ts';
import { survey } from './keyspace.ts';
import { KEY_SETTINGS, marksIn } from './marks.ts';
import type { Processes, Service, Settings } from './process.ts';
import { startRedis, type TestRedis } from './redis.ts';
import { reportRow } from './rows.ts';

export interface Stand {
  store: TestRedis;
  service: Service;
  port: number;
  /** The processes that serve. */
  pids(): number[];
  /** Rows 24 and 25 of what a row has left: keys in Redis, log lines, metrics. `more` must not be in these, either. */
  lookBack(row: string, more?: string[]): Promise<void>;
}

export interface StandOptions {
  settings?: Settings;
  /** Further arguments for Redis. */
  redis?: string[];
}

export async function startStand(
  processes: Processes,
  { settings = {}, redis = [] }: StandOptions = {},
): Promise<Stand> {
  const store = await startRedis({ args: ['--appendonly', 'yes', '--maxmemory', '1gb', ...redis] });
  processes.atEnd(store.stop);
  const service = await processes.start({
    ...KEY_SETTINGS,
    UNLIMITED_CLIENTS: 'none',
    LOG_LEVEL: 'debug',
    REDIS_URL: store.url,
    ...settings,
  });
  return {
    store,
    service,
    port: service.port,
    pids: processes.pids,
    async lookBack(row, more) {
      const { keys, staying, foreign, longestDays } = await survey(store.redis);
      const metrics = await metricsOf(service.port);
      const logged = service.out() + service.err();
      const seen = [...marksIn(logged, more), ...marksIn(metrics, more)];
      reportRow(
        '24',
        `after row ${row}`,
        {
          'every key has a TTL': staying.length === 0,
          'every key is of the dictionary': foreign.length === 0,
        },
        `${keys.toLocaleString('en')} keys, ${staying.length} without a TTL but ff:meta, none past ${Math.ceil(longestDays)} days`,
      );
      reportRow(
        '25',
        `after row ${row}`,
        {
          'nothing of a person is logged or in metrics': seen.length === 0,
          'stderr is empty': service.err() === '',
        },
        `${lines(logged)} log lines and ${lines(metrics)} of metrics, ${seen.length} marks in them`,
      );
    },
  };
}

const lines = (text: string) => text.split('\n').filter(Boolean).length.toLocaleString('en');
