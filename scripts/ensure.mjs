// Runs before `npm start`, `npm test` and `npm run bench`: looks for the programs that it is given, as in
// `node scripts/ensure.mjs redis postgres`, and installs them where that takes no password. It says nothing if nothing is
// missing, and leaves no system service behind.

import { spawn } from 'node:child_process';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs';
import { constants as osConstants, tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
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
  postgres: {
    commands: ['postgres'],
    beside: 'initdb', // a server without it makes no cluster
    // Most systems keep it off the PATH. A folder and, where it has one for each version, what comes before the version in
    // their names and where the programs of that are.
    folders: [
      ['usr/lib/postgresql', '', 'bin'], // Debian
      ['usr/libexec', 'postgresql', ''], // Alpine
      ['usr', 'pgsql-', 'bin'], // what Postgres itself has for dnf
      ['opt/homebrew/opt', 'postgresql@', 'bin'],
      ['usr/local/opt', 'postgresql@', 'bin'],
      ['home/linuxbrew/.linuxbrew/opt', 'postgresql@', 'bin'],
    ],
    oldest: 14, // the first to have idle_session_timeout
    packages: {
      'apt-get': ['postgresql'],
      apk: ['postgresql'],
      dnf: ['postgresql-server'],
      brew: ['postgresql@17'],
    },
    service: 'postgresql', // with it Debian's package starts the cluster that it makes
  },
  chromium: {
    commands: ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'Google Chrome'],
    folders: [['Applications/Google Chrome.app/Contents/MacOS']], // no cask puts it on the PATH of a Mac
    oldest: 112, // the first that can run all of itself without a screen
    packages: {
      'apt-get': ['chromium', 'chromium-browser'], // Debian's, and Ubuntu's, which is none until a snap is there
      apk: ['chromium'],
      dnf: ['chromium'],
      brew: ['google-chrome'], // a cask, which brew finds among formulae; the one of Chromium is not signed
    },
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

/** Sees to it that programs are installed, and gives the exit code. `root` is where the system's files are. */
export async function ensure(
  names,
  {
    env = process.env,
    uid = process.getuid?.(),
    isTTY = isatty(0) && isatty(1),
    root = '/',
    ask = askOnTerminal,
  } = {},
) {
  // Only the service can do with a server elsewhere: tests and benchmarks start their own.
  const starting = env.npm_lifecycle_event === 'prestart';
  const programs = names
    .map((name) => PROGRAMS[name])
    .filter(({ setting }) => !(starting && setting && env[setting.name]));
  const path = foldersOf(env);
  const look = async () => {
    const found = await Promise.all(programs.map((it) => locate(it, path, root, env)));
    return { missing: programs.filter((_, i) => !found[i]), tooOld: found.find((it) => it?.needed), found };
  };
  const before = await look();
  const { missing } = before;

  const giveUp = (what) => {
    const uses = programs.flatMap(({ setting }) => setting?.use ?? []);
    const next = starting ? ['start again', ...uses].join(', or ') : 'try again';
    console.error(`Footfall needs ${what} and ${next}.`);
    return 1;
  };
  const refuse = ({ file, version, needed }) =>
    giveUp(`${needed}, and ${file} is ${version}: install a newer one`);
  if (before.tooOld) return refuse(before.tooOld);
  if (missing.length === 0) return 0;

  const managers = Object.keys(MANAGERS);
  const manager = managers.find((it) => find([it], path));
  if (!manager) {
    return giveUp(
      `${titlesOf(missing)}, and has none of ${managers.join(', ')} to get ${them(missing)} with: install ${them(missing)} by hand`,
    );
  }

  const { refresh, install, startsServices, refusesRoot, env: settings = {} } = MANAGERS[manager];
  const needsSudo = uid !== 0 && !refusesRoot;
  const hasSudo = find(['sudo'], path) !== undefined;
  const prefix = needsSudo && hasSudo ? 'sudo ' : '';
  /** One line for all of them, and then again with the packages' other names. */
  const installsOf = (programs) => {
    const packages = programs.map((it) => it.packages[manager]);
    const tries = Math.max(...packages.map(({ length }) => length));
    return Array.from({ length: tries }, (_, i) =>
      [install, ...packages.map((names) => names[i] ?? names.at(-1))].join(' '),
    );
  };
  const lineOf = (programs) =>
    [refresh, installsOf(programs).join(` || ${prefix}`)]
      .filter(Boolean)
      .map((it) => prefix + it)
      .join(' && ');
  const toType = (programs) => {
    const line = lineOf(programs);
    return `${titlesOf(programs)}: type  ${needsSudo && !hasSudo ? `su -c '${line}'` : line} `;
  };

  if (refusesRoot && uid === 0) return giveUp(`${toType(missing)} as a user other than root`);
  if (needsSudo && !(hasSudo && (await run(['sudo', '-n', 'true'], env)).ok)) return giveUp(toType(missing));
  const line = lineOf(missing);
  if (uid !== 0 && isTTY && !env.CI) {
    const answer = await ask(`Install ${titlesOf(missing)} now with \`${line}\`? [Y/n] `);
    if (!/^(y|yes)?$/i.test(answer.trim())) return giveUp(toType(missing));
  }
  const are = missing.length > 1 ? 'are' : 'is';
  console.log(
    `Footfall needs ${titlesOf(missing)}, which ${are} not installed. Installing ${them(missing)} with: ${line}`,
  );

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
  let after = before;
  const policy = startsServices ? await refuseStarts(root, asRoot) : undefined;
  try {
    // A refresh that fails in part may still have found these packages, so it does not end the matter.
    for (const command of [refresh, ...installsOf(missing)].filter(Boolean)) {
      if (after.missing.length === 0 || signals.received) break;
      outputs.push((await asRoot(command.split(' '))).output);
      after = await look();
    }
    for (const { service } of startsServices ? missing.filter((it) => !after.missing.includes(it)) : []) {
      for (const command of disabling(service, root, searched)) {
        await cleanUp(command, 'It may run as a system service');
      }
    }
  } finally {
    if (policy) await cleanUp(['rm', '-f', policy], `No service can start while ${policy} is there`);
    signals.release();
  }

  const said = after.missing.length === 0 || signals.received ? [] : tail(outputs);
  for (const text of [...said, ...troubles]) console.error(text);
  if (signals.received) return 128 + osConstants.signals[signals.received];
  if (after.missing.length > 0) return giveUp(toType(after.missing));
  if (after.tooOld) return refuse(after.tooOld);
  const installed = after.found.filter((_, i) => missing.includes(programs[i]));
  const described = await Promise.all(installed.map(({ file }) => describe(file, env)));
  const rest = troubles.length === 0 ? ' No system service was left running.' : '';
  console.log(`Installed ${described.join(' and ')}.${rest}`);
  return 0;
}

/** The file of a program that is installed, by the name that it was found under: a link may lead to what runs many. */
export async function fileOf(name) {
  const found = await locate(PROGRAMS[name], foldersOf(process.env), '/', process.env);
  if (!found || found.needed) throw new Error(`first type  node scripts/ensure.mjs ${name}`);
  return found.file;
}

/** Where it is, links followed: what belongs to it is beside it. */
export async function folderOf(name) {
  return dirname(realpathSync(await fileOf(name)));
}

const foldersOf = ({ PATH = '' }) => PATH.split(delimiter).filter(Boolean);
const titlesOf = (programs) => programs.map(({ commands: [title] }) => title).join(' and ');
const them = ({ length }) => (length > 1 ? 'them' : 'it');

/** A program's file, if there is one; one that is too old only for want of a newer, with what is needed. */
async function locate({ commands, beside, folders = [], oldest }, path, root, env) {
  const places = [...path, ...folders.flatMap((it) => newestFirst(root, it))];
  const files = findAll(commands, places).filter(
    (file) => !beside || find([beside], [dirname(realpathSync(file))]),
  );
  if (!oldest) return files[0] && { file: files[0] };
  let tooOld;
  for (const file of files) {
    const version = await versionOf(file, env);
    if (Number.parseInt(version, 10) >= oldest) return { file };
    if (version) tooOld ??= { file, version, needed: `${commands[0]} ${oldest} or newer` };
  }
  return tooOld;
}

function newestFirst(root, [parent, prefix, below]) {
  const folder = join(root, parent);
  if (prefix === undefined) return [folder];
  const versionIn = (name) => Number(name.startsWith(prefix) && name.slice(prefix.length));
  return (existsSync(folder) ? readdirSync(folder) : [])
    .filter((name) => versionIn(name) > 0)
    .sort((a, b) => versionIn(b) - versionIn(a))
    .map((name) => join(folder, name, below));
}

async function versionOf(file, env) {
  return /(?:\bv=|\(PostgreSQL\) |^(?:Chromium|Google Chrome) )([\w.]+)/m.exec(
    (await run([file, '--version'], env)).output,
  )?.[1];
}

async function describe(file, env) {
  const version = await versionOf(file, env);
  return version ? `${file} (v${version})` : file;
}

const find = (names, folders) => findAll(names, folders)[0];

function findAll(names, folders) {
  return names
    .flatMap((name) => folders.map((folder) => join(folder, name)))
    .filter((path) => {
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
  if (!service) return [];
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
  const names = process.argv.slice(2);
  // For those who can't import it.
  if (names[0] === '--where') console.log(await folderOf(names[1]));
  else if (names[0] === '--which') console.log(await fileOf(names[1]));
  else process.exitCode = await ensure(names);
}
