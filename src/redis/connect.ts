// The one place where a Redis client is made, and why it is set as it is.

import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import type { Clustered, Place, Watched } from './place.ts';
import { addScripts, type FootfallRedis } from './scripts.ts';

/** Nodes that have all been silent for so long, ms, may have been replaced by others. */
const ALL_REPLACED = 5000;
const LINGER = 200; // ms that a socket which is being closed may take

/** Back soon after Redis is: service resumes within 1.5 s of its port opening. */
const soonAgain = (times: number) => Math.min(50 * 2 ** Math.min(times - 1, 5), 1000) + Math.random() * 50;

/** By what an operator sees whose a connection is. */
export const SERVICE = 'footfall';

function connectionOptions(timeoutMs: number, name: string) {
  return {
    // A write whose reply was lost may have run. Only the caller may send it again (it is idempotent), and only the
    // caller knows that it failed: ioredis must neither repeat it (with 0, what is under way fails with its connection)
    // nor keep it for later.
    maxRetriesPerRequest: 0,
    // A Redis that stands still is noticed by the call that waits, then by the socket.
    commandTimeout: timeoutMs,
    socketTimeout: timeoutMs + 500,
    connectTimeout: 2000,
    disconnectTimeout: LINGER,
    keepAlive: 10_000,
    // A demoted master refuses writes until we look up the new one.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
    // Replies keep one shape, and integers are exact: ioredis 6.0.0 reads large RESP3 numbers inexactly.
    protocol: 2 as const,
    connectionName: name,
    disableClientInfo: true, // the user of docs/security.md may not send it, and Redis would note that
  } satisfies RedisOptions;
}

export function connectRedis(place: Place, timeoutMs: number, name = SERVICE): FootfallRedis {
  if ('nodes' in place) return connectCluster(place, timeoutMs, name);
  const options = {
    ...connectionOptions(timeoutMs, name),
    ...credentialsOf(place),
    enableOfflineQueue: false,
    retryStrategy: soonAgain,
    // The recorder groups calls itself.
    enableAutoPipelining: false,
    lazyConnect: true,
  } satisfies RedisOptions;
  if ('sentinels' in place)
    return addScripts(neverEnding(new Redis({ ...options, ...watchedOptions(place) })));
  const redis = place.url.startsWith('unix://')
    ? new Redis({ ...options, path: decodeURIComponent(new URL(place.url).pathname) }) // as a string, ioredis would cut it at a ?
    : new Redis(place.url, options);
  return addScripts(redis);
}

function watchedOptions({ sentinels, master, sentinelPassword, tls }: Watched) {
  return {
    sentinels,
    name: master,
    role: 'master' as const,
    // Without it the client stays with a master that slept, was replaced, and woke up: what it acknowledges then is lost.
    failoverDetector: true,
    sentinelRetryStrategy: soonAgain,
    sentinelReconnectStrategy: soonAgain,
    sentinelCommandTimeout: 1000,
    ...(sentinelPassword !== undefined && { sentinelPassword }),
    ...(tls && { tls: {}, sentinelTLS: {}, enableTLSForSentinelMode: true }),
  } satisfies RedisOptions;
}

/**
 * News of a failover that comes while the client asks the sentinels ends it for good: the detector of the connection that was
 * lost disconnects the one that is being made. It begins anew.
 */
function neverEnding(redis: Redis): Redis {
  let isWanted = true;
  const disconnect = redis.disconnect.bind(redis);
  redis.disconnect = (reconnect = false) => {
    isWanted &&= reconnect;
    disconnect(reconnect);
  };
  redis.on('end', () => {
    if (!isWanted) return;
    setTimeout(() => {
      if (isWanted && redis.status === 'end') redis.connect().catch(() => undefined);
    }, soonAgain(1));
  });
  return redis;
}

function connectCluster(place: Clustered, timeoutMs: number, name: string): FootfallRedis {
  const options = {
    redisOptions: {
      ...connectionOptions(timeoutMs, name),
      ...credentialsOf(place),
      ...(place.tls && { tls: {} }),
    },
    // A call whose node is not there fails at once, and the caller sends it again; only what Redis has refused without
    // running it is sent again here, for so long as a caller waits.
    enableOfflineQueue: false,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    // A slot that is being moved refuses scripts until all of it has: some tens of ms, more where it holds much.
    retryDelayOnTryAgain: 20,
    maxRedirections: 1000, // commandTimeout ends it sooner
    // Where a slot is now is told by MOVED, if there is somebody left to tell; otherwise it has to be asked.
    slotsRefreshInterval: 1000,
    slotsRefreshTimeout: 500,
    clusterRetryStrategy: soonAgain,
    // The default never goes back to a node that was lost, and came again.
    clusterNodeRetryStrategy: soonAgain,
    // Of a slot that is being moved, a pipeline's answers would be MOVED.
    enableAutoPipelining: false,
    // Its replicas are behind: the next read must see what was recorded.
    scaleReads: 'master' as const,
    lazyConnect: true,
  } satisfies ClusterOptions;
  const cluster = new Cluster(place.nodes, options);
  // A node's connection is made with the first call for it; that one would wait, and the next ones fail.
  cluster.on('+node', (node: Redis) => {
    if (node.status === 'wait' && !node.options.readOnly) node.connect().catch(() => undefined);
  });
  let failingSince: number | undefined;
  const heed = (error?: Error | null) => {
    failingSince = error ? (failingSince ?? performance.now()) : undefined;
    if (failingSince === undefined || performance.now() - failingSince < ALL_REPLACED) return;
    failingSince = undefined;
    if (cluster.status === 'ready') cluster.disconnect(true); // to begin with the names in the settings
  };
  cluster.on('node error', () => cluster.status === 'ready' && cluster.refreshSlotsCache(heed));
  // What is called of it, a cluster has as well.
  return addScripts(cluster as unknown as Redis);
}

function credentialsOf({ username, password }: Place) {
  return password === undefined ? {} : { password, ...(username !== undefined && { username }) };
}
