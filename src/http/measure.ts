import type { RequestHandler, Response } from 'express';
import type { Metrics } from '../metrics.ts';
import { send } from './respond.ts';

const START = Symbol('start');
type Timed = Response & { [START]: number };

/** Counts and times every request under its route's pattern; a path may name a person. */
export function measured(metrics: Metrics): RequestHandler {
  // One listener for all: it hears on which response it is called.
  function onFinish(this: Timed): void {
    metrics.request(
      this.req.route?.path ?? 'none',
      this.statusCode,
      (performance.now() - this[START]) / 1000,
    );
  }
  return (_req, res, next) => {
    (res as Timed)[START] = performance.now();
    res.once('finish', onFinish);
    next();
  };
}

export function showMetrics(metrics: Metrics): RequestHandler {
  return async (_req, res) => {
    send(res, 200, metrics.contentType, await metrics.text());
  };
}
