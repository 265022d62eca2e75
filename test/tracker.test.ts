// The tag, in a browser, on pages of a site under a strict policy: the counts are exactly right.

import type { Page } from 'playwright-core';
import type { Visitor } from './support/browser.ts';
import { profileWith } from './support/http.ts';
import { until } from './support/process.ts';
import { DAY, go, idOf, settled, useTracker } from './support/trackerStand.ts';

const stand = useTracker();
const { api } = stand;

describe('pages that load', () => {
  test('each is a view under its address and title, of one person', async () => {
    const visitor = await stand.visitor();
    const page = await visitor.open(`${stand.site.url}/a?token=1#top`);
    await settled(page);
    for (const path of ['/b', '/a']) {
      await page.goto(stand.site.url + path);
      await settled(page);
    }
    expect(await stand.counts()).toEqual({ users: 1, paths: { '/a': 2, '/b': 1 } });
    expect(await api.profile(await idOf(page))).toEqual(profileWith(await idOf(page), [3, 0, 1, 'Page /a']));
    expect(await api.visitors({ name: 'Page /b' })).toBe(1);
    expect(visitor.troubles).toEqual([]);
  });

  test.each([
    ['out of the cache that keeps them alive', false],
    ['loaded again', true],
  ])('back and forward, %s, and a reload', async (_how, fresh) => {
    stand.site.fresh = fresh;
    const visitor = await stand.visitor();
    const page = await visitor.open(`${stand.site.url}/a`);
    await settled(page);
    await page.goto(`${stand.site.url}/b`);
    await settled(page);
    await page.evaluate('window.isAlive = true');
    await page.goBack({ waitUntil: 'commit' });
    await settled(page);
    await page.goForward({ waitUntil: 'commit' });
    await settled(page);
    expect(await page.evaluate('window.isAlive === true')).toBe(!fresh);
    await page.reload();
    await settled(page);
    expect(await stand.counts()).toEqual({ users: 1, paths: { '/a': 2, '/b': 3 } });
    expect(visitor.troubles).toEqual([]);
  });

  test('one that is left at once counts, too', async () => {
    const visitor = await stand.visitor();
    const page = await visitor.open(`${stand.site.url}/a`);
    await page.goto(`${stand.site.url}/b`);
    await settled(page);
    expect(await stand.counts()).toEqual({ users: 1, paths: { '/a': 1, '/b': 1 } });
  });

  test('one that is left for good is sent on by the browser', async () => {
    const visitor = await stand.visitor();
    await visitor.context.addInitScript(`{
      const original = fetch;
      window.fetch = (url, init) => { window.outlives = init.keepalive; return original(url, init); };
    }`);
    const page = await visitor.open(`${stand.site.url}/a`);
    await settled(page);
    expect(await page.evaluate('window.outlives')).toBe(true);
    await page.goto(`${stand.site.url}/b`);
    stand.line.set('delay', 100);
    await page.close({ runBeforeUnload: true });
    await until('both are counted', async () => (await stand.counts()).paths['/b'] === 1);
    expect(await stand.counts()).toEqual({ users: 1, paths: { '/a': 1, '/b': 1 } });
  });

  test('visits on several days are one person', async () => {
    const visitor = await stand.visitor();
    for (const day of [0, 1, 2]) {
      if (day > 0) api.clock.advance(DAY);
      const page = await visitor.open(`${stand.site.url}/a`);
      await settled(page);
      await page.close();
    }
    const page = await visitor.open(`${stand.site.url}/b`);
    await settled(page);
    expect(await api.profile(await idOf(page))).toEqual(profileWith(await idOf(page), [4, 0, 3, 'Page /a']));
    expect(await api.visitors({ name: 'Page /a', days: '7' })).toBe(1);
  });

  test('two people are two', async () => {
    for (const path of ['/a', '/b']) {
      const page = await (await stand.visitor()).open(stand.site.url + path);
      await settled(page);
    }
    expect(await stand.counts()).toEqual({ users: 2, paths: { '/a': 1, '/b': 1 } });
  });

  test('a tag that stands there twice counts once', async () => {
    stand.site.tags.push({ site: 'shop' });
    const page = await (await stand.visitor()).open(`${stand.site.url}/a`);
    await settled(page);
    expect(await stand.counts()).toEqual({ users: 1, paths: { '/a': 1 } });
  });
});

