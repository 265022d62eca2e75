// The calls that read about users, pages and sites.

import { dateQuery, monthQuery } from '../audiences/readUniques.ts';
import { visitorsQuery } from '../audiences/readVisitors.ts';
import { userPath } from '../http/validate.ts';
import { reportQuery, sitePath } from '../sites/readReport.ts';
import type { Answer, Call, Schema } from './call.ts';
import { ref } from './components.ts';

const found = (description: string, schema: Schema): Answer => ({
  status: 200,
  description,
  schema,
  headers: ['Cache-Control'],
});

const inPath = { user_id: '019mr8mf4r' };

/** Views, minutes, days, page. */
const profile = (user_id: string, [views, minutes, days, page]: [number, number, number, string | null]) => ({
  user_id,
  number_pages_viewed_in_the_last_7_days: views,
  time_spent_on_site_in_last_7_days: minutes,
  number_of_days_active_in_last_7_days: days,
  most_viewed_page_in_last_7_days: page,
});

const nobody = (user_id: string) => profile(user_id, [0, 0, 0, null]);
const emptyDay = (date: string) => ({ date, views: 0, seconds: 0, most_viewed_page: null });
const quietDay = (date: string) => ({ date, views: 0, unique_users: 0 });

const readProfile: Call = {
  method: 'get',
  path: '/v1/user/:user_id',
  operationId: 'readProfile',
  tag: 'Profiles',
  right: 'read',
  summary: 'Read how a user has behaved in the last seven days',
  description: [
    'The seven days are today (UTC) and the six days before it. Somebody unknown has an empty profile.',
  ],
  inPath: userPath,
  answers: [found('The profile.', ref('Profile'))],
  problems: ['damaged'],
  examples: [
    {
      name: 'known',
      summary: 'Somebody who was there',
      inPath,
      status: 200,
      answer: profile('019mr8mf4r', [3, 30, 1, '/checkout']),
    },
    {
      name: 'unknown',
      summary: 'Somebody unknown',
      inPath: { user_id: 'nobody' },
      status: 200,
      answer: nobody('nobody'),
    },
    { name: 'invalid_path', summary: 'A mistake', inPath: { user_id: 'undefined' }, status: 400 },
  ],
};

const { inPath: _none, ...ofLogin } = readProfile;

