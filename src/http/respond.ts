// Answers. Headers go out in one array through writeHead: on the road of an event, setting a dozen of them one by one
// costs more than all the rest of the answer.

import { randomBytes } from 'node:crypto';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Response } from 'express';
import helmet from 'helmet';

export type Headers = readonly string[]; // name, value, name, value, …

/** For what is stale with the next event, and may be about a person. */
export const NOT_STORED: Headers = ['Cache-Control', 'no-store'];

type Directives = Record<string, string[]>;

/** Helmet's headers, those that mean something for an API. They never change, so helmet runs once. */
function securityHeaders(allowed: Directives = {}): Headers {
  const res = new ServerResponse(new IncomingMessage(new Socket()));
  helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"], ...allowed },
    },
    // For pages, plug-ins and browsers of the past.
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
    strictTransportSecurity: false, // TLS is the proxy's, and so is what its host name promises for others below it
    xDnsPrefetchControl: false,
    xDownloadOptions: false,
    xPermittedCrossDomainPolicies: false,
    xXssProtection: false,
  })(res.req, res, (error?: unknown) => {
    if (error) throw error;
  });
  return Object.entries(res.getHeaders()).flatMap(([name, value]) => [name, String(value)]);
}

const COMMON = securityHeaders();

/** What any site's page may post to and hear the answer of; the preflight is in routes.ts. */
const OPEN: Headers = [
  ...COMMON.map((value) => (value === 'same-origin' ? 'cross-origin' : value)),
  'Access-Control-Allow-Origin',
  '*',
  'Access-Control-Expose-Headers',
  'Footfall-Status, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id',
];

/** What a page of ours needs: its own files and calls, no one else's, nothing inline. */
const PAGE = securityHeaders({
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'", 'data:'],
  connectSrc: ["'self'"],
  baseUri: ["'none'"],
  formAction: ["'none'"],
  requireTrustedTypesFor: ["'script'"],
});

const SPECIAL = Symbol('other headers than most');
type MayBeSpecial = Response & { [SPECIAL]?: Headers };

export function openToBrowsers(res: Response): void {
  (res as MayBeSpecial)[SPECIAL] = OPEN;
}

/** For HTML that a browser shows. */
export function asPage(res: Response): void {
  (res as MayBeSpecial)[SPECIAL] = PAGE;
}

const commonOf = (res: Response) => (res as MayBeSpecial)[SPECIAL] ?? COMMON;

/** An id that a proxy gave is kept if it is one (a UUID or hex); anything else could carry what must not be logged. */
const FOREIGN_ID = /^[0-9a-f]{8}[0-9a-f-]{8,56}$/i;
const PROCESS = randomBytes(6).toString('hex');
let requests = 0;

const REQUEST_ID = Symbol('request id');
type WithId = Response & { [REQUEST_ID]?: string };

/** The id of the request that an answer belongs to; it ties the answer to a log line. */
export function requestId(res: Response): string {
  const known = (res as WithId)[REQUEST_ID];
  if (known !== undefined) return known;
  const given = res.req.headers['x-request-id'];
  const id =
    typeof given === 'string' && FOREIGN_ID.test(given) ? given : `${PROCESS}-${(++requests).toString(36)}`;
  (res as WithId)[REQUEST_ID] = id;
  return id;
}

export function send(
  res: Response,
  status: number,
  type: string,
  body: string | Buffer,
  more: Headers = [],
): void {
  const head = [
    'Content-Type',
    type,
    'Content-Length',
    String(Buffer.byteLength(body)),
    'X-Request-Id',
    requestId(res),
  ];
  head.push(...commonOf(res), ...more);
  if (res.app.locals.stopping) res.shouldKeepAlive = false;
  res.writeHead(status, head);
  res.end(body);
}

/** An answer whose body is written as it comes. */
export function beginStream(res: Response, type: string, more: Headers = []): void {
  if (res.app.locals.stopping) res.shouldKeepAlive = false;
  res.writeHead(200, ['Content-Type', type, 'X-Request-Id', requestId(res), ...commonOf(res), ...more]);
}

export function sendJson(res: Response, status: number, value: unknown, more?: Headers): void {
  send(res, status, 'application/json; charset=utf-8', JSON.stringify(value), more);
}

/** An answer without a body. */
export function sendEmpty(res: Response, status: number, more: Headers = []): void {
  if (res.app.locals.stopping) res.shouldKeepAlive = false;
  res.writeHead(status, ['X-Request-Id', requestId(res), ...commonOf(res), ...more]);
  res.end();
}
