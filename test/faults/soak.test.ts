// The soak: random faults for minutes, one at a time, and everything is looked at only in the end.

import { setTimeout as delay } from 'node:timers/promises';
import { createKeys } from '../../src/redis/keys.ts';
import { slotOf } from '../../src/redis/shards.ts';
import {
  conclude,
  type FaultStand,
  more,
  plainClient,
  ready,
  startFaultStand,
  strike,
} from '../support/faultStand.ts';
import { haveSeenAll, type Running, useLedger } from '../support/ledger.ts';
import { KEY_SETTINGS } from '../support/marks.ts';
import { type Ended, type Service, type Settings, until, useProcesses } from '../support/process.ts';
import type { Fault } from '../support/proxy.ts';
import { type Random, randomOf, seedOf } from '../support/random.ts';
import { highest, openFilesOf, watchResident } from '../support/resident.ts';
import { count, long, ms } from '../support/rows.ts';
import { type Cluster, startCluster } from '../support/topologies.ts';
import { loadOn, runCommand } from '../support/topologyRuns.ts';

const processes = useProcesses();
const ledger = useLedger();

const SECONDS = Number(process.env.SOAK_SECONDS ?? long(600, 20));
const SOAKS = long(2, 1); // which share the time
const SEED = seedOf(process.env.FAULT_SEED);
const USERS = 20; // few, who soon have seen all pages: while memory is short, names that are news are folded
const WARM_UP = long(2000, 500); // events
const QUIET = long(300, 100); // events, between two faults
const GROWTH = 32; // megabytes
const MORE_FILES = 4;
const TIMEOUT = (SECONDS + 240) * 1000;
const ENDLESS = "while true do redis.call('GET', 'x') end";
const NODE_AWAY = 3000;
const SHARDS = 256;
const keys = createKeys('ff', SHARDS);

/** Makes a fault and ends it; says how many calls were in flight when it struck. */
type Make = (random: Random) => Promise<number>;
type Faults = Record<string, Make>;

interface Soaked {
  service: Service;
  /** Done when what a fault has left is over. */
  healed(): Promise<unknown>;
}

interface Course {
  strikes: number[];
  figures: string[];
  held: Record<string, boolean>;
}

/** Makes faults until the time is over, and ends the load. `files` were open before it. */
async function soak(stand: Soaked, running: Running, faults: Faults, files: number): Promise<Course> {
  const random = randomOf(SEED, -1); // the events have the numbers from 0
  const outages = new Map<string, number[]>(Object.keys(faults).map((kind) => [kind, []]));
  const strikes: number[] = [];
  process.stdout.write(`soak: FAULT_SEED=${SEED}\n`);
  await more(running, WARM_UP);
  const memory = watchResident(() => [stand.service.pid]);
  const since = performance.now();
  for (let left: string[] = []; performance.now() - since < (SECONDS * 1000) / SOAKS; ) {
    if (left.length === 0) left = Object.keys(faults);
    const [kind] = left.splice(random.from(0, left.length), 1) as [string];
    try {
      strikes.push(await faults[kind]!(random));
      await more(running, 1);
      outages.get(kind)!.push(running.outage());
      await stand.healed();
      await ready(stand.service);
      await more(running, QUIET);
    } catch (error) {
      throw new Error(`fault ${strikes.length}, ${kind}, seed ${SEED}: ${error}`, { cause: error });
    }
    await delay(random.from(100, 1000));
  }
  memory.stop();
  const lasted = performance.now() - since;
  await running.finish(30_000);
  await delay(1000); // its connections close
  const [first, last] = [highest(memory.samples, 0, 1 / 3), highest(memory.samples, 2 / 3)];
  const filesAfter = openFilesOf(stand.service.pid);
  const kinds = [...outages].map(([kind, each]) => `${kind} ${each.length} (${ms(Math.max(0, ...each))})`);
  return {
    strikes,
    held: {
      'memory is flat': last <= first + GROWTH,
      'no descriptors are left open': filesAfter <= files + MORE_FILES,
    },
    figures: [
      `${strikes.length} faults in ${Math.round(lasted / 1000)} s, how often each, and the longest time without a 202: ${kinds.join(', ')}`,
      `${count(strikes.reduce((sum, calls) => sum + calls, 0))} calls were in flight at the strikes, none at ${strikes.filter((calls) => calls === 0).length}`,
      `memory at most ${first} MB in the first third and ${last} MB in the last`,
      `${files} descriptors before the load and ${filesAfter} after it`,
    ],
  };
}

/** Footfall's own ends, of which the load may hear nothing. */
interface Stops {
  services: Service[];
  ended: Ended[];
  unanswered: number;
}

