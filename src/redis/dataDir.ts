// The folder that a private Redis keeps its files in: one service at a time.

import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, lstatSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { CannotStart } from '../cannotStart.ts';

export interface DataDir {
  /** Where Redis puts its files. */
  files: string;
  /** Where Redis listens. */
  socket: string;
}

const SOCKET_PATH_LIMIT = 100; // the system's is 107 bytes on Linux, 103 on a Mac

/** Where things are under a DATA_DIR; makes no folder. */
export function dataDirAt(path: string): DataDir {
  const files = resolve(path, 'redis');
  return { files, socket: join(socketFolder(files), 'redis.sock') };
}

/** The files' own folder, or one in the temporary folder where that would make the socket's path too long. */
function socketFolder(files: string): string {
  if (Buffer.byteLength(join(files, 'redis.sock')) <= SOCKET_PATH_LIMIT) return files;
  const hash = createHash('sha256').update(files).digest('hex').slice(0, 16);
  return join(tmpdir(), `footfall-${userInfo().uid}-${hash}`);
}

export function prepareDataDir(path: string): DataDir {
  const dataDir = dataDirAt(path);
  const sockets = join(dataDir.socket, '..');
  try {
    makeFolder(dataDir.files);
    accessSync(dataDir.files, constants.W_OK | constants.X_OK);
    makeFolder(sockets);
  } catch (error) {
    const { code, path: where } = error as NodeJS.ErrnoException;
    throw new CannotStart(
      `DATA_DIR can't be written (${code} at ${where}): make it writable, or choose another`,
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
  const path = join(socket, '..', 'lock.sock');
  const server = createServer((asker) => asker.on('error', () => undefined).end(String(process.pid)));
  server.unref();
  if (!(await listens(server, path))) {
    // Put it aside before asking: who else starts at this moment must not lose a lock just taken.
    const aside = `${path}.${process.pid}`;
    renameSync(path, aside);
    const owner = await ownerOf(aside);
    if (owner !== undefined) {
      renameSync(aside, path);
      throw new CannotStart(
        `DATA_DIR is in use by another Footfall (process ${owner}, ${files}): stop it, or choose another DATA_DIR`,
      );
    }
    rmSync(aside, { force: true });
    if (!(await listens(server, path))) {
      throw new CannotStart(
        `DATA_DIR is being taken by another Footfall (${files}): choose another DATA_DIR`,
      );
    }
  }
  return () => server.close();
}

function listens(server: Server, path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(false) : reject(error);
    server.once('error', onError);
    server.listen(path, () => {
      server.off('error', onError);
      resolve(true);
    });
  });
}

/** The pid that answers at a lock, or undefined if nobody does. */
function ownerOf(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    let pid = '';
    connect(path)
      .setEncoding('utf8')
      .on('data', (text) => {
        pid += text;
      })
      .on('end', () => resolve(pid))
      .on('error', () => resolve(undefined));
  });
}