export const READS: Call[] = [
  readProfile,
  {
    ...ofLogin,
    path: '/v1/user/login',
    operationId: 'readProfileOfLogin',
    summary: 'Read the profile of a user named `login`',
    description: ['The same as of any other user. It is apart here since logins are sent to this path.'],
    examples: [{ name: 'login', summary: 'Nobody’s name so far', status: 200, answer: nobody('login') }],
  },
  {
    method: 'get',
    path: '/v1/user/:user_id/days',
    operationId: 'readDays',
    tag: 'Profiles',
    right: 'read',
    summary: 'Read the same day by day',
    description: ['Seven rows, oldest first; the last is today.'],
    inPath: userPath,
    answers: [found('Seven days.', { type: 'array', minItems: 7, maxItems: 7, items: ref('ProfileDay') })],
    problems: ['damaged'],
    examples: [
      {
        name: 'days',
        summary: 'Active today',
        inPath,
        status: 200,
        answer: [
          ...['15', '16', '17', '18', '19', '20'].map((day) => emptyDay(`2026-11-${day}`)),
          { date: '2026-11-21', views: 3, seconds: 1800, most_viewed_page: '/checkout' },
        ],
      },
    ],
  },
  {
    method: 'post',
    path: '/v1/users/profiles',
    operationId: 'readProfiles',
    tag: 'Profiles',
    right: 'read',
    summary: 'Read the profiles of many users',
    description: ['Up to 500, answered in the order asked.'],
    body: { 'application/json': ref('UserIds') },
    answers: [found('The profiles.', ref('Profiles'))],
    problems: ['damaged'],
    examples: [
      {
        name: 'two',
        summary: 'Two users',
        body: { user_ids: ['nobody', '019mr8mf4s'] },
        status: 200,
        answer: { profiles: [nobody('nobody'), profile('019mr8mf4s', [2, 8, 1, 'Home'])] },
      },
    ],
  },
  {
    method: 'get',
    path: '/v1/page/visitors',
    operationId: 'countVisitors',
    tag: 'Audiences',
    right: 'read',
    summary: 'Count the people who saw a page',
    description: [
      'By its `url` or its `name`, one of which it needs; with `site_id` on that site. The count is exact at any size.',
    ],
    inQuery: visitorsQuery,
    answers: [found('How many.', ref('Visitors'))],
    examples: [
      {
        name: 'byUrl',
        summary: 'In the last seven days, by url',
        inQuery: { url: 'https://example.com/pricing' },
        status: 200,
        answer: { url: 'https://example.com/pricing', days: 7, distinct_visitors: 3, exact: true },
      },
      {
        name: 'byName',
        summary: 'Today, by name, on a site',
        inQuery: { name: 'Pricing', days: '1', site_id: 'shop' },
        status: 200,
        answer: { name: 'Pricing', site_id: 'shop', days: 1, distinct_visitors: 1, exact: true },
      },
    ],
  },
  {
    method: 'get',
    path: '/v1/user/uniques/daily',
    operationId: 'countDailyUniques',
    tag: 'Audiences',
    right: 'read',
    summary: 'Count the users who logged in on a day',
    description: ['Days of up to 400 days ago are kept.'],
    inQuery: dateQuery,
    answers: [found('How many.', ref('DailyUniques'))],
    examples: [
      {
        name: 'day',
        summary: 'Today',
        inQuery: { date: '2026-11-21' },
        status: 200,
        answer: { date: '2026-11-21', unique_users: 1 },
      },
      { name: 'invalid_query', summary: 'No date', inQuery: { date: 'yesterday' }, status: 400 },
    ],
  },
  {
    method: 'get',
    path: '/v1/user/uniques/monthly',
    operationId: 'countMonthlyUniques',
    tag: 'Audiences',
    right: 'read',
    summary: 'Count the users who logged in in a month',
    description: ['Whoever logged in on several days counts once.'],
    inQuery: monthQuery,
    answers: [found('How many.', ref('MonthlyUniques'))],
    examples: [
      {
        name: 'month',
        summary: 'This month',
        inQuery: { month: '2026-11' },
        status: 200,
        answer: { month: '2026-11', unique_users: 2 },
      },
    ],
  },
  {
    method: 'get',
    path: '/v1/site/:site_id/report',
    operationId: 'readSiteReport',
    tag: 'Sites',
    right: 'read',
    summary: 'Read how a site did',
    description: [
      'Day by day, over up to 35 days; without `from` and `to` over the last seven. A view’s path is its `url`, or its name where it has none.',
      'With an archive a report may span 400 days and reach back to its beginning. Days that Redis no longer holds come from Postgres; without Postgres such a report is a 503.',
    ],
    inPath: sitePath,
    inQuery: reportQuery,
    answers: [found('The report.', ref('SiteReport'))],
    examples: [
      {
        name: 'report',
        summary: 'Yesterday and today',
        inPath: { site_id: 'shop' },
        inQuery: { from: '2026-11-20' },
        status: 200,
        answer: {
          site_id: 'shop',
          from: '2026-11-20',
          to: '2026-11-21',
          views: 4,
          unique_users: 3,
          exact: true,
          events_by_type: { page_view: 4, click: 2, purchase: 1 },
          top_paths: [
            { path: 'https://example.com/pricing', views: 3 },
            { path: '/checkout', views: 1 },
          ],
          days: [quietDay('2026-11-20'), { date: '2026-11-21', views: 4, unique_users: 3 }],
        },
      },
    ],
  },
];
