// Where and on what the figures were had.

import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import { NODE_FLAGS } from './processes.mjs';

export function machineOf(redis, postgres) {
  return {
    date: new Date().toISOString(),
    commit: commit(),
    cpu: cpus()[0].model.trim(),
    cores: availableParallelism(),
    node: process.versions.node,
    flags: NODE_FLAGS,
    redis: redis.version,
    postgres: postgres?.version,
  };
}

/** The commit at hand, `+` if the files differ from it; undefined outside a clone. */
function commit() {
  const git = (...args) =>
    execFileSync('git', args, { cwd: import.meta.dirname, stdio: ['ignore', 'pipe', 'ignore'] }).toString();
  try {
    const id = git('rev-parse', '--short', 'HEAD').trim();
    return git('status', '--porcelain', '--untracked-files=no') === '' ? id : `${id}+`;
  } catch {
    return undefined;
  }
}
