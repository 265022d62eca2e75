// What (b), (c) and the program without HTTP do for an event and a read: the service's own scripts, called as somebody
// would who had only their contracts, which are on top of lua/record.lua and lua/profile.lua.

import { identityOf } from '../dist/events/event.js';
import { createKeys, encodeId } from '../dist/redis/keys.js';
import { assemble } from '../dist/redis/scripts.js';
import { DAY, datesBetween, dayOf } from '../dist/time.js';

const GAP = String(30 * 60 * 1000);
const MAX_VIEWS = '10000';
const MAX_PAGES = '1000';
// Paths of a site's day; days of sites, late logins, logins, unique users; no archive.
const KEPT = ['10000', '35', '35', '36', '400', ''];
export const SHARD = createKeys('ff', 1).shard(0);

export function defineScripts(redis) {
  redis.defineCommand('record', { lua: assemble('record'), numberOfKeys: 1 });
  redis.defineCommand('profile', { lua: assemble('profile'), numberOfKeys: 1, readOnly: true });
}

let today;
let recordDates;
let profileDates;
function lookAt(now) {
  if (dayOf(now) === today) return;
  today = dayOf(now);
  recordDates = datesBetween(today - 7, today + 1);
  profileDates = datesBetween(today - 6, today);
}

/** Arguments of record.lua for views `{userId, at, name}`. */
export function recordArgs(views, now = Date.now()) {
  lookAt(now);
  const midnight = today * DAY;
  const args = [String(midnight), String(now - midnight), GAP, MAX_VIEWS, MAX_PAGES, recordDates, ...KEPT];
  for (const view of views) {
    args.push(
      'view',
      encodeId(view.userId),
      String(view.at),
      identityOf({ kind: 'view', ...view }),
      view.name,
    );
  }
  return args;
}

/** Arguments of profile.lua. */
export function profileArgs(userIds, now = Date.now()) {
  lookAt(now);
  return [GAP, profileDates, ...userIds.map(encodeId)];
}

/** The API's profile from what profile.lua said. */
export function profileOf(userId, [views, ms, days, page]) {
  return {
    user_id: userId,
    number_pages_viewed_in_the_last_7_days: views,
    time_spent_on_site_in_last_7_days: Math.round(ms / 60_000),
    number_of_days_active_in_last_7_days: days,
    most_viewed_page_in_last_7_days: page,
  };
}

const USERS_A_CALL = 64;

/** All views that the profiles of these users show. */
export async function viewsStored(redis, userIds, { prefix, shards }) {
  const keys = createKeys(prefix, shards);
  const byShard = new Map();
  for (const userId of userIds) {
    const shard = keys.shard(keys.shardOf(userId));
    if (!byShard.has(shard)) byShard.set(shard, []);
    byShard.get(shard).push(userId);
  }
  const calls = [];
  for (const [shard, users] of byShard) {
    for (let i = 0; i < users.length; i += USERS_A_CALL) {
      calls.push(redis.profile(shard, profileArgs(users.slice(i, i + USERS_A_CALL))));
    }
  }
  let views = 0;
  for (const call of calls) for (const reply of await call) views += reply[0];
  return views;
}
