import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const SCRIPT = join(__dirname, '../scripts/ensure.mjs');
const APT = 'apt-get update && apt-get install -y --no-install-recommends redis-server';
const SUDO_APT = 'sudo apt-get update && sudo apt-get install -y --no-install-recommends redis-server';
const TYPE_SUDO_APT = `Footfall needs redis-server: type  ${SUDO_APT}  and try again.\n`;
const TRUE_APT = ['apt-get update', 'apt-get install -y --no-install-recommends redis-server'];

// The machine of these tests: a root folder, and a PATH with nothing on it but programs that log how they were called.
let root: string;
let policy: string;

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'ff-ensure-')));
  policy = join(root, 'usr/sbin/policy-rc.d');
  mkdirSync(join(root, 'usr/sbin'), { recursive: true });
  for (const name of ['sh', 'env', 'chmod'])
    fake(name, `exec ${name === 'env' ? '/usr' : ''}/bin/${name} "$@"`, 'quiet');
  fake('rm', 'exec /bin/rm "$@"');
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function fake(name: string, commands = '', quiet?: 'quiet') {
  const path = join(root, name.includes('/') ? name : `bin/${name}`);
  mkdirSync(join(path, '..'), { recursive: true });
  const log = `echo "\${VIA}${name} $*" >> ${root}/log`;
  writeFileSync(path, ['#!/bin/sh', quiet ? '' : log, commands, ''].join('\n'), { mode: 0o755 });
}

/** `-n true` ends with this code; everything else is run, without what sudo takes out of the environment. */
function fakeSudo(code = 0) {
  fake(
    'sudo',
    `[ "$2" = true ] && exit ${code}\nshift\nunset DEBIAN_FRONTEND\nVIA='sudo ' exec "$@"`,
    'quiet',
  );
}

/** What a package manager does that puts a server on the PATH. */
function puts(name: string, version = 'Redis server v=7.0.15 sha=00000000:0'): string {
  const server = `${root}/bin/${name}`;
  return `printf '#!/bin/sh\\necho "${version}"\\n' > ${server}; /bin/chmod 755 ${server}`;
}

/** An apt-get that notes what a package's start of its service would be told. */
function fakeApt(commands = puts('redis-server')) {
  const start = `[ -e ${policy} ] && { ${policy} redis-server start; echo "start: $? $DEBIAN_FRONTEND" >> ${root}/log; }`;
  fake('apt-get', `[ "$1" = install ] || exit 0\n${start}\n${commands}`);
}

/** A Postgres in one of the root's folders. */
function fakePostgres(folder: string, version: string) {
  fake(`${folder}/postgres`, `echo "postgres (PostgreSQL) ${version} (Debian ${version}-0+deb12u1)"`);
  fake(`${folder}/initdb`);
}

/** What a package manager does that puts one there. */
function putsPostgres(folder = 'usr/lib/postgresql/15/bin', version = '15.13'): string {
  fakePostgres('packed', version);
  return `/bin/mkdir -p ${root}/${folder}; /bin/cp ${root}/packed/* ${root}/${folder}`;
}

interface Given {
  /** What is asked for: Redis, unless it says more. */
  names?: string[];
  uid?: number;
  isTTY?: boolean;
  /** What the person at the terminal says. */
  answer?: string;
  env?: Record<string, string>;
}

/** Jest can't import the script, so a file of two lines does. */
function ensure({ names = ['redis'], uid = 0, isTTY = false, answer, env }: Given = {}) {
  const options = JSON.stringify({ uid, isTTY, root, env: { PATH: `${root}/bin`, ...env } });
  const ask = `async (question) => (console.log(question), ${JSON.stringify(answer)})`;
  const runner = join(root, 'runner.mjs');
  writeFileSync(
    runner,
    `import { ensure } from ${JSON.stringify(pathToFileURL(SCRIPT).href)};
    process.exitCode = await ensure(${JSON.stringify(names)}, { ...${options}, ask: ${ask} });`,
  );
  return start([runner], {});
}

function start(args: string[], env: NodeJS.ProcessEnv) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    env,
    encoding: 'utf8',
    timeout: 20_000,
  });
  return { status, stdout, stderr };
}

const log = () =>
  existsSync(join(root, 'log')) ? readFileSync(join(root, 'log'), 'utf8').trim().split('\n') : [];

const SILENT = { status: 0, stdout: '', stderr: '' };
const installing = (line: string) =>
  `Footfall needs redis-server, which is not installed. Installing it with: ${line}\n`;