describe('a page that stays', () => {
  const open = async (visitor: Visitor, path = '/app/') => {
    const page = await visitor.open(stand.site.url + path);
    await settled(page);
    return page;
  };

  test('each address is a view, under the title that it is given after it is shown', async () => {
    const visitor = await stand.visitor();
    const page = await open(visitor);
    for (const path of ['/app/x', '/app/y']) {
      await go(page, path);
      await settled(page);
    }
    await page.goBack();
    await settled(page);
    await page.goForward();
    await settled(page);
    await page.reload();
    await settled(page);
    expect(await stand.counts()).toEqual({ users: 1, paths: { '/app/': 1, '/app/x': 2, '/app/y': 3 } });
    expect(await api.visitors({ name: 'Page /app/x' })).toBe(1);
    expect((await api.profile(await idOf(page))).most_viewed_page_in_last_7_days).toBe('Page /app/y');
    expect(visitor.troubles).toEqual([]);
  });

  test('what leaves the address as it is counts nothing', async () => {
    const page = await open(await stand.visitor());
    for (const to of ['/app/', '/app/?q=1', '/app/#part', '/app/?q=2#part']) {
      await go(page, to);
      await go(page, to, 'replaceState');
      await settled(page);
    }
    await page.evaluate(`location.assign('#other')`);
    await settled(page);
    expect(await stand.counts()).toEqual({ users: 1, paths: { '/app/': 1 } });
  });

  test('an address that is replaced before anybody sees it is none', async () => {
    const page = await open(await stand.visitor());
    await go(page, '/app/old');
    await go(page, '/app/new', 'replaceState');
    await settled(page);
    expect(await stand.counts()).toEqual({ users: 1, paths: { '/app/': 1, '/app/new': 1 } });
  });

  test('addresses that follow each other quickly count all', async () => {
    const page = await open(await stand.visitor());
    for (const path of ['/app/1', '/app/2', '/app/3']) await go(page, path);
    await page.goto(`${stand.site.url}/app/4`);
    await settled(page);
    expect((await stand.counts()).paths).toEqual({
      '/app/': 1,
      '/app/1': 1,
      '/app/2': 1,
      '/app/3': 1,
      '/app/4': 1,
    });
  });

  test('addresses behind a # are addresses, without what follows a ?', async () => {
    const page = await open(await stand.visitor(), '/app/#/start');
    await page.evaluate(`location.assign('#/prices?token=1')`);
    await settled(page);
    await page.goBack();
    await settled(page);
    expect((await stand.counts()).paths).toEqual({ '/app/#/start': 2, '/app/#/prices': 1 });
  });

  test('the site hears of its own mistakes as ever', async () => {
    const page = await open(await stand.visitor());
    const fault = await page.evaluate(
      `try { history.pushState(() => 1, '', '/app/x') } catch ({ name }) { name }`,
    );
    expect(fault).toBe('DataCloneError');
    await settled(page);
    expect((await stand.counts()).paths).toEqual({ '/app/': 1 });
  });
});

