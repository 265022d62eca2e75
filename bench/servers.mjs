// The servers that are measured, in the order in which they take turns. All of them share one Redis.

import { setTimeout as delay } from 'node:timers/promises';
import { freePort, NODE_FLAGS, startNode } from './processes.mjs';

export const FOOTFALL = '../dist/server.js';

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
  // A prefix of its own: what is stored in 256 shards can't be read as one.
  { name: 'sharded', title: '(d) SHARDS=256', file: FOOTFALL, store: { prefix: 'fs', shards: 256 } },
];

export async function startServer(server, redis, folder) {
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
