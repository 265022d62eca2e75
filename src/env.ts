// The environment: what the process was given, and what .env adds to it.

import { existsSync, readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';
import { CannotStart } from './cannotStart.ts';

const FILE = '.env';

export type Env = Record<string, string | undefined>;

/** What the process was given, and what .env says now of anything else. */
export function readEnv(): Env {
  return { ...(existsSync(FILE) ? fromFile() : {}), ...process.env };
}

/** A line that is no setting becomes a part of the next one's name, which then is not set, in silence. */
function fromFile(): Env {
  const env = parseEnv(readEnvFile());
  const odd = Object.keys(env).find((name) => !/^[\w.-]+$/.test(name));
  if (odd === undefined) return env;
  const name = /[\w.-]*$/.exec(odd)?.[0];
  throw new CannotStart(
    `.env holds a line that is no NAME=value, before ${name || 'an ='}: take it out (npm run --silent key prints keys alone)`,
  );
}

function readEnvFile(): string {
  try {
    return readFileSync(FILE, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CannotStart(`.env can't be read (${code}): let it be a file that this user may read, or none`);
  }
}
