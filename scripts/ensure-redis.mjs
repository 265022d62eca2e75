// Runs before `npm start`, `npm test` and `npm run bench`: looks for redis-server, and installs it where that takes
// no password. It says nothing if nothing is missing, and leaves no system service behind.

import { spawn } from 'node:child_process';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs';
import { constants as osConstants, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { isatty } from 'node:tty';
import { fileURLToPath } from 'node:url';

const PROGRAMS = {
  redis: {
    commands: ['redis-server', 'valkey-server'], // either will do; messages name the first
    packages: { 'apt-get': ['redis-server'], apk: ['redis'], dnf: ['redis', 'valkey'], brew: ['redis'] },
    service: 'redis-server', // what Debian's package enables and starts
    setting: { name: 'REDIS_URL', use: 'set REDIS_URL to a Redis that you have' },
  },
};

const MANAGERS = {
  'apt-get': {
    refresh: 'apt-get update',
    install: 'apt-get install -y --no-install-recommends',
    env: { DEBIAN_FRONTEND: 'noninteractive' },
    startsServices: true,
  },
  apk: { install: 'apk add --no-cache' },
  dnf: { install: 'dnf install -y' },
  brew: { install: 'brew install', refusesRoot: true },
};

const POLICY_MARK = 'Written by Footfall while it installs a package';
const TAIL = { lines: 20, bytes: 8192 };

/** Sees to it that a program is installed, and gives the exit code. `root` is where the system's files are. */
export async function ensure(
  name,
  {
    env = process.env,
    uid = process.getuid?.(),
    isTTY = isatty(0) && isatty(1),
    root = '/',
    ask = askOnTerminal,
  } = {},
) {
  const { commands, packages, service, setting } = PROGRAMS[name];
  const [title] = commands;
  // Only the service can do with a server elsewhere: tests and benchmarks start their own.
  const starting = env.npm_lifecycle_event === 'prestart';
  if (starting && env[setting.name]) return 0;
  const path = (env.PATH ?? '').split(delimiter).filter(Boolean);
  if (find(commands, path)) return 0;

  const giveUp = (what) => {
    const next = starting ? `start again, or ${setting.use}` : 'try again';
    console.error(`Footfall needs ${title}${what} and ${next}.`);
    return 1;
  };
  const managers = Object.keys(packages);
  const manager = managers.find((it) => find([it], path));
  if (!manager) return giveUp(`, and has none of ${managers.join(', ')} to get it with: install it by hand`);

  const { refresh, install, startsServices, refusesRoot, env: settings = {} } = MANAGERS[manager];
  const installs = packages[manager].map((it) => `${install} ${it}`);
  const needsSudo = uid !== 0 && !refusesRoot;
  const hasSudo = find(['sudo'], path) !== undefined;
  const prefix = needsSudo && hasSudo ? 'sudo ' : '';
  const line = [refresh, installs.join(` || ${prefix}`)]
    .filter(Boolean)
    .map((it) => prefix + it)
    .join(' && ');
  const toType = `: type  ${needsSudo && !hasSudo ? `su -c '${line}'` : line} `;

  if (refusesRoot && uid === 0) return giveUp(`${toType} as a user other than root`);
  if (needsSudo && !(hasSudo && (await run(['sudo', '-n', 'true'], env)).ok)) return giveUp(toType);
  if (uid !== 0 && isTTY && !env.CI) {
    const answer = await ask(`Install ${title} now with \`${line}\`? [Y/n] `);
    if (!/^(y|yes)?$/i.test(answer.trim())) return giveUp(toType);
  }
  console.log(`Footfall needs ${title}, which is not installed. Installing it with: ${line}`);

  // The folders of the administrator's programs may be missing from PATH, and dpkg stops without them.
  const searched = [...path, join(root, 'usr/sbin'), join(root, 'sbin')];
  const signals = holdSignals();
  // sudo clears the environment, so the settings go on its command line.
  const sudo = needsSudo ? ['sudo', '-n', 'env', ...Object.entries(settings).map((it) => it.join('='))] : [];
  const childEnv = { ...env, ...settings, PATH: searched.join(delimiter) };
  const asRoot = (command) => run([...sudo, ...command], childEnv, signals);
  // A Ctrl-C reaches every process of the terminal, and must not end the ones that clean up.
  const ignoreSignals = ['sh', '-c', 'trap "" INT TERM HUP; exec "$@"', 'sh'];
  const cleanUp = async (command, trouble) => {
    if ((await run([...ignoreSignals, ...sudo, ...command], childEnv)).ok) return;
    troubles.push(`${trouble}: type  ${prefix}${command.join(' ')}`);
  };
  const outputs = [];
  const troubles = [];
  let installed;
  const policy = startsServices && service ? await refuseStarts(root, asRoot) : undefined;
  try {
    // A refresh that fails in part may still have found this package, so it does not end the matter.
    for (const command of [refresh, ...installs].filter(Boolean)) {
      if (installed || signals.received) break;
      outputs.push((await asRoot(command.split(' '))).output);
      installed = find(commands, path);
    }
    if (installed && startsServices && service) {
      for (const command of disabling(service, root, searched)) {
        await cleanUp(command, 'It may run as a system service');
      }
    }
  } finally {
    if (policy) await cleanUp(['rm', '-f', policy], `No service can start while ${policy} is there`);
    signals.release();
  }

  const said = installed || signals.received ? [] : tail(outputs);
  for (const text of [...said, ...troubles]) console.error(text);
  if (signals.received) return 128 + osConstants.signals[signals.received];
  if (!installed) return giveUp(toType);
  const version = /\bv=([\w.]+)/.exec((await run([installed, '--version'], env)).output);
  const rest = troubles.length === 0 ? ' No system service was left running.' : '';
  console.log(`Installed ${installed}${version ? ` (v${version[1]})` : ''}.${rest}`);
  return 0;
}

function find(names, folders) {
  return names
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return statSync(path).isFile();
      } catch {
        return false;
      }
    });
}

