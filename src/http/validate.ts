// Validation by ajv: schemas are compiled once, and every bad field is named by its JSON pointer.

import { Ajv2020, type ErrorObject } from 'ajv/dist/2020.js';
import { parseDate, parseMonth, parseTimestamp } from '../time.ts';
import { type Fault, Problem, type ProblemCode } from './problem.ts';

const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** Control characters and lone surrogates are refused everywhere: two ids must not meet in one key. */
const isText = (text: string) => !CONTROL.test(text) && text.isWellFormed();

/** What a program sends for a user that it does not know, or what a path swallows. */
export const NO_IDS = new Set(['null', 'undefined', '[object Object]', 'NaN', '.', '..']);

const formats: Record<string, { validate: (text: string) => boolean; detail: string }> = {
  text: { validate: isText, detail: 'must not hold control characters or lone surrogates' },
  id: {
    validate: (text) => isText(text) && !NO_IDS.has(text),
    detail: 'must be an id: no control characters, no lone surrogates, not null, undefined, NaN, . or ..',
  },
  'event type': {
    validate: (text) => /^[\w.:-]*$/.test(text),
    detail: 'must be letters, digits, _ . : or -',
  },
  timestamp: {
    validate: (text) => !Number.isNaN(parseTimestamp(text)),
    detail: 'must be an RFC 3339 time with a zone, like 2026-11-21T08:30:00.000Z',
  },
  date: {
    validate: (text) => !Number.isNaN(parseDate(text)),
    detail: 'must be a date like 2026-11-21',
  },
  month: {
    validate: (text) => !Number.isNaN(parseMonth(text)),
    detail: 'must be a month like 2026-11',
  },
};

// The dialect of OpenAPI 3.1, so that these schemas are its too. With `allErrors` every bad field is named; bodies are bounded and schemas shallow, so that cannot be abused.
const ajv = new Ajv2020({ allErrors: true, strict: true, strictRequired: false });
for (const [name, { validate }] of Object.entries(formats)) ajv.addFormat(name, validate);

export const userId = { type: 'string', minLength: 1, maxLength: 128, format: 'id' } as const;

export const siteId = { type: 'string', minLength: 1, maxLength: 64, format: 'id' } as const;

export const eventType = { type: 'string', minLength: 1, maxLength: 64, format: 'event type' } as const;

/** A check that lets a value through as T, or throws a problem. */
export type Check<T> = (value: unknown) => T;

export function compile<T>(schema: object, code: ProblemCode = 'invalid_body'): Check<T> {
  const validate = ajv.compile(schema);
  return (value) => {
    if (validate(value)) return value as T;
    const faults = (validate.errors ?? []).filter(({ keyword }) => keyword !== 'if').map(faultOf);
    throw new Problem(code, faults.map(({ pointer, detail }) => `${pointer || 'It'} ${detail}`).join('; '), {
      faults,
    });
  };
}

function faultOf(error: ErrorObject): Fault {
  if (error.keyword === 'required' || error.keyword === 'dependentRequired') {
    return { pointer: `${error.instancePath}/${error.params.missingProperty}`, detail: 'is required' };
  }
  return { pointer: error.instancePath, detail: detailOf(error) };
}

function detailOf({ keyword, params, message }: ErrorObject): string {
  switch (keyword) {
    case 'format':
      return formats[params.format]!.detail;
    case 'type':
      return `must be ${/^[ao]/.test(params.type) ? 'an' : 'a'} ${params.type}`;
    case 'minLength':
      return 'must not be empty';
    case 'enum':
      return `must be ${params.allowedValues.join(' or ')}`;
    case 'maxLength':
      return `must be at most ${params.limit} characters`;
    case 'false schema':
      return 'must be left out here';
    default:
      return message ?? 'is wrong';
  }
}

export const text = (maxLength: number) =>
  ({ type: 'string', minLength: 1, maxLength, format: 'text' }) as const;

/** The `:user_id` of a path. */
export const userPath = { type: 'object', properties: { user_id: userId }, required: ['user_id'] };
export const checkUserPath = compile<{ user_id: string }>(userPath, 'invalid_path');

/** A field of a query that is well formed and yet can't be answered. */
export function badQuery(field: string, detail: string): Problem {
  const pointer = `/${field}`;
  return new Problem('invalid_query', `${pointer} ${detail}`, { faults: [{ pointer, detail }] });
}
