// The schemas that validate, as everybody's tools read them: their own formats become standard ones and patterns, and
// each field says what it is.

import { NO_IDS } from '../http/validate.ts';
import type { Schema } from './call.ts';

/** No control characters, no lone surrogates. Backslash and x is read by more tools than backslash and u. */
const TEXT = '^[^\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff]*$';
const TIME = '^\\d{4}-\\d\\d-\\d\\d[Tt]\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?([Zz]|[+-]\\d\\d:\\d\\d)$';

const FORMATS: Record<string, Schema> = {
  text: { pattern: TEXT },
  id: { pattern: TEXT, not: { enum: [...NO_IDS] } },
  'event type': { pattern: '^[A-Za-z0-9_.:-]*$' },
  timestamp: { format: 'date-time', pattern: TIME },
  'date-time': { format: 'date-time' },
  date: { format: 'date', pattern: '^\\d{4}-\\d\\d-\\d\\d$' },
  month: { pattern: '^\\d{4}-(0[1-9]|1[0-2])$' },
};

/** By the name of the field, which means the same everywhere. */
const FIELDS: Record<string, string> = {
  user_id:
    'Who it is: your own id of them, up to 128 characters. Ids that a mistake makes, like `null` or `undefined`, are refused.',
  name: 'The page’s name. Where there is none it is the `url`.',
  url: 'The page’s address; by it its visitors are counted.',
  timestamp: 'When it was, in RFC 3339 with a zone, to the millisecond.',
  age_ms:
    'In place of a `timestamp`: how many milliseconds ago it was, whatever the sender’s clock says. It needs an `event_id`.',
  event_id: 'Makes it safe to send again: of one user’s events with one `event_id`, one counts.',
  site_id: 'Which site it is on; the site’s report has it.',
  event_type:
    'What happened: letters, digits, `_`, `.`, `:` and `-`. A `page_view` is a page view whose name is the path.',
  path: 'Where on the site.',
  login_time: 'When they logged in, in RFC 3339 with a zone; up to 35 days ago.',
  user_ids: 'Up to 500; the answer has their order.',
  type: 'What it is; `page` where it is left out.',
  days: 'Over how many days, of which today is the last; 7 where it is left out.',
  date: 'A day of UTC.',
  month: 'A month of UTC.',
  from: 'The first day, of UTC. Without it there are seven days.',
  to: 'The last day, of UTC. Without it, today.',
  user_sig:
    'Needed where the service wants users signed: the HMAC-SHA-256 of `user_id` in hex, made by the site’s own server with the signing secret.',
  id: 'The `erasure_id` of a receipt.',
};

const INNER_LISTS = ['allOf', 'anyOf', 'oneOf'];
const INNER = ['if', 'then', 'else', 'not', 'items', 'additionalProperties'];
const INNER_MAPS = ['properties', 'dependentSchemas'];
const PLAIN = new Set([
  ...['$ref', 'type', 'enum', 'const', 'description', 'required', 'dependentRequired', 'pattern', 'default'],
  ...[
    'minLength',
    'maxLength',
    'minItems',
    'maxItems',
    'minimum',
    'maximum',
    'contentMediaType',
    'contentSchema',
  ],
]);

/** Throws on a word that is not known here, so that nothing gets into the description that says nothing. */
export function described(schema: Schema): Schema {
  const entries = Object.entries(schema).flatMap(([word, value]): [string, unknown][] => {
    if (word === 'format') return Object.entries(formatOf(String(value)));
    if (INNER_LISTS.includes(word)) return [[word, (value as Schema[]).map(described)]];
    if (INNER.includes(word) || word === 'contentSchema') return [[word, inner(value)]];
    if (INNER_MAPS.includes(word)) {
      const isNamed = word === 'properties';
      const each = Object.entries(value as Record<string, Schema | boolean>).map(([name, one]) => [
        name,
        isNamed && typeof one === 'object' ? withMeaning(name, one) : inner(one),
      ]);
      return [[word, Object.fromEntries(each)]];
    }
    if (PLAIN.has(word)) return [[word, value]];
    throw new Error(`the description knows no schema's ${word}`);
  });
  return Object.fromEntries(entries);
}

const inner = (value: unknown) => (typeof value === 'boolean' ? value : described(value as Schema));

function withMeaning(name: string, schema: Schema): Schema {
  const description = schema.description ?? FIELDS[name];
  return described({ ...(description !== undefined && { description }), ...schema });
}

function formatOf(name: string): Schema {
  const format = FORMATS[name];
  if (!format) throw new Error(`the description knows no format ${name}`);
  return format;
}
