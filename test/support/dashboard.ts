// The dashboard in a browser, before a service whose clock stands at NOON: its page has the same time from it.

import type { Locator, Page } from 'playwright-core';
import type { Config } from '../../src/config.ts';
import type { FootfallRedis } from '../../src/redis/scripts.ts';
import { useBrowser, type Visitor, type VisitorOptions } from './browser.ts';
import { type Api, useApi } from './http.ts';
import { useRedis } from './redis.ts';
import { NOON } from './service.ts';

export interface DashboardStand {
  readonly redis: FootfallRedis;
  readonly api: Api;
  /** Somebody with the dashboard before them. */
  open(hash?: string, options?: VisitorOptions): Promise<Visitor & { page: Page }>;
  /** How many listen to the live figures now. */
  streams(): number;
}

/** Call it at the top of a test file. */
export function useDashboard(config: Partial<Config> = {}): DashboardStand {
  const server = useRedis();
  const api = useApi(server, config);
  const browser = useBrowser();
  let streams = 0;
  beforeAll(() => {
    api.server.prependListener('request', ({ url }, res) => {
      res.setHeader('Date', new Date(api.clock()).toUTCString());
      if (url !== '/v1/live') return;
      streams++;
      res.once('close', () => {
        streams--;
      });
    });
  });
  return {
    get redis() {
      return server.redis;
    },
    api,
    async open(hash = '', options = {}) {
      const visitor = await browser.visitor(options);
      await visitor.context.addInitScript(REPORTS);
      await visitor.context.clock.setFixedTime(NOON); // what is of another year has its year said
      const page = await visitor.open(`http://127.0.0.1:${api.port}/${hash}`);
      return { ...visitor, page };
    },
    streams: () => streams,
  };
}

/** Of the policy, which a page may break without an error. */
const REPORTS = `window.reports = [];
  addEventListener('securitypolicyviolation', (event) => reports.push(event.violatedDirective));`;

export const heading = (page: Page, name: string) =>
  page.getByRole('heading', { level: 1, name, exact: true });

/** To another place, as a link would go; done when it has been drawn. */
export async function go(page: Page, hash: string, title: string): Promise<void> {
  await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
  await heading(page, title).waitFor();
}

/** What is asked for has come. */
export async function loaded(page: Page): Promise<void> {
  await page.locator('main dl.figures:visible').first().waitFor();
}

/** The figures that are seen, by label; all of one moment. */
export async function figuresOn(page: Page): Promise<Record<string, [value: string, note?: string]>> {
  const texts = await page.locator('main dl.figures > div:visible').allInnerTexts();
  return Object.fromEntries(
    texts.map((text) => {
      const [label, ...rest] = text.split('\n').filter((line) => line !== '');
      return [label!, rest as [string, string?]];
    }),
  );
}

/** A part of a page, by its heading. */
export const part = (page: Page, name: string): Locator =>
  page.locator('section', { has: page.getByRole('heading', { level: 2, name, exact: true }) });

/** The rows of a table without those of its head, cell by cell. */
export async function rowsOf(where: Locator): Promise<string[][]> {
  const rows = await where.locator('tbody').getByRole('row').allInnerTexts();
  return rows.map((row) => row.split('\t').map((cell) => cell.trim()));
}

/** The table that stands for a chart, newest first as it is shown. */
export async function asTable(page: Page, chart: RegExp): Promise<string[][]> {
  const element = page.locator('.chart', { has: page.getByRole('img', { name: chart }) });
  const details = element.getByRole('group');
  if ((await details.getAttribute('open')) === null) await details.getByText('as a table').click();
  await details.getByRole('table').waitFor();
  return rowsOf(details);
}

export const count = (n: number) => n.toLocaleString('en');

/** Sat 21 Nov */
export function day(date: string): string {
  const [weekday, number, month] = new Date(date).toUTCString().split(/,? /);
  return `${weekday} ${Number(number)} ${month}`;
}

/** 1 h 2 min 3.5 s, as seconds. */
export function seconds(text: string): number {
  const UNITS: Record<string, number> = { d: 86_400, h: 3600, min: 60, s: 1 };
  const parts = [...text.matchAll(/([\d.]+) (d|h|min|s)\b/g)];
  return parts.reduce((sum, [, n, unit]) => sum + Number(n) * UNITS[unit!]!, 0);
}
