// How a site did: views, unique users, types of events, top paths. Each day is counted in one place: in Redis, or in the
// archive if Redis no longer holds it.

import type { SiteDay, SiteReport } from '../answers.ts';
import type { History, Past } from '../archive/history.ts';
import type { Visitors } from '../audiences/visitors.ts';
import type { EveryShard } from '../redis/everyShard.ts';
import { type Keys, thing } from '../redis/keys.ts';
import type { FootfallRedis } from '../redis/scripts.ts';
import { type Clock, dateOf, dayOf, WINDOW_DAYS } from '../time.ts';

export interface Sites {
  today(): number;
  /** Of a report. */
  mostDays: number;
  /** The oldest day that Redis holds. */
  oldest(): number;
  /** The oldest one of a site's that can be asked for. */
  oldestOf(siteId: string): Promise<number>;
  report(siteId: string, from: number, to: number): Promise<SiteReport>;
}

export interface SitesOptions {
  redis: FootfallRedis;
  keys: Keys;
  everyShard: EveryShard;
  clock: Clock;
  visitors: Visitors;
  retentionDays: number;
  /** Where there is an archive. */
  history: History | undefined;
}

/** With an archive, and without. */
const MOST_DAYS = { known: 400, held: 35 };
const TOP_PATHS = 10;
const PATHS_A_STEP = 1000; // so long neither Redis nor this process does anything else
const OTHER = '(other)';
const PAGE_VIEW = 'page_view';

export function createSites({
  redis,
  keys,
  everyShard,
  clock,
  visitors,
  retentionDays,
  history,
}: SitesOptions): Sites {
  const today = () => dayOf(clock());
  const oldest = () => today() - retentionDays + 1;

  async function report(siteId: string, from: number, to: number): Promise<SiteReport> {
    const now = today();
    const held = history ? Math.max(from, Math.min(now - retentionDays, to) + 1) : from;
    const days: SiteDay[] = [];
    const types = new Map<string, number>();
    const paths = new Map<string, number>();
    for (let day = from; day <= to; day++) {
      const row = { date: dateOf(day), views: 0, unique_users: 0 };
      days.push(row);
      if (day < held || day > now) continue; // a view of a clock that is ahead shows from its midnight on
      await everyShard.ask((shard) => countDay(shard, siteId, day, row, types, paths));
    }
    let past: Past | undefined;
    if (history && held > from) {
      past = await history.read({ siteId, from, to: Math.min(to, now), held, paths });
      for (const { day, type, events } of past.events) {
        add(types, type, events);
        if (type === PAGE_VIEW) days[day - from]!.views += events;
      }
      for (const { day, users } of past.users) days[day - from]!.unique_users = users;
    }
    const uniqueUsers = await usersOver(siteId, days, { from: held, to: Math.min(to, now), now, past });
    return {
      site_id: siteId,
      from: dateOf(from),
      to: dateOf(to),
      views: days.reduce((sum, { views }) => sum + views, 0),
      ...uniqueUsers,
      events_by_type: Object.fromEntries([...types].sort(byCount)),
      top_paths: past?.topPaths ?? topOf(paths),
      days,
    };
  }

  async function countDay(
    shard: number,
    siteId: string,
    day: number,
    row: SiteDay,
    types: Map<string, number>,
    paths: Map<string, number>,
  ): Promise<void> {
    const stats = await redis.hgetall(keys.site(shard, siteId, day, 'stats'));
    row.views += Number(stats[`type:${PAGE_VIEW}`] ?? 0);
    row.unique_users += Number(stats.users ?? 0);
    for (const [field, count] of Object.entries(stats)) {
      if (field.startsWith('type:')) add(types, field.slice('type:'.length), Number(count));
    }
    if (stats[`type:${PAGE_VIEW}`] === undefined) return;
    const views = await readPaths(keys.site(shard, siteId, day, 'pages'));
    for (const [path, count] of views) add(paths, path, count);
  }

  /** In steps; a path that is met twice, since Redis moved its table meanwhile, counts once. */
  async function readPaths(key: string): Promise<Map<string, number>> {
    const views = new Map<string, number>();
    let cursor = '0';
    do {
      const [next, flat] = await redis.zscan(key, cursor, 'COUNT', PATHS_A_STEP);
      for (let i = 0; i < flat.length; i += 2) views.set(flat[i]!, Number(flat[i + 1]));
      cursor = next;
    } while (cursor !== '0');
    return views;
  }

  async function usersOver(
    siteId: string,
    days: SiteDay[],
    { from, to, now, past }: { from: number; to: number; now: number; past: Past | undefined },
  ): Promise<{ unique_users: number; exact: boolean }> {
    const isWhole = past?.isWhole ?? true;
    const busy = days.filter(({ unique_users }) => unique_users > 0);
    if (busy.length <= 1) return { unique_users: busy[0]?.unique_users ?? 0, exact: isWhole };
    if (past && isWhole) return { unique_users: past.uniqueUsers, exact: true };
    if (!past && now - from < WINDOW_DAYS) {
      return { unique_users: await visitors.between(thing(undefined, siteId), from, to), exact: true };
    }
    // Users' own keys do not reach so far back. Each user is in one shard, so the shards' estimates add up.
    const length = to - from + 1;
    const ofShard = (shard: number) =>
      redis.pfcount(Array.from({ length }, (_, i) => keys.site(shard, siteId, from + i, 'hll')));
    const estimate = length > 0 ? await everyShard.sum(ofShard) : 0;
    return { unique_users: Math.max(estimate, past?.uniqueUsers ?? 0), exact: false };
  }

  return {
    today,
    mostDays: history ? MOST_DAYS.known : MOST_DAYS.held,
    oldest,
    oldestOf: async (siteId) => (history ? Math.min(oldest(), await history.oldest(siteId)) : oldest()),
    report,
  };
}

function add(counts: Map<string, number>, name: string, count: number): void {
  counts.set(name, (counts.get(name) ?? 0) + count);
}

/** The highest first; a tie goes to the name that sorts first, byte by byte. */
function byCount([a, countOfA]: [string, number], [b, countOfB]: [string, number]): number {
  return countOfB - countOfA || Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function topOf(paths: Map<string, number>) {
  const named = [...paths].filter(([path]) => path !== OTHER);
  const top = named.sort(byCount).slice(0, TOP_PATHS);
  return top.map(([path, views]) => ({ path, views }));
}
