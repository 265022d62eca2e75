import { setTimeout as delay } from 'node:timers/promises';
import { useLedger, audit } from '../support/ledger.ts';
import { KEY_SETTINGS } from '../support/marks.ts';
import { useProcesses } from '../support/process.ts';
import { ready } from '../support/faultStand.ts';
import { startCluster } from '../support/topologies.ts';
import { loadOn, runCommand } from '../support/topologyRuns.ts';
const processes = useProcesses();
const ledger = useLedger();
test('dbg', async () => {
  const cluster = await startCluster({ args: ['--cluster-require-full-coverage', 'no'] });
  processes.atEnd(cluster.stop);
  const settings = { ...KEY_SETTINGS, REDIS_CLUSTER: cluster.seeds.join(','), DURABILITY: 'replica' };
  const service = await processes.start(settings, { command: [process.execPath, '/tmp/dbgff/dist/server.js'] });
  await ready(service);
  const running = loadOn(ledger, service, { rate: 1500 });
  const since = performance.now();
  let n = 0;
  let asleep = 0;
  while (performance.now() - since < 110_000) {
    const primaries = await cluster.primaries();
    if (n % 3 === 2) {
      asleep++;
      const node = primaries[n % primaries.length]!;
      node.pause();
      await delay(3000);
      node.resume();
    } else {
      await runCommand(processes, 'failover/command.js', [`127.0.0.1:${primaries[n % primaries.length]!.port}`], settings).catch((e) => process.stdout.write(`${e}\n`));
    }
    n++;
    await cluster.settled();
    await delay(400);
  }
  const tally = await running.finish(30_000);
  process.stdout.write(`${n} failovers, ${asleep} asleep; ${JSON.stringify(tally)}; ${JSON.stringify(await audit(running))}\n${service.err()}\n`);
}, 240_000);
