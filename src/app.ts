// Every route and the order of middleware.

import express, { type Express } from 'express';
import type { Logger } from 'pino';
import { dailyUniques, monthlyUniques } from './audiences/readUniques.ts';
import { readVisitors } from './audiences/readVisitors.ts';
import type { Config } from './config.ts';
import { description } from './description/serve.ts';
import { eraseUser } from './erasure/eraseUser.ts';
import { readErasure } from './erasure/readErasure.ts';
import { loginOf, siteEventOf } from './events/bodies.ts';
import { createIntake } from './events/intake.ts';
import { recordEvent } from './events/recordEvent.ts';
import { recordPage } from './events/recordPage.ts';
import { recordPages } from './events/recordPages.ts';
import { exportUser } from './export/exportUser.ts';
import { ASKED_FOR, file, KEPT_FOR_A_WHILE } from './http/assets.ts';
import { alive, ready } from './http/health.ts';
import { measured, showMetrics } from './http/measure.ts';
import { problemHandler } from './http/problem.ts';
import { readKey } from './http/readKey.ts';
import { asPage, openToBrowsers } from './http/respond.ts';
import { addRoute, notFound, ofUser } from './http/routes.ts';
import type { Streams } from './live/streams.ts';
import type { Metrics } from './metrics.ts';
import { readDays, readProfile } from './profiles/readProfile.ts';
import { readProfiles } from './profiles/readProfiles.ts';
import { readVisits } from './profiles/readVisits.ts';
import type { Protection } from './protection.ts';
import type { Services } from './services.ts';
import { readReport } from './sites/readReport.ts';
import type { Clock } from './time.ts';

export interface AppOptions extends Services, Protection {
  clock: Clock;
  metrics: Metrics;
  log: Logger;
  live: Streams;
  /** What a page is told of the settings. */
  about: Pick<Config, 'timeSpentUnit' | 'sessionGapSeconds'>;
  /** Why no work can be done now, if so. */
  unreadyBecause(): string | undefined;
  /** What can't be done, while the rest can. */
  degradedBecause?(): string | undefined;
}

export function createApp(options: AppOptions): Express {
  const {
    profiles,
    visits,
    visitors,
    uniques,
    sites,
    eraser,
    exporter,
    archive,
    guard,
    overload,
    metrics,
    log,
    live,
    about,
    unreadyBecause,
    degradedBecause = () => undefined,
  } = options;
  const intake = createIntake(options);
  const described = description();
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag'); // a profile is small and changes with every view
  app.enable('case sensitive routing');
  app.enable('strict routing');
  app.set('query parser', 'simple');

  app.set('trust proxy', options.trustProxy);

  app.use(measured(metrics, overload));
  const open = { openToBrowsers: true };
  addRoute(app, '/v1/page', { post: [guard.write, ...recordPage(intake, profiles)] }, open);
  addRoute(app, '/v1/pages', { post: [guard.write, recordPages(intake)] }, open);
  for (const path of ['/v1/event', '/event']) {
    addRoute(app, path, { post: [guard.write, ...recordEvent(intake, siteEventOf)] }, open);
  }
  const read = [guard.read, readProfile(profiles)];
  const erase = [guard.admin, eraseUser(eraser)];
  addRoute(
    app,
    '/v1/user/login',
    {
      post: [guard.write, ...recordEvent(intake, loginOf)],
      get: [ofUser('login'), ...read], // somebody may be named so
      delete: [ofUser('login'), ...erase],
    },
    open,
  );
  addRoute(app, '/v1/user/:user_id', { get: read, delete: erase });
  addRoute(app, '/v1/users/profiles', { post: [guard.read, ...readProfiles(profiles)] });
  addRoute(app, '/v1/user/:user_id/days', { get: [guard.read, readDays(profiles)] });
  addRoute(app, '/v1/user/:user_id/visits', { get: [guard.read, readVisits(visits)] });
  addRoute(app, '/v1/user/:user_id/export', { get: [guard.admin, exportUser(exporter, log)] });
  addRoute(app, '/v1/user/uniques/daily', { get: [guard.read, dailyUniques(uniques)] });
  addRoute(app, '/v1/user/uniques/monthly', { get: [guard.read, monthlyUniques(uniques)] });
  addRoute(app, '/v1/page/visitors', { get: [guard.read, readVisitors(visitors)] });
  addRoute(app, '/v1/site/:site_id/report', { get: [guard.read, readReport(sites)] });
  if (archive) addRoute(app, '/v1/erasures/:id', { get: [guard.admin, readErasure(archive.erasures)] });
  addRoute(app, '/v1/key', {
    get: [guard.any, readKey({ ...about, archive: archive !== undefined, reportDays: sites.mostDays })],
  });
  addRoute(app, '/v1/live', { get: [guard.metrics, live.open] });
  addRoute(app, '/', { get: [file('dashboard/index.html', ASKED_FOR, asPage)] });
  for (const name of ['main.js', 'main.css', 'icon.svg']) {
    addRoute(app, `/dashboard/${name}`, { get: [file(`dashboard/${name}`, ASKED_FOR)] });
  }
  addRoute(app, '/tracker.js', { get: [file('tracker.js', KEPT_FOR_A_WHILE, openToBrowsers)] });
  addRoute(app, '/openapi.json', { get: [described.json] });
  addRoute(app, '/docs', { get: [described.page] });
  addRoute(app, '/docs.css', { get: [described.style] });
  addRoute(app, '/livez', { get: [alive] });
  addRoute(app, '/readyz', { get: [ready(unreadyBecause, degradedBecause)] });
  addRoute(app, '/metrics', { get: [guard.metrics, showMetrics(metrics)] });
  app.use(notFound);
  app.use(problemHandler(log));
  return app;
}