const installed = (name = 'redis-server', version = ' (v7.0.15)') =>
  `Installed ${root}/bin/${name}${version}. No system service was left running.\n`;

describe('nothing to do', () => {
  test.each(['redis-server', 'valkey-server'])('%s is there', (name) => {
    fake(name);
    fakeApt();
    expect(ensure()).toEqual(SILENT);
    expect(start([SCRIPT, 'redis'], { PATH: join(root, 'bin') })).toEqual(SILENT);
    expect(log()).toEqual([]);
  });

  test('the service has a Redis elsewhere', () => {
    fakeApt();
    expect(ensure({ env: { npm_lifecycle_event: 'prestart', REDIS_URL: 'redis://db' } })).toEqual(SILENT);
    expect(log()).toEqual([]);
  });

  test.each(['pretest', 'prebench'])('%s needs a server all the same', (npm_lifecycle_event) => {
    fakeApt();
    expect(ensure({ env: { npm_lifecycle_event, REDIS_URL: 'redis://db' } }).stdout).toContain('Installed');
  });

  test('an empty REDIS_URL is none', () => {
    fakeApt();
    expect(ensure({ env: { npm_lifecycle_event: 'prestart', REDIS_URL: '' } }).stdout).toContain('Installed');
  });
});

describe('apt-get', () => {
  test('as root: starts no service meanwhile, and leaves no policy-rc.d', () => {
    fakeApt();
    expect(ensure()).toEqual({ status: 0, stdout: installing(APT) + installed(), stderr: '' });
    expect(log()).toEqual([...TRUE_APT, 'start: 101 noninteractive', `rm -f ${policy}`]);
    expect(existsSync(policy)).toBe(false);
    expect(ensure()).toEqual(SILENT);
  });

  test('through sudo, for each step', () => {
    fakeSudo();
    fakeApt();
    fake('systemctl');
    expect(ensure({ uid: 1000 })).toEqual({
      status: 0,
      stdout: installing(SUDO_APT) + installed(),
      stderr: '',
    });
    expect(log()).toEqual([
      ...TRUE_APT.map((line) => `sudo ${line}`),
      'start: 101 noninteractive',
      expect.stringMatching(/^sudo systemctl disable/),
      `sudo rm -f ${policy}`,
    ]);
    expect(existsSync(policy)).toBe(false);
  });

  test('a refresh that fails does not matter if the package is found', () => {
    fake('apt-get', `[ "$1" = install ] || { echo "E: no such list"; exit 100; }\n${puts('redis-server')}`);
    expect(ensure()).toEqual({ status: 0, stdout: installing(APT) + installed(), stderr: '' });
  });

  test('an unreadable version is left out', () => {
    fakeApt(puts('redis-server', 'soon'));
    expect(ensure().stdout).toBe(installing(APT) + installed('redis-server', ''));
  });
});

describe('the service that Debian starts', () => {
  test('systemd runs: it is stopped and disabled', () => {
    mkdirSync(join(root, 'run/systemd/system'), { recursive: true });
    fakeApt();
    fake('systemctl');
    fake('update-rc.d');
    expect(ensure().status).toBe(0);
    expect(log().at(-2)).toBe('systemctl disable --now redis-server');
    expect(log()).not.toContainEqual(expect.stringContaining('update-rc.d'));
  });

  test('systemd is only installed: it is disabled', () => {
    fakeApt();
    fake('systemctl');
    expect(ensure().status).toBe(0);
    expect(log().at(-2)).toBe('systemctl disable redis-server');
  });

  test("System V: it is stopped and disabled, though PATH is a user's", () => {
    fakeApt();
    fake('usr/sbin/update-rc.d');
    fake('etc/init.d/redis-server');
    expect(ensure().status).toBe(0);
    expect(log().slice(3)).toEqual([
      'etc/init.d/redis-server stop',
      'usr/sbin/update-rc.d redis-server disable',
      `rm -f ${policy}`,
    ]);
  });

  test("it can't be disabled: that is not passed over", () => {
    fakeApt();
    fake('systemctl', 'exit 1');
    expect(ensure()).toEqual({
      status: 0,
      stdout: `${installing(APT)}Installed ${root}/bin/redis-server (v7.0.15).\n`,
      stderr: `It may run as a system service: type  ${root}/bin/systemctl disable redis-server\n`,
    });
    expect(existsSync(policy)).toBe(false);
  });
});

