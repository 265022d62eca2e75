// What comes in as a page view.

import { Problem } from '../http/problem.ts';
import { compile, userId } from '../http/validate.ts';
import { MINUTE, parseTimestamp } from '../time.ts';
import type { PageView } from './pageView.ts';

/** Clocks differ; a view further ahead than this is a mistake. */
const AHEAD = 5 * MINUTE;

interface PageBody {
  user_id: string;
  name?: string;
  url?: string;
  timestamp?: string;
  event_id?: string;
  site_id?: string;
}

const check = compile<PageBody>({
  type: 'object',
  properties: {
    user_id: userId,
    name: { type: 'string', minLength: 1, maxLength: 512, format: 'text' },
    url: { type: 'string', minLength: 1, maxLength: 2048, format: 'text' },
    timestamp: { type: 'string', format: 'timestamp' },
    event_id: { type: 'string', minLength: 1, maxLength: 100, format: 'id' },
    site_id: { type: 'string', minLength: 1, maxLength: 64, format: 'id' },
  },
  required: ['user_id'],
  if: { not: { required: ['url'] } },
  // biome-ignore lint/suspicious/noThenProperty: it is JSON Schema's word
  then: { required: ['name'] },
});

/** A page view out of a body; throws a problem. */
export function pageViewOf(value: unknown, now: number): PageView {
  const body = check(value);
  const at = body.timestamp === undefined ? now : parseTimestamp(body.timestamp);
  if (at > now + AHEAD) throw inFuture();
  return { userId: body.user_id, at, name: body.name ?? body.url!, eventId: body.event_id };
}

export function inFuture(): Problem {
  const detail = 'is more than 5 minutes ahead of the clock here';
  return new Problem('timestamp_in_future', `/timestamp ${detail}`, {
    faults: [{ pointer: '/timestamp', detail }],
  });
}
