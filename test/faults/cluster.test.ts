// Rows 13 and 14: a cluster of three primaries, each with a replica.

import { setTimeout as delay } from 'node:timers/promises';
import { createKeys } from '../../src/redis/keys.ts';
import { slotOf } from '../../src/redis/shards.ts';
import { ask } from '../support/ask.ts';
import { useLedger } from '../support/ledger.ts';
import { KEYS, MARK } from '../support/marks.ts';
import { useProcesses } from '../support/process.ts';
import { long, ms } from '../support/rows.ts';
import { type Cluster, type Node, startCluster } from '../support/topologies.ts';
import { reportOutcome, runCommand, settle, startLoad, strike } from '../support/topologyRuns.ts';

const processes = useProcesses();
const ledger = useLedger();

const NODE_TIMEOUT = 1500;
const BACK = NODE_TIMEOUT + 3000;
const AWAY = 5000;
const BEFORE = long(2500, 800); // ms of load
const AFTER = long(3000, 1000);
const SHARDS = 256;
const keys = createKeys('ff', SHARDS);

async function start(): Promise<Cluster> {
  const args = ['--cluster-require-full-coverage', 'no'];
  const cluster = await startCluster({ nodeTimeoutMs: NODE_TIMEOUT, args });
  processes.atEnd(cluster.stop);
  return cluster;
}

const settingsFor = ({ seeds }: Cluster, DURABILITY = 'local') => ({
  REDIS_CLUSTER: seeds.join(','),
  DURABILITY,
});

/** Users of a node's shards and of others, told apart. */
async function usersOf(cluster: Cluster, node: Node): Promise<{ here: string; elsewhere: string }> {
  const slots = new Set(await cluster.slotsOf(node));
  const isHere = (user: string) => slots.has(slotOf(keys.shard(keys.shardOf(user))));
  const names = Array.from({ length: 1000 }, (_, i) => `${MARK.user}-probe${i}`);
  return { here: names.find(isHere)!, elsewhere: names.find((name) => !isHere(name))! };
}

let probes = 0;

/** Whether an event of a user is recorded now. */
async function isServed(port: number, user_id: string): Promise<boolean> {
  const body = JSON.stringify({ user_id, name: MARK.page, event_id: `probe${probes++}` });
  const { status } = await ask(port, '/v1/page', { method: 'POST', key: KEYS.write, body });
  return status === 202;
}

/** How long a node's users are away, and what is said of it; others are asked as well. */
async function watchOutage(port: number, { here, elsewhere }: { here: string; elsewhere: string }) {
  const since = performance.now();
  let others = 0;
  let isDegraded = false;
  while (performance.now() - since < 20_000) {
    if (!(await isServed(port, elsewhere))) others++;
    if ((await ask(port, '/readyz')).text.includes('degraded')) isDegraded = true;
    if (await isServed(port, here)) break;
    await delay(20);
  }
  return { away: performance.now() - since, others, isDegraded };
}

const STRIKES = [
  ['killed', 'local'],
  ['killed', 'replica'],
  ['asleep', 'local'],
  ['asleep', 'replica'],
] as const;

test.each(STRIKES.slice(0, long(4, 1)))('a primary is %s, DURABILITY=%s', async (what, durability) => {
  const cluster = await start();
  const stand = await startLoad(processes, ledger, settingsFor(cluster, durability));
  const { port } = stand.service;
  await delay(BEFORE);
  const [victim] = (await cluster.primaries()) as [Node];
  const users = await usersOf(cluster, victim);
  const back = durability === 'local' ? BACK : AWAY + BACK;
  const struck = await strike(stand);
  if (what === 'killed') await victim.kill();
  else victim.pause();
  // With one replica each, a primary that took over has none until the other comes back, and DURABILITY=replica refuses.
  const [seen] = await Promise.all([
    watchOutage(port, users),
    delay(AWAY).then(() => (what === 'killed' ? victim.restart() : victim.resume())),
  ]);
  await delay(AFTER);
  await cluster.settled();
  const outcome = await settle(stand, struck);
  reportOutcome(stand, outcome, {
    row: '13',
    fault: `a primary ${what === 'killed' ? 'killed' : 'asleep for 5 s'}, DURABILITY=${durability}`,
    mayLose: durability === 'local',
    held: { 'other slots go on': seen.others === 0 },
    aims: {
      [`its slots are back within ${ms(back)}`]: seen.away <= back,
      '/readyz says degraded': seen.isDegraded,
    },
    more: `its slots were away for ${ms(seen.away)}, ${seen.others} of others' events refused meanwhile`,
  });
});

test('a manual failover by npm run failover', async () => {
  const cluster = await start();
  const settings = settingsFor(cluster);
  const stand = await startLoad(processes, ledger, settings);
  await delay(BEFORE);
  const [old] = (await cluster.primaries()) as [Node];
  const struck = await strike(stand);
  const said = await runCommand(processes, 'failover/command.js', [`127.0.0.1:${old.port}`], settings);
  await delay(AFTER);
  await cluster.settled();
  const isAnother = !(await cluster.primaries()).includes(old);
  reportOutcome(stand, await settle(stand, struck), {
    row: '13',
    fault: 'manual failover',
    outage: 2000,
    held: { 'another is primary': isAnother },
    more: said.trim(),
  });
});

test('every node is restarted in turn', async () => {
  const cluster = await start();
  const settings = settingsFor(cluster);
  const stand = await startLoad(processes, ledger, settings);
  await delay(BEFORE);
  const struck = await strike(stand);
  // A primary steps down first: that is how it is done without a loss.
  for (const node of long(cluster.nodes, cluster.nodes.slice(0, 2))) {
    if ((await cluster.primaries()).includes(node)) {
      await runCommand(processes, 'failover/command.js', [`127.0.0.1:${node.port}`], settings);
      await cluster.settled();
    }
    await node.terminate();
    await node.restart();
    await cluster.settled();
  }
  reportOutcome(stand, await settle(stand, struck), {
    row: '13',
    fault: `rolling restart of ${long(6, 2)} nodes, each primary stepping down first`,
    outage: 2000,
  });
});

test('slots are moved and moved back', async () => {
  const cluster = await start();
  const stand = await startLoad(processes, ledger, settingsFor(cluster));
  await delay(BEFORE);
  const [from, to] = (await cluster.primaries()) as [Node, Node];
  const slots = (await cluster.slotsOf(from)).slice(0, long(2500, 300));
  const struck = await strike(stand);
  const since = performance.now();
  await cluster.moveSlots(from, to, slots);
  await cluster.moveSlots(to, from, slots);
  const took = performance.now() - since;
  await delay(AFTER);
  await cluster.settled();
  const outcome = await settle(stand, struck);
  reportOutcome(stand, outcome, {
    row: '14',
    fault: `${slots.length} slots moved and moved back`,
    held: { 'no request fails': Object.keys(outcome.tally.statuses).join() === '202' },
    more: `the moves took ${ms(took)}`,
  });
});
