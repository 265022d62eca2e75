// What the commands that an operator types have in common: settings, a connection, a fault in one line.

import { CannotStart } from './cannotStart.ts';
import { type Config, ConfigError, readConfig } from './config.ts';
import { readEnv } from './env.ts';
import { checkUserPath } from './http/validate.ts';
import { type OpenOptions, openStore } from './redis/openStore.ts';
import type { FootfallRedis } from './redis/scripts.ts';

const EXIT = { failed: 1, misused: 2 };

export interface CommandOptions extends OpenOptions {
  /** `npm run erase -- USER` */
  usage: string;
  /** Words that may stand beside the user. */
  flags?: string[];
  /** Returns what is to be printed. */
  run(work: { redis: FootfallRedis; config: Config; userId: string; flags: Set<string> }): Promise<string>;
}

/** Runs a command about one user: its arguments are the user and flags, in any order; after `--` there are no flags. */
export async function runCommand({ usage, flags: known = [], run, ...open }: CommandOptions): Promise<void> {
  const args = process.argv.slice(2);
  const end = args.includes('--') ? args.indexOf('--') : args.length;
  const flags = new Set(args.slice(0, end).filter((arg) => known.includes(arg)));
  const users = [...args.slice(0, end).filter((arg) => !known.includes(arg)), ...args.slice(end + 1)];
  const fault = users.length === 1 ? faultOf(users[0]!) : '';
  if (fault !== undefined) {
    misused(usage, fault);
    return;
  }
  await withSettings(async (config) => {
    const redis = await openStore(config, open);
    try {
      process.stdout.write(await run({ redis, config, userId: users[0]!, flags }));
    } finally {
      redis.disconnect();
    }
  });
}

/** Does some work with the settings; what fails is said in a line. */
export async function withSettings(work: (config: Config) => Promise<void>): Promise<void> {
  process.stdout.on('error', () => undefined); // a pager that was left early
  try {
    await work(readConfig(readEnv()));
  } catch (error) {
    complain(messageOf(error), error instanceof ConfigError ? EXIT.misused : EXIT.failed);
  }
}

export function misused(usage: string, fault = ''): void {
  complain(`${fault && `${fault}\n`}usage: ${usage}`, EXIT.misused);
}

function faultOf(userId: string): string | undefined {
  try {
    checkUserPath({ user_id: userId });
    return undefined;
  } catch (error) {
    return messageOf(error).replace('/user_id', 'USER');
  }
}

/** A fault of ours with its places, one of the set-up in a line. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const ours = !(error instanceof CannotStart) && (error instanceof TypeError || error instanceof RangeError);
  return (ours && error.stack) || error.message;
}

function complain(message: string, code: number): void {
  process.stderr.write(`${message}\n`);
  process.exitCode = code;
}
