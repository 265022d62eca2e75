// What is answered.

import { OUTCOME, type Schema } from './call.ts';
import { count, day, flag, list, object, orNull, text, time } from './shapes.ts';

export const ANSWERS = {
  Outcome: object({
    status: {
      type: 'string',
      ...OUTCOME,
      description:
        '`recorded`: it counts, and the next read has it. `duplicate`: it counted before. `erased`: its user was erased since its time. `expired`: it is older than what is kept. `capped`: it is past what one user may have on a day.',
    },
  }),
  BatchOutcome: object({
    recorded: count('How many count now.'),
    duplicate: count('How many counted before.'),
    erased: count('Of how many the user was erased since.'),
    expired: count('How many are too old.'),
    capped: count('How many are past what one user may have on a day.'),
    rejected: list(
      object({
        index: count('Which event, from 0.'),
        code: {
          type: 'string',
          enum: [
            ...['invalid_json', 'invalid_body', 'timestamp_in_future', 'bad_signature', 'too_many_requests'],
            ...['too_many_new_users', 'damaged', 'store_full'],
          ],
          description: 'The code of its problem.',
        },
        detail: text('What is wrong.'),
        pointer: text('Which field of the event, as a JSON pointer; empty where it is the event.'),
      }),
      { description: 'Events that were not taken; the others count.' },
    ),
  }),
  Profile: object({
    user_id: text('Who was asked for.'),
    number_pages_viewed_in_the_last_7_days: count('Views, repeated ones included.'),
    time_spent_on_site_in_last_7_days: count(
      'The steps from one view to the next that took up to 30 minutes, in whole minutes (in seconds where the service is set so).',
    ),
    number_of_days_active_in_last_7_days: count('Days with a view.'),
    most_viewed_page_in_last_7_days: {
      type: ['string', 'null'],
      description: 'By its name; of several the one that sorts first. Null where there was no view.',
    },
  }),
  Profiles: object({
    profiles: list({ $ref: '#/components/schemas/Profile' }, { description: 'In the order asked.' }),
  }),
  ProfileDay: object({
    date: day('A day of UTC.'),
    views: count('Views on it.'),
    seconds: count('Time spent on it.'),
    most_viewed_page: orNull(text('By its name.')),
  }),
  Visitors: object(
    {
      url: text('As asked, where it was by url.'),
      name: text('As asked, where it was by name.'),
      site_id: text('As asked.'),
      days: { type: 'integer', minimum: 1, maximum: 7, description: 'Over how many days.' },
      distinct_visitors: count('How many people saw it.'),
      exact: { type: 'boolean', const: true, description: 'It always is.' },
    },
    { but: ['url', 'name', 'site_id'] },
  ),
  DailyUniques: object({
    date: day('As asked.'),
    unique_users: count('How many users logged in.'),
  }),
  MonthlyUniques: object({
    month: { type: 'string', format: 'month', description: 'As asked.' },
    unique_users: count('How many users logged in.'),
  }),
  SiteReport: object({
    site_id: text('Which site.'),
    from: day('The first day.'),
    to: day('The last day.'),
    views: count('Page views.'),
    unique_users: count('How many people came.'),
    exact: flag(
      'Whether `unique_users` is. Over days that do not all lie in the last seven it is estimated, with a standard error of 0.81 %, unless the archive has them all.',
    ),
    events_by_type: {
      type: 'object',
      additionalProperties: { type: 'integer', minimum: 0 },
      description: 'How many events there were of each type, page views among them.',
    },
    top_paths: list(object({ path: text('A path.'), views: count('Its views.') }), {
      maxItems: 10,
      description: 'The paths with the most views.',
    }),
    days: list(
      object({
        date: day('A day of UTC.'),
        views: count('Page views.'),
        unique_users: count('How many people came.'),
      }),
      { description: 'Oldest first.' },
    ),
  }),
  Receipt: object(
    {
      user_id: text('Who is forgotten.'),
      erased_at: time('What happened up to then is gone, and refused from now on.'),
      keys_deleted: count('Keys of theirs.'),
      counts_corrected: count('Counts of people that they were taken out of.'),
      scan: {
        type: 'string',
        enum: ['complete', 'incomplete'],
        description:
          'Whether there was time to look for keys of older versions everywhere; `npm run erase` takes all the time it needs.',
      },
      residue: { type: ['integer', 'null'], minimum: 0, description: 'How many of those there were.' },
      archive: {
        type: 'string',
        enum: ['none', 'pending', 'done'],
        description: 'Whether the archive has forgotten, too; `none` where there is none.',
      },
      erasure_id: text('What to ask after the archive by, where there is one.'),
    },
    { but: ['erasure_id'] },
  ),
  ErasureState: object({
    erasure_id: text('As asked.'),
    archive: { type: 'string', enum: ['pending', 'done'], description: 'Whether the archive has forgotten.' },
    done_at: { type: ['string', 'null'], format: 'date-time', description: 'Since when.' },
    rows_deleted: { type: ['integer', 'null'], minimum: 0, description: 'How many rows those were.' },
  }),
} satisfies Record<string, Schema>;
