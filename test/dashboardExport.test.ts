// The dashboard saves all that is held of a user: the file is the API's answer, whole or not at all.

import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { loaded, part, useDashboard } from './support/dashboard.ts';
import { until } from './support/process.ts';
import { type Proxy as Line, startProxy } from './support/proxy.ts';

const stand = useDashboard();
const { api } = stand;

const save = (page: Page) => part(page, 'What is held').getByRole('button', { name: 'Save a copy' });
const said = (page: Page) => part(page, 'What is held').getByRole('status');
const wrong = (page: Page) => part(page, 'What is held').getByRole('alert');

/** Asked for a moment later, a key goes a moment later. */
const withoutTtl = (lines: string) => lines.replace(/"kept_until":"[^"]+"/g, '');

async function openUser(user = 'ann') {
  for (const name of ['Home', 'Prices']) await api.view({ user_id: user, name });
  const visitor = await stand.open(`#/user/${encodeURIComponent(user)}`);
  await loaded(visitor.page);
  const saved: string[] = [];
  visitor.page.on('download', (download) => saved.push(download.suggestedFilename()));
  return { ...visitor, saved };
}

test.each(['ann', '<img src=x onerror="ran=1">', '../../\u202Enna 😀 %61'])(
  'it saves what is held of %j',
  async (user) => {
    const { page, troubles } = await openUser(user);
    const downloads = page.waitForEvent('download');
    await save(page).click();
    const download = await downloads;
    const file = readFileSync(await download.path(), 'utf8');
    const { text } = await api.send({ path: `/v1/user/${encodeURIComponent(user)}/export` });
    expect(withoutTtl(file)).toBe(withoutTtl(text));
    const all = file.trimEnd().split('\n');
    const lines = all.length - 1;
    expect(JSON.parse(all[0]!)).toMatchObject({ is: 'profile', user_id: user, views: 2 });
    expect(JSON.parse(all[1]!)).toMatchObject({ is: 'day', pages: { Home: 1, Prices: 1 } });
    expect(download.suggestedFilename()).toBe('footfall-user-2026-11-21.ndjson');
    await said(page).getByText(`${lines} lines of JSON`).waitFor();
    expect(await save(page).isEnabled()).toBe(true);
    expect(await page.evaluate('[window.ran, reports.length]')).toEqual([undefined, 0]);
    expect(troubles).toEqual([]);
  },
);

test('nobody seen in the last seven days can be asked for, too', async () => {
  const { page } = await stand.open('#/user/nobody');
  await loaded(page);
  const downloads = page.waitForEvent('download');
  await save(page).click();
  expect(readFileSync(await (await downloads).path(), 'utf8')).toContain('"is":"end"');
});

describe('on the way', () => {
  /** The answer comes by pieces that are given to `window.more`, and ends with `window.end()`. */
  const PIECES = `{
    const others = fetch;
    window.asked = 0;
    window.fetch = (path, init) => {
      if (!path.endsWith('/export')) return others(path, init);
      asked++;
      const body = new ReadableStream({
        start(to) {
          window.more = (text) => to.enqueue(new TextEncoder().encode(text));
          window.end = () => to.close();
        },
      });
      return Promise.resolve(new Response(body));
    };
    window.told = [];
    const status = document.querySelector('.columns > section [role=status]');
    new MutationObserver(() => told.push(status.textContent)).observe(status, { subtree: true, childList: true, characterData: true });
  }`;
  const focused = (page: Page) => page.evaluate('document.activeElement.textContent');

  async function begin() {
    const visitor = await openUser();
    const { page } = visitor;
    await page.evaluate(PIECES);
    await save(page).focus();
    await page.keyboard.press('Enter');
    await until('it is asked for', () => page.evaluate('window.more !== undefined'));
    return visitor;
  }

  /** Each is seen before the next comes. */
  async function comeBy(page: Page, pieces: string[]): Promise<void> {
    let size = 0;
    for (const piece of pieces) {
      await page.evaluate(`more(${JSON.stringify(piece)})`);
      size += piece.length;
      await part(page, 'What is held').getByText(`${size} bytes`).waitFor();
    }
  }

  const LINE = '{"from":"redis","is":"view"}\n';

  test('how much has come is seen, and a screen reader says that it is read, once, and what came of it', async () => {
    const { page, saved, troubles } = await begin();
    await comeBy(page, [LINE, LINE, LINE, LINE]);
    expect(await page.evaluate('told')).toEqual(['Reading…']);
    expect(await said(page).innerText()).toBe('Reading…');
    await page.evaluate(`more('{"is":"end","lines":4}\\n'); end()`);
    await said(page).getByText('4 lines of JSON').waitFor();
    expect((await page.evaluate<string[]>('told')).map((text) => text.slice(0, 15))).toEqual([
      'Reading…',
      '4 lines of JSON',
    ]);
    await until('it is saved', () => saved.length === 1);
    expect(troubles).toEqual([]);
  });

  test('the button keeps the focus, and does nothing until it is over', async () => {
    const { page } = await begin();
    await comeBy(page, [LINE]);
    expect([await focused(page), await save(page).isDisabled()]).toEqual(['Save a copy', true]);
    await page.keyboard.press('Enter');
    await save(page).click({ force: true });
    expect(await page.evaluate('asked')).toBe(1);
    await page.evaluate('end()');
    await wrong(page).waitFor();
    expect([await focused(page), await save(page).isEnabled()]).toEqual(['Save a copy', true]);
    await page.keyboard.press('Enter');
    await until('it is asked for again', () => page.evaluate('asked === 2'));
    expect(await wrong(page).count()).toBe(0);
  });

  test('what went wrong is said once', async () => {
    const { page } = await begin();
    await comeBy(page, [LINE]);
    await page.evaluate('end()');
    await wrong(page).waitFor();
    expect(await said(page).innerText()).toBe('');
    expect(await page.getByRole('status').getByRole('alert').count()).toBe(0);
    expect(await part(page, 'What is held').getByText('bytes').count()).toBe(0);
  });
});

