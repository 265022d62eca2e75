// The calls that the dashboard lives on, and its files.

import { userPath } from '../http/validate.ts';
import type { Call } from './call.ts';
import { ref } from './components.ts';
import { browsers, inHeaders } from './service.ts';

const quietDay = (date: string) => ({ date, views: 0, seconds: 0, left_out: 0, visits: [] });

const common = { method: 'get', tag: 'The service' } as const;

const files: [path: string, operationId: string, summary: string, type: string][] = [
  ['/', 'readDashboard', 'Get the dashboard', 'text/html'],
  ['/dashboard/main.js', 'readDashboardScript', 'Get its script', 'text/javascript'],
  ['/dashboard/main.css', 'readDashboardStyle', 'Get its style', 'text/css'],
  ['/dashboard/icon.svg', 'readDashboardIcon', 'Get its icon', 'image/svg+xml'],
];

export const VISITS: Call = {
  method: 'get',
  path: '/v1/user/:user_id/visits',
  operationId: 'readVisits',
  tag: 'Profiles',
  right: 'read',
  summary: 'Read how the numbers of a profile came about',
  description: [
    'The views of the window one by one, up to 200 a day, and which of the steps between them count as time spent.',
  ],
  inPath: userPath,
  answers: [
    {
      status: 200,
      description: 'Pages, and seven days of views.',
      schema: ref('Visits'),
      headers: ['Cache-Control'],
    },
  ],
  problems: ['damaged'],
  examples: [
    {
      name: 'visits',
      summary: 'Two views of today',
      inPath: { user_id: '019mr8mf4s' },
      status: 200,
      answer: {
        user_id: '019mr8mf4s',
        session_gap_seconds: 1800,
        pages: [
          { name: 'Home', views: 1 },
          { name: 'Pricing', views: 1 },
        ],
        pages_total: 2,
        days: [
          ...['15', '16', '17', '18', '19', '20'].map((day) => quietDay(`2026-11-${day}`)),
          {
            ...{ date: '2026-11-21', views: 2, seconds: 480, left_out: 0 },
            visits: [
              { at: '2026-11-21T11:50:00.000Z', page: null, step_seconds: null, counted: false },
              { at: '2026-11-21T11:58:00.000Z', page: 'Home', step_seconds: 480, counted: true },
            ],
          },
        ],
      },
    },
  ],
};

export const DASHBOARD: Call[] = [
  {
    ...common,
    path: '/v1/key',
    operationId: 'readKey',
    right: 'any',
    summary: 'Ask what a key may do',
    description: ['And what a page has to know of the service before it asks for anything.'],
    answers: [
      {
        status: 200,
        description: 'What may be done.',
        schema: ref('KeyState'),
        headers: ['Cache-Control'],
      },
    ],
    examples: [
      {
        name: 'open',
        summary: 'Of a service that was given no keys',
        status: 200,
        answer: {
          ...{ keys: false, may: ['write', 'read', 'admin', 'metrics'], archive: false },
          ...{ time_spent_unit: 'minutes', session_gap_seconds: 1800, report_days: 35 },
        },
      },
    ],
  },
  {
    ...common,
    path: '/v1/live',
    operationId: 'listen',
    right: 'metrics',
    summary: 'Listen to the figures of the service',
    description: [
      'Server-sent events named `figures`, one a second, until either side ends it. A connection carries one of them, a process a hundred.',
    ],
    answers: [
      {
        status: 200,
        description: 'An answer that does not end.',
        type: 'text/event-stream',
        schema: { type: 'string' },
        each: ref('Figures'),
        headers: ['Cache-Control'],
      },
    ],
    problems: ['overloaded'],
  },
  ...files.map(
    ([path, operationId, summary, type]): Call => ({
      ...{ ...common, path, operationId, summary, description: [], inHeaders },
      answers: browsers('As the build made it.', type),
    }),
  ),
];
