// The dashboard while the service is away, and when it is back; and a tab that nobody looks at.

import type { Page } from 'playwright-core';
import { useBrowser } from './support/browser.ts';
import { asTable, figuresOn, go, heading, loaded, useDashboard } from './support/dashboard.ts';
import { type Settings, until, useProcesses } from './support/process.ts';
import { steadyPort } from './support/topologies.ts';

const stand = useDashboard();
const browser = useBrowser();
const processes = useProcesses();

const AWAY = 'The service does not answer; trying again…';
const banner = (page: Page) => page.locator('#banner').innerText();

/** How a figure looks: grey once it is old. */
const colours = (page: Page) =>
  page.evaluate<string[]>(`['.number', '.quiet, .note, footer'].map((which) =>
    getComputedStyle(document.querySelector(which)).color)`);

async function expectAway(page: Page): Promise<void> {
  await page.getByText(AWAY).waitFor();
  await until('figures are grey', async () => new Set(await colours(page)).size === 1);
}

async function expectBack(page: Page): Promise<void> {
  await page.getByText(AWAY).waitFor({ state: 'hidden', timeout: 20_000 });
  expect(new Set(await colours(page)).size).toBe(2);
  expect(await banner(page)).toBe('');
  expect(await page.evaluate('window.stayed')).toBe(true); // not by a reload
}

/** Nobody looks at the tab, or somebody does. */
const hide = (page: Page, isHidden: boolean) =>
  page.evaluate(`Object.defineProperty(document, 'hidden', { value: ${isHidden}, configurable: true });
    document.dispatchEvent(new Event('visibilitychange'))`);

/** A service that is killed can be started again in its place. */
async function start(hash: string, title: string) {
  const settings: Settings = { PORT: String(await steadyPort()) };
  const service = await processes.start(settings);
  await service.view('ann', 'e1');
  const { open, troubles } = await browser.visitor();
  const page = await open(`http://127.0.0.1:${settings.PORT}/${hash}`);
  await heading(page, title).waitFor();
  await page.evaluate('window.stayed = true');
  return { service, page, troubles, again: () => processes.start(settings) };
}

const isLive = (page: Page) =>
  until('figures come', async () => (await figuresOn(page))['Events per second']?.[0] !== '–');

test('live figures: killed, it is said at once; started again, they go on by themselves', async () => {
  const { service, page, again } = await start('#/live', 'Live');
  await isLive(page);
  expect(new Set(await colours(page)).size).toBe(2);
  const before = (await asTable(page, /^Events per second/)).length;
  service.kill('SIGKILL');
  await expectAway(page);
  expect((await figuresOn(page))['Events per second']).toEqual(['0', 'recorded']); // the last that was heard
  await service.ended;
  const { viewsOf } = await again();
  await expectBack(page);
  await until('it goes on', async () => {
    await page.getByText('as a table').first().click(); // shows what was when it was opened
    return (await asTable(page, /^Events per second/)).length > before + 1;
  });
  expect(await viewsOf('ann')).toBe(1);
});

test('one that stands still is known by its silence', async () => {
  const { service, page } = await start('#/live', 'Live');
  await isLive(page);
  await page.clock.install();
  await page.reload();
  await page.evaluate('window.stayed = true');
  await isLive(page);
  service.kill('SIGSTOP');
  await page.clock.runFor(11_000);
  await expectAway(page);
  service.kill('SIGCONT');
  await page.clock.runFor(10_000);
  await expectBack(page);
  await isLive(page);
});

test('one that stood still while nobody looked is known by its silence, too', async () => {
  const { service, page } = await start('#/live', 'Live');
  await page.clock.install();
  await page.reload();
  await page.evaluate('window.stayed = true');
  await isLive(page);
  await hide(page, true);
  service.kill('SIGSTOP');
  await hide(page, false);
  await page.clock.runFor(9000);
  expect(await banner(page)).toBe('');
  await page.clock.runFor(2000);
  await expectAway(page);
  service.kill('SIGCONT');
  await page.clock.runFor(10_000);
  await expectBack(page);
  await isLive(page);
});

test('what is asked for meanwhile comes when it is back', async () => {
  const { service, page, again } = await start('#/user/ann', 'User ann');
  await loaded(page);
  expect(await figuresOn(page)).toMatchObject({ 'Pages viewed': ['1', 'in the last 7 days'] });
  service.kill('SIGKILL');
  await service.ended;
  await go(page, '#/user/bob', 'User bob');
  await page.getByText(AWAY).waitFor();
  await again();
  await page.getByText('nobody saw this user').waitFor({ timeout: 20_000 });
  await expectBack(page);
  await go(page, '#/user/ann', 'User ann');
  await loaded(page);
  expect(await figuresOn(page)).toMatchObject({ 'Pages viewed': ['1', 'in the last 7 days'] });
});

