// The Redis side of the archive: what waits, in its order.
//
// It is read by range from its beginning, and an entry is deleted once Postgres has it. There is no consumer group: what a
// group has handed to a worker that then stands still is seen by nobody else, and here whoever holds the shard's lock in
// Postgres sees all that is left (docs/decisions/0011).

import { setTimeout as delay } from 'node:timers/promises';
import { fromRedis, Unavailable } from '../redis/errors.ts';
import type { EveryShard } from '../redis/everyShard.ts';
import { DEAD_DAYS, type Keys } from '../redis/keys.ts';
import type { BacklogReply, FootfallRedis } from '../redis/scripts.ts';
import { type Clock, DAY, SECOND } from '../time.ts';

export interface Entry {
  /** `1795228645033-0`: when Redis took it, and which of that millisecond. */
  id: string;
  /** field, value, … */
  fields: string[];
}

export interface Outbox {
  /** The next ones behind one, or from the beginning. */
  read(shard: number, most: number, after?: string): Promise<Entry[]>;
  /** The same of what was put aside. */
  readDead(shard: number, most: number, after?: string): Promise<Entry[]>;
  /** Postgres has them. */
  drop(shard: number, ids: string[]): Promise<void>;
  /** Puts aside what can't be read of an entry; whether it was still there. */
  bury(shard: number, id: string, fields: string[]): Promise<boolean>;
  /** Takes out of what was put aside whatever speaks of a user. */
  exhume(shard: number, userId: string): Promise<void>;
  /** Whether an entry is still there. */
  has(shard: number, id: string): Promise<boolean>;
  /** Whether all that is there now goes within a time. */
  isCarriedWithin(ms: number): Promise<boolean>;
  backlog(): Promise<Backlog>;
}

export interface Backlog {
  entries: number;
  bytes: number;
  /** When the oldest entry came, ms since 1970. */
  since: number | undefined;
  /** Bytes of the fullest shard. */
  fullest: number;
  /** Entries that could not be read. */
  dead: number;
}

const AT_ONCE = 500; // ids of one command
const MOST_DEAD = 10_000;
const LOOK_EVERY = SECOND / 20;

export interface OutboxOptions {
  redis: FootfallRedis;
  keys: Keys;
  clock: Clock;
  everyShard: EveryShard;
}

export function createOutbox({ redis, keys, clock, everyShard }: OutboxOptions): Outbox {
  const ours = async <T>(call: Promise<T>): Promise<T> => {
    try {
      return await call;
    } catch (error) {
      throw fromRedis(error);
    }
  };

  const read = async (key: string, after: string, most: number): Promise<Entry[]> => {
    const entries = await ours(redis.xrange(key, after, '+', 'COUNT', most));
    return entries.map(([id, fields]) => ({ id, fields }));
  };

  const behind = (id: string | undefined) => (id === undefined ? '-' : `(${id}`);

  async function drop(key: string, ids: string[]): Promise<void> {
    for (let i = 0; i < ids.length; i += AT_ONCE) await ours(redis.xdel(key, ...ids.slice(i, i + AT_ONCE)));
  }

  const has = async (shard: number, id: string) =>
    (await ours(redis.xrange(keys.outbox(shard), id, id, 'COUNT', 1))).length > 0;

  return {
    read: (shard, most, after) => read(keys.outbox(shard), behind(after), most),
    readDead: (shard, most, after) => read(keys.dead(shard), behind(after), most),
    drop: (shard, ids) => drop(keys.outbox(shard), ids),
    async bury(shard, id, fields) {
      const oldest = String(clock() - DEAD_DAYS * DAY);
      const args = [oldest, String(DEAD_DAYS * DAY), String(MOST_DEAD), id, ...fields];
      return (await ours(redis.ffBury(keys.shard(shard), args))) === 1;
    },
    async exhume(shard, userId) {
      const speaksOf = speaker(userId);
      const key = keys.dead(shard);
      let after: string | undefined;
      for (;;) {
        const entries = await read(key, behind(after), AT_ONCE);
        for (const { id, fields } of entries) {
          const pairs = Array.from({ length: fields.length / 2 }, (_, i) => fields.slice(2 * i, 2 * i + 2));
          const others = pairs.filter(([, value]) => !speaksOf(value!));
          if (others.length === pairs.length) continue;
          // The first pair says where it stood; what is of others stays.
          const staying = others.length > 1 ? others.flat() : [];
          await ours(redis.ffExhume(keys.shard(shard), [id, ...staying]));
        }
        if (entries.length < AT_ONCE) return;
        after = entries.at(-1)!.id;
      }
    },
    has,
    async isCarriedWithin(ms) {
      const late = performance.now() + ms;
      let newest = await everyShard.ask(async (shard) => {
        const [entry] = await redis.xrevrange(keys.outbox(shard), '+', '-', 'COUNT', 1);
        return entry?.[0];
      });
      while (newest.some((id) => id !== undefined)) {
        if (performance.now() >= late) return false;
        await delay(LOOK_EVERY);
        const left = await Promise.all(newest.map((id, shard) => id !== undefined && has(shard, id)));
        newest = newest.map((id, shard) => (left[shard] ? id : undefined));
      }
      return true;
    },
    async backlog() {
      // One shard that is away says nothing of the others.
      const asked = await everyShard.ask((shard) =>
        redis.ffBacklog(keys.shard(shard), []).catch(() => undefined),
      );
      const replies = asked.filter((reply) => reply !== undefined);
      if (replies.length === 0) throw new Unavailable('No shard answers');
      const sum = (of: (reply: BacklogReply) => number) =>
        replies.reduce((total, reply) => total + of(reply), 0);
      const times = replies.flatMap(([, , since]) => (since === null ? [] : [Number(since)]));
      return {
        entries: sum(([entries]) => entries),
        bytes: sum(([, bytes]) => bytes),
        since: times.length > 0 ? Math.min(...times) : undefined,
        fullest: Math.max(...replies.map(([, bytes]) => bytes)),
        dead: sum(([, , , dead]) => dead),
      };
    },
  };
}

/** Whether a value that can't be read speaks of a user: what is JSON says whose it is, other text may hold the id as a string. */
function speaker(userId: string): (value: string) => boolean {
  const asJson = JSON.stringify(userId);
  return (value) => {
    if (value.includes(asJson)) return true;
    try {
      return (JSON.parse(value) as { user_id?: unknown } | null)?.user_id === userId;
    } catch {
      return false;
    }
  };
}
