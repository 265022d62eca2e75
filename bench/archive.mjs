// From a request to a row of Postgres: Footfall's outbox and its worker, beside the usual design, a queue and an INSERT a job.
// Each first takes its events while nothing takes them out; then a worker of its own takes out all that wait.

import { setTimeout as delay } from 'node:timers/promises';
import { mustBeArchived, mustWait, waiting } from './archived.mjs';
import { cpuOf, drive, medians } from './measure.mjs';
import { NODE_FLAGS, startNode } from './processes.mjs';

const LOOK_EVERY = 5; // ms

export async function measureArchive(bench, plan) {
  const { redis, database, folder, say, today } = bench;
  const footfall = bench.servers.find(({ name }) => name === 'outbox');
  const env = { REDIS_URL: redis.url, DATABASE_URL: database.url };
  const usual = startNode('servers/bullmq.mjs', { env, flags: NODE_FLAGS, folder });
  const queue = { ...usual, title: 'BullMQ, an INSERT a job', port: await usual.answer('port') };

  const carries = {
    server: footfall,
    worker: '../dist/archive/command.js',
    env: { ...env, KEY_PREFIX: footfall.store.prefix, LOG_LEVEL: 'warn' },
    left: () => waiting(redis, footfall.store),
  };
  const sides = [
    {
      name: 'batches',
      title: 'Footfall, 1,000 a request',
      job: { kind: 'batch', connections: 4, size: 1000, count: plan.archived.batches },
      ...carries,
    },
    {
      name: 'singles',
      title: 'Footfall, one a request',
      job: { kind: 'page', connections: 32, count: plan.archived.singles },
      ...carries,
    },
    {
      name: 'queue',
      title: queue.title,
      job: { kind: 'page', connections: 32, count: plan.archived.jobs },
      server: queue,
      worker: 'servers/bullmqWorker.mjs',
      env,
      left: () => jobsLeft(redis),
    },
  ];
  const warmUp = { kind: 'page', first: 0, today, connections: 32, count: plan.warmUp };
  await drive({ ...bench, server: queue }, warmUp); // Footfall is warm already, and every worker is a new one
  const rounds = sides.map(() => []);
  for (let round = 1; round <= plan.rounds; round++) {
    for (const [i, side] of sides.entries()) {
      say(`to Postgres, round ${round} of ${plan.rounds}: ${side.title}`);
      rounds[i].push(await run(side));
    }
  }
  return sides.map(({ name, title }, i) => ({ name, title, ...medians(rounds[i]), rounds: rounds[i] }));

  async function run(side) {
    const { server, job } = side;
    const events = job.count * (job.size ?? 1);
    await redis.clear();
    await database.clear();
    const { had, ...taken } = await drive({ ...bench, server }, { ...job, first: 0, today });
    if (had !== events) throw new Error(`${side.title} accepted ${had} of ${events} events`);
    if (server.store) await mustWait(bench, server, events);
    const drained = await drain(side, events);
    await mustBeArchived(bench, server, events);
    return { ...taken, ...drained };
  }

  /** The clock starts once the worker has begun: how long a process takes to start is no question here. */
  async function drain({ title, worker: file, env, left }, events) {
    const all = await left();
    const worker = startNode(file, { env, flags: NODE_FLAGS, folder });
    const ended = worker.answer('never');
    ended.catch(() => undefined); // it also ends when it is stopped
    const until = async (is) => {
      for (let now = await left(); ; now = await left()) {
        if (is(now)) return now;
        await Promise.race([delay(LOOK_EVERY), ended]);
      }
    };
    await until((now) => now < all);
    const { result, cpu } = await cpuOf({ worker, redis, postgres: database }, async () => {
      const begun = performance.now();
      const share = (await left()) / all;
      await until((now) => now === 0);
      return { carried: share * events, seconds: (performance.now() - begun) / 1000 };
    });
    await worker.stop();
    const { carried, seconds } = result;
    if (carried === 0) throw new Error(`${title}: all was carried before it could be timed`);
    const used = Object.fromEntries(cpu.map(([name, us]) => [name, us / carried]));
    return {
      drained: carried / seconds,
      worker: used.worker,
      postgres: used.postgres,
      redisOfWorker: used.redis,
    };
  }
}

/** Jobs that nobody has begun, and those at hand. */
async function jobsLeft({ client }) {
  const [[, waits], [, active]] = await client
    .multi()
    .llen('bull:views:wait')
    .llen('bull:views:active')
    .exec();
  return waits + active;
}
