// The description as tools get it, and what checks answers by it.

import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { ErasureState } from '../../src/answers.ts';
import { openapi } from '../../src/description/openapi.ts';
import {
  callsIn,
  type Described,
  type Document,
  examplesIn,
  type JsonSchema,
  lastOf,
  type Response,
  responseOf,
  type Sendable,
} from '../../src/description/reading.ts';
import type { Services } from '../../src/services.ts';
import type { Reply, Sent } from './http.ts';

/** Through JSON, as it goes out. */
export const DOCUMENT = JSON.parse(JSON.stringify(openapi())) as Document;

export const DESCRIBED: Described[] = callsIn(DOCUMENT);

export const nameOf = ({ method, path }: Described) => `${method.toUpperCase()} ${path}`;

/** As far as calls need one: it knows an erasure that is done, and none besides. */
export const ARCHIVE = {
  erasures: {
    state: async (id: string) => (id === DONE.erasure_id ? DONE : undefined),
    isDoneSoon: async () => true,
  },
} as unknown as NonNullable<Services['archive']>;

const DONE: ErasureState = {
  erasure_id: '0-1795877715735-0',
  archive: 'done',
  done_at: '2026-11-28T14:55:15.983Z',
  rows_deleted: 1,
};

/** One that is good, out of the examples; where there is none, nothing is needed. */
export function goodRequest(call: Described): Sent {
  const { method, path } = call;
  const good = examplesOf(call).find(({ status }) => status < 300);
  const { body, ...sent } = good ?? { method: method.toUpperCase(), path, headers: {}, body: undefined };
  return { method: sent.method, path: sent.path, headers: sent.headers, ...(body !== undefined && { body }) };
}

export const examplesOf = (call: Described): Sendable[] => examplesIn(DOCUMENT, call);

/** The codes of all problems that it may answer. */
export const problemsOf = ({ operation }: Described): string[] =>
  Object.values(operation.responses).flatMap(({ $ref }) => ($ref ? lastOf($ref).split('.') : []));

const PATTERN = /^(\d{4})-(\d\d)-(\d\d)$/;

function isDate(text: string): boolean {
  const [, year, month, day] = (PATTERN.exec(text) ?? []).map(Number);
  if (year === undefined) return false;
  const date = new Date(Date.UTC(2000, 0, 1));
  date.setUTCFullYear(year, month! - 1, day);
  return date.getUTCFullYear() === year && date.getUTCMonth() === month! - 1 && date.getUTCDate() === day;
}

/** RFC 3339, by a road of its own. */
function isDateTime(text: string): boolean {
  const found = /^(.{10})[Tt](\d\d):(\d\d):(\d\d)(\.\d+)?([Zz]|[+-](\d\d):(\d\d))$/.exec(text);
  if (!found) return false;
  const [, date, hour, minute, second, , , zoneHour = '0', zoneMinute = '0'] = found;
  const inRange =
    Number(hour) < 24 &&
    Number(minute) < 60 &&
    Number(second) <= 60 &&
    Number(zoneHour) < 24 &&
    Number(zoneMinute) < 60;
  return isDate(date!) && inRange;
}

function ajvOver(document: object): Ajv2020 {
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateSchema: false });
  ajv.addFormat('date', isDate);
  ajv.addFormat('date-time', isDateTime);
  return ajv.addSchema(document, 'description');
}

/** The same document, where an object may have no field but those that it describes. */
function closed(node: unknown, isPart = false): unknown {
  if (Array.isArray(node)) return node.map((one) => closed(one, isPart));
  if (typeof node !== 'object' || node === null) return node;
  const entries = Object.entries(node).map(([word, value]) => [word, closed(value, word === 'allOf')]);
  const copy = Object.fromEntries(entries) as JsonSchema;
  const isObject = 'properties' in copy && !isPart && !('additionalProperties' in copy);
  return isObject ? { ...copy, unevaluatedProperties: false } : copy;
}

