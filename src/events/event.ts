// What comes in, and what is unique about it.

import { createHash } from 'node:crypto';
import type { Client } from '../http/clients.ts';
import { DAY } from '../time.ts';

export interface PageView {
  kind: 'view';
  /** Who sent it, where that is limited. */
  client?: Client;
  userId: string;
  /** When it happened, ms since 1970. */
  at: number;
  /** The page's name, or its url where there was no name. */
  name: string;
  eventId?: string | undefined;
  url?: string | undefined;
  siteId?: string | undefined;
  /** Under which the site's report has it. */
  path?: string | undefined;
}

/** An event of a site that is no page view. */
export interface SiteEvent {
  kind: 'event';
  client?: Client;
  userId: string;
  at: number;
  eventId?: string | undefined;
  siteId: string;
  type: string;
  path: string;
}

export interface Login {
  kind: 'login';
  client?: Client;
  userId: string;
  at: number;
}

export type Event = PageView | SiteEvent | Login;

/**
 * What is unique about an event among its user's of a day and kind, as it stands in Redis. Without an event_id that is its
 * time and page, or its time, site, type and path; a digest of the latter (66 bits) keeps it short, and only events of one
 * user in one millisecond meet.
 */
export function identityOf(event: PageView | SiteEvent): string {
  if (event.eventId !== undefined) return `e:${event.eventId}`;
  const what = event.kind === 'view' ? event.name : JSON.stringify([event.siteId, event.type, event.path]);
  const sinceMidnight = ((event.at % DAY) + DAY) % DAY;
  return `${sinceMidnight.toString(36)}.${digestOf(what)}`;
}

const digests = new Map<string, string>();
const DIGESTS_KEPT = 10_000;

/** Pages come again and again, so their digests are kept. */
export function digestOf(what: string): string {
  let digest = digests.get(what);
  if (digest === undefined) {
    digest = createHash('sha256').update(what).digest('base64url').slice(0, 11);
    if (digests.size >= DIGESTS_KEPT) digests.clear();
    digests.set(what, digest);
  }
  return digest;
}
