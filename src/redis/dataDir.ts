// The folder that a private Redis keeps its files in: one service at a time.

import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { CannotStart } from '../cannotStart.ts';
import { SECOND } from '../time.ts';

export interface DataDir {
  /** Where Redis puts its files. */
  files: string;
  /** Where Redis listens. */
  socket: string;
}

const SOCKET_PATH_LIMIT = 100; // the system's is 107 bytes on Linux, 103 on a Mac
const LEAST_ROOM = 1024 * 1024;
const OWNER_TIMEOUT = SECOND;
const TURN_LASTS = 10 * OWNER_TIMEOUT;

/** Where things are under a DATA_DIR; makes no folder. */
export function dataDirAt(path: string): DataDir {
  let files = resolve(path, 'redis');
  // One folder by two names is one folder.
  if (existsSync(files)) files = realpathSync(files);
  return { files, socket: join(socketFolder(files), 'redis.sock') };
}

/** The files' own folder, or one in the temporary folder where that would make the socket's path too long. */
function socketFolder(files: string): string {
  if (Buffer.byteLength(join(files, 'redis.sock')) <= SOCKET_PATH_LIMIT) return files;
  const hash = createHash('sha256').update(files).digest('hex').slice(0, 16);
  return join(tmpdir(), `footfall-${userInfo().uid}-${hash}`);
}

export function prepareDataDir(path: string): DataDir {
  const folder = resolve(path, 'redis');
  try {
    makeFolder(folder);
    const probe = join(folder, `probe.${process.pid}`);
    try {
      writeFileSync(probe, Buffer.alloc(LEAST_ROOM));
    } finally {
      rmSync(probe, { force: true });
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const trouble =
      code === 'ENOSPC' || code === 'EDQUOT'
        ? 'is full: make room'
        : `can't be written (${code}): make it writable`;
    throw new CannotStart(`DATA_DIR ${trouble}, or choose another (${folder})`);
  }
  const dataDir = dataDirAt(path);
  const sockets = dirname(dataDir.socket);
  try {
    makeFolder(sockets);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CannotStart(
      `${sockets} can't be made (${code}): make ${dirname(sockets)} writable, or choose a shorter DATA_DIR`,
    );
  }
  const { uid, mode } = lstatSync(sockets);
  if (sockets !== dataDir.files && (uid !== userInfo().uid || (mode & 0o077) !== 0)) {
    throw new CannotStart(`${sockets} is open to others: remove it, or choose a shorter DATA_DIR`);
  }
  return dataDir;
}

/** Not `recursive: true`: on a path like /proc/x Node tries for ever. */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

/**
 * Takes the folder for this process. The lock is a socket that we listen on: it ends with the process, however that
 * ends, and who finds it can ask whether its owner lives.
 */
export async function lockDataDir({ socket, files }: DataDir): Promise<() => void> {
  const path = join(dirname(socket), 'lock.sock');
  const server = createServer((asker) => asker.on('error', () => undefined).end(String(process.pid)));
  server.unref();
  const refuse = (owner: string) => {
    throw new CannotStart(
      `DATA_DIR is in use by another Footfall (process ${owner}, ${files}): stop it, or choose another DATA_DIR`,
    );
  };
  if (!(await listens(server, path))) {
    const owner = await ownerOf(path);
    if (owner !== undefined) refuse(owner);
    // Nobody's, so it goes. One start at a time sees to that, since another may just have taken it.
    const turn = `${path}.turn`;
    if (!takeTurn(turn)) refuse('that starts now');
    try {
      const other = await ownerOf(path);
      if (other !== undefined) refuse(other);
      rmSync(path, { force: true });
      if (!(await listens(server, path))) refuse('that starts now');
    } finally {
      rmSync(turn, { recursive: true, force: true });
    }
  }
  return () => server.close();
}

/** Whether it is ours; one that was left over from a kill is not heeded for long. */
function takeTurn(turn: string): boolean {
  const make = () => {
    try {
      mkdirSync(turn);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      return false;
    }
  };
  if (make()) return true;
  const since = statSync(turn, { throwIfNoEntry: false })?.mtimeMs;
  if (since !== undefined && Date.now() - since < TURN_LASTS) return false;
  rmSync(turn, { recursive: true, force: true });
  return make();
}

function listens(server: Server, path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const onError = ({ code }: NodeJS.ErrnoException) =>
      code === 'EADDRINUSE'
        ? resolve(false)
        : reject(
            new CannotStart(
              `${path} can't be made (${code}): choose a DATA_DIR on a disk that can hold Unix sockets`,
            ),
          );
    server.once('error', onError);
    server.listen(path, () => {
      server.off('error', onError);
      resolve(true);
    });
  });
}

/** The pid that answers at a lock, or undefined if nobody does. Who takes the call and says nothing lives too. */
function ownerOf(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    let pid = '';
    const asker = connect(path)
      .setEncoding('utf8')
      .setTimeout(OWNER_TIMEOUT, () => asker.destroy())
      .on('data', (text) => {
        pid += text;
      })
      .on('error', () => resolve(undefined))
      .on('close', () => resolve(pid || 'that does not answer'));
  });
}
