import type { Express, RequestHandler } from 'express';
import { Problem } from './problem.ts';
import { openToBrowsers, sendEmpty } from './respond.ts';

type Method = 'get' | 'post' | 'delete';

const PREFLIGHT_KEPT = '7200'; // seconds: no browser keeps it longer

export interface RouteOptions {
  /** Pages of any site may post here. */
  openToBrowsers?: boolean;
}

/** A path and what handles each of its methods; every other method is answered 405 with `Allow`. */
export function addRoute(
  app: Express,
  path: string,
  methods: Partial<Record<Method, RequestHandler[]>>,
  { openToBrowsers: isOpen = false }: RouteOptions = {},
): void {
  const route = app.route(path);
  const allowed = ['OPTIONS'];
  for (const [method, handlers] of Object.entries(methods)) {
    route[method as Method](handlers);
    allowed.push(...(method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()]));
  }
  const allow = allowed.sort().join(', ');
  const preflight = isOpen
    ? [
        'Access-Control-Allow-Methods',
        'POST',
        'Access-Control-Allow-Headers',
        'Authorization, Content-Encoding, Content-Type, Prefer, X-Api-Key, X-Request-Id',
        'Access-Control-Max-Age',
        PREFLIGHT_KEPT,
      ]
    : [];
  route.options((_req, res) => {
    if (isOpen) openToBrowsers(res);
    sendEmpty(res, 204, ['Allow', allow, ...preflight]);
  });
  route.all((req) => {
    throw new Problem('method_not_allowed', `This path takes ${allow}, not ${req.method}.`, {
      headers: { Allow: allow },
    });
  });
}

export const notFound: RequestHandler = () => {
  throw new Problem('not_found', 'No call has this path.');
};

/** For a path of its own that is also some user's: `/v1/user/login`. */
export function ofUser(userId: string): RequestHandler {
  return (req, _res, next) => {
    req.params.user_id = userId;
    next();
  };
}
