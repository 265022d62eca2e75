// The tag on a site's pages in a browser, and the service behind a line that can fail.

import type { Page } from 'playwright-core';
import type { Config } from '../../src/config.ts';
import type { FootfallRedis } from '../../src/redis/scripts.ts';
import { useBrowser, type Visitor, type VisitorOptions } from './browser.ts';
import { type HostSite, startHostSite } from './hostSite.ts';
import { type Api, useApi } from './http.ts';
import { until } from './process.ts';
import { type Proxy as Line, startProxy } from './proxy.ts';
import { useRedis } from './redis.ts';
import { NOON } from './service.ts';

export const MINUTE = 60_000;
export const DAY = 24 * 60 * MINUTE;
/** How long the tag waits for a title, ms. */
export const UNTIL_TITLED = 300;

export interface TrackerStand {
  readonly redis: FootfallRedis;
  readonly api: Api;
  /** Between the browser and the service. */
  readonly line: Line;
  /** Another one in each test. */
  readonly site: HostSite;
  /** A site that another service counts; it goes with the test. */
  otherSite(port: number): Promise<HostSite>;
  /** Somebody whose clock is right, or off by so many ms; it is moved on by what is below, and with it their timers. */
  visitor(options?: VisitorOptions): Promise<Visitor>;
  /** Both clocks go on. */
  pass(page: Page, ms: number): Promise<void>;
  /** Views of the site by path, and how many people that were. */
  counts(): Promise<{ users: number; paths: Record<string, number> }>;
  /** How many more requests an act brings. */
  more(route: string, act: () => Promise<unknown>): Promise<number>;
}

interface Report {
  views: number;
  unique_users: number;
  top_paths: { path: string; views: number }[];
}

/** Call it at the top of a test file. */
export function useTracker(config: Partial<Config> = {}): TrackerStand {
  const server = useRedis();
  const api = useApi(server, config);
  const browser = useBrowser();
  let line: Line;
  let site: HostSite;
  let others: HostSite[] = [];
  beforeAll(async () => {
    line = await startProxy({ port: api.port });
  });
  afterAll(() => line.stop());
  beforeEach(async () => {
    line.set('pass');
    site = await startHostSite(`http://127.0.0.1:${line.port}`);
  });
  afterEach(async () => {
    for (const one of [site, ...others]) await one.stop();
    others = [];
  });

  const admin = config.adminKeys?.[0];
  const headers = admin === undefined ? {} : { 'X-Api-Key': admin };

  async function requests(route: string): Promise<number> {
    const { text } = await api.send({ path: '/metrics', headers });
    const begin = `footfall_http_requests_total{route="${route}"`;
    const rows = text.split('\n').filter((row) => row.startsWith(begin));
    return rows.reduce((sum, row) => sum + Number(row.split(' ').at(-1)), 0);
  }

  return {
    get redis() {
      return server.redis;
    },
    api,
    get line() {
      return line;
    },
    get site() {
      return site;
    },
    async otherSite(port) {
      const other = await startHostSite(`http://127.0.0.1:${port}`);
      others.push(other);
      return other;
    },
    async visitor({ clock = 0, ...options } = {}) {
      const visitor = await browser.visitor(options);
      // A minute before: where there is a page already it goes on until it is stopped, and it can't be stopped in the past.
      await visitor.context.clock.install({ time: Date.parse(NOON) + clock - MINUTE });
      await visitor.context.clock.pauseAt(Date.parse(NOON) + clock); // on a slow machine it would run away
      return visitor;
    },
    async pass(page, ms) {
      api.clock.advance(ms);
      await page.clock.fastForward(ms);
    },
    async counts() {
      const { body } = await api.send({ path: '/v1/site/shop/report', headers });
      const report = body as Report;
      const paths = report.top_paths.map(({ path, views }) => [path.replace(site.url, ''), views] as const);
      expect(report.views).toBe(paths.reduce((sum, [, views]) => sum + views, 0));
      return { users: report.unique_users, paths: Object.fromEntries(paths) };
    },
    async more(route, act) {
      const before = await requests(route);
      await act();
      return (await requests(route)) - before;
    },
  };
}

export const kept = (page: Page) =>
  page.evaluate<number>(`Object.keys(localStorage).filter((key) => key.startsWith('footfall.view.')).length`);

/** What was to be sent is sent and answered: a view is in localStorage from the moment it is due until then. */
export async function settled(page: Page): Promise<void> {
  await page.clock.runFor(UNTIL_TITLED);
  await until('every view is answered', async () => (await kept(page)) === 0);
}

/** The same where nobody answers: as many views are kept. */
export async function keeps(page: Page, views: number): Promise<void> {
  await page.clock.runFor(UNTIL_TITLED);
  await until(`${views} views are kept`, async () => (await kept(page)) === views);
}

/** What the tag calls somebody whom nobody has named. */
export const idOf = (page: Page) => page.evaluate<string>('localStorage.footfall');

/** To another address of a page that stays. */
export const go = (page: Page, path: string, method = 'pushState') =>
  page.evaluate(`go(${JSON.stringify(path)}, '${method}')`);
