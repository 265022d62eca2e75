// `npm run test:topologies`: what is stored and read, on one Redis, with three sentinels, a master and two replicas, and on a
// cluster of three primaries and three replicas. Arguments go to Jest.

import { spawnSync } from 'node:child_process';

/** Tests that set or kill the one server there is, bring one of their own, or look into the keys of the one shard. */
const OWN = [
  ...['the command', 'on a single Redis', 'without Redis', '.*when Redis goes', '.*Redis is away'],
  ...['a shard that does not answer', '.*of another prefix are left alone', '.*readable by a person'],
  ...['.*(of another type|known paths go on|until they are mended|no more than was counted)'],
].join('|');

const results = ['', 'sentinel', 'cluster'].map((topology) => {
  console.log(`\n${topology || 'one Redis'}`);
  const { status } = spawnSync(
    process.execPath,
    [
      'node_modules/jest/bin/jest.js',
      ...['--config', 'jest.topologies.config.mjs', '--testNamePattern', `^(?!${OWN})`],
      ...process.argv.slice(2),
    ],
    { stdio: 'inherit', env: { ...process.env, TOPOLOGY: topology } },
  );
  return { topology: topology || 'one Redis', passed: status === 0 };
});

console.log('');
for (const { topology, passed } of results) console.log(`${topology}: ${passed ? 'passed' : 'FAILED'}`);
process.exitCode = results.every(({ passed }) => passed) ? 0 : 1;
