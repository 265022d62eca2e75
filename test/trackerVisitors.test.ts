// The tag with visitors, browsers and sites of all kinds.

import { createHmac } from 'node:crypto';
import type { Page } from 'playwright-core';
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

const users = async () => (await stand.redis.keys('ff:*:user:*')).length;

describe.each([
  ['ten minutes ahead', 10 * MINUTE],
  ['ten minutes behind', -10 * MINUTE],
  ['a day ahead', DAY],
  ['a day behind', -DAY],
  ['at 1970', -Date.parse('2026-11-21T12:00:00Z')],
])('a clock that is %s', (_what, clock) => {
  test('counts now what happens now, and then what happened then', async () => {
    const visitor = await stand.visitor({ clock });
    const page = await visitor.open(`${stand.site.url}/app/`);
    await settled(page);
    await visitor.context.setOffline(true);
    await stand.pass(page, 10 * MINUTE);
    await go(page, '/app/x');
    await keeps(page, 1);
    await stand.pass(page, 10 * MINUTE);
    await visitor.context.setOffline(false);
    await settled(page);
    await go(page, '/app/y');
    await settled(page);
    const id = await idOf(page);
    expect(await api.profile(id)).toEqual(profileWith(id, [3, 20, 1, 'Page /app/']));
    const { body } = await api.send({ path: `/v1/user/${id}/days` });
    expect((body as { views: number }[]).map(({ views }) => views)).toEqual([0, 0, 0, 0, 0, 0, 3]);
  });
});

test('a clock that is set back while a view is kept does not put it into the future', async () => {
  const visitor = await stand.visitor();
  const page = await visitor.open(`${stand.site.url}/app/`);
  await settled(page);
  await visitor.context.setOffline(true);
  await go(page, '/app/x');
  await keeps(page, 1);
  await page.evaluate('{ const now = Date.now; Date.now = () => now() - 3_600_000; }');
  await visitor.context.setOffline(false);
  await settled(page);
  expect((await stand.counts()).paths).toEqual({ '/app/': 1, '/app/x': 1 });
});

describe.each([
  ['Do Not Track', { doNotTrack: true }],
  ['Global Privacy Control', { globalPrivacyControl: true }],
])('who says no by %s', (_what, options) => {
  test('is left alone, and has nothing kept of them', async () => {
    const visitor = await stand.visitor(options);
    const page = await visitor.context.newPage();
    await page.goto(`${stand.site.url}/app.js`); // of the site, without a tag
    await page.evaluate(
      `Object.assign(localStorage, { footfall: 'x', 'footfall.view.1': '[0,{}]', 'footfall.theme': 'y' })`,
    );
    const asked: string[] = [];
    visitor.context.on('request', (request) => asked.push(request.method()));
    await page.goto(`${stand.site.url}/app/`);
    await page.clock.runFor(UNTIL_TITLED);
    await go(page, '/app/x');
    await page.evaluate(`footfall.identify('ann'); footfall.page('Home')`);
    await page.clock.runFor(UNTIL_TITLED);
    await page.goto('about:blank');
    expect(asked).not.toContain('POST');
    expect(await users()).toBe(0);
    await page.goto(`${stand.site.url}/app.js`);
    expect(await page.evaluate('({ ...localStorage })')).toEqual({ 'footfall.theme': 'y' });
    expect(visitor.troubles).toEqual([]);
  });
});

test('the service hears no more of an address than the view says, and no cookie', async () => {
  const visitor = await stand.visitor();
  const page = await visitor.open(`${stand.site.url}/a?token=1`);
  await page.evaluate(`document.cookie = 'session=1'`);
  const request = page.waitForRequest('**/v1/page*');
  await page.clock.runFor(UNTIL_TITLED);
  const headers = await (await request).allHeaders();
  expect(headers).not.toHaveProperty('referer');
  expect(headers).not.toHaveProperty('cookie');
  await settled(page);
});

test('who says nothing of it is counted', async () => {
  const page = await (await stand.visitor()).open(`${stand.site.url}/a`);
  await page.evaluate(`Object.defineProperty(navigator, 'globalPrivacyControl', { value: false })`);
  await settled(page);
  expect(await users()).toBeGreaterThan(0);
});

