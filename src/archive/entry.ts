// What stands in an outbox, and what is read back from it. One entry is what one call recorded: `event` and `late` by turns,
// as the events came, or one `erasure`. Values are JSON, so that a person can read them at redis-cli.

import { type Event, identityOf, type Login, type PageView, type SiteEvent } from '../events/event.ts';
import { compile, eventType, siteId, text, userId } from '../http/validate.ts';

/** An event as the outbox has it. On the road of every event, so each kind is put together by hand. */
export function entryOf(event: Event): string {
  switch (event.kind) {
    case 'view':
      return JSON.stringify({
        kind: 'view',
        user_id: event.userId,
        at: event.at,
        name: event.name,
        url: event.url,
        site_id: event.siteId,
        event_id: event.eventId,
      });
    case 'event':
      return JSON.stringify({
        kind: 'event',
        user_id: event.userId,
        at: event.at,
        site_id: event.siteId,
        type: event.type,
        path: event.path,
        event_id: event.eventId,
      });
    case 'login':
      return JSON.stringify({ kind: 'login', user_id: event.userId, at: event.at });
  }
}

export interface Kept {
  is: 'event';
  event: Event;
  /** Too late to count. */
  late: boolean;
}

export interface Erasure {
  is: 'erasure';
  userId: string;
  /** ms since 1970. */
  erasedAt: number;
}

const at = { type: 'integer', minimum: -62_200_000_000_000, maximum: 253_402_300_799_999 }; // the years 0 to 9999, zones included
const eventId = { type: 'string', minLength: 1, maxLength: 100, format: 'id' };

const object = (properties: Record<string, object>, ...optional: string[]) => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
});

const check = {
  view: compile<{
    user_id: string;
    at: number;
    name: string;
    url?: string;
    site_id?: string;
    event_id?: string;
  }>(
    object(
      { user_id: userId, at, name: text(2048), url: text(2048), site_id: siteId, event_id: eventId },
      ...['url', 'site_id', 'event_id'],
    ),
  ),
  event: compile<{
    user_id: string;
    at: number;
    site_id: string;
    type: string;
    path: string;
    event_id?: string;
  }>(
    object(
      { user_id: userId, at, site_id: siteId, type: eventType, path: text(2048), event_id: eventId },
      'event_id',
    ),
  ),
  login: compile<{ user_id: string; at: number }>(object({ user_id: userId, at })),
};

const checkErasure = compile<{ user_id: string; erased_at: number }>(
  object({ user_id: userId, erased_at: at }),
);

/** What stands under a field of an entry. Throws if it is nothing that we write. */
export function readEntry(field: string, value: string): Kept | Erasure {
  const found: unknown = JSON.parse(value);
  if (field === 'erasure') {
    const { user_id, erased_at } = checkErasure(found);
    return { is: 'erasure', userId: user_id, erasedAt: erased_at };
  }
  if (field !== 'event' && field !== 'late') throw new Error('no such field');
  return { is: 'event', event: eventOf(found), late: field === 'late' };
}

function eventOf(found: unknown): Event {
  const { kind } = (found ?? {}) as { kind?: unknown };
  if (kind === 'view') {
    const { user_id, at, name, url, site_id, event_id } = check.view(found);
    return viewOf({ userId: user_id, at, name, url, siteId: site_id, eventId: event_id });
  }
  if (kind === 'event') {
    const { user_id, at, site_id, type, path, event_id } = check.event(found);
    return { kind, userId: user_id, at, siteId: site_id, type, path, eventId: event_id };
  }
  if (kind === 'login') {
    const { user_id, at } = check.login(found);
    return { kind, userId: user_id, at };
  }
  throw new Error('no such kind');
}

const viewOf = (view: Omit<PageView, 'kind' | 'path'>): PageView => ({
  kind: 'view',
  ...view,
  path: view.url ?? view.name,
});

/** A row of `events`, less what the database gives it. Times are ms since 1970. */
export interface Row {
  at: number;
  late: boolean;
  isUrl: boolean;
  siteId: string | null;
  type: string;
  path: string | null;
  name: string | null;
  userId: string;
  identity: string;
}

const VIEW = 'page_view';
const LOGIN = 'login';
/** Before the identity of an event that is no page view: a view may have the same event_id. */
const OF_EVENT = 'event:';

/** Each kind written out: a spread costs thirty times as much, and this is done for every event. */
export function rowOf({ event, late }: Kept): Row {
  switch (event.kind) {
    case 'view': {
      const { at, userId, url, name, siteId = null } = event;
      const ownName = url === undefined || url === name ? null : name;
      const isUrl = url !== undefined;
      const identity = identityOf(event);
      return { at, late, isUrl, siteId, type: VIEW, path: url ?? name, name: ownName, userId, identity };
    }
    case 'event': {
      const { at, userId, siteId, type, path } = event;
      const identity = OF_EVENT + identityOf(event);
      return { at, late, isUrl: false, siteId, type, path, name: null, userId, identity };
    }
    case 'login': {
      const { at, userId } = event;
      return {
        at,
        late,
        isUrl: false,
        siteId: null,
        type: LOGIN,
        path: null,
        name: null,
        userId,
        identity: LOGIN,
      };
    }
  }
}

/** The event that a row was made of. */
export function eventOfRow({ at, isUrl, siteId, type, path, name, userId, identity }: Row): Event {
  if (siteId === null && type === LOGIN) return { kind: 'login', userId, at } satisfies Login;
  const isView = type === VIEW;
  const own = isView ? identity : identity.slice(OF_EVENT.length);
  const eventId = own.startsWith('e:') ? own.slice(2) : undefined;
  if (!isView)
    return { kind: 'event', userId, at, siteId: siteId!, type, path: path!, eventId } satisfies SiteEvent;
  const url = isUrl ? path! : undefined;
  return viewOf({ userId, at, name: name ?? path!, url, siteId: siteId ?? undefined, eventId });
}
