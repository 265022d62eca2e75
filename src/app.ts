// Every route and the order of middleware.

import express, { type Express } from 'express';
import type { Logger } from 'pino';
import { eraseUser } from './erasure/eraseUser.ts';
import { recordPage } from './events/recordPage.ts';
import { recordPages } from './events/recordPages.ts';
import { alive, ready } from './http/health.ts';
import { measured, showMetrics } from './http/measure.ts';
import { problemHandler } from './http/problem.ts';
import { addRoute, notFound } from './http/routes.ts';
import type { Metrics } from './metrics.ts';
import { readDays, readProfile } from './profiles/readProfile.ts';
import { readProfiles } from './profiles/readProfiles.ts';
import type { Services } from './services.ts';
import type { Clock } from './time.ts';

export interface AppOptions extends Services {
  clock: Clock;
  metrics: Metrics;
  log: Logger;
  /** Why no work can be done now, if so. */
  unreadyBecause(): string | undefined;
}

export function createApp(options: AppOptions): Express {
  const { recorder, profiles, eraser, clock, metrics, log, unreadyBecause } = options;
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag'); // a profile is small and changes with every view
  app.enable('case sensitive routing');
  app.enable('strict routing');
  app.set('query parser', 'simple');

  app.use(measured(metrics));
  addRoute(app, '/v1/page', { post: recordPage(recorder, profiles, clock) });
  addRoute(app, '/v1/pages', { post: [recordPages(recorder, clock)] });
  addRoute(app, '/v1/user/:user_id', { get: [readProfile(profiles)], delete: [eraseUser(eraser)] });
  addRoute(app, '/v1/users/profiles', { post: readProfiles(profiles) });
  addRoute(app, '/v1/user/:user_id/days', { get: [readDays(profiles)] });
  addRoute(app, '/livez', { get: [alive] });
  addRoute(app, '/readyz', { get: [ready(unreadyBecause)] });
  addRoute(app, '/metrics', { get: [showMetrics(metrics)] });
  app.use(notFound);
  app.use(problemHandler(log));
  return app;
}
