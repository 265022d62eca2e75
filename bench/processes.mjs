// Processes of the bench's own. Whatever is started here ends with the bench, however it ends.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const here = import.meta.dirname;

/** The flags that `npm start` gives to Node; every server gets the same. */
export const NODE_FLAGS =
  JSON.parse(readFileSync(join(here, '../package.json'))).scripts.start.match(/(?<=\s)--\S+/g) ?? [];

const endings = [];

/** What must be undone at the end, the last first. */
export function atEnd(job) {
  endings.push(job);
}

export async function endAll() {
  for (let job = endings.pop(); job; job = endings.pop()) await job();
}

/** A folder that is gone at the end. */
export function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'ff-bench-'));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A Node process that answers `ask`, with the CPU it has used if need be. Works in a folder without a `.env`. */
export function startNode(file, { env = {}, flags = [], folder }) {
  const child = fork(join(here, file), {
    cwd: folder,
    env: { PATH: process.env.PATH, NODE_ENV: 'production', ...env },
    execArgv: [...flags, '--import', join(here, 'probe.mjs')],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let stderr = '';
  child.stderr.on('data', (text) => {
    stderr = (stderr + text).slice(-2000);
  });
  const waiting = new Set();
  let ended;
  child.on('exit', (code, signal) => {
    ended = new Error(`${file} ended (${signal ?? code}) ${stderr}`);
    for (const { reject } of waiting) reject(ended);
  });
  child.on('message', (message) => {
    for (const waiter of waiting) {
      if (!(waiter.name in message)) continue;
      waiting.delete(waiter);
      waiter.resolve(message[waiter.name]);
    }
  });
  atEnd(() => stopProcess(child));

  /** The next message that has `name`. */
  const answer = (name) =>
    new Promise((resolve, reject) => {
      if (ended) reject(ended);
      else waiting.add({ name, resolve, reject });
    });
  const ask = (question, name) => {
    const answered = answer(name);
    child.send(question, () => undefined); // one that has ended is heard of by `answered`
    return answered;
  };
  return { answer, ask, cpu: () => ask('cpu', 'cpu'), stop: () => stopProcess(child) };
}

/** SIGTERM, and SIGKILL for what does not end by it. */
export async function stopProcess(child) {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = once(child, 'exit');
  const cutOff = setTimeout(() => child.kill('SIGKILL'), 3000);
  child.kill('SIGTERM');
  await gone;
  clearTimeout(cutOff);
}

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
