// What (b) and (c) do with an event and a read: one script call each, which ioredis sends together with those of the
// same tick.

import { Redis } from 'ioredis';
import { defineScripts, profileArgs, profileOf, recordArgs, SHARD } from '../scripts.mjs';

const redis = new Redis(new URL(process.env.REDIS_URL).pathname, {
  enableAutoPipelining: true,
  protocol: 2,
});
defineScripts(redis);

/** The event's outcome, or undefined if its timestamp is none. */
export async function record(page) {
  const at = Date.parse(page.timestamp);
  if (Number.isNaN(at)) return undefined;
  const [outcome] = await redis.record(SHARD, recordArgs([{ userId: page.user_id, at, name: page.name }]));
  return outcome;
}

export async function profile(userId) {
  const [reply] = await redis.profile(SHARD, profileArgs([userId]));
  return profileOf(userId, reply);
}
