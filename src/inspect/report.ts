import type { Config } from '../config.ts';
import type { FootfallRedis } from '../redis/scripts.ts';
import { readLayout, readUser } from './read.ts';
import { show } from './show.ts';
import { walk } from './walk.ts';

export interface ReportOptions {
  userId: string;
  now: number;
  /** Every view of a long day. */
  all: boolean;
}

export async function report(
  redis: FootfallRedis,
  { keyPrefix, timeSpentUnit }: Config,
  { userId, now, all }: ReportOptions,
): Promise<string> {
  const user = await readUser(redis, await readLayout(redis, keyPrefix), userId, now);
  return show(user, walk(user), { userId, unit: timeSpentUnit, all });
}
