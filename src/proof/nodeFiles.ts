// The files of a Redis, if they are on this machine: the append-only ones, and its snapshot.

import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { SECOND } from '../time.ts';
import { searchFile } from './files.ts';
import { infoOf, type NodeOptions } from './nodeInfo.ts';
import { notLookedAt, type Place, wordOf } from './place.ts';

interface Folder {
  path: string;
  appendOnly: string;
  snapshot: string;
}

const APPENDED = 'append-only files';
const ELSEWHERE =
  'they are not on this machine, or not to be read: run this where they are, as who may read them';

export async function lookAtFiles({ node, at, userId, folder }: NodeOptions): Promise<Place[]> {
  const places: Place[] = [];
  try {
    const found = await folderOf(node, folder);
    const { aof_enabled } = await infoOf(node);
    const isOurs = aof_enabled === '1' ? await holdsFilesOf(node, found.appendOnly) : isLocal(node);
    if (!isOurs) return [notLookedAt(at, APPENDED, ELSEWHERE)];
    if (aof_enabled === '1') {
      const paths = await filesIn(found.appendOnly);
      places.push(
        await searchAll(
          at,
          APPENDED,
          paths,
          userId,
          'npm run prove-erased -- USER again, once it is in no key and no outbox',
        ),
      );
    }
    const snapshot = join(found.path, found.snapshot);
    if (await exists(snapshot)) {
      places.push(
        await searchAll(at, 'snapshot', [snapshot], userId, 'redis-cli BGSAVE, or remove the file'),
      );
    }
    return places;
  } catch (error) {
    return [...places, notLookedAt(at, APPENDED, wordOf(error))];
  }
}

async function folderOf(node: Redis, known: string | undefined): Promise<Folder> {
  try {
    const flat = (await node.config('GET', 'dir', 'appenddirname', 'dbfilename')) as string[];
    const settings = Object.fromEntries(flat.flatMap((name, i) => (i % 2 ? [] : [[name, flat[i + 1]!]])));
    const { dir, appenddirname, dbfilename } = settings as Record<string, string>;
    return { path: dir!, appendOnly: join(dir!, appenddirname!), snapshot: dbfilename! };
  } catch (error) {
    if (known === undefined) throw error;
    return { path: known, appendOnly: join(known, 'appendonlydir'), snapshot: 'dump.rdb' };
  }
}

const LOOKS = 10;

/** A folder of this name may be another Redis's: its files are this one's if they are as long as it says. */
async function holdsFilesOf(node: Redis, folder: string): Promise<boolean> {
  for (let look = 0; look < LOOKS; look++) {
    const before = Number((await infoOf(node)).aof_current_size);
    const sizes = await Promise.all((await filesInUse(folder)).map(sizeOf));
    const after = Number((await infoOf(node)).aof_current_size);
    const size = sizes.reduce((sum, one) => sum + one, 0);
    if (sizes.length > 0 && before <= size && size <= after) return true;
    await delay(SECOND / 20); // what has just been written may not be counted yet
  }
  return false;
}

const isLocal = ({ options: { path, host } }: Redis) =>
  path !== undefined || host === 'localhost' || host === '::1' || /^127\./.test(host ?? '');

/** Those that Redis would read at a start: its manifest names them, `file appendonly.aof.2.incr.aof seq 2 type i`. */
async function filesInUse(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  const manifest = names.find((name) => name.endsWith('.manifest'));
  const text = manifest === undefined ? '' : await readFile(join(folder, manifest), 'utf8');
  return [...text.matchAll(/^file (.+) seq \d+ type [bi]/gm)].map(([, name]) => join(folder, name!));
}

/** And whatever else is there. */
async function filesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => /\.(aof|rdb)$/.test(name)).map((name) => join(folder, name));
}

const sizeOf = (path: string) =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  );
const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

async function searchAll(
  at: string,
  what: string,
  paths: string[],
  userId: string,
  mend: string,
): Promise<Place> {
  const place = { at, what, found: 0, mayBe: 0 };
  let bytes = 0;
  for (const path of paths) {
    try {
      const search = await searchFile(path, userId);
      place.found += search.found;
      place.mayBe += search.mayBe;
      bytes += search.bytes;
    } catch (error) {
      // One that another rewriting has just replaced is gone for good.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return { ...place, fault: wordOf(error) };
    }
  }
  const size = `${paths.length} ${paths.length === 1 ? 'file' : 'files'}, ${bytes} bytes`;
  return { ...place, size, mend: place.found > 0 ? mend : undefined };
}