/** Debian starts a service as it installs it, unless this file says no. Gives its path if it is ours to remove. */
async function refuseStarts(root, asRoot) {
  const path = join(root, 'usr/sbin/policy-rc.d');
  const script = `set -C; printf '#!/bin/sh\\n# ${POLICY_MARK}\\nexit 101\\n' > "$1" && chmod 755 "$1"`;
  if (!existsSync(path)) await asRoot(['sh', '-c', script, 'sh', path]);
  try {
    // By its mark, so that one that was left over from a kill goes too.
    return readFileSync(path, 'utf8').includes(POLICY_MARK) ? path : undefined;
  } catch {
    return undefined;
  }
}

/** What keeps a service from the next boot, and stops one that a policy-rc.d of the system's own let start. */
function disabling(service, root, searched) {
  const [systemctl, updateRcD] = ['systemctl', 'update-rc.d'].map((name) => find([name], searched));
  if (systemctl && existsSync(join(root, 'run/systemd/system'))) {
    return [[systemctl, 'disable', '--now', service]];
  }
  const script = find([service], [join(root, 'etc/init.d')]);
  const stop = script ? [[script, 'stop']] : [];
  if (systemctl) return [...stop, [systemctl, 'disable', service]];
  return updateRcD ? [...stop, [updateRcD, service, 'disable']] : stop;
}

/** A first signal goes on to the running child, and nothing ends before the cleaning up is done. */
function holdSignals() {
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  const held = { received: undefined, child: undefined, release };
  const onSignal = (name) => {
    if (held.received) return;
    held.received = name;
    held.child?.kill(name);
  };
  for (const name of names) process.on(name, onSignal);
  function release() {
    for (const name of names) process.off(name, onSignal);
  }
  return held;
}

/** The output goes through a file: a pipe would stay open for as long as any daemon that inherited it. */
function run([command, ...args], env, signals) {
  const folder = mkdtempSync(join(tmpdir(), 'footfall-'));
  const file = openSync(join(folder, 'output'), 'w+');
  rmSync(folder, { recursive: true });
  return new Promise((resolve) => {
    const end = (ok, error = '') => {
      const { size } = fstatSync(file);
      const bytes = Buffer.alloc(Math.min(size, TAIL.bytes));
      readSync(file, bytes, 0, bytes.length, size - bytes.length);
      closeSync(file);
      resolve({ ok, output: bytes + error });
    };
    const child = spawn(command, args, { env, stdio: ['ignore', file, file] });
    if (signals) signals.child = child;
    child.once('exit', (code) => end(code === 0));
    child.on('error', (error) => {
      // It is also emitted for a signal that may not be sent, as to a child that sudo started.
      if (child.pid === undefined) end(false, error.message);
    });
  });
}

function tail(outputs) {
  return outputs.flatMap((text) => text.split(/[\r\n]+/).filter(Boolean)).slice(-TAIL.lines);
}

function askOnTerminal(question) {
  // Not in terminal mode, so that Ctrl-C ends the process as ever.
  const terminal = createInterface({ input: process.stdin, output: process.stdout, terminal: false });
  return new Promise((resolve) => {
    let answer;
    terminal.once('line', (line) => {
      answer = line;
      terminal.close();
    });
    terminal.once('close', () => {
      if (answer === undefined) console.log(); // Ctrl-D leaves the cursor where it is
      resolve(answer ?? 'no');
    });
    process.stdout.write(question);
  });
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = await ensure('redis');
}
