// The calls about the service, and what it gives to browsers.

import type { Answer, Call } from './call.ts';
import { ref } from './components.ts';

export const browsers = (
  description: string,
  type: string,
  schema: Answer['schema'] = { type: 'string' },
): Answer[] => [
  { status: 200, description, type, schema, headers: ['ETag', 'Cache-Control'] },
  { status: 304, description: 'It is what you have.', headers: ['ETag', 'Cache-Control'] },
];

export const inHeaders = {
  'If-None-Match': { description: 'The `ETag` of what you have.', schema: { type: 'string' } },
};

const common = { method: 'get', tag: 'The service' } as const;

export const SERVICE: Call[] = [
  {
    ...common,
    path: '/tracker.js',
    operationId: 'readTracker',
    summary: 'Get the script that counts views in a page',
    description: ['Pages of any site may load it.'],
    inHeaders,
    answers: browsers('The script.', 'text/javascript'),
  },
  {
    ...common,
    path: '/livez',
    operationId: 'askIfAlive',
    summary: 'Ask whether the process answers',
    description: [],
    answers: [{ status: 200, description: 'It does.', schema: ref('Alive') }],
    examples: [{ name: 'alive', summary: 'It does', status: 200, answer: { status: 'alive' } }],
  },
  {
    ...common,
    path: '/readyz',
    operationId: 'askIfReady',
    summary: 'Ask whether it can work, or why not',
    description: [],
    answers: [
      { status: 200, description: 'It can.', schema: ref('Ready') },
      { status: 503, description: 'It can’t. This is no problem document.', schema: ref('Unready') },
    ],
    examples: [{ name: 'ready', summary: 'It can', status: 200, answer: { status: 'ready' } }],
  },
  {
    ...common,
    path: '/metrics',
    operationId: 'readMetrics',
    right: 'metrics',
    summary: 'Read the metrics',
    description: ['In Prometheus’s format.'],
    answers: [{ status: 200, description: 'The metrics.', type: 'text/plain', schema: { type: 'string' } }],
  },
  {
    ...common,
    path: '/openapi.json',
    operationId: 'readDescription',
    summary: 'Get this description for tools',
    description: ['OpenAPI 3.1. It is made when the service starts, out of the schemas that validate.'],
    inHeaders,
    answers: browsers('The description.', 'application/json', { type: 'object', additionalProperties: true }),
  },
  {
    ...common,
    path: '/docs',
    operationId: 'readDocs',
    summary: 'Get this description for people',
    description: [],
    inHeaders,
    answers: browsers('A page.', 'text/html'),
  },
  {
    ...common,
    path: '/docs.css',
    operationId: 'readDocsStyle',
    summary: 'Get the style of that page',
    description: [],
    inHeaders,
    answers: browsers('The style.', 'text/css'),
  },
];
