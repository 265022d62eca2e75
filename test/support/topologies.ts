// Redis under Sentinel and as a Cluster: plain processes on loopback, with their files in a temporary folder.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { until } from './process.ts';
import { stopProcess } from './redis.ts';

export interface Node {
  port: number;
  pid(): number;
  /** Runs, and is not paused. */
  isAwake(): boolean;
  /** SIGKILL. Done when it is gone, as is `terminate`. */
  kill(): Promise<void>;
  /** SIGTERM. */
  terminate(): Promise<void>;
  /** SIGSTOP. */
  pause(): void;
  resume(): void;
  /** On the same port, with the same files. Done when it answers. */
  restart(): Promise<void>;
  /** For what a test asks. It comes back by itself; a call fails at once while the node is away, and after 2 s. */
  redis: Redis;
}

export interface Sentinels {
  /** host:port */
  sentinels: string[];
  name: string;
  nodes: Node[];
  sentinelNodes: Node[];
  /** Whom most sentinels call so. */
  master(): Promise<Node>;
  /** Those that follow a master. */
  replicas(): Promise<Node[]>;
  /** One master, all others that are awake are its replicas and online, and all sentinels that are awake say so. */
  settled(): Promise<void>;
  stop(): Promise<void>;
}

export interface SentinelsOptions {
  downAfterMs?: number;
  failoverTimeoutMs?: number;
  /** Further arguments of master and replicas, `['--min-replicas-to-write', '1']`. */
  args?: string[];
}

export interface Cluster {
  nodes: Node[];
  /** host:port */
  seeds: string[];
  /** Who has slots, as the node with the newest knowledge has it; one that has died is among them until it is replaced. */
  primaries(): Promise<Node[]>;
  replicaOf(primary: Node): Promise<Node>;
  /** Those that are awake all say the same, every slot is served, and all that are no primaries are replicas in sync. */
  settled(): Promise<void>;
  /** As `redis-cli --cluster reshard` does. `onSlot` is waited for when a slot's keys have moved and nobody knows it yet. */
  moveSlots(from: Node, to: Node, slots: number[], onSlot?: (slot: number) => unknown): Promise<void>;
  slotsOf(node: Node): Promise<number[]>;
  stop(): Promise<void>;
}

export interface ClusterOptions {
  primaries?: number;
  /** Of each primary. */
  replicas?: number;
  nodeTimeoutMs?: number;
  args?: string[];
}

const HOST = '127.0.0.1';
const NAME = 'footfall';
const SLOTS = 16_384;
const MOVED_AT_ONCE = 10; // keys; few, so that calls meet slots that are half here and half there
const SETTLING = { within: 60_000, every: 30 }; // sentinels wait for 8 s before they make an old master follow
const ASKING = ['info-period', '1000']; // ms; by default they ask only every 10 s while all is well

/**
 * A port that is free and stays so: outgoing connections get theirs from 32768 up, and one of those would keep a node from
 * coming back, or connect to itself where nobody listens.
 */
export async function steadyPort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 22_000);
    const server = createServer().listen(port, HOST);
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    server.close();
    if (isFree) return port;
  }
}

interface Program {
  dir: string;
  port: number;
  /** Lines of its file, which it rewrites itself. */
  conf: string[];
  args?: string[];
}

function startNode({ dir, port, conf, args = [] }: Program): Node {
  const home = join(dir, String(port));
  const file = join(home, 'redis.conf');
  mkdirSync(home);
  const lines = [`port ${port}`, `bind ${HOST}`, 'protected-mode no', `dir ${home}`, ...conf];
  writeFileSync(file, `${lines.join('\n')}\n`);

  const begin = () =>
    spawn('redis-server', [file, ...args], { stdio: 'ignore' }).on('error', () => undefined);
  let child = begin();
  let asleep = false;
  const redis = new Redis({
    ...{ host: HOST, port, protocol: 2, disableClientInfo: true },
    ...{ maxRetriesPerRequest: 0, commandTimeout: 2000, retryStrategy: () => 30 },
  });
  redis.on('error', () => undefined);
  return {
    port,
    redis,
    pid: () => child.pid!,
    isAwake: () => isUp(child) && !asleep,
    kill: () => stopProcess(child),
    terminate: () => stopProcess(child, 'SIGTERM'),
    pause() {
      asleep = child.kill('SIGSTOP');
    },
    resume() {
      asleep = false;
      child.kill('SIGCONT');
    },
    async restart() {
      await stopProcess(child);
      asleep = false;
      child = begin();
      await answers(this);
    },
  };
}

const isUp = ({ pid, exitCode, signalCode }: ChildProcess) =>
  pid !== undefined && exitCode === null && signalCode === null;

