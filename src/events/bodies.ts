// Events out of bodies; whatever is wrong with one is thrown as a problem.

import { Problem } from '../http/problem.ts';
import { compile, eventType, siteId, text, userId } from '../http/validate.ts';
import { DAY, MINUTE, parseTimestamp } from '../time.ts';
import type { Event, Login, PageView, SiteEvent } from './event.ts';

/** Clocks differ; an event further ahead than this is a mistake. */
const AHEAD = 5 * MINUTE;

/** More than any browser keeps a view for. */
const OLDEST = 365 * DAY;

const url = text(2048);
const time = { type: 'string', format: 'timestamp' };
const eventId = { type: 'string', minLength: 1, maxLength: 100, format: 'id' };

interface PageBody {
  user_id: string;
  name?: string;
  url?: string;
  timestamp?: string;
  age_ms?: number;
  event_id?: string;
  site_id?: string;
}

export const pageSchema = {
  type: 'object',
  properties: {
    user_id: userId,
    name: text(512),
    url,
    timestamp: time,
    age_ms: { type: 'integer', minimum: 0, maximum: OLDEST },
    event_id: eventId,
    site_id: siteId,
  },
  required: ['user_id'],
  if: { not: { required: ['url'] } },
  // biome-ignore lint/suspicious/noThenProperty: it is JSON Schema's word
  then: { required: ['name'] },
  // Its time is counted back from now, so by that a view that is sent twice is not known again.
  dependentRequired: { age_ms: ['event_id'] },
  dependentSchemas: { age_ms: { properties: { timestamp: false } } },
};
const checkPage = compile<PageBody>(pageSchema);

export function pageViewOf(value: unknown, now: number): PageView {
  const body = checkPage(value);
  const at =
    body.timestamp === undefined ? now - (body.age_ms ?? 0) : timeOf(body.timestamp, now, '/timestamp');
  const { url } = body;
  const name = body.name ?? url!;
  return {
    kind: 'view',
    userId: body.user_id,
    at,
    name,
    eventId: body.event_id,
    url,
    siteId: body.site_id,
    path: url ?? name,
  };
}

interface EventBody {
  site_id: string;
  event_type: string;
  path: string;
  user_id: string;
  timestamp: string;
  event_id?: string;
}

export const eventSchema = {
  type: 'object',
  properties: {
    site_id: siteId,
    event_type: eventType,
    path: url,
    user_id: userId,
    timestamp: time,
    event_id: eventId,
  },
  required: ['site_id', 'event_type', 'path', 'user_id', 'timestamp'],
};
const checkEvent = compile<EventBody>(eventSchema);

/** An event of a site; a `page_view` is a page view, whose name is the path. */
export function siteEventOf(value: unknown, now: number): PageView | SiteEvent {
  const { user_id, site_id, event_type, path, timestamp, event_id } = checkEvent(value);
  const at = timeOf(timestamp, now, '/timestamp');
  const common = { userId: user_id, at, eventId: event_id, siteId: site_id, path };
  return event_type === 'page_view'
    ? { kind: 'view', name: path, ...common }
    : { kind: 'event', type: event_type, ...common };
}

export const loginSchema = {
  type: 'object',
  properties: { user_id: userId, login_time: time },
  required: ['user_id', 'login_time'],
};
const checkLogin = compile<{ user_id: string; login_time: string }>(loginSchema);

export function loginOf(value: unknown, now: number): Login {
  const body = checkLogin(value);
  return { kind: 'login', userId: body.user_id, at: timeOf(body.login_time, now, '/login_time') };
}

export const typeSchema = {
  type: 'object',
  properties: { type: { enum: ['page', 'event', 'login'] } },
};
const checkType = compile<{ type?: 'page' | 'event' | 'login' }>(typeSchema);

const READERS = { page: pageViewOf, event: siteEventOf, login: loginOf };

/** An event of a batch, where each may say its type: page (if it says none), event or login. */
export function batchEventOf(value: unknown, now: number): Event {
  const { type = 'page' } = checkType(value);
  return READERS[type](value, now);
}

function timeOf(text: string, now: number, pointer: string): number {
  const at = parseTimestamp(text);
  if (at > now + AHEAD) throw inFuture(pointer);
  return at;
}

/** Where an event's time stands in its body. */
export const timeField = (event: Event) => (event.kind === 'login' ? '/login_time' : '/timestamp');

export function inFuture(pointer: string): Problem {
  const detail = 'is more than 5 minutes ahead of the clock here';
  return new Problem('timestamp_in_future', `${pointer} ${detail}`, { faults: [{ pointer, detail }] });
}
