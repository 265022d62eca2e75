import type { RequestHandler } from 'express';
import type { Metrics } from '../metrics.ts';

/** Counts and times every request under its route's pattern; a path may name a person. */
export function measured(metrics: Metrics): RequestHandler {
  return (req, res, next) => {
    const start = performance.now();
    res.once('finish', () => {
      metrics.request(req.route?.path ?? 'none', res.statusCode, (performance.now() - start) / 1000);
    });
    next();
  };
}

export function showMetrics(metrics: Metrics): RequestHandler {
  return async (_req, res) => {
    res.set('Content-Type', metrics.contentType).end(await metrics.text());
  };
}
