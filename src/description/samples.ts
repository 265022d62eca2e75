// Examples of page views, one by one and many at once.

import type { Example } from './call.ts';

export const RECORDED = { status: 202, answer: { status: 'recorded' } };

const blog = {
  user_id: '019mr8mf4r',
  name: 'Blog: better B2B customer experience',
  timestamp: '2026-11-21T11:30:00Z',
};

export const VIEWS: Example[] = [
  { name: 'view', summary: 'A view', body: blog, ...RECORDED },
  {
    name: 'again',
    summary: 'The same again counts once',
    body: blog,
    status: 202,
    answer: { status: 'duplicate' },
  },
  {
    name: 'withUrl',
    summary:
      'With a url its visitors are counted, with a site it is in the site’s report; without a time it is now',
    body: {
      user_id: '019mr8mf4r',
      url: 'https://example.com/pricing',
      site_id: 'shop',
      event_id: '7c3f1a',
    },
    ...RECORDED,
  },
  {
    name: 'late',
    summary: 'Kept in a browser for ten minutes, whose clock may be wrong',
    body: {
      user_id: '019mr8mf4s',
      name: 'Pricing',
      url: 'https://example.com/pricing',
      site_id: 'shop',
      age_ms: 600_000,
      event_id: '7c3f1b',
    },
    ...RECORDED,
  },
  {
    name: 'beacon',
    summary: 'As a beacon sends it, with a write key in the URL where keys are needed',
    type: 'text/plain',
    body: '{"user_id":"019mr8mf4t","name":"Home","event_id":"7c3f1c"}',
    ...RECORDED,
  },
  {
    name: 'old',
    summary: 'Older than the seven days of the window',
    body: { user_id: '019mr8mf4r', name: 'Home', timestamp: '2012-12-21T10:00:00Z' },
    status: 202,
    answer: { status: 'expired' },
  },
  {
    name: 'withProfile',
    summary: 'With the user’s profile in the answer',
    inHeaders: { Prefer: 'return=representation' },
    body: { user_id: '019mr8mf4s', name: 'Home', timestamp: '2026-11-21T11:58:00Z' },
    status: 200,
    answer: {
      user_id: '019mr8mf4s',
      number_pages_viewed_in_the_last_7_days: 2,
      time_spent_on_site_in_last_7_days: 8,
      number_of_days_active_in_last_7_days: 1,
      most_viewed_page_in_last_7_days: 'Home',
    },
  },
  {
    name: 'invalid_body',
    summary: 'Without a user',
    body: { user_id: '', name: 'Home' },
    status: 400,
  },
  { name: 'invalid_json', summary: 'Without an end', type: 'text/plain', body: '{"user_id":', status: 400 },
  {
    name: 'timestamp_in_future',
    summary: 'Of tomorrow',
    body: { user_id: '019mr8mf4r', name: 'Home', timestamp: '2026-11-22T12:00:00Z' },
    status: 400,
  },
];

export const BATCHES: Example[] = [
  {
    name: 'batch',
    summary: 'Views, one of them bad',
    body: [
      { user_id: '019mr8mf4t', name: 'Home', timestamp: '2026-11-20T09:00:00Z' },
      { user_id: '019mr8mf4t', name: 'Home', timestamp: '2026-11-20T09:00:00Z' },
      { user_id: '', name: 'Home' },
    ],
    status: 202,
    answer: {
      ...{ recorded: 1, duplicate: 1, erased: 0, expired: 0, capped: 0 },
      rejected: [{ index: 2, code: 'invalid_body', detail: 'must not be empty', pointer: '/user_id' }],
    },
  },
  {
    name: 'lines',
    summary: 'Events of all kinds, a line each',
    type: 'application/x-ndjson',
    body: [
      '{"type":"page","user_id":"019mr8mf4t","url":"https://example.com/pricing","site_id":"shop","event_id":"7c3f1d"}',
      '{"type":"event","user_id":"019mr8mf4t","site_id":"shop","event_type":"click","path":"/","timestamp":"2026-11-21T11:40:00Z"}',
      '{"type":"login","user_id":"019mr8mf4t","login_time":"2026-11-20T08:59:00Z"}',
      '{"user_id":"019mr8mf4u","name":"Home","event_id":"7c3f1e"}',
      '',
    ].join('\n'),
    status: 202,
    answer: { recorded: 4, duplicate: 0, erased: 0, expired: 0, capped: 0, rejected: [] },
  },
];
