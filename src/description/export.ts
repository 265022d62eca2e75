// A line of an export.

import type { Schema } from './call.ts';
import { count, day, flag, list, object, oneOf, orNull, text, time } from './shapes.ts';

export const EXPORT = {
  ExportLine: object(
    {
      from: oneOf(
        ['redis', 'outbox', 'archive'],
        'Where it is held: in Redis, on its way to the archive, or there. The last line has none.',
      ),
      is: oneOf(
        ['profile', 'day', 'logins', 'erasure', 'page_view', 'event', 'login', 'unreadable', 'end'],
        'What it is.',
      ),
      user_id: text('Of a profile: whose.'),
      views: { description: 'Of a profile or a day: how many.' },
      seconds: { description: 'Of a profile or a day: time spent.' },
      days: count('Of a profile: days with a view.'),
      most_viewed_page: orNull(text('Of a profile: by its name.')),
      date: day('Of a day: which, of UTC.'),
      first_view: text('Of a day: when the first was.'),
      last_view: text('Of a day: when the last was.'),
      pages: { type: 'object', additionalProperties: true, description: 'Of a day: its pages, by views.' },
      views_at: list(
        object(
          {
            time: { description: 'When it was.' },
            event_id: text('As it came.'),
            page: text('Which, where that is known.'),
            digest: text('What it is known by else.'),
          },
          { but: ['event_id', 'page', 'digest'] },
        ),
        { description: 'Of a day: its views, one by one.' },
      ),
      seen: list(
        { type: 'string' },
        { description: 'Of a day: the pages and sites that count this visitor.' },
      ),
      other_events_at: list(
        object(
          {
            time: { description: 'When it was.' },
            event_id: text('As it came.'),
            digest: text('What it is known by else.'),
          },
          { but: ['event_id', 'digest'] },
        ),
        { description: 'Of a day: its other events.' },
      ),
      other_days: list({ type: 'string' }, { description: 'Of a day: the days that it knows of beside.' }),
      dates: list({ type: 'string', format: 'date' }, { description: 'Of logins: on which days.' }),
      refused_until: text('What happened up to then is refused, since they were erased.'),
      kept_until: { description: 'When it goes.' },
      time: time('Of an event: when it was.'),
      name: text('Of an event: as it came.'),
      url: text('Of an event: as it came.'),
      site_id: text('Of an event: as it came.'),
      event_id: text('Of an event: as it came.'),
      event_type: text('Of an event: as it came.'),
      path: text('Of an event: as it came.'),
      received_at: time('Of an event: when it came.'),
      late: flag('Of an event: whether it came too late to count.'),
      what: { description: 'Of what can’t be read: what it is.' },
      why: text('Of what can’t be read: why.'),
      lines: count('Of the end: how many lines came before.'),
    },
    { description: 'A line of an export. What it holds depends on what it `is`.', only: ['is'] },
  ),
} satisfies Record<string, Schema>;
