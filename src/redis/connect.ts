// The one place where a Redis client is made, and why it is set as it is.

import { Redis, type RedisOptions } from 'ioredis';
import { type FootfallRedis, loadScripts } from './scripts.ts';

export interface RedisAddress {
  /** `redis://`, `rediss://` or `unix://`. */
  url: string;
  timeoutMs: number;
}

export function connectRedis({ url, timeoutMs }: RedisAddress): FootfallRedis {
  const options = {
    // A write whose reply was lost may have run. Only the caller may send it again (it is idempotent), and only the
    // caller knows that it failed: ioredis must neither repeat it (with 0, what is under way fails with its connection)
    // nor keep it for later.
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    // A Redis that stands still is noticed by the call that waits, then by the socket.
    commandTimeout: timeoutMs,
    socketTimeout: timeoutMs + 500,
    connectTimeout: 2000,
    disconnectTimeout: 200, // how long a socket that is being closed may linger
    keepAlive: 10_000,
    // Back soon after Redis is: service resumes within 1.5 s of its port opening.
    retryStrategy: (times: number) => Math.min(50 * 2 ** Math.min(times - 1, 5), 1000) + Math.random() * 50,
    // A demoted master refuses writes until we look up the new one.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
    // Replies keep one shape, and integers are exact: ioredis 6.0.0 reads large RESP3 numbers inexactly.
    protocol: 2 as const,
    // The recorder groups calls itself.
    enableAutoPipelining: false,
    connectionName: 'footfall',
    disableClientInfo: true, // the user of docs/security.md may not send it, and Redis would note that
    lazyConnect: true,
    scripts: loadScripts(),
  } satisfies RedisOptions;
  const redis = url.startsWith('unix://')
    ? new Redis({ ...options, path: decodeURIComponent(new URL(url).pathname) }) // as a string, ioredis would cut it at a ?
    : new Redis(url, options);
  return redis as FootfallRedis;
}