describe('where a browser keeps nothing for the site', () => {
  const sent = (page: Page) => page.waitForResponse((response) => response.url().includes('/v1/page'));

  async function due(page: Page): Promise<void> {
    const answered = sent(page);
    await page.clock.runFor(UNTIL_TITLED);
    expect((await answered).status()).toBe(202);
  }

  test('each load is a view of somebody, a page that stays is one person', async () => {
    const visitor = await stand.visitor({ refusesStorage: true });
    const page = await visitor.open(`${stand.site.url}/app/`);
    await due(page);
    await go(page, '/app/x');
    await due(page);
    expect(await stand.counts()).toEqual({ users: 1, paths: { '/app/': 1, '/app/x': 1 } });
    await page.goto(`${stand.site.url}/a`);
    await due(page);
    expect(await stand.counts()).toEqual({ users: 2, paths: { '/app/': 1, '/app/x': 1, '/a': 1 } });
    expect(visitor.troubles).toEqual([]);
  });

  test('a user whom the site names is one person', async () => {
    stand.site.tags = [{ site: 'shop', user: 'ann' }];
    const visitor = await stand.visitor({ refusesStorage: true });
    const page = await visitor.open(`${stand.site.url}/a`);
    await due(page);
    await page.goto(`${stand.site.url}/b`);
    await due(page);
    expect(await api.profile('ann')).toEqual(profileWith('ann', [2, 0, 1, 'Page /a']));
  });

  test('what could not be sent is sent while the page is there', async () => {
    const visitor = await stand.visitor({ refusesStorage: true });
    const page = await visitor.open(`${stand.site.url}/app/`);
    await due(page);
    await visitor.context.setOffline(true);
    await go(page, '/app/x');
    const failed = page.waitForEvent('requestfailed');
    await page.clock.runFor(UNTIL_TITLED);
    await failed;
    const answered = sent(page);
    await visitor.context.setOffline(false);
    await answered;
    expect(await stand.counts()).toEqual({ users: 1, paths: { '/app/': 1, '/app/x': 1 } });
  });

  test('where its room is full, a page that stays is one person', async () => {
    const visitor = await stand.visitor();
    const page = await visitor.context.newPage();
    await page.goto(`${stand.site.url}/app.js`);
    await page.evaluate(`try { for (let i = 0; ; i++) localStorage['x' + i] = 'x'.repeat(1e6) } catch {}
      try { for (let i = 0; ; i++) localStorage['y' + i] = 'y' } catch {}`);
    await page.goto(`${stand.site.url}/app/`);
    await due(page);
    await go(page, '/app/x');
    await due(page);
    expect(await stand.counts()).toEqual({ users: 1, paths: { '/app/': 1, '/app/x': 1 } });
    expect(visitor.troubles).toEqual([]);
  });
});

describe('what a site may do to it', () => {
  test('a policy without the service: the page works, and the view waits for a better one', async () => {
    stand.site.connect = "'none'";
    const visitor = await stand.visitor();
    const page = await visitor.open(`${stand.site.url}/a`);
    await keeps(page, 1);
    expect(visitor.troubles.filter((trouble) => trouble.startsWith('thrown'))).toEqual([]);
    expect(await users()).toBe(0);
    stand.site.connect = `http://127.0.0.1:${stand.line.port}`;
    await page.goto(`${stand.site.url}/b`);
    await settled(page);
    expect(await stand.counts()).toEqual({ users: 1, paths: { '/a': 1, '/b': 1 } });
  });

  test('random numbers that are the same for everybody', async () => {
    for (const path of ['/a', '/b']) {
      const visitor = await stand.visitor({ clock: path === '/a' ? 0 : 1 });
      await visitor.context.addInitScript('Math.random = () => 0.5');
      await settled(await visitor.open(stand.site.url + path));
    }
    expect(await stand.counts()).toEqual({ users: 2, paths: { '/a': 1, '/b': 1 } });
  });

  test('an element of its name', async () => {
    const page = await (await stand.visitor()).open(`${stand.site.url}/named`);
    await settled(page);
    expect((await stand.counts()).paths).toEqual({ '/named': 1 });
  });

  test('rubbish where it keeps its views', async () => {
    const visitor = await stand.visitor();
    const page = await visitor.open(`${stand.site.url}/a`);
    await page.evaluate(`localStorage['footfall.view.1'] = 'rubbish'`);
    await page.clock.runFor(UNTIL_TITLED);
    await until('the view is answered', async () => (await kept(page)) === 1);
    expect((await stand.counts()).paths).toEqual({ '/a': 1 });
    expect(visitor.troubles).toEqual([]);
  });

  test('what the service will never take is not sent for ever', async () => {
    stand.site.tags = [{ site: 's'.repeat(65) }];
    const visitor = await stand.visitor();
    const page = await visitor.open(`${stand.site.url}/a`);
    await settled(page);
    expect(await users()).toBe(0);
    expect(visitor.troubles).toEqual([expect.stringContaining('400')]);
  });
});

