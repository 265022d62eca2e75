// The dashboard for everybody: by keyboard, in the dark, on a phone, for who can't see it; and how much of it there is.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { go, heading, loaded, useDashboard } from './support/dashboard.ts';
import { until } from './support/process.ts';

const stand = useDashboard();
const { api } = stand;

const AXE = readFileSync(createRequire(__filename).resolve('axe-core/axe.min.js'), 'utf8');

const SALE = 'https://shop.example/sale';
const SECTIONS: [hash: string, title: string, labels: string[]][] = [
  ['#/', 'Overview', ['Events per second', 'p99 of writes', 'Redis answers in', 'Redis memory', 'Service']],
  [
    '#/live',
    'Live',
    [
      ...['Events per second', 'p99 of writes', 'Redis answers in', 'Redis memory', 'Service', 'outcome'],
      ...['Requests per second', 'Refused per second', 'Events in flight'],
    ],
  ],
  [
    '#/site/shop',
    'Site shop',
    ['Views', 'Unique users', 'exact', 'Views per user', 'Other events', 'path', 'type'],
  ],
  [`#/page?url=${encodeURIComponent(SALE)}`, `Page ${SALE}`, ['Distinct visitors', 'days that end today']],
  ['#/logins', 'Logins', ['Logged in today', 'This month', 'month']],
  [
    '#/user/ann',
    'User ann',
    [
      ...['Pages viewed', 'Time spent', 'Days active', 'Different pages', 'Most viewed page'],
      ...['Views', 'Time spent', 'since the view before'],
    ],
  ],
  ['#/site/nobody', 'Site nobody', []],
  ['#/user', 'User', []],
  ['#/nowhere', 'Nothing here', []],
];

beforeEach(async () => {
  for (const [user_id, name] of [
    ['ann', 'Sale'],
    ['ann', 'Home'],
    ['bob', 'Sale'],
  ] as const) {
    await api.view({ user_id, name, site_id: 'shop', url: name === 'Sale' ? SALE : 'https://shop.example/' });
  }
  await api.view({ timestamp: '2026-11-21T11:50:00.000Z' });
  await api.event();
  await api.login();
});

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

