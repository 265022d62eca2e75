// The calls that bring events.

import type { ProblemCode } from '../http/problem.ts';
import type { Answer, Call, Schema } from './call.ts';
import { ref } from './components.ts';
import { BATCHES, RECORDED, VIEWS } from './samples.ts';

/** A page's beacon, which can name no other type. */
const asText = (schema: Schema): Schema => ({
  type: 'string',
  contentMediaType: 'application/json',
  contentSchema: schema,
});

const oneEvent = (name: 'PageView' | 'SiteEvent' | 'Login') => ({
  'application/json': ref(name),
  'text/plain': asText(ref(name)),
});

const inHeaders = {
  'Content-Encoding': {
    description: 'How the body is compressed, if it is.',
    schema: { type: 'string', enum: ['gzip', 'identity'] },
  },
};

const taken: Answer = {
  status: 202,
  description: 'It was taken, and `status` says what became of it.',
  schema: ref('Outcome'),
};

const ofUsers: ProblemCode[] = ['bad_signature', 'too_many_new_users', 'store_full'];
const ofOne: ProblemCode[] = [...ofUsers, 'timestamp_in_future', 'damaged'];

const click = {
  user_id: '019mr8mf4r',
  site_id: 'shop',
  event_type: 'click',
  path: '/cart',
  timestamp: '2026-11-21T11:50:00Z',
};

const recordEvent: Call = {
  method: 'post',
  path: '/v1/event',
  operationId: 'recordEvent',
  tag: 'Events',
  right: 'write',
  summary: 'Record an event of a site',
  description: [
    'A `page_view` among them is a page view whose name is the path; all others are in the site’s report, and in no profile.',
    'The same event again counts once. It is the same if its user and its `event_id` are, or, without an `event_id`, its user, time, site, type and path.',
  ],
  inHeaders,
  body: oneEvent('SiteEvent'),
  answers: [taken],
  problems: ofOne,
  examples: [
    { name: 'purchase', summary: 'A purchase', body: { ...click, event_type: 'purchase' }, ...RECORDED },
    {
      name: 'pageView',
      summary: 'A page view, which is in the profile, too',
      body: { ...click, event_type: 'page_view', path: '/checkout', event_id: '7c3f20' },
      ...RECORDED,
    },
  ],
};

export const EVENTS: Call[] = [
  {
    method: 'post',
    path: '/v1/page',
    operationId: 'recordPage',
    tag: 'Events',
    right: 'write',
    summary: 'Record a page view',
    description: [
      '`name` may be left out where there is a `url`, and `timestamp` too: then it is now.',
      'The same view again counts once. A view is the same if its user, its millisecond and its page are; with an `event_id`, if user and `event_id` are, whatever its time says within a day. A view without a `timestamp` needs an `event_id` to be safe to send again.',
    ],
    inHeaders: {
      Prefer: {
        description:
          'With `return=representation` the answer is the user’s profile after the write; that needs a key that may read, too.',
        schema: { type: 'string' },
      },
      ...inHeaders,
    },
    body: oneEvent('PageView'),
    answers: [
      {
        status: 200,
        description:
          'The profile after the write, where that was preferred. `Footfall-Status` says what became of the view.',
        schema: ref('Profile'),
        headers: ['Footfall-Status', 'Preference-Applied', 'Cache-Control'],
      },
      taken,
    ],
    problems: ofOne,
    examples: VIEWS,
  },
  {
    method: 'post',
    path: '/v1/pages',
    operationId: 'recordBatch',
    tag: 'Events',
    right: 'write',
    summary: 'Record many events',
    description: [
      'A JSON array, or JSON a line as `application/x-ndjson`: up to 1,000 events and 1 MiB, gzip welcome. Its events may be of any kind, and each may say its `type`.',
      'Good events count even where others are rejected; where none is good, it is a problem. After a 503 send all of it again: what has a time or an `event_id` counts once.',
    ],
    inHeaders,
    body: {
      'application/json': { type: 'array', minItems: 1, maxItems: 1000, items: ref('BatchEvent') },
      'application/x-ndjson': { type: 'string', description: 'A `BatchEvent` a line.' },
      'application/ndjson': { type: 'string', description: 'A `BatchEvent` a line.' },
      'text/plain': asText({ type: 'array', minItems: 1, maxItems: 1000, items: ref('BatchEvent') }),
    },
    answers: [{ status: 202, description: 'What became of them.', schema: ref('BatchOutcome') }],
    problems: ofUsers,
    examples: BATCHES,
  },
  recordEvent,
  {
    ...recordEvent,
    path: '/event',
    operationId: 'recordEventToo',
    summary: 'Record an event of a site, by a shorter path',
    description: ['The same as `/v1/event`.'],
    examples: [
      {
        name: 'click',
        summary: 'A click',
        body: { ...click, timestamp: '2026-11-21T11:51:00Z' },
        ...RECORDED,
      },
    ],
  },
];

export const recordLogin: Call = {
  method: 'post',
  path: '/v1/user/login',
  operationId: 'recordLogin',
  tag: 'Events',
  right: 'write',
  summary: 'Record a login',
  description: ['Up to 35 days late. A user’s second one of a day is a `duplicate`.'],
  inHeaders,
  body: oneEvent('Login'),
  answers: [taken],
  problems: ofOne,
  examples: [
    {
      name: 'login',
      summary: 'A login',
      body: { user_id: '019mr8mf4r', login_time: '2026-11-21T08:00:00Z' },
      ...RECORDED,
    },
  ],
};
