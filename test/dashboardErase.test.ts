// The dashboard erases a user: it asks first, does it, and shows what the API said of it.

import { join } from 'node:path';
import type { Page, Response } from 'playwright-core';
import { useBrowser } from './support/browser.ts';
import { figuresOn, go, heading, loaded, useDashboard } from './support/dashboard.ts';
import { queryAt, usePostgres } from './support/postgres.ts';
import { until, useProcesses } from './support/process.ts';
import { type Proxy as Line, startProxy } from './support/proxy.ts';
import { snapshot } from './support/redis.ts';

const stand = useDashboard();
const { api } = stand;
const browser = useBrowser();
const postgres = usePostgres();
const processes = useProcesses();

const dialogOf = (page: Page) => page.getByRole('dialog');
const field = (page: Page) => dialogOf(page).getByLabel('Type the user’s id to confirm');
const forGood = (page: Page) => dialogOf(page).getByRole('button', { name: 'Erase for good' });

async function ask(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name: 'Erase this user…' }).click();
  await dialogOf(page)
    .getByRole('heading', { name: `Erase ${name}?`, exact: true })
    .waitFor();
}

async function erase(page: Page, name: string): Promise<void> {
  await ask(page, name);
  await field(page).fill(name);
  await forGood(page).click();
}

const isErasure = (response: Response) => response.request().method() === 'DELETE';

const receiptOn = async (page: Page) =>
  JSON.parse(await page.getByRole('region', { name: 'the receipt' }).innerText());

async function openAnn(user = 'ann') {
  for (const name of ['Home', 'Prices'])
    await api.view({ user_id: user, name, url: `https://a.example/${name}` });
  await api.view({ user_id: 'bob' });
  const visitor = await stand.open(`#/user/${encodeURIComponent(user)}`);
  await loaded(visitor.page);
  return visitor;
}

describe('it asks first', () => {
  test.each([
    ['Cancel', (page: Page) => dialogOf(page).getByRole('button', { name: 'Cancel' }).click()],
    ['Escape', (page: Page) => page.keyboard.press('Escape')],
    ['going back', (page: Page) => page.evaluate('history.back()')],
  ])('and %s ends it without anything done', async (_, leave) => {
    const { page, troubles } = await openAnn();
    await page.evaluate(`location.hash = '#/user/bob'`);
    await heading(page, 'User bob').waitFor();
    await page.evaluate(`location.hash = '#/user/ann'`);
    await heading(page, 'User ann').waitFor();
    const before = await snapshot(stand.redis);
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.method()));
    await ask(page, 'ann');
    expect(await dialogOf(page).innerText()).toContain('It cannot be undone.');
    expect(await dialogOf(page).innerText()).toContain('There is no archive');
    await field(page).fill('ann');
    await leave(page);
    await dialogOf(page).waitFor({ state: 'detached' });
    expect(asked).not.toContain('DELETE');
    expect(await snapshot(stand.redis)).toEqual(before);
    expect(troubles).toEqual([]);
  });

  test('and wants the id typed as it is', async () => {
    const { page } = await openAnn();
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.method()));
    await ask(page, 'ann');
    expect(await forGood(page).isDisabled()).toBe(true);
    for (const typed of ['an', 'ANN', 'ann ', 'bob', '']) {
      await field(page).fill('ann');
      expect(await forGood(page).isEnabled()).toBe(true);
      await field(page).fill(typed);
      expect([typed, await forGood(page).isDisabled()]).toEqual([typed, true]);
      await field(page).press('Enter');
    }
    await page.keyboard.press('Escape');
    await dialogOf(page).waitFor({ state: 'detached' });
    expect(asked).not.toContain('DELETE');
    expect((await api.profile('ann')).number_pages_viewed_in_the_last_7_days).toBe(2);
  });
});

