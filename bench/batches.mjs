// Batches of 1,000 over HTTP, against pipelined calls of the same script without HTTP: the pace of Redis.

import { allUsers } from './events.mjs';
import { cpuOf, drive, medians } from './measure.mjs';
import { NODE_FLAGS, startNode } from './processes.mjs';
import { viewsStored } from './scripts.mjs';
import { mustBeStored } from './singles.mjs';

const SIZE = 1000;
const CONNECTIONS = 4; // 4,000 events under way, as in the program without HTTP

export async function measureBatches(bench, { rounds, batches }) {
  const { redis, today, say } = bench;
  const server = bench.servers.find(({ name }) => name === 'footfall');
  const probe = await fetch(`http://127.0.0.1:${server.port}/v1/pages`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: '[]',
  });
  if (probe.status === 404) return undefined;

  const count = batches * SIZE;
  const env = { REDIS_URL: redis.url };
  const program = startNode('pipelined.mjs', { env, flags: NODE_FLAGS, folder: bench.folder });
  await program.answer('ready');

  const http = [];
  const pipelined = [];
  for (let round = 0; round <= rounds; round++) {
    say(`batches, round ${round} of ${rounds}: pipelined`);
    const bare = await pipeline();
    say(`batches, round ${round} of ${rounds}: over HTTP`);
    const ours = await overHttp();
    if (round === 0) continue; // to get warm
    pipelined.push(bare);
    http.push(ours);
  }
  return {
    size: SIZE,
    pipelined: { ...medians(pipelined), rounds: pipelined },
    http: { ...medians(http), rounds: http },
  };

  async function overHttp() {
    await redis.clear();
    const job = { kind: 'batch', first: 0, today, connections: CONNECTIONS, count: batches, size: SIZE };
    const figures = await drive({ ...bench, server }, job);
    await mustBeStored(bench, server, figures.had, count);
    return figures;
  }

  async function pipeline() {
    await redis.clear();
    await program.ask({ job: { count, today } }, 'prepared');
    const { result, cpu } = await cpuOf({ node: program, redis }, () => program.ask({ go: true }, 'figures'));
    const stored = await viewsStored(redis.client, allUsers, server.store);
    if (result.recorded !== count || stored !== count) {
      throw new Error(`pipelined: ${result.recorded} recorded of ${count} events, profiles show ${stored}`);
    }
    return {
      rate: count / result.seconds,
      ...Object.fromEntries(cpu.map(([name, used]) => [name, used / count])),
    };
  }
}