function faultsOfOne(stand: FaultStand, running: Running, stops: Stops): Faults {
  const { server, proxy } = stand;

  const network = (fault: Fault, [least, most]: [number, number], waits = 0): Make => {
    return async (random) => {
      const calls = await strike(running, () => proxy.set(fault, waits && random.from(50, waits)));
      await delay(random.from(least, most));
      if (fault === 'holdReplies') proxy.cut();
      proxy.set('pass');
      return calls;
    };
  };

  const footfall = (signal: NodeJS.Signals): Make => {
    return async () => {
      const { service } = stand;
      const before = running.unanswered();
      const calls = await strike(running, () => service.kill(signal));
      stops.services.push(service);
      const ended = await service.ended;
      if (signal === 'SIGTERM') stops.ended.push(ended);
      stand.service = await processes.start(stand.settings);
      await more(running, 1);
      stops.unanswered += running.unanswered() - before;
      return calls;
    };
  };

  return {
    'Redis killed': async (random) => {
      const calls = await strike(running, server.kill);
      await delay(random.from(50, 1000));
      await server.start();
      return calls;
    },
    'Redis asleep': async (random) => {
      const calls = await strike(running, () => process.kill(server.pid(), 'SIGSTOP'));
      await delay(random.from(1000, 4000));
      process.kill(server.pid(), 'SIGCONT');
      return calls;
    },
    'connections reset': network('reset', [50, 1500]),
    'all swallowed': network('swallow', [1000, 5000]),
    'all delayed': network('delay', [500, 3000], 300),
    'replies lost': network('holdReplies', [100, 1500]),
    'connections refused': network('refuse', [50, 2000]),
    'SCRIPT FLUSH': () => strike(running, () => server.client.script('FLUSH')),
    'an endless script': async (random) => {
      let script: Promise<unknown> | undefined;
      const calls = await strike(running, () => {
        script = server.client.eval(ENDLESS, 0).catch(() => undefined);
      });
      await delay(random.from(500, 3000));
      const killer = plainClient(processes, server.url, { enableReadyCheck: false });
      await killer.script('KILL');
      killer.disconnect();
      await script;
      return calls;
    },
    'maxmemory too low': async () => {
      await until('all users have seen all pages', () => haveSeenAll(running), {
        within: 30_000,
        every: 100,
      });
      const calls = await strike(running, () => server.client.config('SET', 'maxmemory', '1mb'));
      await delay(2000);
      await server.client.config('SET', 'maxmemory', 0);
      return calls;
    },
    'Footfall killed': footfall('SIGKILL'),
    'Footfall stopped': footfall('SIGTERM'),
  };
}

async function soakOne(): Promise<void> {
  const stand = await startFaultStand(processes, ledger, {
    proxied: true,
    // With everysec a slow fsync could take some with it; that is row 1's.
    args: ['--appendfsync', 'no', '--busy-reply-threshold', '200'],
    settings: { WORKERS: '1', DURABILITY: 'local', MAX_VIEWS_PER_USER_DAY: '1000000' },
  });
  const { client } = stand.server;
  const healed = () => until('Redis is back', () => client.ping().catch(() => false));
  const files = openFilesOf(stand.service.pid);
  const running = stand.load({ seed: SEED, users: USERS });
  const stops: Stops = { services: [], ended: [], unanswered: 0 };
  const soaked = Object.assign(stand, { healed });
  const { strikes, held, figures } = await soak(soaked, running, faultsOfOne(stand, running, stops), files);
  await conclude('soak', 'one Redis', stand, running, {
    strikes,
    unanswered: true,
    others: stops.services,
    held: {
      ...held,
      'only what Footfall was killed or stopped under is unanswered':
        running.unanswered() === stops.unanswered,
      'stopped, it ends with 0': stops.ended.every(({ code }) => code === 0),
    },
    figures,
  });
}

function faultsOfCluster(cluster: Cluster, running: Running, settings: Settings): Faults {
  const anyPrimary = async (random: Random) => random.pick(await cluster.primaries());
  return {
    'a primary killed': async (random) => {
      const node = await anyPrimary(random);
      const calls = await strike(running, node.kill);
      await delay(NODE_AWAY); // whoever takes over has no replica, so that it refuses until this one is back
      await node.restart();
      return calls;
    },
    'a primary asleep': async (random) => {
      const node = await anyPrimary(random);
      const calls = await strike(running, node.pause);
      await delay(NODE_AWAY);
      node.resume();
      return calls;
    },
    'a replica killed': async (random) => {
      const node = await cluster.replicaOf(await anyPrimary(random));
      const calls = await strike(running, node.kill);
      await delay(random.from(500, NODE_AWAY));
      await node.restart();
      return calls;
    },
    'a manual failover': async (random) => {
      const { port } = await anyPrimary(random);
      const args = [`127.0.0.1:${port}`];
      return strike(running, () => runCommand(processes, 'failover/command.js', args, settings));
    },
    'SCRIPT FLUSH': () =>
      strike(running, () => Promise.all(cluster.nodes.map(({ redis }) => redis.script('FLUSH')))),
    'slots moved': async (random) => {
      const from = await anyPrimary(random);
      const to = random.pick((await cluster.primaries()).filter((node) => node !== from));
      const own = new Set(await cluster.slotsOf(from));
      const slots = Array.from({ length: SHARDS }, (_, i) => slotOf(keys.shard(i))).filter((slot) =>
        own.has(slot),
      );
      return strike(running, () => cluster.moveSlots(from, to, slots.slice(0, random.from(5, 30))));
    },
  };
}

async function soakCluster(): Promise<void> {
  const cluster = await startCluster({ args: ['--cluster-require-full-coverage', 'no'] });
  processes.atEnd(cluster.stop);
  const settings = { REDIS_CLUSTER: cluster.seeds.join(','), DURABILITY: 'replica' };
  const service = await processes.start({ ...KEY_SETTINGS, ...settings, LOG_LEVEL: 'debug' });
  await ready(service);
  const files = openFilesOf(service.pid);
  const running = loadOn(ledger, service, { seed: SEED });
  const faults = faultsOfCluster(cluster, running, settings);
  const { strikes, ...course } = await soak({ service, healed: cluster.settled }, running, faults, files);
  const stores = (await cluster.primaries()).map(({ redis }) => redis);
  await conclude('soak', 'a cluster of three and three', { service, stores }, running, {
    strikes,
    ...course,
  });
}

const STANDS: [what: string, run: () => Promise<void>][] = [
  ['one Redis', soakOne],
  ['a cluster', soakCluster],
];

test.each(STANDS.slice(0, SOAKS))('%s', (_, run) => run(), TIMEOUT);