describe('policy-rc.d', () => {
  test('one that is there is left alone', () => {
    fake('usr/sbin/policy-rc.d', 'exit 0', 'quiet');
    const before = readFileSync(policy, 'utf8');
    fakeApt();
    expect(ensure().status).toBe(0);
    expect(log()).toEqual([...TRUE_APT, 'start: 0 noninteractive']);
    expect(readFileSync(policy, 'utf8')).toBe(before);
  });

  test('one that a killed run left over goes', () => {
    fakeApt('kill -KILL $PPID');
    ensure();
    expect(existsSync(policy)).toBe(true);
    fakeApt();
    expect(ensure().status).toBe(0);
    expect(existsSync(policy)).toBe(false);
  });

  test('goes when the install fails', () => {
    fakeApt('exit 100');
    expect(ensure().status).toBe(1);
    expect(log()).toEqual([...TRUE_APT, 'start: 101 noninteractive', `rm -f ${policy}`]);
    expect(existsSync(policy)).toBe(false);
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ])('goes on %s, once apt-get has ended', (signal, status) => {
    // apt-get hears of the signal: otherwise it would never end.
    const name = signal.slice(3);
    fakeApt(
      `trap 'echo ended >> ${root}/log; exit 1' ${name}\nkill -${name} $PPID\nfor i in 1 2 3 4 5 6 7 8 9; do /bin/sleep 1; done`,
    );
    expect(ensure()).toEqual({ status, stdout: installing(APT), stderr: '' });
    expect(log().slice(-2)).toEqual(['ended', `rm -f ${policy}`]);
    expect(existsSync(policy)).toBe(false);
  });

  test('a Ctrl-C ends neither the disabling nor the removal', () => {
    fakeApt();
    fake('systemctl', 'kill -INT $$');
    fake('rm', 'kill -INT $$\nexec /bin/rm "$@"');
    expect(ensure()).toEqual({ status: 0, stdout: installing(APT) + installed(), stderr: '' });
    expect(existsSync(policy)).toBe(false);
  });

  test("can't be removed: says so, and how", () => {
    fakeSudo();
    fakeApt();
    fake('rm', 'exit 1');
    expect(ensure({ uid: 1000 })).toEqual({
      status: 0,
      stdout: `${installing(SUDO_APT)}Installed ${root}/bin/redis-server (v7.0.15).\n`,
      stderr: `No service can start while ${policy} is there: type  sudo rm -f ${policy}\n`,
    });
  });

  test("can't be written: installs, then disables", () => {
    rmSync(join(root, 'usr/sbin'), { recursive: true });
    fakeApt();
    fake('systemctl');
    expect(ensure().status).toBe(0);
    expect(log()).toEqual([...TRUE_APT, 'systemctl disable redis-server']);
  });
});

describe('other package managers', () => {
  test('apk', () => {
    fake('apk', puts('redis-server'));
    const stdout = installing('apk add --no-cache redis') + installed();
    expect(ensure()).toEqual({ status: 0, stdout, stderr: '' });
    expect(log()).toEqual(['apk add --no-cache redis']);
  });

  test('dnf with redis', () => {
    fake('dnf', puts('redis-server'));
    const stdout = installing('dnf install -y redis || dnf install -y valkey') + installed();
    expect(ensure()).toEqual({ status: 0, stdout, stderr: '' });
    expect(log()).toEqual(['dnf install -y redis']);
  });

  test('dnf with valkey only', () => {
    fakeSudo();
    const valkey = puts('valkey-server', 'Valkey server v=8.0.1 sha=00000000:0');
    fake('dnf', `[ "$3" = valkey ] || { echo "Unable to find a match: redis"; exit 1; }\n${valkey}`);
    const line = 'sudo dnf install -y redis || sudo dnf install -y valkey';
    const stdout = installing(line) + installed('valkey-server', ' (v8.0.1)');
    expect(ensure({ uid: 1000 })).toEqual({ status: 0, stdout, stderr: '' });
    expect(log()).toEqual(['sudo dnf install -y redis', 'sudo dnf install -y valkey']);
  });

  test('brew, without sudo', () => {
    fakeSudo();
    fake('brew', puts('redis-server'));
    const stdout = installing('brew install redis') + installed();
    expect(ensure({ uid: 501 })).toEqual({ status: 0, stdout, stderr: '' });
    expect(log()).toEqual(['brew install redis']);
  });

  test('brew, never as root', () => {
    fake('brew', puts('redis-server'));
    const stderr =
      'Footfall needs redis-server: type  brew install redis  as a user other than root and try again.\n';
    expect(ensure()).toEqual({ status: 1, stdout: '', stderr });
    expect(log()).toEqual([]);
  });
});

