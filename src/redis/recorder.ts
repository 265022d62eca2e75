// Events on their way into Redis.

import { entryOf } from '../archive/entry.ts';
import { type Event, identityOf, type PageView } from '../events/event.ts';
import type { Client } from '../http/clients.ts';
import { FOLDED, type Metrics } from '../metrics.ts';
import { type Clock, DAY, dateOf, datesBetween, dayOf, monthEnd, SECOND, WINDOW_DAYS } from '../time.ts';
import { answerOf } from './calls.ts';
import type { Confirm } from './durability.ts';
import { Damaged, Unwelcome } from './errors.ts';
import { createGrouping, promised, type Waiter } from './grouping.ts';
import { encodeId, type Keys, thing } from './keys.ts';
import type { FootfallRedis, RecordOutcome } from './scripts.ts';

/** What became of an event. `recorded` is a promise: the next read sees it. */
export type Outcome = Exclude<RecordOutcome, 'damaged' | 'new' | 'unknown'>;

/** Who may bring users that are not known. */
export interface Door {
  /** '-' for a client that may not, '+' for one whose new users are counted. */
  of(client: Client): '' | '+' | '-';
  broughtNewUser(client: Client): void;
  /** Whether there is no room for any. */
  isFull(): boolean;
  /** Whether there is no room for names that their users have not had that day: they count under (other). */
  isScarce(): boolean;
}

export interface Limits {
  sessionGapSeconds: number;
  maxViewsPerUserDay: number;
  maxPagesPerUserDay: number;
  maxPathsPerSiteDay: number;
  siteRetentionDays: number;
  lateLoginDays: number;
  /** How late a login may come, where that is more: a replay has the old ones, too. */
  acceptLoginDays?: number;
  uniquesRetentionDays: number;
}

export interface Recorder {
  record(event: Event): Promise<Outcome>;
  /** The same without a promise, for the road of single events. */
  recordFor(event: Event, waiter: Waiter<Outcome>): void;
  /** Events that wait for Redis. */
  inFlight(): number;
}

const LARGEST_GROUP = 128;

export interface RecorderOptions {
  redis: FootfallRedis;
  keys: Keys;
  clock: Clock;
  limits: Limits;
  mostInFlight: number;
  door: Door;
  confirm: Confirm;
  metrics: Metrics;
  /** Where there is an archive: bytes that may wait for it, of a shard. */
  outboxLimit?: number | undefined;
}

export function createRecorder(options: RecorderOptions): Recorder {
  const { redis, keys, clock, limits, mostInFlight, door, confirm, metrics, outboxLimit } = options;
  const gap = String(limits.sessionGapSeconds * SECOND);
  const maxViews = String(limits.maxViewsPerUserDay);
  const maxPages = String(limits.maxPagesPerUserDay);
  const maxPaths = String(limits.maxPathsPerSiteDay);
  const kept = [
    limits.siteRetentionDays,
    limits.acceptLoginDays ?? limits.lateLoginDays,
    limits.lateLoginDays + 1,
    limits.uniquesRetentionDays,
    outboxLimit ?? '',
  ].map(String);

  const grouping = createGrouping<Event, Outcome>({
    largest: LARGEST_GROUP,
    mostInFlight,
    async send(shard, events) {
      const now = clock();
      const today = dayOf(now);
      const isScarce = door.isScarce();
      const args = [
        String(today * DAY),
        String(now - today * DAY),
        gap,
        maxViews,
        isScarce ? '0' : maxPages,
        datesBetween(today - WINDOW_DAYS, today + 1),
        isScarce ? '0' : maxPaths,
        ...kept,
      ];
      const isFull = door.isFull();
      for (const event of events) {
        addArguments(args, event, isFull ? '-' : door.of(event.client));
        if (outboxLimit !== undefined) args.push(entryOf(event));
      }
      const key = keys.shard(shard);
      const reply = await answerOf(metrics, 'record', events.length, redis.ffRecord(key, args));
      await confirm?.(reply);
      for (let i = 0; i < FOLDED.length; i++) metrics.folded(FOLDED[i]!, reply[events.length + i] as number);
      return events.map(({ client }, i) => {
        const outcome = reply[i] as RecordOutcome;
        switch (outcome) {
          case 'new':
            door.broughtNewUser(client);
            metrics.event('recorded');
            return 'recorded';
          case 'unknown':
            metrics.event('refused');
            if (!isFull) metrics.limited('new_users');
            return new Unwelcome(isFull ? 'store_full' : 'too_many_new_users');
          case 'damaged':
            metrics.event('damaged');
            return new Damaged();
          default:
            metrics.event(outcome);
            return outcome;
        }
      });
    },
  });

  const recordFor = (event: Event, waiter: Waiter<Outcome>) =>
    grouping.add(keys.shardOf(event.userId), event, waiter);

  return {
    record: (event) => promised((waiter) => recordFor(event, waiter)),
    recordFor,
    inFlight: grouping.inFlight,
  };
}

/** What an event is to `record.lua`: its kind, with the door's word before it, and what this kind has. */
function addArguments(args: string[], event: Event, door: string): void {
  const user = encodeId(event.userId);
  const at = String(event.at);
  if (event.kind === 'login') {
    const day = dayOf(event.at);
    args.push(`${door}login`, user, at, dateOf(day), String(monthEnd(day) * DAY));
  } else if (event.kind === 'event') {
    args.push(`${door}event`, user, at, identityOf(event), encodeId(event.siteId), event.type);
  } else if (event.url === undefined && event.siteId === undefined) {
    args.push(`${door}view`, user, at, identityOf(event), event.name);
  } else {
    const { siteId, path = '' } = event;
    const site = siteId === undefined ? '' : encodeId(siteId);
    const things = thingsOf(event);
    args.push(
      `${door}visit`,
      user,
      at,
      identityOf(event),
      event.name,
      site,
      path,
      String(things.length),
      ...things,
    );
  }
}

/** What has visitors, beside the page by its name: the site comes last. */
export function thingsOf({ url, name, siteId }: PageView): string[] {
  if (url === undefined) return [thing({ name }, siteId), thing(undefined, siteId)];
  if (siteId === undefined) return [thing({ url }, undefined)];
  return [
    thing({ url }, undefined),
    thing({ url }, siteId),
    thing({ name }, siteId),
    thing(undefined, siteId),
  ];
}
