// What DURABILITY costs: the same events into a Redis that syncs once a second, one that syncs before it answers, and one whose
// replica is asked.

import { drive, medians } from './measure.mjs';
import { temporaryFolder } from './processes.mjs';
import { startRedis } from './redis.mjs';
import { FOOTFALL, startServer } from './servers.mjs';
import { mustBeStored } from './singles.mjs';

const WAYS = [
  { durability: 'local' },
  { durability: 'disk', appendfsync: 'always' },
  { durability: 'replica', replicas: 1 },
];

export async function measureDurability(bench, plan) {
  const folder = temporaryFolder();
  const sides = [];
  for (const { durability, ...redisOptions } of WAYS) {
    bench.say(`durability: starting ${durability}`);
    const redis = await startRedis(redisOptions);
    const server = {
      title: durability,
      file: FOOTFALL,
      store: { prefix: 'ff', shards: 1 },
      env: { DURABILITY: durability },
    };
    sides.push({ redis, server: await startServer(server, redis, folder), rounds: [] });
  }
  for (const side of sides) await run(side, plan.warmUp);
  for (let round = 1; round <= plan.rounds; round++) {
    for (const side of sides) {
      bench.say(`durability, round ${round} of ${plan.rounds}: ${side.server.title}`);
      side.rounds.push(await run(side, plan.events[32]));
    }
  }
  return sides.map(({ server, rounds }) => ({ title: server.title, ...medians(rounds), rounds }));

  async function run({ redis, server }, count) {
    await redis.clear();
    const job = { kind: 'page', first: 0, today: bench.today, connections: 32, count };
    const figures = await drive({ ...bench, redis, server }, job);
    await mustBeStored({ ...bench, redis }, server, figures.had, count);
    return figures;
  }
}
