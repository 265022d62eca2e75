// What Redis takes when nothing is in its way: calls of record.lua with 128 events each, always 32 of them under way,
// their arguments made before the clock starts.

import { Redis } from 'ioredis';
import { event } from './events.mjs';
import { defineScripts, recordArgs, SHARD } from './scripts.mjs';

const SIZE = 128;
const UNDER_WAY = 32;

const redis = new Redis(new URL(process.env.REDIS_URL).pathname, { protocol: 2 });
defineScripts(redis);

let built = { key: '' };

function build({ count, today }) {
  const key = `${count} ${today}`;
  if (built.key === key) return;
  built = { key, calls: [] };
  for (let i = 0; i < count; i += SIZE) {
    const length = Math.min(SIZE, count - i);
    built.calls.push(recordArgs(Array.from({ length }, (_, j) => event(i + j, today))));
  }
}

async function run() {
  const { calls } = built;
  let next = 0;
  let recorded = 0;
  const start = performance.now();
  async function lane() {
    while (next < calls.length) {
      const outcomes = await redis.record(SHARD, calls[next++]);
      for (const outcome of outcomes) if (outcome === 'recorded') recorded++;
    }
  }
  await Promise.all(Array.from({ length: UNDER_WAY }, lane));
  return { recorded, seconds: (performance.now() - start) / 1000 };
}

process.on('message', async (message) => {
  if (message.job) {
    build(message.job);
    process.send({ prepared: true });
  } else if (message.go) {
    process.send({ figures: await run() });
  }
});
process.send({ ready: true });
