// What is said of the service, and what its own pages read.

import { RIGHTS } from '../http/keys.ts';
import { OUTCOMES, REFUSALS } from '../live/totals.ts';
import type { Schema } from './call.ts';
import { CODES } from './problems.ts';
import { count, day, flag, list, object, oneOf, orNull, text, time } from './shapes.ts';

const rate = (description: string) => ({ type: 'number', minimum: 0, description });

export const STATES = {
  Alive: object({ status: { type: 'string', const: 'alive' } }),
  Ready: object(
    {
      status: { type: 'string', enum: ['ready', 'degraded'], description: 'Degraded: most can be done.' },
      reason: text('What can’t be done.'),
    },
    { but: ['reason'] },
  ),
  Unready: object({ status: { type: 'string', const: 'unready' }, reason: text('Why.') }),
  Visits: object({
    user_id: text('Who was asked for.'),
    session_gap_seconds: count('Up to how long a step is time spent.'),
    pages: list(object({ name: text('Its name.'), views: count('Its views.') }), {
      description: 'The pages with the most views, up to 100.',
    }),
    pages_total: count('How many pages there are.'),
    days: list(
      object({
        date: day('A day of UTC.'),
        views: count('Views on it.'),
        seconds: count('Time spent on it.'),
        left_out: count('Older views of the day that are not among `visits`.'),
        visits: list(
          object({
            at: time('When it was.'),
            page: orNull(text('Its name, where that is known.')),
            step_seconds: {
              type: ['number', 'null'],
              minimum: 0,
              description: 'Since the view before; null for the first.',
            },
            counted: flag('Whether that is time spent.'),
          }),
          { description: 'Its views, in order of time.' },
        ),
      }),
      { description: 'Seven, oldest first.' },
    ),
  }),
  KeyState: object({
    keys: flag('Whether the service asks for keys.'),
    may: list(
      { type: 'string', enum: [...RIGHTS] },
      { description: 'What the keys may do that were shown.' },
    ),
    archive: flag('Whether there is an archive.'),
    time_spent_unit: { type: 'string', enum: ['minutes', 'seconds'], description: 'Of profiles.' },
    session_gap_seconds: count('Up to how long a step from view to view is time spent.'),
    report_days: count('How many days a site’s report may have.'),
  }),
  Figures: object(
    {
      at: time('Of when it is.'),
      events: object(Object.fromEntries(OUTCOMES.map((outcome) => [outcome, rate(`${outcome}.`)])), {
        description: 'Events a second, by outcome.',
      }),
      requests_per_second: rate('Requests.'),
      refused_per_second: object(Object.fromEntries(REFUSALS.map((why) => [why, rate(`${why}.`)])), {
        description: 'Requests that were refused, a second, by why.',
      }),
      p99_ms: orNull({
        type: 'number',
        description: 'In how many ms all but one of a hundred writes are answered.',
      }),
      events_in_flight: count('Events that wait for Redis.'),
      redis: object(
        {
          up: flag('Whether it answers.'),
          lag_ms: orNull({ type: 'number', description: 'How long it takes to.' }),
          memory_bytes: orNull(count('What it uses.')),
          maxmemory_bytes: orNull(count('What it may use.')),
        },
        { description: 'How Redis is.' },
      ),
      backlog: {
        ...object({
          entries: count('How many.'),
          bytes: count('How much.'),
          limit_bytes: count('How much that may be.'),
          age_seconds: { type: 'number', minimum: 0, description: 'How old the oldest is.' },
          dead: count('How many were put aside.'),
        }),
        type: ['object', 'null'],
        description: 'What waits for the archive, where there is one.',
      },
      ready: oneOf(['ready', 'degraded', 'unready'], 'As `/readyz` says it.'),
      reason: orNull(text('Why it is not ready.')),
    },
    { description: 'What an event of the stream says; null is not known.' },
  ),
  Problem: object(
    {
      type: { type: 'string', pattern: '^urn:footfall:problem:\\w+$', description: 'The code as a URN.' },
      title: text('What it is, always in the same words.'),
      status: { type: 'integer', minimum: 400, maximum: 599, description: 'The status of the answer.' },
      detail: text('What it is this time.'),
      code: { type: 'string', enum: CODES, description: 'What a program may rely on.' },
      errors: list(
        object({
          pointer: text('Which field, as a JSON pointer; of a batch it begins with the event’s index.'),
          detail: text('What is wrong with it.'),
        }),
        { description: 'Each bad field.' },
      ),
    },
    { but: ['errors'], description: 'Problem details (RFC 9457).' },
  ),
} satisfies Record<string, Schema>;
