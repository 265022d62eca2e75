// The tag where something is in its way: what could not be sent is sent later, and counts once, when it happened.

import type { Page } from 'playwright-core';
import type { Visitor } from './support/browser.ts';
import { profileWith, startApi, stopServer } from './support/http.ts';
import { until } from './support/process.ts';
import {
  DAY,
  go,
  idOf,
  keeps,
  kept,
  MINUTE,
  settled,
  UNTIL_TITLED,
  useTracker,
} from './support/trackerStand.ts';

const stand = useTracker();
const { api } = stand;

test('offline and back: counted when it happened, once', async () => {
  const visitor = await stand.visitor();
  const page = await visitor.open(`${stand.site.url}/app/`);
  await settled(page);
  await visitor.context.setOffline(true);
  for (const path of ['/app/x', '/app/y']) {
    await stand.pass(page, 5 * MINUTE);
    await go(page, path);
    await page.clock.runFor(UNTIL_TITLED);
  }
  await keeps(page, 2);
  await stand.pass(page, 60 * MINUTE);
  expect((await stand.counts()).paths).toEqual({ '/app/': 1 });
  const sent = await stand.more('/v1/page', async () => {
    await visitor.context.setOffline(false);
    await settled(page);
  });
  expect(sent).toBe(2);
  expect(await stand.counts()).toEqual({ users: 1, paths: { '/app/': 1, '/app/x': 1, '/app/y': 1 } });
  const id = await idOf(page);
  expect(await api.profile(id)).toEqual(profileWith(id, [3, 10, 1, 'Page /app/']));
});

test('offline for days: counted on the days on which it happened', async () => {
  const visitor = await stand.visitor();
  const page = await visitor.open(`${stand.site.url}/app/`);
  await settled(page);
  await visitor.context.setOffline(true);
  await stand.pass(page, 1 * DAY);
  await go(page, '/app/x');
  await keeps(page, 1);
  await stand.pass(page, 2 * DAY);
  await visitor.context.setOffline(false);
  await settled(page);
  const days = await api.days(await idOf(page));
  expect(days.map(({ views }) => views)).toEqual([0, 0, 0, 1, 1, 0, 0]);
});

test('the page is left in mid-send, and nobody hears the answer: sent again, counted once', async () => {
  const visitor = await stand.visitor();
  const page = await visitor.open(`${stand.site.url}/a`);
  stand.line.set('holdReplies');
  await page.clock.runFor(UNTIL_TITLED);
  await until('the view is counted', async () => (await stand.counts()).users === 1);
  expect(await kept(page)).toBe(1);
  await page.goto('about:blank');
  stand.line.cut();
  stand.line.set('pass');
  api.clock.advance(10 * MINUTE);
  const sent = await stand.more('/v1/page', async () => {
    await page.goto(`${stand.site.url}/b`);
    await settled(page);
  });
  expect(sent).toBe(2); // this one, and the one before again
  expect(await stand.counts()).toEqual({ users: 1, paths: { '/a': 1, '/b': 1 } });
});

test('the page is left in mid-send, and it never gets there: sent with the next visit', async () => {
  const visitor = await stand.visitor();
  const page = await visitor.open(`${stand.site.url}/a`);
  stand.line.set('swallow');
  await keeps(page, 1);
  await page.goto('about:blank');
  stand.line.set('pass');
  await page.clock.fastForward(10 * MINUTE);
  api.clock.advance(10 * MINUTE);
  await page.goto(`${stand.site.url}/b`);
  await settled(page);
  expect(await stand.counts()).toEqual({ users: 1, paths: { '/a': 1, '/b': 1 } });
});

test('the service is away, then there: kept views follow the next one that gets through', async () => {
  const visitor = await stand.visitor();
  const page = await visitor.open(`${stand.site.url}/app/`);
  await settled(page);
  stand.line.set('refuse');
  for (const path of ['/app/x', '/app/y']) {
    await go(page, path);
    await page.clock.runFor(UNTIL_TITLED);
  }
  await keeps(page, 2);
  stand.line.set('pass');
  await go(page, '/app/z');
  await settled(page);
  expect((await stand.counts()).paths).toEqual({ '/app/': 1, '/app/x': 1, '/app/y': 1, '/app/z': 1 });
});

/** Two tabs of an offline visitor who has three views to send. What they send is slow, so that both are at it. */
async function queueOf(visitor: Visitor, site: string): Promise<[Page, Page]> {
  const first = await visitor.open(`${site}/app/`);
  await settled(first);
  const second = await visitor.open(`${site}/app/`);
  await settled(second);
  await visitor.context.setOffline(true);
  for (const path of ['/app/1', '/app/2', '/app/3']) {
    await go(first, path);
    await first.clock.runFor(UNTIL_TITLED);
  }
  await keeps(first, 3);
  stand.line.set('delay', 100);
  return [first, second];
}