describe('Postgres', () => {
  const names = ['postgres'];
  const INSTALL = 'apt-get install -y --no-install-recommends postgresql';

  test.each(['bin', 'usr/lib/postgresql/15/bin', 'usr/libexec/postgresql17', 'usr/pgsql-16/bin'])(
    'is there, in %s',
    (folder) => {
      fakePostgres(folder, '14.0');
      fakeApt();
      expect(ensure({ names })).toEqual(SILENT);
    },
  );

  test('the one on the PATH comes first, then the newest', () => {
    for (const version of ['9', '13', '15'])
      fakePostgres(`usr/lib/postgresql/${version}/bin`, `${version}.1`);
    mkdirSync(join(root, 'usr/lib/postgresql/common'));
    expect(ensure({ names })).toEqual(SILENT);
    expect(log()).toEqual(['usr/lib/postgresql/15/bin/postgres --version']);
    fakePostgres('bin', '14.18');
    expect(ensure({ names })).toEqual(SILENT);
    expect(log().slice(1)).toEqual(['bin/postgres --version']);
  });

  test('one that is older than 14 will not do, and is not replaced', () => {
    fakePostgres('bin', '13.21');
    fakeApt();
    const stderr = `Footfall needs postgres 14 or newer, and ${root}/bin/postgres is 13.21: install a newer one and try again.\n`;
    expect(ensure({ names })).toEqual({ status: 1, stdout: '', stderr });
    expect(log()).toEqual(['bin/postgres --version']);
  });

  test('an old one does not matter beside a newer', () => {
    fakePostgres('bin', '13.21');
    fakePostgres('usr/lib/postgresql/15/bin', '15.13');
    expect(ensure({ names })).toEqual(SILENT);
  });

  test('one that has no initdb, or does not run, is none', () => {
    fake('bin/postgres', 'echo "postgres (PostgreSQL) 15.13"');
    fake('usr/lib/postgresql/16/bin/postgres', 'exit 127');
    fake('usr/lib/postgresql/16/bin/initdb');
    expect(ensure({ names }).stderr).toMatch(/^Footfall needs postgres, and has none of apt-get, apk/);
  });

  test('tells where its programs are, links followed', () => {
    fakePostgres('packed', '15.13');
    symlinkSync(join(root, 'packed/postgres'), join(root, 'bin/postgres'));
    expect(ensure({ names })).toEqual(SILENT);
    const where = start([SCRIPT, '--where', 'postgres'], { PATH: join(root, 'bin') });
    expect(where).toEqual({ status: 0, stdout: `${root}/packed\n`, stderr: '' });
  });

  test('is installed with apt-get, and its service is off', () => {
    mkdirSync(join(root, 'run/systemd/system'), { recursive: true });
    fakeApt(putsPostgres());
    fake('systemctl');
    expect(ensure({ names })).toEqual({
      status: 0,
      stdout: [
        `Footfall needs postgres, which is not installed. Installing it with: apt-get update && ${INSTALL}`,
        `Installed ${root}/usr/lib/postgresql/15/bin/postgres (v15.13). No system service was left running.`,
        '',
      ].join('\n'),
      stderr: '',
    });
    expect(log()).toEqual([
      'apt-get update',
      INSTALL,
      'start: 101 noninteractive',
      'packed/postgres --version',
      'systemctl disable --now postgresql',
      `rm -f ${policy}`,
      'packed/postgres --version',
    ]);
    expect(ensure({ names })).toEqual(SILENT);
  });

  test('the package has too old a one: says so', () => {
    fakeApt(putsPostgres('usr/lib/postgresql/13/bin', '13.21'));
    const { status, stderr } = ensure({ names });
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: `Footfall needs postgres 14 or newer, and ${root}/usr/lib/postgresql/13/bin/postgres is 13.21: install a newer one and try again.\n`,
    });
    expect(existsSync(policy)).toBe(false);
  });

  test.each([
    ['apk', 'apk add --no-cache postgresql', 'usr/libexec/postgresql17'],
    ['dnf', 'dnf install -y postgresql-server', 'bin'],
    ['brew', 'brew install postgresql@17', 'opt/homebrew/opt/postgresql@17/bin'],
  ])('%s', (manager, line, folder) => {
    fakeSudo();
    fake(manager, putsPostgres(folder));
    const { status, stdout } = ensure({ names, uid: manager === 'brew' ? 501 : 0 });
    expect(status).toBe(0);
    expect(stdout).toContain(`with: ${line}\nInstalled ${root}/${folder}/postgres (v15.13).`);
    expect(log()).toContain(line);
  });
});