/** The browser has made the page ready in case somebody goes there; `activate` is that somebody does. */
const PREPARED = `
  let prepared = true;
  Object.defineProperty(document, 'prerendering', { get: () => prepared });
  window.activate = () => { prepared = false; };`;

test('a page that is prepared and never seen is no view, and one that is seen then is one', async () => {
  const visitor = await stand.visitor();
  await visitor.context.addInitScript(PREPARED);
  const page = await visitor.open(`${stand.site.url}/a`);
  await page.clock.runFor(10 * UNTIL_TITLED);
  expect(await kept(page)).toBe(0);
  expect(await users()).toBe(0);
  await page.evaluate('activate()');
  await settled(page);
  expect((await stand.counts()).paths).toEqual({ '/a': 1 });
});

test('of a page that is prepared, what a site says itself is no view either until it is seen', async () => {
  stand.site.tags = [{ site: 'shop', auto: 'off' }];
  const visitor = await stand.visitor();
  await visitor.context.addInitScript(PREPARED);
  const page = await visitor.open(`${stand.site.url}/a`);
  await page.evaluate(`footfall.page('Named')`);
  await page.clock.runFor(10 * UNTIL_TITLED);
  expect([await kept(page), await users()]).toEqual([0, 0]);
  expect(await page.evaluate('localStorage.length')).toBe(0);
  await page.evaluate('activate()');
  await settled(page);
  await until('it is counted', async () => (await users()) > 0);
  expect((await api.profile(await idOf(page))).most_viewed_page_in_last_7_days).toBe('Named');
});

test('attributes that a template left empty say nothing', async () => {
  stand.site.tags = [{ site: '', user: '', sig: '', key: '' }];
  const visitor = await stand.visitor();
  const page = await visitor.open(`${stand.site.url}/a`);
  await settled(page);
  const id = await idOf(page);
  expect((await api.profile(id)).number_pages_viewed_in_the_last_7_days).toBe(1);
  expect(visitor.troubles).toEqual([]);
});

describe('where the service has keys', () => {
  const keys = { writeKeys: ['the-write-key-of/a+page='], adminKeys: ['an-admin-key-of-a-test'] };
  const secret = 'a-signing-secret-of-a-test';
  const admin = { 'X-Api-Key': keys.adminKeys[0]! };

  async function withService<T>(settings: object, work: (port: number) => Promise<T>): Promise<T> {
    const other = await startApi(stand.redis, settings);
    try {
      return await work(other.port);
    } finally {
      await stopServer(other.server);
    }
  }

  async function reportOf(port: number) {
    const answer = await fetch(`http://127.0.0.1:${port}/v1/site/shop/report`, { headers: admin });
    return (await answer.json()) as { views: number; unique_users: number };
  }

  test('a wrong one keeps the views until a right one is in the tag', () =>
    withService(keys, async (port) => {
      const site = await stand.otherSite(port);
      site.tags = [{ site: 'shop', key: 'a-key-that-nobody-gave' }];
      const visitor = await stand.visitor();
      const page = await visitor.open(`${site.url}/a`);
      await keeps(page, 1);
      site.tags = [{ site: 'shop', key: keys.writeKeys[0]! }];
      await page.goto(`${site.url}/b`);
      await settled(page);
      expect(await reportOf(port)).toMatchObject({ views: 2, unique_users: 1 });
    }));

  test('and wants users signed: one whom the site names and signs is counted, nobody else', () =>
    withService({ ...keys, userSigningSecret: [secret] }, async (port) => {
      const site = await stand.otherSite(port);
      const key = keys.writeKeys[0]!;
      const sig = createHmac('sha256', secret).update('ann').digest('hex');
      site.tags = [{ site: 'shop', key, user: 'ann', sig }];
      const visitor = await stand.visitor();
      const page = await visitor.open(`${site.url}/app/`);
      await settled(page);
      await page.evaluate(`footfall.identify('bob', '${sig}')`);
      await go(page, '/app/x');
      await settled(page); // refused for good, and not kept
      await page.evaluate(`footfall.identify('ann', '${sig}')`);
      await go(page, '/app/y');
      await settled(page);
      expect(await reportOf(port)).toMatchObject({ views: 2, unique_users: 1 });
    }));
});