test('the history of the site goes on as ever', async () => {
  const page = await (await stand.visitor()).open(`${stand.site.url}/app/`);
  await settled(page);
  const found = await page.evaluate(`{
    const frame = document.body.appendChild(document.createElement('iframe'));
    let later = 0;
    const { pushState } = History.prototype;
    History.prototype.pushState = function (...args) { later++; return pushState.apply(this, args); };
    let refused;
    try { history.pushState.call({}, null, '', '/app/x'); } catch ({ name }) { refused = name; }
    history.pushState.call(frame.contentWindow.history, { inside: true }, '');
    history.pushState(null, '', '/app/y');
    const own = Object.keys(history);
    ({ later, refused, own, address: location.pathname, ...frame.contentWindow.history.state });
  }`);
  expect(found).toEqual({ later: 3, refused: 'TypeError', own: [], address: '/app/y', inside: true });
  await settled(page);
  expect((await stand.counts()).paths).toEqual({ '/app/': 1, '/app/y': 1 });
});

describe('what a site tells it', () => {
  const call = (page: Page, code: string) => page.evaluate(code);

  test('a name, before the automatic view was sent: that is the view', async () => {
    const page = await (await stand.visitor()).open(`${stand.site.url}/a`);
    await call(page, `footfall.page('Welcome')`);
    await settled(page);
    expect(await stand.counts()).toEqual({ users: 1, paths: { '/a': 1 } });
    expect(await api.visitors({ name: 'Welcome' })).toBe(1);
  });

  test('a name, later: one more view', async () => {
    const page = await (await stand.visitor()).open(`${stand.site.url}/a`);
    await settled(page);
    await call(page, `footfall.page('Step 2')`);
    await settled(page);
    expect(await stand.counts()).toEqual({ users: 1, paths: { '/a': 2 } });
    expect(await api.visitors({ name: 'Step 2' })).toBe(1);
  });

  test('data-auto="off": nothing by itself', async () => {
    stand.site.tags = [{ site: 'shop', auto: 'off' }];
    const page = await (await stand.visitor()).open(`${stand.site.url}/app/`);
    await go(page, '/app/x');
    await settled(page);
    expect(await stand.redis.keys('*:user:*')).toEqual([]);
    await call(page, `footfall.identify('ann'); footfall.page()`);
    await settled(page);
    expect(await stand.counts()).toEqual({ users: 1, paths: { '/app/x': 1 } });
    expect(await api.profile('ann')).toEqual(profileWith('ann', [1, 0, 1, 'Page /app/x']));
    expect(await idOf(page)).toBeUndefined();
  });

  test('who somebody is, until it takes that back', async () => {
    const page = await (await stand.visitor()).open(`${stand.site.url}/app/`);
    await settled(page);
    await call(page, `footfall.identify(42)`);
    await go(page, '/app/x');
    await settled(page);
    await call(page, `footfall.identify()`);
    await go(page, '/app/y');
    await settled(page);
    expect((await api.profile('42')).number_pages_viewed_in_the_last_7_days).toBe(1);
    expect((await api.profile(await idOf(page))).number_pages_viewed_in_the_last_7_days).toBe(2);
  });

  test.each([
    'footfall.page(Symbol())',
    'footfall.page({ toString() { throw 1 } })',
    'footfall.identify(Symbol())',
  ])('nonsense: %s throws nothing', async (code) => {
    const visitor = await stand.visitor();
    const page = await visitor.open(`${stand.site.url}/a`);
    await call(page, `void (${code})`);
    await settled(page);
    expect(visitor.troubles).toEqual([]);
  });

  test.each([
    ['emoji at the end of what fits', `'n'.repeat(511) + '😀'`, `${'n'.repeat(511)} `],
    ['control characters', `'a\\u0001b\\u009fc'`, 'a b c'],
    ['right-to-left and joined emoji', `'\\u202eדף 👩‍👩‍👧'`, '\u202eדף 👩‍👩‍👧'],
    ['markup', `'<script>alert(1)</script>'`, '<script>alert(1)</script>'],
  ])('a title of %s is counted', async (_what, title, name) => {
    const page = await (await stand.visitor()).open(`${stand.site.url}/a`);
    await call(page, `document.title = ${title}`);
    await settled(page);
    expect(await api.visitors({ name })).toBe(1);
  });
});