const open = ajvOver(DOCUMENT);
const strict = ajvOver(closed(DOCUMENT) as object);

const pointer = (parts: string[]) =>
  parts.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/');

const compiled = new Map<string, ValidateFunction>();

/** What is wrong with a value by the schema at a place of the document. */
function faultsBy(ajv: Ajv2020, place: string[], value: unknown): string[] {
  const $ref = `description#/${pointer(place)}`;
  const name = `${ajv === strict} ${$ref}`;
  const validate = compiled.get(name) ?? ajv.compile({ $ref });
  compiled.set(name, validate);
  validate(value);
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
}

/** Whether a body is one that a call takes, as it is described. */
export const isTaken = ({ method, path }: Described, type: string, value: unknown): boolean =>
  faultsBy(open, ['paths', path, method, 'requestBody', 'content', type, 'schema'], value).length === 0;

/** The same of a parameter. */
export function isParameter({ method, path, operation }: Described, name: string, value: unknown): boolean {
  const index = operation.parameters!.findIndex((parameter) => parameter.name === name);
  const place = ['paths', path, method, 'parameters', String(index), 'schema'];
  return faultsBy(open, place, value).length === 0;
}

const typeOf = (header: string | undefined) => header?.split(';')[0];

/** What is wrong with a value by a schema that has a name; nothing of it may be left undescribed. */
export const strayFrom = (schema: string, value: unknown): string[] =>
  faultsBy(strict, ['components', 'schemas', schema], value);

/** What an answer has that is not described, or lacks. Nothing of an answer may be left undescribed. */
export function strayIn({ method, path, operation }: Described, reply: Reply, withBody = true): string[] {
  const { status, headers, text, body } = reply;
  const given = operation.responses[status];
  if (!given) return [`no status ${status}`];
  const response: Response = responseOf(DOCUMENT, given);
  const stray = strayHeaders(response, reply, given.$ref !== undefined);
  const type = typeOf(headers['content-type']);
  const types = Object.keys(response.content ?? {});
  if (!withBody || types.length === 0) return text === '' ? stray : [...stray, 'a body'];
  if (!type || !types.includes(type)) return [...stray, `its type ${type}`];
  const root = given.$ref
    ? given.$ref.slice(2).split('/')
    : ['paths', path, method, 'responses', String(status)];
  const place = [...root, 'content', type];
  const faults = faultsBy(
    strict,
    [...place, 'schema'],
    /json$/.test(type) && !type.endsWith('ndjson') ? body : text,
  );
  if (!response.content![type]!['x-each'] || !type.endsWith('ndjson')) return [...stray, ...faults];
  const lines = text.split('\n').slice(0, -1);
  return [
    ...stray,
    ...faults,
    ...lines.flatMap((line) => faultsBy(strict, [...place, 'x-each'], JSON.parse(line))),
  ];
}

/** What comes with every problem of which it is said; other headers fit some problems of a status only. */
const ALWAYS = ['X-Request-Id', 'Retry-After', 'Allow'];

function strayHeaders(response: Response, { headers }: Reply, isProblem: boolean): string[] {
  const described = Object.keys(response.headers ?? {});
  const due = isProblem ? described.filter((name) => ALWAYS.includes(name)) : described;
  const stray = due.filter((name) => headers[name.toLowerCase()] === undefined).map((name) => `no ${name}`);
  for (const name of Object.keys(DOCUMENT.components.headers)) {
    const value = headers[name.toLowerCase()];
    if (value === undefined) continue;
    if (!described.includes(name)) stray.push(`a header ${name}`);
    const { type } = DOCUMENT.components.headers[name]!.schema;
    const faults = faultsBy(
      open,
      ['components', 'headers', name, 'schema'],
      type === 'integer' ? Number(value) : value,
    );
    stray.push(...faults.map((fault) => `${name}: ${value} ${fault}`));
  }
  return stray;
}
