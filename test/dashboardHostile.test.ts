// Names that others sent, on the dashboard: shown letter by letter, and nothing of them runs.

import type { Page } from 'playwright-core';
import { figuresOn, go, loaded, part, useDashboard } from './support/dashboard.ts';
import { until } from './support/process.ts';

const stand = useDashboard();
const { api } = stand;

const LONG = 'W'.repeat(2048);
const NAMES: [what: string, name: string][] = [
  ['a script', '<script>window.ran = 1</script>'],
  ['an image that fails', `<img src=x onerror="window.ran = 1">`],
  ['what breaks out of an attribute', `"'><svg/onload=window.ran=1>`],
  ['a URL that is a script', 'javascript:window.ran=1//'],
  ['one that says where it leads', 'javascript://a.example/%0Awindow.ran=1'],
  ['the prototype', '__proto__'],
  ['a text that runs backwards', 'a\u202Egnp.exe\u2066b'],
  ['characters of several parts', '👩🏽‍🚀e\u0301\u0301ß'],
  ['spaces around', '  a  b  '],
  ['escapes', '%3Cscript%3E%00%zz&lt;b&gt;&amp;'],
  ['parts of an address', '/?a=b&c#/user/bob?d=1'],
  ['no end of it', LONG],
];

/** Names that have more characters than are shown at first. */
async function openAll(page: Page): Promise<void> {
  const more = page.getByRole('button', { name: /^all [\d,]+ characters$/ });
  while ((await more.count()) > 0) await more.first().click();
}

const NARROW = { context: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true } };

/** Nothing ran, nothing was reported, and the page is no wider than the screen. */
async function expectInert(page: Page, troubles: string[]): Promise<void> {
  expect(
    await page.evaluate(`[window.ran, document.querySelectorAll('main script, main img, main svg').length]`),
  ).toEqual([undefined, 0]);
  expect(await page.evaluate('[document.documentElement.scrollWidth, window.reports]')).toEqual([390, []]);
  expect(troubles).toEqual([]);
}

test.each(NAMES)('%s', async (_what, text) => {
  const [site, user, name] = [text.slice(0, 64), text.slice(0, 128), text.slice(0, 512)];
  for (const one of [user, 'somebody']) {
    await api.view({ user_id: one, site_id: site, url: text, name });
    await api.view({ user_id: one, site_id: site, url: text, name, timestamp: '2026-11-21T11:58:20.000Z' });
  }
  await api.event({ user_id: user, site_id: site, path: text, event_type: '__proto__' });
  await api.event({ user_id: user, site_id: site, path: text, event_type: 'constructor' });
  const { page, troubles } = await stand.open('', NARROW);
  const title = page.getByRole('heading', { level: 1 });

  await page.getByLabel('Site', { exact: true }).fill(site);
  await page.getByRole('button', { name: 'Show site' }).click();
  await until('the site is shown', async () => (await title.textContent()) === `Site ${site}`);
  await loaded(page);
  expect(await figuresOn(page)).toMatchObject({
    Views: ['4'],
    'Unique users': ['2', 'exact'],
    'Other events': ['2'],
  });
  const types = await part(page, 'Types of events').locator('tbody th').allTextContents();
  expect(types.toSorted()).toEqual(['__proto__', 'constructor', 'page_view']);
  await openAll(page);
  const paths = part(page, 'Top paths').locator('tbody th bdi');
  expect(await paths.allTextContents()).toEqual([text]);
  await expectInert(page, troubles);

  await part(page, 'Top paths').getByRole('link').click();
  await title.getByText('Page').waitFor();
  await loaded(page);
  await openAll(page);
  expect(await title.locator('bdi').textContent()).toBe(text);
  const query = { [/^\w+:\/\//.test(text) ? 'url' : 'name']: text, site_id: site };
  expect(await page.getByRole('textbox', { name: 'Page', exact: true }).inputValue()).toBe(text);
  expect(await page.getByRole('textbox', { name: 'On a site (or all)' }).inputValue()).toBe(site);
  const visitors = text.length > 512 && query.name ? 0 : await api.visitors(query);
  if (text.length <= 512) {
    expect(await figuresOn(page)).toEqual({ 'Distinct visitors': ['2', 'in the last 7 days'] });
    expect(visitors).toBe(2);
  }
  await expectInert(page, troubles);

  await go(page, '#/user', 'User');
  await page.getByRole('textbox', { name: 'User', exact: true }).fill(user);
  await page.getByRole('button', { name: 'Show user' }).click();
  await loaded(page);
  await openAll(page);
  expect(await title.locator('bdi').textContent()).toBe(user);
  expect(await figuresOn(page)).toMatchObject({
    'Pages viewed': ['2', 'in the last 7 days'],
    'Time spent': ['2', 'minutes'],
  });
  expect(await part(page, 'Pages by views').locator('tbody th bdi').allTextContents()).toEqual([name]);
  const visits = part(page, 'How the time spent came about').locator('tbody bdi');
  expect(await visits.allTextContents()).toEqual([name, name]);
  await page.getByRole('button', { name: 'Erase this user…' }).click();
  await page.getByRole('dialog').getByRole('textbox').fill(user);
  expect(await page.getByRole('button', { name: 'Erase for good' }).isEnabled()).toBe(true);
  await expectInert(page, troubles);
  await page.keyboard.press('Escape');

  await part(page, 'Pages by views').getByRole('link').click();
  await title.getByText('Page').waitFor();
  await loaded(page);
  expect(await figuresOn(page)).toEqual({ 'Distinct visitors': ['2', 'in the last 7 days'] });
  await expectInert(page, troubles);
});
