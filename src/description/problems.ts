// What is said of each problem: when it comes, what to do, and how it looks.

import { PROBLEMS, Problem, type ProblemCode, problemBody } from '../http/problem.ts';
import type { Call, HeaderName } from './call.ts';

interface Told {
  when: string;
  remedy: string;
  /** As in the example. */
  detail: string;
  errors?: { pointer: string; detail: string }[];
}

const PATH = 'must be an id: no control characters, no lone surrogates, not null, undefined, NaN, . or ..';
const SIGNATURE = 'must be the HMAC-SHA-256 of user_id in hex, made with the signing secret';
const AHEAD = 'is more than 5 minutes ahead of the clock here';

export const TOLD: Record<ProblemCode, Told> = {
  invalid_json: {
    when: 'The body is no JSON, no UTF-8, or no gzip though it says so.',
    remedy: 'Mend the sender. Sent again, it fails again.',
    detail: 'The body is not JSON.',
  },
  invalid_body: {
    when: 'A field is missing or wrong. `errors` names each by its JSON pointer.',
    remedy: 'Mend the fields. Sent again, it fails again.',
    detail: '/user_id must not be empty',
    errors: [{ pointer: '/user_id', detail: 'must not be empty' }],
  },
  invalid_path: {
    when: 'What stands in the path can’t be an id, or is not percent-encoded UTF-8.',
    remedy: 'Encode ids, each as one segment of the path, and send none for a user that is not known.',
    detail: `/user_id ${PATH}`,
    errors: [{ pointer: '/user_id', detail: PATH }],
  },
  invalid_query: {
    when: 'A field of the query is missing, wrong, or asks for days that are not kept.',
    remedy: 'Mend the fields that `errors` names.',
    detail: '/date must be a date like 2026-11-21',
    errors: [{ pointer: '/date', detail: 'must be a date like 2026-11-21' }],
  },
  timestamp_in_future: {
    when: 'The event’s time is more than five minutes ahead of the service’s clock.',
    remedy: 'Set the sender’s clock, or send `age_ms` in place of a time.',
    detail: `/timestamp ${AHEAD}`,
    errors: [{ pointer: '/timestamp', detail: AHEAD }],
  },
  unauthorized: {
    when: 'There is no good key.',
    remedy: 'Send a key as `Authorization: Bearer …` or `X-Api-Key`.',
    detail: 'It needs a key, as Authorization: Bearer … or X-Api-Key.',
  },
  forbidden: {
    when: 'The key is good, and of another kind than this call needs.',
    remedy: 'Use a key of the kind that `detail` names.',
    detail: 'This key may not do that: it needs a read key.',
  },
  bad_signature: {
    when: 'The service wants users signed, and `user_sig` is missing or not this user’s.',
    remedy: 'Have your server sign the `user_id`, with the secret that the service has now.',
    detail: `/user_sig ${SIGNATURE}`,
    errors: [{ pointer: '/user_sig', detail: SIGNATURE }],
  },
  not_found: {
    when: 'No call has this path, or there was no such erasure.',
    remedy: 'Look at the path; paths end without a slash and heed capitals.',
    detail: 'No call has this path.',
  },
  method_not_allowed: {
    when: 'The path has other methods; `Allow` names them.',
    remedy: 'Use one of those.',
    detail: 'This path takes GET, HEAD, OPTIONS, not POST.',
  },
  payload_too_large: {
    when: 'The body has too many bytes, events, or parts.',
    remedy: 'Send less at once: an event of up to 64 KiB, a batch of up to 1,000 events and 1 MiB.',
    detail: 'The body may be 65536 bytes at most.',
  },
  unsupported_media_type: {
    when: 'The body is of a type, a charset or an encoding that is not read here.',
    remedy: 'Send one of the types of this call, in UTF-8, as it is or as gzip.',
    detail: 'Send application/json or text/plain that holds JSON, in UTF-8.',
  },
  too_many_requests: {
    when: 'This address, key or user has sent too much at once.',
    remedy: 'Wait as `Retry-After` says and send it again.',
    detail: 'There is too much from this address at once.',
  },
  too_many_new_users: {
    when: 'This address has brought too many users that nobody knew. Known ones go on counting.',
    remedy: 'Wait as `Retry-After` says and send it again.',
    detail: 'This address has brought too many new users. Known ones go on counting; send it again later.',
  },
  damaged: {
    when: 'Somebody else has written into Redis, so that what is stored of this user can’t be read.',
    remedy: 'Erase the user, which repairs it. Others are not concerned.',
    detail:
      'A key of this user holds something else than it should. Nothing was changed; erasing the user repairs it.',
  },
  internal: {
    when: 'Something is wrong in the service.',
    remedy: 'Send it again once; tell its operator the `X-Request-Id`.',
    detail: 'It is logged under the request id.',
  },
  overloaded: {
    when: 'Too much is under way. Writes are refused first, then reads, then erasures.',
    remedy: 'Wait as `Retry-After` says and send it again.',
    detail: 'Send it again later.',
  },
  store_full: {
    when: 'Redis is nearly full. Users it knows go on counting.',
    remedy: 'Wait as `Retry-After` says and send it again.',
    detail: 'The store is nearly full. Users it knows go on counting; send it again later.',
  },
  unavailable: {
    when: 'Redis, or the Postgres that this call needs, did not answer in time.',
    remedy: 'Wait as `Retry-After` says and send it again: what has an `event_id` or a time counts once.',
    detail:
      'It may or may not have been done. Send it again: what has an event_id or a timestamp counts once.',
  },
};

export const CODES = Object.keys(PROBLEMS) as ProblemCode[];

export const statusOf = (code: ProblemCode): number => PROBLEMS[code][0];

/** What is sent of it. */
export function exampleOf(code: ProblemCode) {
  const { detail, errors } = TOLD[code];
  return problemBody(new Problem(code, detail, errors && { faults: errors }));
}

/** All that a call may answer. */
export function problemsOf(call: Call): ProblemCode[] {
  const { right, inPath, inQuery, body, problems = [] } = call;
  const all: ProblemCode[] = [...problems];
  if (right) all.push('unauthorized', 'too_many_requests', 'internal');
  if (right && right !== 'any') all.push('forbidden');
  if (right && right !== 'any' && right !== 'metrics') all.push('overloaded', 'unavailable');
  if (inPath) all.push('invalid_path');
  if (inQuery) all.push('invalid_query');
  if (body) all.push('invalid_json', 'invalid_body', 'payload_too_large', 'unsupported_media_type');
  return CODES.filter((code) => all.includes(code));
}

/** What comes with a problem, surely or where it fits. */
export function headersOf(status: number): HeaderName[] {
  const more: Record<number, HeaderName[]> = {
    401: ['WWW-Authenticate'],
    403: ['WWW-Authenticate'],
    405: ['Allow'],
    415: ['Accept', 'Accept-Encoding'],
    429: ['Retry-After', 'RateLimit', 'RateLimit-Policy'],
    503: ['Retry-After'],
  };
  return ['X-Request-Id', ...(more[status] ?? [])];
}