describe('Chromium', () => {
  const names = ['chromium'];
  const MAC = 'Applications/Google Chrome.app/Contents/MacOS/Google Chrome';
  const built = (title: string, version = '140.0.7339.80') =>
    `echo "line 9: odd" >&2\necho "${title} ${version} built on a machine"`;
  /** What a package manager does that puts one there. */
  const put = (name: string) => {
    fake('packed/browser', built('Chromium'), 'quiet');
    return `/bin/cp ${root}/packed/browser ${root}/bin/${name}`;
  };

  test.each([
    ['chromium', 'Chromium'],
    ['chromium-browser', 'Chromium'],
    ['google-chrome', 'Google Chrome'],
    ['google-chrome-stable', 'Google Chrome'],
  ])('is there, as %s', (name, title) => {
    fake(name, built(title));
    fakeApt();
    expect(ensure({ names })).toEqual(SILENT);
  });

  test("is there, as a Mac's application", () => {
    mkdirSync(join(root, MAC, '..'), { recursive: true });
    writeFileSync(join(root, MAC), `#!/bin/sh\n${built('Google Chrome')}\n`, { mode: 0o755 });
    expect(ensure({ names, uid: 501 })).toEqual(SILENT);
  });

  test('tells its file, links not followed', () => {
    fake('packed/many', built('Chromium'));
    symlinkSync(join(root, 'packed/many'), join(root, 'bin/chromium'));
    const which = start([SCRIPT, '--which', 'chromium'], { PATH: join(root, 'bin') });
    expect(which).toEqual({ status: 0, stdout: `${root}/bin/chromium\n`, stderr: '' });
  });

  test('one that is older than 112 will not do', () => {
    fake('chromium', built('Chromium', '90.0.4430.212'));
    const stderr = `Footfall needs chromium 112 or newer, and ${root}/bin/chromium is 90.0.4430.212: install a newer one and try again.\n`;
    expect(ensure({ names })).toEqual({ status: 1, stdout: '', stderr });
  });

  test('is installed with apt-get; there is no service to put off', () => {
    mkdirSync(join(root, 'run/systemd/system'), { recursive: true });
    fakeApt(put('chromium'));
    fake('systemctl');
    fake('update-rc.d');
    const { status, stdout } = ensure({ names });
    expect(status).toBe(0);
    expect(stdout).toContain(`Installed ${root}/bin/chromium (v140.0.7339.80).`);
    expect(log().slice(0, 2)).toEqual([
      'apt-get update',
      'apt-get install -y --no-install-recommends chromium',
    ]);
    expect(log()).not.toContainEqual(expect.stringMatching(/systemctl|update-rc/));
    expect(existsSync(policy)).toBe(false);
    expect(ensure({ names })).toEqual(SILENT);
  });

  test('a package that only tells of another way to get it leaves it missing', () => {
    const stub = `printf '#!/bin/sh\\necho "type snap install chromium" >&2; exit 1\\n' > ${root}/bin/chromium-browser; /bin/chmod 755 ${root}/bin/chromium-browser`;
    fake('apt-get', `[ "$4" = chromium-browser ] || exit 100\n${stub}`);
    const { status, stderr } = ensure({ names });
    const install = 'apt-get install -y --no-install-recommends';
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: `Footfall needs chromium: type  apt-get update && ${install} chromium || ${install} chromium-browser  and try again.\n`,
    });
  });

  test.each([
    ['apk', 'apk add --no-cache chromium', 'chromium-browser'],
    ['dnf', 'dnf install -y chromium', 'chromium-browser'],
    ['brew', 'brew install google-chrome', 'google-chrome'],
  ])('%s', (manager, line, name) => {
    fakeSudo();
    fake(manager, put(name));
    const { status, stdout } = ensure({ names, uid: manager === 'brew' ? 501 : 0 });
    expect(status).toBe(0);
    expect(stdout).toContain(`with: ${line}\nInstalled ${root}/bin/${name} (v140.0.7339.80).`);
    expect(log()).toContain(line);
  });

  test('beside Redis and Postgres: one line to type for all', () => {
    fake('brew');
    const { stderr } = ensure({ names: ['redis', 'postgres', 'chromium'] });
    expect(stderr).toContain(
      'type  brew install redis postgresql@17 google-chrome  as a user other than root',
    );
  });
});

