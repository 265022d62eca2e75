// `npm run test:nodes`: the whole test suite on Node 20, 22 and 24, whose binaries come from npm.
// Arguments go to Jest: `npm run test:nodes -- test/page.test.ts`.

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const results = ['20', '22', '24'].map((line) => {
  const folder = join(tmpdir(), `footfall-node-${line}`);
  mkdirSync(folder, { recursive: true });
  // What the package `node` would fetch in an install step; without one it works wherever such steps are off.
  const name = `node-${process.platform}-${process.arch}`;
  execFileSync('npm', ['install', '--no-save', '--silent', '--prefix', folder, `${name}@${line}`], {
    stdio: 'inherit',
  });
  const bin = join(folder, 'node_modules', name, 'bin');
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
  const version = execFileSync('node', ['--version'], { env, encoding: 'utf8' }).trim();
  console.log(`\nNode ${version}`);
  const { status } = spawnSync('node', ['node_modules/jest/bin/jest.js', ...process.argv.slice(2)], {
    env,
    stdio: 'inherit',
  });
  return { version, passed: status === 0 };
});

console.log('');
for (const { version, passed } of results) console.log(`Node ${version}: ${passed ? 'passed' : 'FAILED'}`);
process.exitCode = results.every(({ passed }) => passed) ? 0 : 1;