test('opened while it is away for a moment, it begins when it is back', async () => {
  const { page } = await stand.open('#/live');
  await page.route('**/v1/key', (route) => route.abort('connectionrefused'), { times: 1 });
  await page.reload();
  await heading(page, 'Live').waitFor();
  await page.getByText(AWAY).waitFor({ state: 'hidden' });
});

describe('nobody says that it is tried again when nobody tries', () => {
  const refusal = (status: number, title: string) => ({
    status,
    json: { title, detail: 'So it is.', code: 'so', status },
  });

  /** No answer at first, and this one once it has been said that there is none. */
  async function answerLate(page: Page, url: string, late: ReturnType<typeof refusal>): Promise<void> {
    let isFirst = true;
    await page.route(url, async (route) => {
      const wasFirst = isFirst;
      isFirst = false;
      if (wasFirst) return route.abort('connectionrefused');
      await page.getByText(AWAY).waitFor();
      return route.fulfill(late);
    });
  }

  test('since one has gone elsewhere', async () => {
    const { page } = await stand.open('#/user/ann');
    await loaded(page);
    await page.route('**/v1/user/uniques/**', (route) => route.abort('connectionrefused'));
    for (const [hash, title] of [
      ['#/user/ann', 'User ann'],
      ['#/user', 'User'], // which asks nothing
    ] as const) {
      await go(page, '#/logins', 'Logins');
      await page.getByText(AWAY).waitFor();
      await go(page, hash, title);
      if (hash === '#/user/ann') await loaded(page);
      expect([title, await banner(page)]).toEqual([title, '']);
    }
  });

  test.each([
    [500, 'Damaged'],
    [404, 'Not found'],
    [400, 'Invalid'],
  ])('since a part is answered %i', async (status, title) => {
    const { page } = await stand.open('#/user');
    await heading(page, 'User').waitFor(); // or what it asks first would be the answer that does not come
    await answerLate(page, '**/v1/user/ann', refusal(status, title));
    await go(page, '#/user/ann', 'User ann');
    await page.getByRole('alert').getByText(`${title}. So it is.`).waitFor();
    expect(await banner(page)).toBe('');
  });

  test.each([
    ['a part', '#/user/ann', 'User ann', '**/v1/user/ann'],
    ['the stream', '#/live', 'Live', '**/v1/live'],
    ['the page', '', '', '**/v1/key'],
  ])('since a key is asked for by %s', async (_, hash, title, url) => {
    const { page } = await stand.open('#/user');
    await heading(page, 'User').waitFor(); // or what it asks first would be the answer that does not come
    await answerLate(page, url, refusal(401, 'Unauthorized'));
    if (hash) await go(page, hash, title);
    else await page.reload();
    await heading(page, 'A key, please').waitFor();
    expect(await banner(page)).toBe('');
  });

  test.each([
    ['the stream', '#/live', '**/v1/live'],
    ['the page', '', '**/v1/key'],
  ])('since %s is refused', async (_, hash, url) => {
    const { page } = await stand.open('#/user');
    await heading(page, 'User').waitFor(); // or what it asks first would be the answer that does not come
    await answerLate(page, url, refusal(403, 'Forbidden'));
    if (hash) await go(page, hash, 'Live');
    else await page.reload();
    await page.getByRole('alert').getByText('Forbidden. So it is.').waitFor();
    expect(await banner(page)).toBe('');
  });
});

describe('a stream', () => {
  const streams = (n: number) => until(`${n} listen`, () => stand.streams() === n);

  test('rests while nobody looks, and goes on when somebody does', async () => {
    const { page, troubles } = await stand.open('#/live');
    await isLive(page);
    await streams(1);
    await hide(page, true);
    await streams(0);
    expect(await banner(page)).toBe('');
    await hide(page, false);
    await streams(1);
    expect(await banner(page)).toBe('');
    expect(troubles).toEqual([]);
  });

  test('is there for the sections that want it, and one at a time', async () => {
    const { page, context, troubles } = await stand.open('#/');
    await streams(1);
    await go(page, '#/live', 'Live');
    await isLive(page);
    await streams(1);
    await go(page, '#/logins', 'Logins');
    await streams(0);
    await go(page, '#/live', 'Live');
    await streams(1);
    expect((await figuresOn(page))['Events per second']![0]).not.toBe('–'); // what was known is there at once
    await context.newPage();
    await page.close();
    await streams(0);
    expect(troubles).toEqual([]);
  });

  test('that is turned away comes again when it was told to', async () => {
    const { page } = await stand.open('#/logins');
    await loaded(page);
    const problem = {
      title: 'Overloaded',
      detail: 'Too many listen already.',
      code: 'overloaded',
      status: 503,
    };
    const refuse = { status: 503, json: problem, headers: { 'Retry-After': '0' } };
    await page.route('**/v1/live', (route) => route.fulfill(refuse), { times: 1 });
    await go(page, '#/live', 'Live');
    await page.getByText(AWAY).waitFor();
    await isLive(page);
    await page.getByText(AWAY).waitFor({ state: 'hidden' });
  });
});
