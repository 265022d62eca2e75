// What the scoring service reads.

import type { Profile, ProfileDay } from '../answers.ts';
import type { Metrics } from '../metrics.ts';
import { answerOf } from '../redis/calls.ts';
import { Damaged } from '../redis/errors.ts';
import { createGrouping, promised, type Waiter } from '../redis/grouping.ts';
import { encodeId, type Keys } from '../redis/keys.ts';
import type { FootfallRedis, ProfileReply } from '../redis/scripts.ts';
import { type Clock, dateOf, datesBetween, dayOf, MINUTE, SECOND, WINDOW_DAYS } from '../time.ts';

export interface Profiles {
  of(userId: string): Promise<Profile>;
  /** The same without a promise, for the road of single reads. */
  readFor(userId: string, waiter: Waiter<Profile>): void;
  daysOf(userId: string): Promise<ProfileDay[]>;
}

/** A user may have a thousand page names on each day, and Redis does nothing else while it reads a group. */
const LARGEST_GROUP = 16;

export interface ProfilesOptions {
  redis: FootfallRedis;
  keys: Keys;
  clock: Clock;
  sessionGapSeconds: number;
  timeSpentUnit: 'minutes' | 'seconds';
  mostInFlight: number;
  metrics: Metrics;
}

export function createProfiles(options: ProfilesOptions): Profiles {
  const { redis, keys, clock, mostInFlight, metrics } = options;
  const gap = String(options.sessionGapSeconds * SECOND);
  const unit = options.timeSpentUnit === 'seconds' ? SECOND : MINUTE;

  const grouping = createGrouping<string, Profile>({
    largest: LARGEST_GROUP,
    mostInFlight,
    async send(shard, userIds) {
      const unique = [...new Set(userIds)]; // whoever asks for one user many times is answered by one reading
      const args = [gap, windowDates(clock()), ...unique.map(encodeId)];
      const call = redis.ffProfile(keys.shard(shard), args);
      const replies = await answerOf(metrics, 'profile', unique.length, call);
      const replyOf = new Map(unique.map((userId, i) => [userId, replies[i]!]));
      return userIds.map((userId) => profile(userId, replyOf.get(userId)!, unit));
    },
  });

  const readFor = (userId: string, waiter: Waiter<Profile>) =>
    grouping.add(keys.shardOf(userId), userId, waiter);

  return {
    of: (userId) => promised((waiter) => readFor(userId, waiter)),
    readFor,

    async daysOf(userId) {
      const now = clock();
      const args = [gap, windowDates(now), encodeId(userId)];
      const shard = keys.shard(keys.shardOf(userId));
      const rows = await answerOf(metrics, 'days', 1, redis.ffDays(shard, args));
      if (rows === 'damaged') throw new Damaged();
      const oldest = dayOf(now) - WINDOW_DAYS + 1;
      return rows.map(([views, ms, page], i) => ({
        date: dateOf(oldest + i),
        views,
        seconds: Math.round(ms / SECOND),
        most_viewed_page: page,
      }));
    },
  };
}

function windowDates(now: number): string {
  const today = dayOf(now);
  return datesBetween(today - WINDOW_DAYS + 1, today);
}

function profile(userId: string, reply: ProfileReply, unit: number): Profile | Damaged {
  if (reply === 'damaged') return new Damaged();
  const [views, ms, days, page] = reply;
  return {
    user_id: userId,
    number_pages_viewed_in_the_last_7_days: views,
    time_spent_on_site_in_last_7_days: Math.round(ms / unit),
    number_of_days_active_in_last_7_days: days,
    most_viewed_page_in_last_7_days: page,
  };
}