test.each(['ann', `<img src=x onerror="ran=1">`, '\u202Enna 😀 %61'])(
  'it erases %j, and the receipt is the API’s',
  async (user) => {
    const { page, troubles } = await openAnn(user);
    const answered = page.waitForResponse(isErasure);
    await erase(page, user);
    await heading(page, `${user} is erased`).waitFor();
    const receipt = await (await answered).json();
    expect(receipt).toMatchObject({
      user_id: user,
      keys_deleted: expect.any(Number),
      archive: 'none',
      residue: 0,
    });
    expect(receipt.keys_deleted).toBeGreaterThan(0);
    expect(await receiptOn(page)).toEqual(receipt);
    expect(await figuresOn(page)).toEqual({
      'Keys dropped': [String(receipt.keys_deleted)],
      'Counts corrected': [String(receipt.counts_corrected)],
      'Left by older versions': ['0', 'all was looked through'],
      Archive: ['–', 'there is none'],
    });
    expect(await page.locator('.lede').innerText()).toContain('On 21 November 2026 at 12:00:00 UTC.');
    expect(await page.evaluate('document.activeElement.textContent')).toBe(`${user} is erased`);

    const kept = JSON.stringify([...(await snapshot(stand.redis))]);
    const named = [user, encodeURIComponent(user)].filter((name) => new RegExp(`:v2?:?${name}`).test(kept));
    expect(named).toEqual([]);
    expect((await api.profile(user)).number_pages_viewed_in_the_last_7_days).toBe(0);
    expect(await api.visitors({ name: 'Home' })).toBe(1); // bob is left
    await page.getByRole('link', { name: 'Look at the profile as it is now' }).click();
    await heading(page, `User ${user}`).waitFor();
    await page.getByText('nobody saw this user').waitFor();
    expect(await figuresOn(page)).toMatchObject({ 'Pages viewed': ['0', 'in the last 7 days'] });
    expect(await page.evaluate('window.ran')).toBeUndefined();
    expect(troubles).toEqual([]);
  },
);

describe('while it is under way', () => {
  /** Answers to an erasure wait until they are let go. */
  async function held(page: Page) {
    let go: (lost: boolean) => void = () => undefined;
    const decided = new Promise<boolean>((resolve) => {
      go = resolve;
    });
    await page.route('**/v1/user/ann', async (route) => {
      if (route.request().method() !== 'DELETE') return route.continue();
      return (await decided) ? route.abort() : route.continue();
    });
    return (lost = false) => go(lost);
  }

  test('who goes back gets the receipt all the same', async () => {
    const { page } = await openAnn();
    await page.evaluate(`location.hash = '#/logins'`);
    await heading(page, 'Logins').waitFor();
    await page.goBack();
    await loaded(page);
    const letGo = await held(page);
    const answered = page.waitForResponse(isErasure);
    await erase(page, 'ann');
    await dialogOf(page).getByText('Erasing…').waitFor();
    await page.goForward();
    await heading(page, 'Logins').waitFor();
    letGo();
    await dialogOf(page).getByRole('heading', { name: 'ann is erased' }).waitFor();
    expect(await receiptOn(page)).toEqual(await (await answered).json());
    await dialogOf(page).getByRole('button', { name: 'Close' }).click();
    await dialogOf(page).waitFor({ state: 'detached' });
    await heading(page, 'Logins').waitFor();
  });

  test.each([
    [
      'by typing the id again',
      async (page: Page) => {
        await field(page).focus();
        for (const key of ['End', 'n', 'Backspace', 'Enter']) await page.keyboard.press(key);
      },
    ],
    [
      'out of a second dialog',
      async (page: Page) => {
        for (const key of ['Escape', 'Escape', 'Escape']) await page.keyboard.press(key);
        await dialogOf(page).getByText('Erasing…').waitFor();
      },
    ],
  ])('it is not sent twice: %s', async (_, again) => {
    const { page, troubles } = await openAnn();
    const letGo = await held(page);
    let sent = 0;
    page.on('request', (request) => request.method() === 'DELETE' && sent++);
    await erase(page, 'ann');
    await dialogOf(page).getByText('Erasing…').waitFor();
    await again(page);
    expect(await field(page).inputValue()).toBe('ann');
    letGo();
    await heading(page, 'ann is erased').waitFor();
    await dialogOf(page).waitFor({ state: 'detached' });
    expect((await receiptOn(page)).keys_deleted).toBeGreaterThan(0);
    expect(sent).toBe(1);
    expect(troubles).toEqual([]);
  });

  test('who closes it hears what came of it: nothing', async () => {
    const { page } = await openAnn();
    const letGo = await held(page);
    await erase(page, 'ann');
    await dialogOf(page).getByText('Erasing…').waitFor();
    for (const key of ['Escape', 'Escape', 'Escape']) await page.keyboard.press(key);
    letGo(true);
    await dialogOf(page).getByText('Erase again to be sure').waitFor();
    await page.unroute('**/v1/user/ann');
    await forGood(page).click();
    await heading(page, 'ann is erased').waitFor();
  });
});

