// The servers that are measured, in the order in which they take turns. All of them share one Redis.

import { setTimeout as delay } from 'node:timers/promises';
import { freePort, NODE_FLAGS, startNode } from './processes.mjs';

export const FOOTFALL = '../dist/server.js';

/** Redis and Postgres sync to one disk here. A Redis that has to wait for it shows in p99, and must not end the run. */
const PATIENCE = '10000';

export const SERVERS = [
  { name: 'bare', title: '(a) node:http', file: 'servers/bare.mjs' },
  { name: 'express', title: '(b) Express', file: 'servers/express.mjs', store: { prefix: 'ff', shards: 1 } },
  { name: 'fastify', title: '(c) Fastify', file: 'servers/fastify.mjs', store: { prefix: 'ff', shards: 1 } },
  { name: 'footfall', title: '(d) Footfall', file: FOOTFALL, store: { prefix: 'ff', shards: 1 } },
  // With a key to check, and every limit in force though none is met.
  {
    name: 'guarded',
    title: '(d) with keys',
    file: FOOTFALL,
    store: { prefix: 'ff', shards: 1 },
    apiKeys: { read: 'ffr_a-key-for-this-bench', write: 'ffw_a-key-for-this-bench' },
    env: {
      READ_KEYS: 'ffr_a-key-for-this-bench',
      WRITE_KEYS: 'ffw_a-key-for-this-bench',
      UNLIMITED_CLIENTS: 'none',
      LIMIT_ADDRESS: '1000000',
      LIMIT_KEY: '1000000',
      LIMIT_USER: '1000000',
      LIMIT_NEW_USERS: '10000000',
    },
  },
  // With ten tabs of the dashboard open.
  {
    name: 'watched',
    title: '(d) ten tabs',
    file: FOOTFALL,
    store: { prefix: 'ff', shards: 1 },
    watchers: 10,
  },
  // A prefix of its own: what is stored in 256 shards can't be read as one.
  {
    name: 'sharded',
    title: '(d) SHARDS=256',
    file: FOOTFALL,
    store: { prefix: 'fs', shards: 256 },
    writesOnly: true,
  },
  // With an archive, of which Redis remembers that the prefix has one. The first only writes to its outbox; beside the second runs
  // the worker, so Redis also gives out and deletes what is carried, and Postgres wants the cores, too.
  {
    name: 'outbox',
    title: '(d) outbox',
    file: FOOTFALL,
    store: { prefix: 'fo', shards: 1 },
    writesOnly: true,
    archive: 'waits',
    env: { ARCHIVE_WORKER: 'off', REDIS_TIMEOUT_MS: PATIENCE },
  },
  {
    name: 'archived',
    title: '(d) archive',
    file: FOOTFALL,
    store: { prefix: 'fa', shards: 1 },
    writesOnly: true,
    archive: 'carried',
    env: { REDIS_TIMEOUT_MS: PATIENCE },
  },
];

/** `database` is for those that have an archive. */
export async function startServer(server, redis, folder, database) {
  const { file, store } = server;
  if (file !== FOOTFALL) {
    const started = startNode(file, { env: { REDIS_URL: redis.url }, flags: NODE_FLAGS, folder });
    return { ...server, ...started, port: await started.answer('port') };
  }
  const port = await freePort();
  const env = {
    REDIS_URL: redis.url,
    PORT: String(port),
    KEY_PREFIX: store.prefix,
    SHARDS: String(store.shards),
    ...(server.archive && { DATABASE_URL: database.url }),
    ...server.env,
  };
  const started = startNode(file, { env, flags: NODE_FLAGS, folder });
  await Promise.race([ready(port), started.answer('never')]);
  return { ...server, ...started, port };
}

async function ready(port) {
  for (let attempt = 0; attempt < 200; attempt++) {
    const reply = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
    if (reply?.ok) return;
    await delay(50);
  }
  throw new Error('Footfall did not get ready within 10 s');
}
