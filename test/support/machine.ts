// The machine that the tests share with others.

import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

function times(): { idle: number; all: number } {
  const sums = cpus().map(
    ({ times }) => [times.idle, Object.values(times).reduce((a, b) => a + b, 0)] as const,
  );
  return {
    idle: sums.reduce((sum, [idle]) => sum + idle, 0),
    all: sums.reduce((sum, [, all]) => sum + all, 0),
  };
}

/** The share of the machine that nobody used for a while. */
async function idleShare(ms: number): Promise<number> {
  const before = times();
  await delay(ms);
  const after = times();
  return (after.idle - before.idle) / Math.max(1, after.all - before.all);
}

/** Waits while other programs are busy, but not for ever. */
export async function quietMoment(withinMs = 20_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while ((await idleShare(500)) < 0.7 && performance.now() < deadline);
}