describe('the receipt of who went back meanwhile', () => {
  const RECEIPT = {
    user_id: 'ann',
    erased_at: '2026-11-21T12:00:00.000Z',
    keys_deleted: 5,
    counts_corrected: 3,
    scan: 'complete',
    residue: 0,
    archive: 'pending',
    erasure_id: '7',
  };

  /** With an archive that forgets when it is let, and how often it was asked. */
  async function openReceipt() {
    const { page, troubles } = await openAnn();
    let isDone = false;
    let isAway = false;
    let asked = 0;
    await page.route('**/v1/erasures/7', (route) => {
      asked++;
      if (isAway) return route.abort('connectionrefused');
      return route.fulfill({ json: isDone ? { archive: 'done', rows_deleted: 3 } : { archive: 'pending' } });
    });
    await page.route('**/v1/user/ann', async (route) => {
      if (route.request().method() !== 'DELETE') return route.continue();
      await page.evaluate(`location.hash = '#/user'`);
      await heading(page, 'User').waitFor();
      return route.fulfill({ json: RECEIPT });
    });
    await erase(page, 'ann');
    await dialogOf(page).getByRole('heading', { name: 'ann is erased' }).waitFor();
    return {
      page,
      troubles,
      asked: () => asked,
      away() {
        isAway = true;
      },
      forget() {
        isDone = true;
      },
    };
  }

  /** Also what came of its closing, which a browser tells a moment later. */
  const gone = (page: Page) => page.locator('dialog').waitFor({ state: 'detached' });
  const archive = (page: Page) => dialogOf(page).locator('dl.figures > div', { hasText: 'Archive' });
  const link = (page: Page, name: string) => dialogOf(page).getByRole('link', { name });

  test('asks the archive until it has forgotten', async () => {
    const { page, troubles, asked, forget } = await openReceipt();
    await dialogOf(page).getByText('The archive has not forgotten yet').waitFor();
    await until('it asks', () => asked() > 0);
    expect(await archive(page).innerText()).toContain('pending');
    forget();
    await page.clock.runFor(2000);
    await dialogOf(page).getByText('The archive has forgotten, too (3 rows).').waitFor();
    expect(await archive(page).innerText()).toMatch(/done\s+3 rows/);
    expect(await receiptOn(page)).toMatchObject({ ...RECEIPT, archive: 'done', rows_deleted: 3 });
    expect(await page.locator('[aria-busy]').count()).toBe(0);
    expect(troubles).toEqual([]);
  });

  test.each([
    ['Close', (page: Page) => dialogOf(page).getByRole('button', { name: 'Close' }).click()],
    ['one Escape', (page: Page) => page.keyboard.press('Escape')],
  ])('asks no more after %s', async (_, leave) => {
    const { page, asked } = await openReceipt();
    await until('it asks', () => asked() > 0);
    await leave(page);
    await gone(page);
    const before = asked();
    await page.clock.runFor(10_000);
    await go(page, '#/user/bob', 'User bob');
    await loaded(page);
    expect(asked()).toBe(before);
  });

  test('says that the service is away for as long as it is asked, wherever one goes', async () => {
    const { page, asked, away } = await openReceipt();
    const banner = page.locator('#banner');
    await until('it asks', () => asked() > 0);
    await page.route('**/v1/user/uniques/**', (route) => route.abort('connectionrefused'));
    away();
    await page.clock.runFor(2000);
    await banner.getByText('The service does not answer').waitFor();
    const another = page.waitForEvent('requestfailed', (request) => request.url().includes('/uniques/'));
    await go(page, '#/logins', 'Logins');
    await another;
    await go(page, '#/user', 'User');
    expect(await banner.innerText()).toContain('The service does not answer');
    await page.keyboard.press('Escape');
    await gone(page);
    expect(await banner.innerText()).toBe('');
  });

  test('tells what its figures mean', async () => {
    const { page, troubles } = await openReceipt();
    const tooltip = page.getByRole('tooltip');
    await dialogOf(page).getByRole('button', { name: 'Keys dropped' }).hover();
    await tooltip.getByText('Keys of this user').waitFor();
    await tooltip.hover(); // what is outside of the dialog can't be pointed at
    await page.keyboard.press('Escape');
    await tooltip.waitFor({ state: 'hidden' });
    expect(await dialogOf(page).count()).toBe(1);
    await page.keyboard.press('Escape');
    await gone(page);
    await go(page, '#/user/bob', 'User bob');
    await loaded(page);
    await page.getByRole('button', { name: 'Pages viewed' }).hover();
    await tooltip.getByText('Counts views').waitFor();
    expect(troubles).toEqual([]);
  });

  test.each([
    ['Look at the profile as it is now', '#/logins', 'User ann'],
    ['Look at the profile as it is now', '#/user/ann', 'User ann'],
    ['at another user', '#/logins', 'User'],
  ])('%j, over %s, leads there', async (name, over, title) => {
    const { page, troubles } = await openReceipt();
    await page.evaluate(`location.hash = ${JSON.stringify(over)}`);
    await page.locator('main').locator('dl.figures').first().waitFor();
    let profiles = 0;
    page.on('request', (request) => request.url().endsWith('/v1/user/ann') && profiles++);
    await link(page, name).click();
    await gone(page);
    await heading(page, title).waitFor();
    if (title === 'User ann') await loaded(page);
    expect(profiles).toBe(title === 'User ann' ? 1 : 0);
    expect(await page.evaluate('document.activeElement.textContent')).toBe(title);
    expect(troubles).toEqual([]);
  });
});

