// `npm run traffic`: a made-up week, and then live traffic, to see numbers and to try things out on.

import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { dayOf, SECOND, WINDOW_DAYS } from '../time.ts';
import { createSender, type Sender } from './send.ts';
import { eventsOf, liveEvents, SITES } from './visits.ts';

const EXIT = { failed: 1, misused: 2 };

const URL_DEFAULT = 'http://127.0.0.1:3000';
const NUMBERS = {
  rate: { fallback: 50, least: 1, most: 2000, meaning: 'live events a second' },
  users: { fallback: 2000, least: 1, most: 200_000, meaning: 'who come again and again; others come once' },
  seed: { fallback: 1, least: 0, most: 999_999_999, meaning: 'the same seed makes the same history' },
  days: { fallback: WINDOW_DAYS, least: 0, most: WINDOW_DAYS, meaning: 'of history, today among them' },
  for: {
    fallback: undefined,
    least: 0,
    most: 1e9,
    meaning: 'seconds of live traffic; left out: until Ctrl-C',
  },
};
type Options = Record<'rate' | 'users' | 'seed' | 'days', number> & { url: string; for: number | undefined };

const helpLine = (name: string, fallback: unknown, meaning: string) =>
  `  --${name.padEnd(6)}${String(fallback ?? '').padEnd(22)}${meaning}\n`;

const HELP = `npm run traffic -- [--option value]…
A made-up week of two sites, and then live traffic.

${helpLine('url', URL_DEFAULT, 'where Footfall listens')}${Object.entries(NUMBERS)
  .map(([name, { fallback, meaning }]) => helpLine(name, fallback, meaning))
  .join('')}
The events of the history follow from seed, user and day: sent again, they count once. If Footfall asks for a key, set
FOOTFALL_KEY.
`;

/** Undefined if help was asked for; throws what is wrong, in one line. */
function readOptions(args: string[]): Options | undefined {
  const names = ['url', ...Object.keys(NUMBERS)].map((name) => [name, { type: 'string' }] as const);
  let values: Record<string, string | boolean | undefined>;
  try {
    values = parseArgs({ args, options: { help: { type: 'boolean' }, ...Object.fromEntries(names) } }).values;
  } catch (error) {
    throw new Error((error as Error).message.split(/\. |\n/)[0]);
  }
  if (values.help) return undefined;
  const numbers = Object.entries(NUMBERS).map(([name, { fallback, least, most }]) => {
    const given = values[name];
    if (given === undefined) return [name, fallback];
    const value = /^\d+$/.test(String(given)) ? Number(given) : Number.NaN;
    if (value >= least && value <= most) return [name, value];
    throw new Error(
      `--${name} must be a whole number from ${least} to ${most}, not ${JSON.stringify(given)}`,
    );
  });
  const url = String(values.url ?? URL_DEFAULT).replace(/\/+$/, '');
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw new Error(`--url must be like ${URL_DEFAULT}, not ${JSON.stringify(values.url)}`);
  }
  return { url, ...Object.fromEntries(numbers) };
}

const { stdout } = process;
const number = (n: number) => Math.round(n).toLocaleString('en');
const list = (outcomes: Sender['outcomes']) =>
  Object.entries(outcomes)
    .map(([outcome, n]) => `${number(n)} ${outcome}`)
    .join(', ') || 'nothing to send';

const print = (lines: string) => stdout.write(`${stdout.isTTY ? '\r\x1b[K' : ''}${lines}\n`);

/** Shows a line that changes while something is done, where there is a terminal. */
async function showing(line: () => string, done: Promise<unknown>): Promise<void> {
  const show = () => stdout.write(`\r\x1b[K${line().slice(0, (stdout.columns ?? 80) - 1)}`);
  const timer = stdout.isTTY ? setInterval(show, 250) : undefined;
  await done.finally(() => clearInterval(timer));
}

interface Work {
  options: Options;
  sender: Sender;
  stopped(): boolean;
}

const BATCH = 1000;
const BAR = 30;

async function sendHistory({ options: { days, ...crowd }, sender, stopped }: Work): Promise<void> {
  const now = Date.now();
  let part = 0;
  async function send() {
    for (let i = 0; i < days; i++) {
      const events = eventsOf(dayOf(now) - days + 1 + i, crowd).filter(({ at }) => at <= now);
      for (let from = 0; from < events.length && !stopped(); from += BATCH) {
        await sender.sendBatch(events.slice(from, from + BATCH));
        part = (i + Math.min(1, (from + BATCH) / events.length)) / days;
      }
    }
  }
  const bar = () => '#'.repeat(part * BAR).padEnd(BAR, '.');
  await showing(() => `history  ${bar()} ${sender.trouble() ?? list(sender.outcomes)}`, send());
  print(`history  ${total(sender, now)}`);
}

const TICK = 100;
const AT_ONCE = 64;

async function sendLive({ options, sender, stopped }: Work): Promise<void> {
  const begin = Date.now();
  const end = begin + (options.for ?? Number.POSITIVE_INFINITY) * SECOND;
  const due = liveEvents(options, options.rate, begin);
  let rate = 0;
  async function send() {
    while (Date.now() < end && !stopped()) {
      const start = Date.now();
      const events = due(start);
      for (let from = 0; from < events.length; from += AT_ONCE) {
        await Promise.all(events.slice(from, from + AT_ONCE).map(sender.send));
      }
      await delay(TICK);
      rate += (events.length / ((Date.now() - start) / SECOND) - rate) / 20; // of the last two seconds or so
    }
  }
  await showing(() => `live     ${number(rate)}/s  ${sender.trouble() ?? list(sender.outcomes)}`, send());
  print(`live     ${total(sender, begin)}`);
}

function total({ outcomes }: Sender, begin: number): string {
  const events = Object.values(outcomes).reduce((sum, n) => sum + n, 0);
  return `${number(events)} events in ${((Date.now() - begin) / SECOND).toFixed(1)} s: ${list(outcomes)}`;
}

const whatToSee = (url: string) => `
  curl -s ${url}/v1/site/${SITES[0].id}/report
  curl -s '${url}/v1/page/visitors?url=${SITES[0].pages[0]!.url}'
  curl -s ${url}/v1/user/u1
`;

async function main(): Promise<number> {
  let options: Options | undefined;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    return complain(error, EXIT.misused);
  }
  if (!options) {
    stdout.write(HELP);
    return 0;
  }
  let stop = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      stop = true; // the second one ends it at once
    });
  }
  const stopped = () => stop;
  const work = () => ({
    options,
    stopped,
    sender: createSender({ url: options.url, key: process.env.FOOTFALL_KEY, stopped }),
  });
  try {
    if (options.days > 0) {
      await sendHistory(work());
      if (!stop) print(whatToSee(options.url));
    }
    if (options.for !== 0 && !stop) await sendLive(work());
    return 0;
  } catch (error) {
    stop = true;
    return complain(error, EXIT.failed);
  }
}

function complain(error: unknown, code: number): number {
  if (stdout.isTTY) stdout.write('\n');
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  return code;
}

stdout.on('error', () => undefined); // a pager that was left early
process.exitCode = await main();