/** A node that loads its files answers with an error. */
async function answers({ redis, port, isAwake }: Node): Promise<void> {
  await until(`the Redis on port ${port} answers`, () => {
    if (!isAwake()) throw new Error(`the Redis on port ${port} ended`);
    return redis.ping().catch(() => false);
  });
}

interface Place {
  dir: string;
  /** Starts a node; it ends with the place. */
  add(program: Omit<Program, 'dir'>): Node;
  stop(): Promise<void>;
}

function makePlace(): Place {
  const dir = mkdtempSync(join(tmpdir(), 'ff-test-'));
  const nodes: Node[] = [];
  return {
    dir,
    add(program) {
      const node = startNode({ ...program, dir });
      nodes.push(node);
      return node;
    },
    async stop() {
      for (const { redis } of nodes) redis.disconnect();
      await Promise.all(nodes.map((node) => node.kill()));
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** What was begun ends if it does not become whole. */
async function orStop<T>(place: Place, build: () => Promise<T>): Promise<T> {
  try {
    return await build();
  } catch (error) {
    await place.stop();
    throw error;
  }
}

const STORED = [
  ...['appendonly yes', 'save ""', 'maxmemory-policy noeviction', 'repl-diskless-sync-delay 0'],
  'repl-ping-replica-period 1',
];

const awake = (nodes: Node[]) => nodes.filter((node) => node.isAwake());
const times = <T>(number: number, make: (index: number) => T) =>
  Array.from({ length: number }, (_, i) => make(i));
const address = ({ port }: Node) => `${HOST}:${port}`;

async function steadyPorts(number: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < number) ports.add(await steadyPort());
  return [...ports];
}

/** A replica whose link to its master is up. */
async function isInSync({ redis }: Node): Promise<boolean> {
  const info = await redis.info('replication');
  return /role:slave/.test(info) && /master_link_status:up/.test(info);
}

/** Holds, where not being answered is no. */
const truly = (question: Promise<boolean>) => question.catch(() => false);

async function all(questions: Promise<boolean>[]): Promise<boolean> {
  return (await Promise.all(questions.map(truly))).every(Boolean);
}

// --- Sentinel ---

export async function startSentinels(options: SentinelsOptions = {}): Promise<Sentinels> {
  const place = makePlace();
  return orStop(place, async () => {
    const [first, ...others] = await steadyPorts(6);
    const nodes = [first!, ...others.slice(0, 2)].map((port, i) => {
      const conf = i === 0 ? STORED : [...STORED, `replicaof ${HOST} ${first}`];
      return place.add({ port, conf, args: options.args ?? [] });
    });
    await Promise.all(nodes.map(answers));
    await until('the replicas are in sync', () => all(nodes.slice(1).map(isInSync)));
    const sentinelNodes = others.slice(2).map((port, i, ports) => {
      const conf = sentinelConf(nodes, ports, i, options);
      return place.add({ port, conf, args: ['--sentinel'] });
    });
    await Promise.all(sentinelNodes.map(answers));
    await Promise.all(sentinelNodes.map(({ redis }) => redis.call('SENTINEL', 'DEBUG', ...ASKING)));
    const sentinels = sentinelsOf(place, nodes, sentinelNodes);
    await sentinels.settled();
    return sentinels;
  });
}

/** As sentinels have it that have found each other: that takes them seconds. */
function sentinelConf(
  [master, ...replicas]: Node[],
  ports: number[],
  mine: number,
  { downAfterMs = 1000, failoverTimeoutMs = 5000 }: SentinelsOptions,
): string[] {
  const id = (i: number) => String(i + 1).repeat(40);
  return [
    ...['sentinel resolve-hostnames no', `sentinel myid ${id(mine)}`],
    `sentinel monitor ${NAME} ${HOST} ${master!.port} 2`,
    `sentinel down-after-milliseconds ${NAME} ${downAfterMs}`,
    `sentinel failover-timeout ${NAME} ${failoverTimeoutMs}`,
    `sentinel parallel-syncs ${NAME} 1`,
    ...replicas.map(({ port }) => `sentinel known-replica ${NAME} ${HOST} ${port}`),
    ...ports.flatMap((port, i) =>
      i === mine ? [] : [`sentinel known-sentinel ${NAME} ${HOST} ${port} ${id(i)}`],
    ),
  ];
}

function sentinelsOf(place: Place, nodes: Node[], sentinelNodes: Node[]): Sentinels {
  /** Undefined where it does not answer. */
  const masterBy = async ({ redis }: Node): Promise<number | undefined> => {
    const found = (await redis.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME).catch(() => null)) as
      | string[]
      | null;
    return found ? Number(found[1]) : undefined;
  };

  async function master(): Promise<Node> {
    const said = await Promise.all(awake(sentinelNodes).map(masterBy));
    const votes = (node: Node) => said.filter((port) => port === node.port).length;
    const most = nodes.reduce((best, node) => (votes(node) > votes(best) ? node : best));
    if (votes(most) === 0) throw new Error('no sentinel answers');
    return most;
  }

  const isReplica = ({ redis }: Node) => truly(redis.role().then(([role]) => role === 'slave'));

  async function replicas(): Promise<Node[]> {
    const are = await Promise.all(awake(nodes).map(isReplica));
    return awake(nodes).filter((_, i) => are[i]);
  }

  /**
   * Whether a sentinel sees all that are awake, and nothing amiss with them. What it last heard each say of itself counts,
   * too: one that still takes a replica for the master it was makes it follow the old one in the midst of the next failover.
   */
  async function isContent({ redis }: Node, of: Node): Promise<boolean> {
    const listed = async (what: string) =>
      ((await redis.call('SENTINEL', what, NAME)) as string[][]).map(recordOf);
    const own = recordOf((await redis.call('SENTINEL', 'MASTER', NAME)) as string[]);
    const [slaves, sentinels] = await Promise.all([listed('REPLICAS'), listed('SENTINELS')]);
    const isMaster = has(own, { port: of.port, flags: 'master', 'role-reported': 'master' });
    const follows = { flags: 'slave', 'role-reported': 'slave', 'master-port': of.port };
    const sees = (seen: Fields[], fields: Fields) => seen.some((one) => has(one, fields));
    return (
      isMaster &&
      awake(nodes).every((node) => node === of || sees(slaves, { port: node.port, ...follows })) &&
      awake(sentinelNodes).every(
        ({ port }) => port === redis.options.port || sees(sentinels, { port, flags: 'sentinel' }),
      )
    );
  }

  async function isSettled(): Promise<boolean> {
    const of = await master();
    const others = awake(nodes).filter((node) => node !== of);
    const info = await of.redis.info('replication');
    return (
      /role:master/.test(info) &&
      (info.match(/state=online/g) ?? []).length === others.length &&
      (await all([...others.map(isInSync), ...awake(sentinelNodes).map((node) => isContent(node, of))]))
    );
  }

  return {
    sentinels: sentinelNodes.map(address),
    name: NAME,
    nodes,
    sentinelNodes,
    master,
    replicas,
    settled: async () => void (await until('the sentinels have settled', () => truly(isSettled()), SETTLING)),
    stop: place.stop,
  };
}

type Fields = Record<string, string | number>;

/** Of a reply that has names and values in turns. */
function recordOf(flat: string[]): Fields {
  return Object.fromEntries(times(flat.length / 2, (i) => [flat[2 * i], flat[2 * i + 1]]));
}

const has = (one: Fields, fields: Fields) =>
  Object.entries(fields).every(([name, value]) => one[name] === String(value));

// --- Cluster ---

export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const { primaries = 3, replicas = 1, nodeTimeoutMs = 1500, args = [] } = options;
  const place = makePlace();
  return orStop(place, async () => {
    const number = primaries * (1 + replicas);
    const ports = await steadyPorts(2 * number);
    const bus = (i: number) => ports[number + i]!;
    const nodes = times(number, (i) => {
      const conf = [`cluster-port ${bus(i)}`, `cluster-node-timeout ${nodeTimeoutMs}`];
      return place.add({ port: ports[i]!, conf: ['cluster-enabled yes', ...conf, ...STORED], args });
    });
    await Promise.all(nodes.map(answers));
    const cluster = clusterOf(place, nodes);
    const ids = await Promise.all(nodes.map(idOf));
    await Promise.all(
      nodes.slice(0, primaries).map(async ({ redis }, i) => {
        const start = (at: number) => Math.floor((at * SLOTS) / primaries);
        await redis.call('CLUSTER', 'ADDSLOTSRANGE', start(i), start(i + 1) - 1);
        await redis.call('CLUSTER', 'SET-CONFIG-EPOCH', i + 1);
      }),
    );
    // Each meets each: what they would hear of each other from one of them alone takes seconds.
    for (const [from, { redis }] of nodes.entries()) {
      for (let to = from + 1; to < number; to++)
        await redis.call('CLUSTER', 'MEET', HOST, ports[to]!, bus(to));
    }
    const knowsAll = async (node: Node) => {
      const known = (await membersBy(node)).filter(({ flags }) => !flags.includes('handshake'));
      return ids.every((id) => known.some((member) => member.id === id));
    };
    await until('all have met', () => all(nodes.map(knowsAll)), { every: 20 });
    await Promise.all(
      nodes.slice(primaries).map(({ redis }, i) => redis.call('CLUSTER', 'REPLICATE', ids[i % primaries]!)),
    );
    await cluster.settled();
    return cluster;
  });
}

