// The description for tools: OpenAPI 3.1, put together from the calls.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProblemCode } from '../http/problem.ts';
import { type Call, type Example, HEADERS, type HeaderName, type Schema } from './call.ts';
import { CALLS } from './calls.ts';
import { SCHEMAS } from './components.ts';
import { CODES, exampleOf, headersOf, problemsOf, statusOf, TOLD } from './problems.ts';
import { described } from './schemas.ts';

const { version, license } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'),
) as { version: string; license: string };

const ABOUT = `Page views in, seven days of behaviour out, a person erased at once.

What was answered \`recorded\` is in the next read. Whatever goes wrong on the way has one answer: send it again; what has an \`event_id\` or a time counts once.

Times are RFC 3339 with a zone, days are UTC. Fields that are not known are ignored. What is wrong is said as problem details (RFC 9457), and \`code\` is what a program may rely on. Every answer has an \`X-Request-Id\`.

A key is shown as \`Authorization: Bearer …\` or \`X-Api-Key\`; a write key also as \`?key=\`, since a beacon has no headers. A service that was given no keys asks for none. An admin key may do everything.

Every path answers \`OPTIONS\` with the methods that it takes in \`Allow\`, and whatever answers \`GET\` answers \`HEAD\` without a body. Another method is a 405, another path a 404.

Examples of one call belong together by their name: with those parameters and that body the answer is this one, if they are sent in the order in which they stand here to a service that holds nothing, at noon of 2026-11-21. \`x-varies\` names what is another each time, \`x-needs\` what the service must have, and \`x-each\` what a line is, or an event of a stream.`;

const TAGS: Record<Call['tag'], string> = {
  Events: 'What comes in. Each of these may be posted by pages of any site, and by their beacons.',
  Profiles: 'How a user has behaved in the last seven days.',
  Audiences: 'How many people saw a page, or logged in.',
  Sites: 'How a site did.',
  'A person’s data': 'What is held of a person, and how it is forgotten.',
  'The service': 'How it is, and what it gives to browsers.',
};

const KINDS = {
  write: 'a write key',
  read: 'a read key',
  admin: 'an admin key',
  metrics: 'a metrics key',
  any: 'a key of any kind',
};

/** Problem details have a media type of their own. */
const PROBLEM = 'application/problem+json';

type Json = Record<string, unknown>;

export function openapi(calls: Call[] = CALLS): Json {
  const paths: Record<string, Json> = {};
  const responses: Record<string, Json> = {};
  const known = (codes: ProblemCode[]) => {
    const name = codes.join('.');
    responses[name] ??= problemResponse(codes);
    return { $ref: `#/components/responses/${name}` };
  };
  for (const call of calls) {
    const path = call.path.replace(/:(\w+)/g, '{$1}');
    paths[path] ??= {};
    paths[path][call.method] = operation(call, known);
  }
  known(['not_found']);
  known(['method_not_allowed']);
  return {
    openapi: '3.1.0',
    info: { title: 'Footfall', version, description: ABOUT, license: { name: license, identifier: license } },
    servers: [{ url: '.' }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: Object.fromEntries(Object.entries(SCHEMAS).map(([name, schema]) => [name, described(schema)])),
      responses,
      headers: Object.fromEntries(
        Object.entries(HEADERS).map(([name, { description, schema }]) => [
          name,
          { description, schema: described(schema) },
        ]),
      ),
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'A key as `Authorization: Bearer …`.' },
        header: { type: 'apiKey', in: 'header', name: 'X-Api-Key', description: 'A key in a header.' },
        url: {
          type: 'apiKey',
          in: 'query',
          name: 'key',
          description: 'A write key in the URL, for beacons. No other key is taken there.',
        },
      },
    },
    'x-problems': Object.fromEntries(
      CODES.map((code) => {
        const { when, remedy } = TOLD[code];
        return [code, { status: statusOf(code), when, remedy }];
      }),
    ),
  };
}

