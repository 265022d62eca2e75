// Erasures are remembered in Redis by marks, and in the archive for good. The marks come first: then nothing that was
// erased can come back.

import { fromRedis } from '../../redis/errors.ts';
import { type Keys, markDays } from '../../redis/keys.ts';
import type { FootfallRedis } from '../../redis/scripts.ts';
import { DAY } from '../../time.ts';
import { fromDatabase, type Queryable } from '../database.ts';

const AT_ONCE = 500;

const MARKS = `
SELECT encode(user_hash, 'hex') AS hash, shard_hash AS "shardHash", (extract(epoch FROM erased_at) * 1000)::float8 AS at
FROM erasures WHERE erased_at > $1 AND user_hash > decode($2, 'hex') ORDER BY user_hash LIMIT ${AT_ONCE}`;

interface Mark {
  hash: string;
  shardHash: number;
  at: number;
}

export interface MarksOptions {
  redis: FootfallRedis;
  keys: Keys;
  database: Queryable;
  now: number;
  lateLoginDays: number;
}

/** How many there were to restore. */
export async function restoreMarks(options: MarksOptions): Promise<number> {
  const { redis, keys, database, now, lateLoginDays } = options;
  const life = markDays(lateLoginDays) * DAY;
  const oldest = new Date(now - life).toISOString();
  let written = 0;
  let after = '';
  for (;;) {
    const { rows } = await database.query<Mark>(MARKS, [oldest, after]).catch((error) => {
      throw fromDatabase(error);
    });
    if (rows.length === 0) return written;
    after = rows.at(-1)!.hash;
    const args = new Map<number, string[]>(); // by shard
    for (const { hash, shardHash, at } of rows) {
      const shard = shardHash % keys.shards;
      const of = args.get(shard) ?? [];
      of.push(hash, String(at), String(at + life - now));
      args.set(shard, of);
    }
    const replies = await Promise.all(
      [...args].map(([shard, of]) => redis.ffRemember(keys.shard(shard), of)),
    ).catch((error) => {
      throw fromRedis(error);
    });
    written += replies.reduce((sum, n) => sum + n, 0);
  }
}