/** One line of CLUSTER NODES. */
interface Member {
  id: string;
  port: number;
  flags: string[];
  /** Whom it follows. */
  primary: string;
  epoch: number;
  slots: number[];
}

const idOf = async ({ redis }: Node) => String(await redis.call('CLUSTER', 'MYID'));

async function membersBy({ redis }: Node): Promise<Member[]> {
  const text = String(await redis.call('CLUSTER', 'NODES'));
  return text.trim().split('\n').map(memberOf);
}

function memberOf(line: string): Member {
  const [id, place, flags, primary, , , epoch, , ...ranges] = line.split(' ');
  return {
    id: id!,
    port: Number(/:(\d+)@/.exec(place!)?.[1]),
    flags: flags!.split(','),
    primary: primary!,
    epoch: Number(epoch),
    slots: ranges.flatMap(slotsIn),
  };
}

/** `5-7`, `9`; a slot that is being moved is told once more, in brackets. */
function slotsIn(range: string): number[] {
  if (range.startsWith('[')) return [];
  const [first, last = first] = range.split('-').map(Number);
  return times(last! - first! + 1, (i) => first! + i);
}

const isOwner = ({ slots }: Member) => slots.length > 0;

/** Who serves what, to be compared. */
const ownersIn = (members: Member[]) =>
  members
    .filter(isOwner)
    .map(({ port, slots }) => `${port}: ${slots.join()}`)
    .sort()
    .join('; ');

