// `npm run test:topologies`: what is stored and read, on one Redis, with three sentinels, a master and two replicas, and on a
// cluster of three primaries and three replicas. Arguments go to Jest.

import { spawnSync } from 'node:child_process';

/** Tests that bring a Redis of their own kind, or kill the one there is. */
const OWN = 'the command|.*when Redis goes|.*Redis is away';

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