describe('Redis and Postgres', () => {
  const names = ['redis', 'postgres'];
  const BOTH = `${APT} postgresql`;

  test('both are there', () => {
    fake('valkey-server');
    fakePostgres('usr/lib/postgresql/15/bin', '15.13');
    fakeApt();
    expect(ensure({ names })).toEqual(SILENT);
  });

  test('neither is: one call installs both, and both services are off', () => {
    fakeApt(`${puts('redis-server')}; ${putsPostgres()}`);
    fake('systemctl');
    expect(ensure({ names })).toEqual({
      status: 0,
      stdout: [
        `Footfall needs redis-server and postgres, which are not installed. Installing them with: ${BOTH}`,
        `Installed ${root}/bin/redis-server (v7.0.15) and ${root}/usr/lib/postgresql/15/bin/postgres (v15.13). No system service was left running.`,
        '',
      ].join('\n'),
      stderr: '',
    });
    expect(log().filter((line) => !line.includes('--version'))).toEqual([
      'apt-get update',
      `${TRUE_APT[1]} postgresql`,
      'start: 101 noninteractive',
      'systemctl disable redis-server',
      'systemctl disable postgresql',
      `rm -f ${policy}`,
    ]);
  });

  test('one is: only the other is installed, and only its service is off', () => {
    fake('redis-server');
    fakeApt(putsPostgres());
    fake('systemctl');
    const { status, stdout } = ensure({ names });
    expect(status).toBe(0);
    expect(stdout).not.toContain('redis');
    expect(log().filter((line) => line.startsWith('systemctl'))).toEqual(['systemctl disable postgresql']);
  });

  test("neither can be installed: one line to type, with a person's yes or no to it", () => {
    fakeApt();
    expect(ensure({ names, uid: 1000 })).toEqual({
      status: 1,
      stdout: '',
      stderr: `Footfall needs redis-server and postgres: type  su -c '${BOTH}'  and try again.\n`,
    });
    fakeSudo();
    expect(ensure({ names, uid: 1000, isTTY: true, answer: 'n' })).toEqual({
      status: 1,
      stdout: `Install redis-server and postgres now with \`${SUDO_APT} postgresql\`? [Y/n] \n`,
      stderr: `Footfall needs redis-server and postgres: type  ${SUDO_APT} postgresql  and try again.\n`,
    });
    expect(log()).toEqual([]);
  });

  test('one of them does not come: what to type for that one', () => {
    fakeApt(puts('redis-server'));
    fake('systemctl');
    const { status, stderr } = ensure({ names });
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr:
        'Footfall needs postgres: type  apt-get update && apt-get install -y --no-install-recommends postgresql  and try again.\n',
    });
    expect(log()).toContain('systemctl disable redis-server');
    expect(existsSync(policy)).toBe(false);
  });

  test('no package manager', () => {
    expect(ensure({ names }).stderr).toBe(
      'Footfall needs redis-server and postgres, and has none of apt-get, apk, dnf, brew to get them with: install them by hand and try again.\n',
    );
  });

  test('dnf with valkey only', () => {
    const both = `${puts('valkey-server')}; ${putsPostgres('bin')}`;
    fake('dnf', `[ "$3" = valkey ] || { echo "Unable to find a match: redis"; exit 1; }\n${both}`);
    const lines = ['dnf install -y redis postgresql-server', 'dnf install -y valkey postgresql-server'];
    const { status, stdout } = ensure({ names });
    expect(status).toBe(0);
    expect(stdout).toContain(`Installing them with: ${lines.join(' || ')}\n`);
    expect(log().filter((line) => line.startsWith('dnf'))).toEqual(lines);
  });
});

test('who needs what', () => {
  const { scripts } = JSON.parse(readFileSync(join(__dirname, '../package.json'), 'utf8'));
  const needs = (name: string) => /ensure\.mjs ([a-z ]+[a-z])/.exec(scripts[`pre${name}`] ?? '')?.[1];
  for (const name of ['start', 'reshard', 'examples']) expect(needs(name)).toBe('redis');
  for (const name of ['bench', 'test:faults', 'test:topologies']) expect(needs(name)).toBe('redis postgres');
  for (const name of ['test', 'test:nodes']) expect(needs(name)).toBe('redis postgres chromium');
});

