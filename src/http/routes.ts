import type { Express, RequestHandler } from 'express';
import { Problem } from './problem.ts';
import { sendEmpty } from './respond.ts';

type Method = 'get' | 'post' | 'delete';

/** A path and what handles each of its methods; every other method is answered 405 with `Allow`. */
export function addRoute(
  app: Express,
  path: string,
  methods: Partial<Record<Method, RequestHandler[]>>,
): void {
  const route = app.route(path);
  const allowed = ['OPTIONS'];
  for (const [method, handlers] of Object.entries(methods)) {
    route[method as Method](handlers);
    allowed.push(...(method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()]));
  }
  const allow = allowed.sort().join(', ');
  route.options((_req, res) => {
    sendEmpty(res, 204, ['Allow', allow]);
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