function operation(call: Call, known: (codes: ProblemCode[]) => Json): Json {
  const { operationId, tag, summary, description, right, answers, body, examples = [] } = call;
  const needs = right ? `Needs ${KINDS[right]}.` : 'Needs no key.';
  const parameters = parametersOf(call);
  const responses: Record<string, Json> = {};
  for (const { status, description, type = 'application/json', schema, each, headers = [] } of answers) {
    const content = schema && {
      [type]: {
        schema: described(schema),
        ...examplesOf(examples, (one) => (one.status === status ? one.answer : undefined)),
        ...(each && { 'x-each': each }),
      },
    };
    responses[status] = {
      description,
      headers: headerRefs(['X-Request-Id', ...headers]),
      ...(content && { content }),
    };
  }
  for (const [status, codes] of byStatus(problemsOf(call))) responses[status] = known(codes);
  return {
    operationId,
    tags: [tag],
    summary,
    description: [...description, needs].join('\n\n'),
    security: securityOf(call),
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: requestBody(body, examples) }),
    responses,
  };
}

/** Of schemes that know no scopes the names are roles. Only a write key is taken from a URL. */
function securityOf({ right }: Call): Json[] {
  if (!right) return [];
  const roles = right === 'any' ? [] : [right];
  const schemes = ['bearer', 'header', ...(right === 'write' || right === 'any' ? ['url'] : [])];
  return schemes.map((scheme) => ({ [scheme]: roles }));
}

function parametersOf({ inPath, inQuery, inHeaders = {}, examples = [] }: Call): Json[] {
  const of = (place: 'path' | 'query', schema: Schema | undefined, sent: 'inPath' | 'inQuery') => {
    const { properties = {}, required = [] } = schema ? described(schema) : {};
    return Object.entries(properties as Record<string, Schema>).map(([name, { description, ...schema }]) => ({
      ...{ name, in: place, description },
      required: (required as string[]).includes(name),
      schema,
      ...examplesOf(examples, (one) => one[sent]?.[name]),
    }));
  };
  const headers = Object.entries(inHeaders).map(([name, { description, schema }]) => ({
    ...{ name, in: 'header', description, required: false, schema: described(schema) },
    ...examplesOf(examples, (one) => one.inHeaders?.[name]),
  }));
  return [...of('path', inPath, 'inPath'), ...of('query', inQuery, 'inQuery'), ...headers];
}

function requestBody(body: Record<string, Schema>, examples: Example[]): Json {
  const content = Object.entries(body).map(([media, schema]) => [
    media,
    {
      schema: described(schema),
      ...examplesOf(examples, ({ type = 'application/json', body }) => (type === media ? body : undefined)),
      ...(media.endsWith('ndjson') && { 'x-each': { $ref: '#/components/schemas/BatchEvent' } }),
    },
  ]);
  return { required: true, content: Object.fromEntries(content) };
}

function examplesOf(examples: Example[], partOf: (example: Example) => unknown): { examples?: Json } {
  const shown = examples.flatMap((example) => {
    const value = partOf(example);
    if (value === undefined) return [];
    const { name, summary, varies, needs } = example;
    return [
      [name, { summary, value, ...(varies && { 'x-varies': varies }), ...(needs && { 'x-needs': needs }) }],
    ];
  });
  return shown.length > 0 ? { examples: Object.fromEntries(shown) } : {};
}

function problemResponse(codes: ProblemCode[]): Json {
  const status = statusOf(codes[0]!);
  const own = {
    type: 'object',
    properties: { status: { const: status }, code: { enum: codes } },
    required: ['status', 'code'],
  };
  const examples = codes.map((code) => [code, { summary: TOLD[code].when, value: exampleOf(code) }]);
  return {
    description: codes.map((code) => `\`${code}\`: ${TOLD[code].when}`).join('\n\n'),
    headers: headerRefs(headersOf(status)),
    content: {
      [PROBLEM]: {
        schema: { allOf: [{ $ref: '#/components/schemas/Problem' }, own] },
        examples: Object.fromEntries(examples),
      },
    },
  };
}

function headerRefs(names: HeaderName[]): Json {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

function byStatus(codes: ProblemCode[]): Map<number, ProblemCode[]> {
  const found = new Map<number, ProblemCode[]>();
  for (const code of codes) found.set(statusOf(code), [...(found.get(statusOf(code)) ?? []), code]);
  return found;
}