describe("it can't be installed", () => {
  test('no package manager', () => {
    const stderr =
      'Footfall needs redis-server, and has none of apt-get, apk, dnf, brew to get it with: install it by hand';
    expect(ensure()).toEqual({ status: 1, stdout: '', stderr: `${stderr} and try again.\n` });
    expect(start([SCRIPT, 'redis'], { PATH: join(root, 'bin'), npm_lifecycle_event: 'prestart' })).toEqual({
      status: 1,
      stdout: '',
      stderr: `${stderr} and start again, or set REDIS_URL to a Redis that you have.\n`,
    });
  });

  test('no sudo', () => {
    fakeApt();
    expect(ensure({ uid: 1000 })).toEqual({
      status: 1,
      stdout: '',
      stderr: `Footfall needs redis-server: type  su -c '${APT}'  and try again.\n`,
    });
    expect(log()).toEqual([]);
  });

  test.each([true, false])('sudo wants a password (on a terminal: %s)', (isTTY) => {
    fakeSudo(1);
    fakeApt();
    expect(ensure({ uid: 1000, isTTY, answer: 'y' })).toEqual({
      status: 1,
      stdout: '',
      stderr: TYPE_SUDO_APT,
    });
    expect(log()).toEqual([]);
  });

  test('the install fails: the end of what was said, then what to type', () => {
    const said = Array.from({ length: 30 }, (_, i) => `line ${i + 1}`);
    fakeApt(`${said.map((line) => `echo "${line}"`).join('; ')}; echo "E: no space" >&2; exit 100`);
    expect(ensure({ env: { npm_lifecycle_event: 'prestart' } })).toEqual({
      status: 1,
      stdout: installing(APT),
      stderr: [
        ...said.slice(-19),
        'E: no space',
        `Footfall needs redis-server: type  ${APT}  and start again, or set REDIS_URL to a Redis that you have.`,
        '',
      ].join('\n'),
    });
  });

  test('it is still missing after the install', () => {
    fakeApt('echo "redis-server is already the newest version"');
    const stderr = `redis-server is already the newest version\nFootfall needs redis-server: type  ${APT}  and try again.\n`;
    expect(ensure()).toEqual({ status: 1, stdout: installing(APT), stderr });
    expect(existsSync(policy)).toBe(false);
  });

  test("a folder, or a file that can't be run, is no server", () => {
    mkdirSync(join(root, 'bin/redis-server'));
    writeFileSync(join(root, 'bin/valkey-server'), '', { mode: 0o644 });
    expect(ensure().status).toBe(1);
  });
});

describe('asking', () => {
  const question = `Install redis-server now with \`${SUDO_APT}\`? [Y/n] \n`;

  beforeEach(() => {
    fakeSudo();
    fakeApt();
  });

  test.each(['', 'y', 'Yes '])('%j is a yes', (answer) => {
    const stdout = question + installing(SUDO_APT) + installed();
    expect(ensure({ uid: 1000, isTTY: true, answer })).toEqual({ status: 0, stdout, stderr: '' });
  });

  test.each(['n', 'no', 'what?'])('%j is a no', (answer) => {
    const result = ensure({ uid: 1000, isTTY: true, answer });
    expect(result).toEqual({ status: 1, stdout: question, stderr: TYPE_SUDO_APT });
    expect(log()).toEqual([]);
  });

  test.each([
    { uid: 0, isTTY: true },
    { uid: 1000, isTTY: false },
    { uid: 1000, isTTY: true, env: { CI: 'true' } },
  ])('not with %j', (given) => {
    expect(ensure({ answer: 'n', ...given }).stdout).not.toContain('[Y/n]');
    expect(existsSync(join(root, 'bin/redis-server'))).toBe(true);
  });

  test('brew asks too', () => {
    rmSync(join(root, 'bin/apt-get'));
    fake('brew', puts('redis-server'));
    const { status, stdout } = ensure({ uid: 501, isTTY: true, answer: 'n' });
    expect({ status, stdout }).toEqual({
      status: 1,
      stdout: 'Install redis-server now with `brew install redis`? [Y/n] \n',
    });
  });
});
