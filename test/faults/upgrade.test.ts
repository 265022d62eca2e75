// A rolling upgrade under load: two versions of the scripts work on the same Redis, then one goes.

import { createHash } from 'node:crypto';
import { appendFileSync, cpSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { conclude, more, ready, startFaultStand, strike } from '../support/faultStand.ts';
import { type LedgerOptions, type Running, useLedger } from '../support/ledger.ts';
import { KEY_SETTINGS } from '../support/marks.ts';
import { type Service, type Settings, until, useProcesses } from '../support/process.ts';
import { long, ms } from '../support/rows.ts';
import { type Cluster, startCluster } from '../support/topologies.ts';
import { loadOn, runCommand } from '../support/topologyRuns.ts';

const processes = useProcesses();
const ledger = useLedger();

const ROOT = join(__dirname, '../..');
const FLUSHES = long(6, 2);
const BETWEEN = long(400, 100); // events

/** What is built, with other scripts: each has another SHA. */
function makeNewVersion(): string {
  const folder = join(processes.dir, 'new');
  mkdirSync(folder);
  for (const part of ['dist', 'lua', 'package.json'])
    cpSync(join(ROOT, part), join(folder, part), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const files = readdirSync(join(folder, 'lua'), { recursive: true, encoding: 'utf8' });
  for (const file of files.filter((name) => name.endsWith('.lua')))
    appendFileSync(join(folder, 'lua', file), '\n-- another version\n');
  return folder;
}

/** Of the script that records, as a version has it. */
async function shaOf(folder: string): Promise<string> {
  const print = `import { assemble } from '${folder}/dist/redis/scripts.js'; process.stdout.write(assemble('record'))`;
  const command = [process.execPath, '--input-type=module', '--eval', print];
  const { out } = await processes.startToEnd({}, { command });
  return createHash('sha1').update(out).digest('hex');
}

interface Upgrade {
  old: Service;
  settings: Settings;
  /** Those that run scripts. */
  stores(): Promise<Redis[]>;
  load(options: Partial<LedgerOptions>): Running;
  /** What goes on while both serve; `flush` makes all forget their scripts. */
  meanwhile(running: Running, strikes: number[], flush: () => Promise<unknown>): Promise<void>;
  statuses: string[];
}

async function upgrade(what: string, { old, settings, stores, load, meanwhile, statuses }: Upgrade) {
  const folder = makeNewVersion();
  const shas = await Promise.all([ROOT, folder].map(shaOf));
  const known = async () => {
    const found = await Promise.all(
      (await stores()).map((redis) => redis.script('EXISTS', ...shas) as Promise<number[]>),
    );
    return found.map((each) => each.join()).join(' ');
  };
  const all = async (wanted: string) => (await known()).split(' ').every((each) => each === wanted);
  const flush = async () => Promise.all((await stores()).map((redis) => redis.script('FLUSH')));

  let served = [old.port];
  let turn = 0;
  const running = load({ port: () => served[turn++ % served.length]! });
  const strikes: number[] = [];
  await more(running, BETWEEN);

  const command = [process.execPath, join(folder, 'dist/server.js')];
  const next = await processes.start({ ...settings, PORT: '0' }, { command });
  await ready(next);
  served = [old.port, next.port];
  await more(running, BETWEEN);
  await meanwhile(running, strikes, flush);
  await until('both versions have their scripts in each Redis', () => all('1,1'), { within: 20_000 });

  const since = performance.now();
  strikes.push(
    await strike(running, () => {
      served = [next.port];
      old.kill('SIGTERM');
    }),
  );
  const ended = await old.ended;
  const took = performance.now() - since;
  await more(running, BETWEEN);
  strikes.push(await strike(running, flush));
  await more(running, 2 * BETWEEN);
  const hasOneVersion = await all('0,1');

  const tally = await running.finish(30_000);
  const seen = Object.keys(tally.statuses);
  await conclude('upgrade', what, { service: next, stores: await stores() }, running, {
    strikes,
    others: [old],
    held: {
      'the versions differ': shas[0] !== shas[1],
      'the old one ends with 0': ended.code === 0,
      'then there are the scripts of the new one alone': hasOneVersion,
      [`nothing but ${statuses.join(' and ')}`]: seen.every((status) => statuses.includes(status)),
    },
    figures: [`the old one ended ${ms(took)} after SIGTERM`],
  });
}

test('two versions on one Redis', async () => {
  const stand = await startFaultStand(processes, ledger);
  await upgrade('one Redis', {
    old: stand.service,
    settings: stand.settings,
    stores: async () => [stand.server.client],
    load: stand.load,
    statuses: ['202'],
    async meanwhile(running, strikes, flush) {
      for (let i = 0; i < FLUSHES; i++) {
        strikes.push(await strike(running, flush));
        await more(running, BETWEEN);
      }
    },
  });
});

test('two versions on a cluster whose nodes are restarted in turn', async () => {
  const cluster = await startCluster();
  processes.atEnd(cluster.stop);
  const settings = { ...KEY_SETTINGS, REDIS_CLUSTER: cluster.seeds.join(','), LOG_LEVEL: 'debug' };
  const old = await processes.start(settings);
  await ready(old);
  await upgrade(`a cluster of three and three, ${long(6, 2)} nodes restarted in turn`, {
    old,
    settings,
    stores: async () => (await cluster.primaries()).map(({ redis }) => redis),
    load: (options) => loadOn(ledger, old, options),
    statuses: ['202', '503'],
    async meanwhile(running, strikes, flush) {
      for (let i = 0; i < long(6, 2); i++) {
        strikes.push(...(await restart(cluster, i, running, settings)), await strike(running, flush));
        await more(running, BETWEEN);
      }
    },
  });
});

/** A primary steps down first: that is how it is done without a loss. */
async function restart(
  cluster: Cluster,
  index: number,
  running: Running,
  settings: Settings,
): Promise<number[]> {
  const node = cluster.nodes[index]!;
  const strikes: number[] = [];
  if ((await cluster.primaries()).includes(node)) {
    const args = [`127.0.0.1:${node.port}`];
    strikes.push(await strike(running, () => runCommand(processes, 'failover/command.js', args, settings)));
    await cluster.settled();
  }
  strikes.push(await strike(running, node.terminate));
  await node.restart();
  await cluster.settled();
  return strikes;
}
