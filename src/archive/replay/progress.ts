// A line a second on how far it is; on a terminal always the same one.

import { SECOND } from '../../time.ts';
import type { Replay } from './replay.ts';

const TICK = SECOND;
const SPAN = 10; // ticks that a rate is of

const { stdout } = process;
const number = (n: number) => Math.round(n).toLocaleString('en');

/** Until what it returns is called, which sums up. `optionsToGoOn` is what to type to go on from here. */
export function showProgress(replay: Replay, optionsToGoOn: () => string): () => void {
  const begin = performance.now();
  const seen = [{ at: begin, done: 0 }];
  const print = (line: string) => stdout.write(`${stdout.isTTY ? '\r\x1b[K' : ''}${line}`);

  const timer = setInterval(() => {
    const { done, total } = replay;
    const at = performance.now();
    seen.push({ at, done });
    if (seen.length > SPAN) seen.shift();
    const rate = ((done - seen[0]!.done) / (at - seen[0]!.at)) * SECOND;
    const line = total === undefined ? 'counting events' : lineOf(done, total, rate, optionsToGoOn());
    print(stdout.isTTY ? line.slice(0, (stdout.columns ?? 80) - 1) : `${line}\n`);
  }, TICK);

  return () => {
    clearInterval(timer);
    const { done, outcomes, marks, written } = replay;
    const seconds = (performance.now() - begin) / SECOND;
    const list = Object.entries(outcomes).map(([outcome, n]) => `${number(n)} ${outcome}`);
    print(`${number(done)} events in ${seconds.toFixed(1)} s, ${number(done / seconds)} a second\n`);
    print(`  in the window: ${list.join(', ') || 'none'}\n`);
    print(`  before it: ${number(written)} counts written\n`);
    print(`  ${number(marks)} marks of erasures written\n`);
  };
}

function lineOf(done: number, total: number, rate: number, toGoOn: string): string {
  const percent = total === 0 ? 100 : Math.min(100, Math.floor((100 * done) / total)); // more may come meanwhile
  const left = rate > 0 ? `, ${duration((total - done) / rate)} left` : '';
  return `${number(done)} of ${number(total)} events, ${percent} %, ${number(rate)} a second${left} (${toGoOn})`;
}

function duration(seconds: number): string {
  const whole = Math.ceil(Math.max(0, seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
