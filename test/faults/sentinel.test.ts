// Row 12: three sentinels, a master, two replicas.

import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { useLedger } from '../support/ledger.ts';
import { useProcesses } from '../support/process.ts';
import { count, long, reportRow } from '../support/rows.ts';
import { type Sentinels, startSentinels } from '../support/topologies.ts';
import { reportOutcome, runCommand, settle, startLoad, strike } from '../support/topologyRuns.ts';

const processes = useProcesses();
const ledger = useLedger();

const BEFORE = long(2500, 800); // ms of load
const AFTER = long(4000, 1000);
const ASLEEP = 6500;

async function start(): Promise<Sentinels> {
  const sentinels = await startSentinels();
  processes.atEnd(sentinels.stop);
  return sentinels;
}

const settingsFor = ({ sentinels, name }: Sentinels, DURABILITY = 'local') => ({
  REDIS_SENTINELS: sentinels.join(','),
  REDIS_MASTER: name,
  DURABILITY,
});

const DURABILITIES = [['local'], ['replica']];

test.each(DURABILITIES)('the master is killed, DURABILITY=%s', async (durability) => {
  const sentinels = await start();
  const stand = await startLoad(processes, ledger, settingsFor(sentinels, durability));
  await delay(BEFORE);
  const master = await sentinels.master();
  const struck = await strike(stand);
  await master.kill();
  await delay(5000 + AFTER);
  const isAnother = (await sentinels.master()) !== master;
  await master.restart();
  await sentinels.settled();
  const outcome = await settle(stand, struck);
  reportOutcome(stand, outcome, {
    row: '12',
    fault: `master killed, DURABILITY=${durability}`,
    mayLose: durability === 'local',
    outage: 5000,
    held: { 'another is master': isAnother },
  });
});

test.each(DURABILITIES)('the master sleeps, DURABILITY=%s', async (durability) => {
  const sentinels = await start();
  const stand = await startLoad(processes, ledger, settingsFor(sentinels, durability));
  await delay(BEFORE);
  const master = await sentinels.master();
  const struck = await strike(stand);
  master.pause();
  await delay(ASLEEP);
  const isAnother = (await sentinels.master()) !== master;
  master.resume();
  await delay(AFTER);
  await sentinels.settled();
  const outcome = await settle(stand, struck);
  reportOutcome(stand, outcome, {
    row: '12',
    fault: `master asleep for 6.5 s, DURABILITY=${durability}`,
    mayLose: durability === 'local',
    outage: 6000,
    held: { 'another is master': isAnother },
  });
});

test('a planned failover by npm run failover', async () => {
  const sentinels = await start();
  const settings = settingsFor(sentinels);
  const stand = await startLoad(processes, ledger, settings);
  await delay(BEFORE);
  const master = await sentinels.master();
  const struck = await strike(stand);
  const said = await runCommand(processes, 'failover/command.js', [], settings);
  await delay(AFTER);
  const isAnother = (await sentinels.master()) !== master;
  await sentinels.settled();
  const outcome = await settle(stand, struck);
  reportOutcome(stand, outcome, {
    row: '12',
    fault: 'planned failover',
    outage: 2000,
    held: { 'another is master': isAnother },
    more: said.trim().split('\n').slice(1).join('; '),
  });
});

test('control: a failover without the script, and a client as ioredis makes it', async () => {
  const sentinels = await start();
  const redis = new Redis({
    sentinels: sentinels.sentinels.map((at) => ({ host: at.split(':')[0]!, port: Number(at.split(':')[1]) })),
    name: sentinels.name,
  });
  redis.on('error', () => undefined);
  processes.atEnd(() => redis.disconnect());
  const acknowledged: string[] = [];
  let n = 0;
  const timer = setInterval(() => {
    for (let i = 0; i < 5; i++) {
      const key = `control:${n++}`;
      redis.set(key, '1').then(
        () => acknowledged.push(key),
        () => undefined,
      );
    }
  }, 10);
  await delay(1000);
  await sentinels.sentinelNodes[0]!.redis.call('SENTINEL', 'FAILOVER', sentinels.name);
  await delay(8000);
  clearInterval(timer);
  await sentinels.settled();
  const master = await sentinels.master();
  const kept = await Promise.all(acknowledged.map((key) => master.redis.exists(key)));
  const lost = kept.filter((exists) => exists === 0).length;
  reportRow(
    '12',
    'control: SENTINEL FAILOVER alone, ioredis with its defaults',
    { 'it loses, as expected': lost > 0 },
    `${count(acknowledged.length)} writes acknowledged, ${count(lost)} lost`,
  );
});
