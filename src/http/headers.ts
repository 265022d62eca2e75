// What every response carries.

import { randomBytes } from 'node:crypto';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { RequestHandler } from 'express';
import helmet from 'helmet';

/** Helmet's headers for an API. They never change, so helmet runs once, and requests get a copy of what it set. */
function securityHeaders(): [name: string, value: string][] {
  const res = new ServerResponse(new IncomingMessage(new Socket()));
  helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
  })(res.req, res, (error?: unknown) => {
    if (error) throw error;
  });
  return Object.entries(res.getHeaders()).map(([name, value]) => [name, String(value)]);
}

/** An id that a proxy gave is kept if it is one (a UUID or hex); anything else could carry what must not be logged. */
const FOREIGN_ID = /^[0-9a-f]{8}[0-9a-f-]{8,56}$/i;

export function commonHeaders(): RequestHandler {
  const headers = securityHeaders();
  const process = randomBytes(6).toString('hex');
  let count = 0;
  return (req, res, next) => {
    const given = req.headers['x-request-id'];
    const id =
      typeof given === 'string' && FOREIGN_ID.test(given) ? given : `${process}-${(++count).toString(36)}`;
    res.setHeader('X-Request-Id', id);
    for (const [name, value] of headers) res.setHeader(name, value);
    next();
  };
}
