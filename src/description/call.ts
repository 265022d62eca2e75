// What is said of a call.

import type { Right } from '../answers.ts';
import type { ProblemCode } from '../http/problem.ts';
import { OUTCOMES } from '../live/totals.ts';

export type Schema = Readonly<Record<string, unknown>>;

export type Tag = 'Events' | 'Profiles' | 'Audiences' | 'Sites' | 'A person’s data' | 'The service';

export interface Call {
  method: 'get' | 'post' | 'delete';
  /** As the app has it: `/v1/user/:user_id`. */
  path: string;
  operationId: string;
  tag: Tag;
  /** Left out where no key is needed; `any` is content with any good one. */
  right?: Right | 'any';
  summary: string;
  /** Paragraphs. */
  description: string[];
  /** The schemas that validate; each describes an object of parameters. */
  inPath?: Schema;
  inQuery?: Schema;
  inHeaders?: Record<string, { description: string; schema: Schema }>;
  /** By media type. */
  body?: Record<string, Schema>;
  answers: Answer[];
  /** What it may answer beside what its key, its path, its query and its body make possible. */
  problems?: ProblemCode[];
  /** They are sent in this order, after those of the calls before. */
  examples?: Example[];
}

export interface Answer {
  status: number;
  description: string;
  /** `application/json` where it is left out; without a schema there is no body. */
  type?: string;
  schema?: Schema;
  /** Of a body that goes on, as lines or events: what each of them is. */
  each?: Schema;
  headers?: HeaderName[];
}

/** A request, and what is answered to a service that was sent all those before at noon of 2026-11-21. */
export interface Example {
  /** In the description it is the key of what is sent and of what is answered. A problem's is its code. */
  name: string;
  summary: string;
  inPath?: Record<string, string>;
  inQuery?: Record<string, string>;
  inHeaders?: Record<string, string>;
  body?: unknown;
  /** The body's, `application/json` where it is left out. */
  type?: string;
  status: number;
  /** Left out where it is a problem: then it is that problem's. */
  answer?: unknown;
  /** JSON pointers into the answer: what is another each time. */
  varies?: string[];
  /** What the service must have, so that this is its answer. */
  needs?: 'archive';
}

export type HeaderName = keyof typeof HEADERS;

export const OUTCOME = { enum: [...OUTCOMES] };

/** Headers of answers. */
export const HEADERS = {
  'X-Request-Id': {
    description:
      'Ties the answer to a line of the log. An id that the request brought is kept if it is a UUID or hex.',
    schema: { type: 'string', pattern: '^[0-9A-Za-z-]{8,}$' },
  },
  'Retry-After': {
    description: 'So many seconds later it is worth another try.',
    schema: { type: 'integer', minimum: 1 },
  },
  RateLimit: {
    description: 'Which limit is used up, and in how many seconds (`t`) it is open again.',
    schema: { type: 'string', pattern: '^"\\w+";r=0;t=\\d+$' },
  },
  'RateLimit-Policy': {
    description: 'The limit: so many (`q`) in so many seconds (`w`).',
    schema: { type: 'string', pattern: '^"\\w+";q=\\d+;w=\\d+$' },
  },
  'WWW-Authenticate': {
    description: 'How a key is shown.',
    schema: { type: 'string', pattern: '^Bearer realm="footfall"' },
  },
  Allow: {
    description: 'The methods that this path takes.',
    schema: { type: 'string', pattern: '^[A-Z]+(, [A-Z]+)*$' },
  },
  Accept: { description: 'The media types that are read here.', schema: { type: 'string' } },
  'Accept-Encoding': { description: 'The encoding that is read here.', schema: { const: 'gzip' } },
  'Footfall-Status': {
    description: 'What became of the view.',
    schema: { type: 'string', ...OUTCOME },
  },
  'Preference-Applied': {
    description: 'The preference was followed.',
    schema: { const: 'return=representation' },
  },
  'Cache-Control': { description: 'How long it may be kept.', schema: { type: 'string' } },
  ETag: {
    description: 'Send it back as `If-None-Match`.',
    schema: { type: 'string', pattern: '^"[\\w-]+"$' },
  },
} as const satisfies Record<string, { description: string; schema: Schema }>;
