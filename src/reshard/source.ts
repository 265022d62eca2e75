// What is stored, as its keys tell: whose it is, or what about everybody.

import { decodeId, type Keys } from '../redis/keys.ts';
import { keysOn, primariesOf } from '../redis/nodes.ts';
import type { FootfallRedis } from '../redis/scripts.ts';

/** What follows a user in a key: `2026-11-21:stats`, `2026-11:logins`. */
export type Suffix = string;

export interface Stored {
  users: Map<string, Suffix[]>;
  /** Keys of counts and sites, by what stands behind the shard in them: `2026-11-21:visitors`. */
  shared: Map<string, { shard: number; key: string }[]>;
  /** Marks of erasures. */
  marks: string[];
  /** What waits for the archive, and what of it could not be read. */
  outboxes: string[];
  /** Keys that this version does not know. */
  foreign: string[];
}

const OF_USER = /^user:([^:]+):(\d{4}-\d\d(?:-\d\d)?:(?:stats|pages|visits|events|logins))$/s;
const SHARED =
  /^(?:\d{4}-\d\d-\d\d:(?:visitors|returning)|\d{4}-\d\d:logins|site:[^:]+:\d{4}-\d\d-\d\d:(?:stats|pages|hll))$/s;

export async function findStored(redis: FootfallRedis, keys: Keys): Promise<Stored> {
  const stored: Stored = { users: new Map(), shared: new Map(), marks: [], outboxes: [], foreign: [] };
  const shards = new Map(Array.from({ length: keys.shards }, (_, shard) => [keys.shard(shard), shard]));
  const suffixes = new Map<Suffix, Suffix>(); // one string of each: there are few, and many users

  function sort(key: string): void {
    const end = key.indexOf('}') + 1;
    const shard = shards.get(key.slice(0, end));
    const rest = key.slice(end + 1);
    const [, id, suffix] = OF_USER.exec(rest) ?? [];
    if (shard === undefined) {
      stored.foreign.push(key);
    } else if (id !== undefined && suffix !== undefined) {
      const userId = decodeId(id);
      if (!suffixes.has(suffix)) suffixes.set(suffix, suffix);
      const found = stored.users.get(userId);
      if (found) found.push(suffixes.get(suffix)!);
      else stored.users.set(userId, [suffixes.get(suffix)!]);
    } else if (SHARED.test(rest)) {
      const found = stored.shared.get(rest) ?? [];
      found.push({ shard, key });
      stored.shared.set(rest, found);
    } else if (/^erased:[0-9a-f]{40}$/.test(rest)) {
      stored.marks.push(key);
    } else if (/^outbox(?::dead)?$/.test(rest)) {
      stored.outboxes.push(key);
    } else {
      stored.foreign.push(key);
    }
  }

  const seen = new Set<string>(); // a walk may meet a key twice
  for (const node of primariesOf(redis)) {
    for await (const found of keysOn(node, `${keys.prefix}:{*`)) {
      for (const key of found) {
        if (seen.has(key)) continue;
        seen.add(key);
        sort(key);
      }
    }
  }
  return stored;
}
