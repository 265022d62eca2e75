// Errors as RFC 9457 problem details. `code` is what a program may rely on.

import type { ErrorRequestHandler, Response } from 'express';
import type { Logger } from 'pino';
import { Damaged, Overloaded, Refusal, Unavailable, Unwelcome } from '../redis/errors.ts';
import { requestId, send } from './respond.ts';

export const PROBLEMS = {
  invalid_json: [400, 'The body is not JSON'],
  invalid_body: [400, 'The body is not what this call takes'],
  invalid_path: [400, 'The path is not what this call takes'],
  invalid_query: [400, 'The query is not what this call takes'],
  timestamp_in_future: [400, 'The timestamp lies in the future'],
  unauthorized: [401, 'A key is needed'],
  forbidden: [403, 'This key may not do that'],
  bad_signature: [403, 'The user is not signed'],
  not_found: [404, 'There is nothing here'],
  method_not_allowed: [405, 'This method is not for this path'],
  payload_too_large: [413, 'The body is too large'],
  unsupported_media_type: [415, 'This media type is not read here'],
  too_many_requests: [429, 'Too much at once'],
  too_many_new_users: [429, 'Too many new users at once'],
  damaged: [500, "What is stored of this user can't be read"],
  internal: [500, 'A fault of ours'],
  overloaded: [503, 'Too much is under way'],
  store_full: [503, 'There is no room for new users'],
  unavailable: [503, 'The store does not answer'],
} as const satisfies Record<string, [status: number, title: string]>;

export type ProblemCode = keyof typeof PROBLEMS;

/** One bad field: where it is, as a JSON pointer, and what is wrong with it. */
export interface Fault {
  pointer: string;
  detail: string;
}

export class Problem extends Refusal {
  override name = 'Problem';
  readonly code: ProblemCode;
  readonly faults: Fault[] | undefined;
  readonly headers: Record<string, string>;

  constructor(
    code: ProblemCode,
    detail: string,
    more: { faults?: Fault[]; headers?: Record<string, string> } = {},
  ) {
    super(detail);
    this.code = code;
    this.faults = more.faults;
    this.headers = more.headers ?? {};
  }
}

/** What is sent of a problem. */
export function problemBody({ code, message, faults }: Problem) {
  const [status, title] = PROBLEMS[code];
  return {
    type: `urn:footfall:problem:${code}`,
    title,
    status,
    detail: message,
    code,
    ...(faults && { errors: faults }),
  };
}

export function sendProblem(res: Response, problem: Problem): void {
  const body = problemBody(problem);
  const headers = Object.entries(problem.headers).flat();
  send(res, body.status, 'application/problem+json; charset=utf-8', JSON.stringify(body), headers);
}

/** The last middleware: whatever was thrown becomes a problem. Only faults of ours are logged, without their data. */
export function problemHandler(log: Logger): ErrorRequestHandler {
  return (error, req, res, next) => {
    if (res.headersSent) return next(error);
    const problem = asProblem(error);
    if (problem.code === 'internal' || problem.code === 'damaged') {
      // The route's pattern and our own words: a path or a foreign message may name a person.
      const what = error instanceof Error ? { name: error.name, stack: placesIn(error) } : {};
      log.error({ request: requestId(res), route: req.route?.path, ...what }, problem.code);
    }
    sendProblem(res, problem);
  };
}

/** Where an error came from, without its message: that may name a person. */
export function placesIn(error: Error): string[] {
  return (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
}

export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof Overloaded) return new Problem('overloaded', 'Send it again later.', retryLater());
  if (error instanceof Unavailable) {
    return new Problem(
      'unavailable',
      'It may or may not have been done. Send it again: what has an event_id or a timestamp counts once.',
      retryLater(),
    );
  }
  if (error instanceof Unwelcome) return new Problem(error.why, WHY[error.why], retryLater());
  if (error instanceof Damaged) {
    return new Problem(
      'damaged',
      'A key of this user holds something else than it should. Nothing was changed; erasing the user repairs it.',
    );
  }
  // Express's router, on a path like /%zz
  if (error instanceof URIError) return new Problem('invalid_path', 'The path is not percent-encoded UTF-8.');
  return new Problem('internal', 'It is logged under the request id.');
}

const WHY = {
  too_many_new_users:
    'This address has brought too many new users. Known ones go on counting; send it again later.',
  store_full: 'The store is nearly full. Users it knows go on counting; send it again later.',
};

/** Not everybody at the same moment. */
function retryLater() {
  return { headers: { 'Retry-After': String(1 + Math.floor(Math.random() * 4)) } };
}