/** Another section, with all that it shows. */
async function look(page: Page, hash: string, title: string): Promise<void> {
  await go(page, hash, title);
  await until('all of it has come', async () => (await page.locator('[aria-busy]').count()) === 0);
  if (/^#\/(live)?$/.test(hash))
    await page.getByText('no writes').or(page.getByText(' ms')).first().waitFor();
}

async function openAll(page: Page): Promise<void> {
  const closed = page.locator('details:not([open]) > summary');
  while ((await closed.count()) > 0) await closed.first().click();
}

/** What axe finds wrong, of any weight. */
async function faults(page: Page): Promise<string[]> {
  return page.evaluate<
    string[]
  >(`axe.run(document).then(({ violations }) => violations.flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => id + ' ' + html.slice(0, 200) + ' ' + failureSummary)))`);
}

describe.each([
  ['on a desktop', {}],
  ['on a phone', PHONE],
])('axe finds nothing %s', (_, screen) => {
  test.each(['light', 'dark'] as const)('in a %s scheme', async (colorScheme) => {
    const { page, troubles } = await stand.open('', { context: { ...screen, colorScheme } });
    await page.evaluate(AXE);
    const papers = new Set<string>();
    for (const [hash, title] of SECTIONS) {
      await look(page, hash, title);
      await openAll(page);
      expect([title, await faults(page)]).toEqual([title, []]);
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
      papers.add(await page.evaluate('getComputedStyle(document.body).backgroundColor'));
    }
    await look(page, '#/user/ann', 'User ann');
    await page.getByRole('button', { name: 'Pages viewed' }).click();
    expect(await faults(page)).toEqual([]);
    await page.getByRole('button', { name: 'Erase this user…' }).click();
    expect(await faults(page)).toEqual([]);
    await page.getByLabel('Type the user’s id').fill('ann');
    expect(await faults(page)).toEqual([]);
    await page.getByRole('button', { name: 'Erase for good' }).click();
    await heading(page, 'ann is erased').waitFor();
    expect(await faults(page)).toEqual([]);
    const [paper] = [...papers].map((colour) => Number(/\d+/.exec(colour)![0]));
    expect(papers.size).toBe(1);
    expect(paper! > 128).toBe(colorScheme === 'light');
    expect(troubles).toEqual([]);
  });
});

const tooltip = (page: Page) => page.getByRole('tooltip');

describe('what a figure means', () => {
  test.each(SECTIONS.filter(([, , labels]) => labels.length > 0))(
    'is a hover or the keyboard away: %s',
    async (hash, title, labels) => {
      const { page, troubles } = await stand.open();
      await look(page, hash, title);
      const terms = page.locator('main').getByRole('button').and(page.locator('.term'));
      expect((await terms.allInnerTexts()).toSorted()).toEqual(labels.toSorted());
      expect(await page.locator('dt:visible').count()).toBe(await page.locator('dt:visible > .term').count());
      const told = new Set<string>();
      for (const term of await terms.filter({ visible: true }).all()) {
        await term.hover();
        await tooltip(page).waitFor();
        const text = await tooltip(page).innerText();
        told.add(text);
        const box = (await tooltip(page).boundingBox())!;
        expect(box.x).toBeGreaterThanOrEqual(0);
        await page.mouse.move(0, 0);
        await tooltip(page).waitFor({ state: 'hidden' });
        await term.focus();
        await page.keyboard.press('Shift+Tab');
        await page.keyboard.press('Tab');
        await tooltip(page).waitFor();
        expect(await tooltip(page).innerText()).toBe(text);
        expect(await term.getAttribute('aria-describedby')).toBe(await tooltip(page).getAttribute('id'));
        await page.keyboard.press('Escape');
        await tooltip(page).waitFor({ state: 'hidden' });
      }
      for (const text of told) expect(text).toMatch(/^.{20,}[^.]\.$/);
      expect(told.size).toBeGreaterThanOrEqual(labels.length - 1); // time spent may be told twice
      expect(troubles).toEqual([]);
    },
  );

  test('is a tap away on a phone, and goes with another', async () => {
    const { page, troubles } = await stand.open('', { context: PHONE });
    for (const [hash, title, labels] of SECTIONS) {
      if (labels.length === 0) continue;
      await look(page, hash, title);
      for (const term of await page.locator('.term:visible').all()) {
        await term.tap();
        await tooltip(page).waitFor();
        const { x, width } = (await tooltip(page).boundingBox())!;
        expect(x >= 0 && x + width <= 390).toBe(true);
        await term.tap();
        await tooltip(page).waitFor({ state: 'hidden' });
      }
      await page.locator('.term:visible').first().tap();
      await tooltip(page).waitFor();
      await page.touchscreen.tap(5, 5);
      await tooltip(page).waitFor({ state: 'hidden' });
    }
    expect(troubles).toEqual([]);
  });
});

describe('by keyboard alone', () => {
  /** What has the focus, and whether that can be seen. */
  const focused = (page: Page) =>
    page.evaluate<[name: string, isSeen: boolean]>(`(() => {
      const at = document.activeElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(at);
      const name = at.labels?.[0]?.textContent ?? at.getAttribute('aria-label') ?? at.textContent;
      return [name.trim(), outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2];
    })()`);

  /** On to what is so called, each step of it to be seen. */
  async function tabTo(page: Page, name: string): Promise<string[]> {
    const names: string[] = [];
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press('Tab');
      const [at, isSeen] = await focused(page);
      if (at !== 'Footfall' || names.length > 0) expect([at, isSeen]).toEqual([at, true]);
      names.push(at);
      if (at === name) return names;
    }
    throw new Error(`${name} is not among ${names.join(', ')}`);
  }

  test('the whole tour', async () => {
    const { page, troubles } = await stand.open();
    await heading(page, 'Overview').waitFor();
    expect(await tabTo(page, 'User')).toEqual([
      ...['Skip to the figures', 'Footfall', 'Overview', 'Live', 'Site', 'Page', 'Logins', 'User'],
    ]);
    await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Enter');
    await heading(page, 'Logins').waitFor();
    await loaded(page);
    expect((await focused(page))[0]).toBe('Logins');
    await tabTo(page, '7 days');
    await page.keyboard.press('Enter');
    await page.locator('[aria-current=true]', { hasText: '7 days' }).waitFor();
    expect((await focused(page))[0]).toBe('7 days'); // it is where one was
    await loaded(page);
    await tabTo(page, 'as a table');
    await page.keyboard.press('Enter');
    await page.getByRole('columnheader', { name: 'logged in', exact: true }).first().waitFor();

    await page.evaluate(`location.hash = '#/'`);
    await heading(page, 'Overview').waitFor();
    await tabTo(page, 'User');
    await page.keyboard.type('ann');
    await page.keyboard.press('Enter');
    await heading(page, 'User ann').waitFor();
    expect((await focused(page))[0]).toBe('User ann');
    await loaded(page);
    await tabTo(page, 'Pages viewed');
    await tooltip(page).waitFor();
    await page.keyboard.press('Escape');
    await tooltip(page).waitFor({ state: 'hidden' });
    expect((await focused(page))[0]).toBe('Pages viewed');
    await tabTo(page, 'Erase this user…');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').waitFor();
    expect((await focused(page))[0]).toBe('Type the user’s id to confirm');
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect((await focused(page))[0]).toBe('Erase this user…');
    await page.keyboard.press('Enter');
    await page.keyboard.type('ann');
    expect(await tabTo(page, 'Erase for good')).toEqual(['Cancel', 'Erase for good']);
    await page.keyboard.press('Enter');
    await heading(page, 'ann is erased').waitFor();
    expect((await focused(page))[0]).toBe('ann is erased');
    expect(troubles).toEqual([]);
  });

  test('what is skipped to has the focus, and the address stays', async () => {
    const { page } = await stand.open('#/site/shop');
    await loaded(page);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    expect(await page.evaluate('[document.activeElement.id, location.hash]')).toEqual([
      'main',
      '#/site/shop',
    ]);
    await page.keyboard.press('Tab');
    expect((await focused(page))[0]).toBe('7 days');
  });
});

test('all of it together is under 100 kB, compressed as little as a browser may ask for', async () => {
  const { page } = await stand.open('#/live');
  const paths = new Set(['/dashboard/icon.svg']); // nobody needs one without a screen
  page.on('request', (request) => paths.add(new URL(request.url()).pathname));
  await page.reload();
  await heading(page, 'Live').waitFor();
  const names = [...paths].filter((path) => !path.startsWith('/v1/'));
  expect(names.toSorted()).toEqual(['/', '/dashboard/icon.svg', '/dashboard/main.css', '/dashboard/main.js']);
  let bytes = 0;
  for (const path of names) {
    const { status, headers } = await api.send({ path, headers: { 'Accept-Encoding': 'gzip' } });
    expect([status, headers['content-encoding']]).toEqual([200, 'gzip']);
    bytes += Number(headers['content-length']);
  }
  expect(bytes).toBeGreaterThan(1000);
  expect(bytes).toBeLessThan(100_000);
});