describe('where no answer comes', () => {
  let line: Line;
  beforeAll(async () => {
    line = await startProxy({ port: api.port });
  });
  beforeEach(() => line.set('pass'));
  afterAll(() => line.stop());

  async function openThrough() {
    const { page } = await openAnn();
    await page.goto(`http://127.0.0.1:${line.port}/#/user/ann`);
    await loaded(page);
    return page;
  }

  test('it says that it may or may not be done, and can be tried again', async () => {
    const page = await openThrough();
    line.set('reset');
    await erase(page, 'ann');
    await dialogOf(page).getByRole('alert').getByText('it may or may not have been done').waitFor();
    expect((await api.profile('ann')).number_pages_viewed_in_the_last_7_days).toBe(2);
    line.set('pass');
    await forGood(page).click();
    await heading(page, 'ann is erased').waitFor();
    expect((await receiptOn(page)).keys_deleted).toBeGreaterThan(0);
  });

  test('of what was done, too; while it is under way nothing closes it', async () => {
    const page = await openThrough();
    line.set('holdReplies');
    await erase(page, 'ann');
    await dialogOf(page).getByText('Erasing…').waitFor();
    await until(
      'it is done',
      async () => (await api.profile('ann')).number_pages_viewed_in_the_last_7_days === 0,
    );
    await page.keyboard.press('Escape');
    expect(await dialogOf(page).getByRole('button', { name: 'Cancel' }).isDisabled()).toBe(true);
    expect(await forGood(page).isDisabled()).toBe(true);
    line.set('reset'); // the browser tries once more by itself
    await dialogOf(page).getByRole('alert').getByText('Erase again to be sure').waitFor();
    line.set('pass');
    await forGood(page).click();
    await heading(page, 'ann is erased').waitFor();
    expect(await receiptOn(page)).toMatchObject({ user_id: 'ann', keys_deleted: 0 });
  });

  test('nor ever will', async () => {
    const page = await openThrough();
    line.set('swallow');
    await erase(page, 'ann');
    await dialogOf(page).getByText('Erasing…').waitFor();
    await page.clock.runFor(45_000);
    await dialogOf(page).getByRole('alert').getByText('Erase again to be sure').waitFor();
    await dialogOf(page).getByRole('button', { name: 'Cancel' }).click();
    await dialogOf(page).waitFor({ state: 'detached' });
  });

  test('what the service refuses, it says in its words', async () => {
    const page = await openThrough();
    const body = { title: 'Too many requests', detail: 'Wait a little.', code: 'too_many', status: 429 };
    await page.route('**/v1/user/ann', (route) => route.fulfill({ status: 429, json: body }), { times: 1 });
    await erase(page, 'ann');
    const alert = dialogOf(page).getByRole('alert');
    await alert.getByText('Wait a little.').waitFor();
    expect(await alert.innerText()).toBe('Too many requests. Wait a little.');
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Erase for good');
    await forGood(page).click();
    await heading(page, 'ann is erased').waitFor();
  });
});

test('with an archive: pending until it has forgotten, too', async () => {
  const DATABASE_URL = await postgres.freshDatabase();
  const settings = { DATABASE_URL, ARCHIVE_WORKER: 'off' };
  const { port, view } = await processes.start(settings);
  for (const id of ['a', 'b', 'c']) expect(await view('ann', id)).toEqual([202, 'recorded']);
  const command = [process.execPath, join(__dirname, '../dist/archive/command.js')];
  const worker = () => processes.begin(settings, { command });
  const { open, troubles } = await browser.visitor();
  const page = await open(`http://127.0.0.1:${port}/#/user/ann`);
  await loaded(page);
  await ask(page, 'ann');
  expect(await dialogOf(page).innerText()).toContain('The archive forgets, too');
  await field(page).fill('ann');
  await forGood(page).click();
  await heading(page, 'ann is erased').waitFor();
  expect(await figuresOn(page)).toMatchObject({ Archive: ['pending'] });
  await page.getByText('The archive has not forgotten yet').waitFor();
  const receipt = await receiptOn(page);
  expect(receipt).toMatchObject({ user_id: 'ann', archive: 'pending', erasure_id: expect.any(String) });
  worker();
  await page.getByText('The archive has forgotten, too (3 rows).').waitFor();
  expect(await figuresOn(page)).toMatchObject({ Archive: ['done', '3 rows'] });
  expect(await receiptOn(page)).toMatchObject({ ...receipt, archive: 'done', rows_deleted: 3 });
  expect(await queryAt(DATABASE_URL, 'SELECT 1 FROM events')).toEqual([]);
  expect(troubles).toEqual([]);
});