function clusterOf(place: Place, nodes: Node[]): Cluster {
  const nodeOf = ({ port }: Member) => nodes.find((node) => node.port === port)!;

  async function newestView(): Promise<Member[]> {
    const views = await Promise.all(awake(nodes).map((node) => membersBy(node).catch(() => [])));
    const age = (members: Member[]) => Math.max(-1, ...members.map(({ epoch }) => epoch));
    const newest = views.sort((a, b) => age(b) - age(a))[0];
    if (!newest?.length) throw new Error('no node answers');
    return newest;
  }

  const primaries = async () => (await newestView()).filter(isOwner).map(nodeOf);

  async function agrees(node: Node, owners: string): Promise<boolean> {
    const info = String(await node.redis.call('CLUSTER', 'INFO'));
    const members = await membersBy(node);
    const isAsleep = ({ port }: Member) => !awake(nodes).some((other) => other.port === port);
    const isWell = (member: Member) =>
      (isOwner(member) || member.flags.includes('slave')) &&
      member.flags.every((flag) => ['myself', 'master', 'slave'].includes(flag));
    return (
      /cluster_state:ok/.test(info) &&
      info.includes(`cluster_slots_ok:${SLOTS}`) &&
      members.every((member) => isAsleep(member) || isWell(member)) &&
      ownersIn(members) === owners
    );
  }

  async function isSettled(): Promise<boolean> {
    const view = await newestView();
    const owners = view.filter(isOwner).map(nodeOf);
    const up = awake(nodes);
    const replicas = up.filter((node) => !owners.includes(node));
    return all([
      ...up.map((node) => agrees(node, ownersIn(view))),
      ...owners.map(async ({ redis }) => (await redis.role())[0] === 'master'),
      ...replicas.map(isInSync),
    ]);
  }

  async function moveSlots(from: Node, to: Node, slots: number[], onSlot?: (slot: number) => unknown) {
    const [fromId, toId] = await Promise.all([idOf(from), idOf(to)]);
    const others = (await primaries()).filter((node) => node !== from && node !== to);
    for (const slot of slots) {
      await to.redis.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId);
      await from.redis.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId);
      await moveKeys(from, to, slot);
      await onSlot?.(slot);
      // First who gets it: were it to end in between, a slot that nobody owns would be left.
      for (const node of [to, from, ...others]) {
        await node.redis.call('CLUSTER', 'SETSLOT', slot, 'NODE', toId);
      }
    }
  }

  return {
    nodes,
    seeds: nodes.map(address),
    primaries,
    async replicaOf(primary) {
      const view = await newestView();
      const id = view.find(({ port }) => port === primary.port)?.id;
      const replica = view.find((member) => member.primary === id && !member.flags.includes('fail'));
      if (!replica) throw new Error(`the primary on port ${primary.port} has no replica`);
      return nodeOf(replica);
    },
    settled: async () => void (await until('the cluster has settled', () => truly(isSettled()), SETTLING)),
    moveSlots,
    async slotsOf(node) {
      return (await membersBy(node)).find(({ port }) => port === node.port)!.slots;
    },
    stop: place.stop,
  };
}

async function moveKeys(from: Node, to: Node, slot: number): Promise<void> {
  for (;;) {
    const keys = (await from.redis.call('CLUSTER', 'GETKEYSINSLOT', slot, MOVED_AT_ONCE)) as string[];
    if (keys.length === 0) return;
    await from.redis.call('MIGRATE', HOST, to.port, '', 0, 2000, 'KEYS', ...keys);
  }
}