test('two tabs find the same queue: one of them sends it', async () => {
  const visitor = await stand.visitor();
  const [first, second] = await queueOf(visitor, stand.site.url);
  const sent = await stand.more('/v1/page', async () => {
    await visitor.context.setOffline(false);
    await settled(first);
    await settled(second);
    await until('both are done', async () => (await locks(first)) === 0);
  });
  expect(sent).toBe(3);
  expect(await stand.counts()).toEqual({
    users: 1,
    paths: { '/app/': 2, '/app/1': 1, '/app/2': 1, '/app/3': 1 },
  });
});

test('without TLS there are no locks: two tabs may both send the queue, and it counts once', async () => {
  const visitor = await stand.visitor();
  const site = stand.site.url.replace('127.0.0.1', 'shop.test');
  const [first] = await queueOf(visitor, site);
  expect(await first.evaluate('[isSecureContext, typeof navigator.locks]')).toEqual([false, 'undefined']);
  const sent = await stand.more('/v1/page', async () => {
    await visitor.context.setOffline(false);
    await settled(first);
  });
  expect(sent).toBeGreaterThanOrEqual(3);
  const { users, paths } = await stand.counts();
  const views = Object.entries(paths).map(([url, views]) => [url.replace(site, ''), views]);
  expect(Object.fromEntries(views)).toEqual({ '/app/': 2, '/app/1': 1, '/app/2': 1, '/app/3': 1 });
  expect(users).toBe(1);
  expect(visitor.troubles.filter((trouble) => !trouble.includes('INTERNET_DISCONNECTED'))).toEqual([]);
});

test.each([
  ['503', 503],
  ['429', 429],
  ['401', 401],
  ['an error page that says 200', 200],
])('an answer that is not the service’s word, or is for later, keeps the view: %s', async (_what, status) => {
  const visitor = await stand.visitor();
  const page = await visitor.open(`${stand.site.url}/app/`);
  await settled(page);
  await visitor.context.route('**/v1/page*', (route) => route.fulfill({ status, body: '{}' }));
  await go(page, '/app/x');
  await keeps(page, 1);
  await visitor.context.unroute('**/v1/page*');
  await go(page, '/app/y');
  await settled(page);
  expect((await stand.counts()).paths).toEqual({ '/app/': 1, '/app/x': 1, '/app/y': 1 });
});

test('of views that a limit put off, those that were not taken wait', async () => {
  const other = await startApi(stand.redis, { unlimitedClients: [], limitUser: 1 }); // ten at once
  const site = await stand.otherSite(other.port);
  try {
    const visitor = await stand.visitor();
    const page = await visitor.open(`${site.url}/app/`);
    await settled(page);
    await visitor.context.setOffline(true);
    for (let i = 0; i < 12; i++) await page.evaluate(`footfall.page('Page ${i}')`);
    await keeps(page, 12);
    await visitor.context.setOffline(false);
    // One more passes with each second that this takes.
    const id = await idOf(page);
    await until('the limit is met, and each view is stored or kept', async () => {
      const { number_pages_viewed_in_the_last_7_days: stored } = await other.profile(id);
      return stored >= 10 && stored + (await kept(page)) === 13;
    });
    expect(await kept(page)).toBeGreaterThan(0);
  } finally {
    await stopServer(other.server);
  }
});

test('one that another tab has settled meanwhile ends nothing', async () => {
  const visitor = await stand.visitor();
  const page = await visitor.open(`${stand.site.url}/app/`);
  await settled(page);
  await visitor.context.setOffline(true);
  for (let i = 0; i < 9; i++) await page.evaluate(`footfall.page('Page ${i}')`);
  await keeps(page, 9);
  let first = true;
  await page.route('**/v1/page*', async (route) => {
    if (first) {
      first = false;
      const { event_id } = route.request().postDataJSON();
      // All but this one, and two of those that wait behind it.
      await page.evaluate(`Object.keys(localStorage).filter((key) => key.startsWith('footfall.view.') && !key.endsWith('${event_id}'))
        .slice(0, -2).forEach((key) => localStorage.removeItem(key))`);
    }
    await route.continue();
  });
  const sent = await stand.more('/v1/page', async () => {
    await visitor.context.setOffline(false);
    await settled(page);
  });
  expect(sent).toBe(3);
});

test('no more is kept than has room', async () => {
  const visitor = await stand.visitor();
  const page = await visitor.open(`${stand.site.url}/app/`);
  await settled(page);
  await visitor.context.setOffline(true);
  for (let i = 0; i < 60; i++) await page.evaluate(`footfall.page('Page ${i}')`);
  await keeps(page, 50);
  await visitor.context.setOffline(false);
  await settled(page);
  const id = await idOf(page);
  expect((await api.profile(id)).number_pages_viewed_in_the_last_7_days).toBe(51);
});

const locks = (page: Page) =>
  page.evaluate<number>('navigator.locks.query().then(({ held, pending }) => held.length + pending.length)');