describe('nothing is saved', () => {
  let line: Line;
  beforeAll(async () => {
    line = await startProxy({ port: api.port });
  });
  beforeEach(() => line.set('pass'));
  afterAll(() => line.stop());

  const CUT_OFF = 'The answer did not come to its end, so nothing was saved.';

  test.each([
    ['whose last line is missing', '{"from":"redis","is":"profile"}\n'],
    ['cut off within a line', '{"from":"redis","is":"profile"}\n{"is":"e'],
    ['that is empty', ''],
    ['that ends with what a person sent', '{"is":"view","page":"{\\"is\\":\\"end\\",\\"lines\\":1}"}\n'],
  ])('of an answer %s', async (_, body) => {
    const { page, saved } = await openUser();
    await page.route('**/export', (route) => route.fulfill({ body, contentType: 'application/x-ndjson' }));
    await save(page).click();
    await wrong(page).getByText(CUT_OFF).waitFor();
    await page.unroute('**/export');
    const downloads = page.waitForEvent('download');
    await save(page).click();
    await downloads;
    expect(saved).toHaveLength(1);
  });

  test('where no answer comes', async () => {
    const { page, saved } = await openUser();
    await page.goto(`http://127.0.0.1:${line.port}/#/user/ann`);
    await loaded(page);
    line.set('swallow');
    await save(page).click();
    await said(page).getByText('Reading…').waitFor();
    expect(await save(page).isDisabled()).toBe(true);
    await page.clock.runFor(45_000);
    await wrong(page).getByText(CUT_OFF).waitFor();
    expect(saved).toEqual([]);
  });

  test('where the service says no, and it says why', async () => {
    const { page, saved } = await openUser();
    const body = { title: 'Away', detail: 'Wait a little.', code: 'away', status: 503 };
    await page.route('**/export', (route) => route.fulfill({ status: 503, json: body }), { times: 1 });
    await save(page).click();
    await wrong(page).getByText('Away. Wait a little.').waitFor();
    expect(saved).toEqual([]);
  });

  test('with a key that is none any more, and another is asked for', async () => {
    const { page, saved } = await openUser();
    const body = { title: 'Unauthorized', detail: 'No.', code: 'unauthorized', status: 401 };
    await page.route('**/export', (route) => route.fulfill({ status: 401, json: body }));
    await save(page).click();
    await page.getByRole('alert').getByText('The service does not know this key').waitFor();
    expect(saved).toEqual([]);
  });

  test('of whom one has left meanwhile', async () => {
    const { page, saved } = await openUser();
    let held = 0;
    const failed: string[] = [];
    page.on('requestfailed', (request) => failed.push(new URL(request.url()).pathname));
    await page.route('**/export', () => void held++);
    await save(page).click();
    await until('it is asked for', () => held === 1);
    await page.evaluate(`location.hash = '#/user/bob'`);
    await until('it is given up', () => failed.length > 0);
    expect(failed).toEqual(['/v1/user/ann/export']);
    expect(saved).toEqual([]);
  });
});
