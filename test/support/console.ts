// The ```console blocks of a page, run against a service of their own.

import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { dataDirAt } from '../../src/redis/dataDir.ts';
import { dayOf } from '../../src/time.ts';
import { stopProcess } from './redis.ts';

export const ROOT = join(__dirname, '../..');

export const readPage = (path: string) => readFileSync(join(ROOT, path), 'utf8');

/** What stands in a page's fenced blocks of a kind. */
export function blocksOf(page: string, kind: 'console' | 'sh'): string[] {
  return [...page.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)]
    .filter(([, found]) => found === kind)
    .map(([, , text]) => text!);
}

export interface Step {
  command: string;
  output: string;
}

/** `$ ` begins a command; the lines up to the next one are its output. */
export function stepsOf(page: string): Step[] {
  return blocksOf(page, 'console').flatMap((block) => {
    if (!block.startsWith('$ ')) throw new Error(`a block without a command first: ${block}`);
    return block
      .slice(2)
      .split(/^\$ /m)
      .map((text) => {
        const [command, ...lines] = text.split('\n');
        return { command: command!, output: lines.join('\n').trimEnd() };
      });
  });
}

/** What the commands really say, in one bash, as a terminal would show it. */
export async function outputsOf(steps: Step[]): Promise<string[]> {
  const before = dayOf(Date.now());
  const outputs = await run(steps);
  return dayOf(Date.now()) === before ? outputs : run(steps); // midnight came in between: not twice
}

const MARK = '-- next --';

async function run(steps: Step[]): Promise<string[]> {
  const dir = mkdtempSync(join(tmpdir(), 'ff-docs-'));
  const DATA_DIR = join(dir, 'data');
  // Out of the environment: whatever else would set the service, or its tools, otherwise.
  const env = { PATH: process.env.PATH, HOME: dir, LC_ALL: 'C', DATA_DIR };
  const child = spawn(process.execPath, [join(ROOT, 'dist/server.js')], {
    cwd: dir,
    env: { ...env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const port = await portOf(child.stdout);
    const script = steps.map(({ command }) => {
      const here = command
        .replaceAll('localhost:3000', `127.0.0.1:${port}`)
        .replaceAll('data/redis/redis.sock', dataDirAt(DATA_DIR).socket)
        .replaceAll(/npm run --silent (erase|inspect) --/g, (_, name: string) => {
          const folder = name === 'erase' ? 'erasure' : name;
          return `'${process.execPath}' '${join(ROOT, 'dist', folder, 'command.js')}'`; // npm would build first
        });
      // redis-cli writes for people where it writes to a terminal.
      const terminal = command.includes('|') ? 'unset FAKETTY' : 'export FAKETTY=1';
      return `${terminal}\n${here}\nprintf '\\n%s\\n' '${MARK}'\n`;
    });
    const { stdout } = await promisify(execFile)('bash', ['-c', `exec 2>&1\n${script.join('')}`], {
      cwd: dir,
      env,
      timeout: 20_000,
    });
    return stdout
      .split(`${MARK}\n`)
      .slice(0, -1)
      .map((text) => text.replaceAll('\r', '').trimEnd());
  } finally {
    await stopProcess(child, 'SIGTERM'); // its private Redis ends with it
    rmSync(dir, { recursive: true, force: true });
  }
}

function portOf(out: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let log = '';
    out.on('data', (text) => {
      log += text;
      const port = /listens on http:\/\/127\.0\.0\.1:(\d+)/.exec(log)?.[1];
      if (port !== undefined) resolve(port);
    });
    out.once('end', () => reject(new Error(`the service did not start: ${log}`)));
  });
}

/** An output without what differs from run to run: days, times, lives; and the figures of Redis itself. */
export function timeless({ command, output }: Step): string {
  const lines = output
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, 'TIME')
    .replaceAll(/\d{4}-\d\d-\d\d/g, 'DAY')
    .replaceAll(/\bin (\d+ days?|\d+ min)?( ?\d+ h)?$/gm, 'in LIFE')
    .replaceAll(/"seconds":\d+/g, '"seconds":N') // between two commands
    .replaceAll(/\b1\d{12}\b/g, 'MS SINCE 1970')
    .replaceAll(/\b1\d{9}\b/g, 'S SINCE 1970')
    .split('\n')
    .map((line) => (FIGURES.test(command) ? line.replaceAll(/\d[\d.]*[KMG]?/g, 'N') : line));
  return (/\| sort\b/.test(command) ? lines.sort() : lines).join('\n');
}

const FIGURES = /\b(TTL|MEMORY USAGE|INFO)\b/;
