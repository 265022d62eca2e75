// A site's day that is past, counted as record.lua would have: it refuses such days, for it has no user's keys to ask any
// more. The rules are those of lua/record/site.lua, event by event in order of arrival.

import type { Event } from '../../events/event.ts';
import { encodeId, type Keys, thing } from '../../redis/keys.ts';
import { thingsOf } from '../../redis/recorder.ts';
import { DAY } from '../../time.ts';
import { eventOfRow } from '../entry.ts';
import { chunksOf, countsLess, type Past, run, writeEach } from './counts.ts';
import { heavyUsers, rowsOfSites, spanOf } from './rows.ts';

/** As in lua/record/site.lua. */
const MAX_TYPES = 100;
const OTHER = '(other)';

const PAGE_VIEW = 'page_view';
const TYPES = /^type:/;

/** Of a site, in a shard. */
interface SiteDay {
  siteId: string;
  shard: number;
  /** `type:click` -> events, as they stand in stats. */
  types: Map<string, number>;
  paths: Map<string, number>;
  /** As they stand in keys, in order of arrival. */
  users: Set<string>;
}

export interface Caps {
  maxPagesPerUserDay: number;
  maxPathsPerSiteDay: number;
  siteRetentionDays: number;
}

/** How many counts were written, or undefined where it was stopped before. */
export async function replaySites(day: number, caps: Caps, past: Past): Promise<number | undefined> {
  const { database, redis, keys, now, patiently, onRead, stopped } = past;
  const ttl = (day + caps.siteRetentionDays) * DAY - now;
  const span = await patiently(() => spanOf(database, day));
  if (!span) return 0;
  const heavy = await patiently(() => heavyUsers(database, day, caps.maxPagesPerUserDay));
  const count = createDay(keys, caps, heavy);
  for (;;) {
    if (stopped()) return undefined;
    const rows = await patiently(() => rowsOfSites(database, day, span, heavy));
    if (rows.length === 0) break;
    span.before = rows.at(-1)!.id;
    for (const row of rows) count.add(eventOfRow(row));
    onRead(rows.filter(({ siteId }) => siteId !== null).length);
  }
  return writeEach(past, count.sites(), write);

  async function write({ siteId, shard, types, paths, users }: SiteDay): Promise<boolean> {
    const [stats, pages, hll] = (['stats', 'pages', 'hll'] as const).map((part) =>
      keys.site(shard, siteId, day, part),
    ) as [string, string, string];
    if (!(await countsLess(redis, stats, types, TYPES))) return false;
    // An estimate that is there only grows, so it comes first: what counts less is written again.
    for (const some of chunksOf([...users])) {
      const chain = redis.multi().pfadd(hll, ...some);
      await run(chain.pexpire(hll, ttl));
    }
    const chain = redis.multi().unlink(stats, pages).hset(stats, Object.fromEntries(types));
    if (users.size > 0) chain.hset(stats, 'users', users.size);
    for (const some of chunksOf([...paths])) {
      chain.zadd(pages, ...some.flatMap(([path, views]) => [views, path]));
    }
    await run(chain.pexpire(stats, ttl).pexpire(pages, ttl));
    return true;
  }
}

/** Counts the events of one day. */
function createDay(keys: Keys, { maxPagesPerUserDay, maxPathsPerSiteDay }: Caps, heavy: string[]) {
  const sites = new Map<string, SiteDay>();
  // Who has too many things on a day to be told apart by, is not counted on a further site. That can only be who had many events.
  const maxThings = 4 * maxPagesPerUserDay;
  const seenBy = new Map(heavy.map((userId) => [userId, new Set<string>()]));

  function siteDay(siteId: string, shard: number): SiteDay {
    const id = `${shard} ${siteId}`;
    let found = sites.get(id);
    if (!found) {
      found = { siteId, shard, types: new Map(), paths: new Map(), users: new Set() };
      sites.set(id, found);
    }
    return found;
  }

  /** Whether there is room for the site among what the user has seen. */
  function isSeen(event: Event, site: string): boolean {
    const seen = seenBy.get(event.userId);
    if (!seen || event.kind === 'login') return true;
    const news = (event.kind === 'view' ? thingsOf(event) : [site]).filter((one) => !seen.has(one));
    if (seen.size + news.length <= maxThings) for (const one of news) seen.add(one);
    return seen.has(site);
  }

  return {
    sites: () => sites.values(),
    add(event: Event) {
      if (event.kind === 'login') return;
      const { siteId, userId } = event;
      const isCounted = isSeen(event, thing(undefined, siteId));
      if (siteId === undefined) return;
      const { types, paths, users } = siteDay(siteId, keys.shardOf(userId));
      countIn(types, `type:${event.kind === 'view' ? PAGE_VIEW : event.type}`, `type:${OTHER}`, MAX_TYPES);
      if (event.kind === 'view') countIn(paths, event.path!, OTHER, maxPathsPerSiteDay);
      if (isCounted) users.add(encodeId(userId));
    },
  };
}

/** Under its own name, while there is room for it. */
function countIn(counts: Map<string, number>, name: string, other: string, most: number): void {
  const under = counts.has(name) || counts.size < most ? name : other;
  counts.set(under, (counts.get(under) ?? 0) + 1);
}
