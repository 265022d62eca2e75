// The dashboard and keys: each shows what it may, and is kept in its tab and nowhere else.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { useBrowser } from './support/browser.ts';
import { go, heading, useDashboard } from './support/dashboard.ts';
import { KEYS } from './support/marks.ts';
import { until, useProcesses } from './support/process.ts';

const stand = useDashboard({
  writeKeys: [KEYS.write],
  readKeys: [KEYS.read],
  adminKeys: [KEYS.admin],
  metricsKeys: [KEYS.metrics],
});
const browser = useBrowser();
const processes = useProcesses();

/** What can't be avoided: the first call has no key. */
const UNAUTHORIZED = /^error: .* 401 \(Unauthorized\)$/;

async function use(page: Page, key: string): Promise<void> {
  await page.getByLabel('Key', { exact: true }).fill(key);
  await page.getByRole('button', { name: 'Use this key' }).click();
}

/** Somebody who has shown this key. */
async function openWith(key: string, hash = '') {
  const visitor = await stand.open(hash);
  await use(visitor.page, key);
  await visitor.page.getByText('The key of this tab may').waitFor();
  return visitor;
}

const sections = (page: Page) =>
  page.getByRole('navigation', { name: 'Sections' }).getByRole('link').allInnerTexts();

const footer = (page: Page) => page.getByRole('contentinfo').innerText();

test('without a key it asks for one, and shows nothing else', async () => {
  const { page, troubles } = await stand.open('#/user/ann');
  await heading(page, 'A key, please').waitFor();
  expect(await sections(page)).toEqual([]);
  expect(await page.getByRole('alert').filter({ visible: true }).count()).toBe(0);
  expect(await page.getByLabel('Key', { exact: true }).getAttribute('type')).toBe('password');
  expect(await page.title()).toBe('Key · Footfall');
  expect(troubles).toEqual([expect.stringMatching(UNAUTHORIZED)]);
});

test('a wrong key, and one that can be none, are told so; a good one goes on to where one wanted to be', async () => {
  const { page, troubles } = await stand.open('#/user/ann');
  await use(page, 'nöt a key');
  await page.getByRole('alert').getByText('A key is letters, digits and').waitFor();
  await use(page, 'a-wrong-key-of-a-test');
  await page.getByRole('alert').getByText('The service does not know this key').waitFor();
  expect(await page.evaluate('sessionStorage.length')).toBe(0);
  await use(page, ` ${KEYS.admin} `);
  await heading(page, 'User ann').waitFor();
  expect(troubles).toHaveLength(2);
});

const MAY_NOT = {
  read: 'Sites, pages, logins and users are shown with a read key.',
  metrics: 'Live figures are shown with a metrics key.',
  admin: 'Saving what is held of a user, and erasing it, take an admin key, which shows all the rest, too.',
};

test.each<[kind: keyof typeof KEYS, rights: string, shown: string[], missing: (keyof typeof MAY_NOT)[]]>([
  ['read', 'read', ['Overview', 'Site', 'Page', 'Logins', 'User'], ['metrics', 'admin']],
  ['metrics', 'read metrics', ['Overview', 'Live'], ['read', 'admin']],
  ['write', 'record', ['Overview'], ['read', 'metrics', 'admin']],
  ['admin', 'record, read, erase, read metrics', ['Overview', 'Live', 'Site', 'Page', 'Logins', 'User'], []],
])('a %s key may %s', async (kind, rights, shown, missing) => {
  const { page, troubles } = await openWith(KEYS[kind]);
  const asked: string[] = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  expect(await sections(page)).toEqual(shown);
  const told = await footer(page);
  expect(told).toContain(`The key of this tab may ${rights}.`);
  for (const [right, line] of Object.entries(MAY_NOT))
    expect([right, told.includes(line)]).toEqual([right, missing.some((one) => one === right)]);
  const reads = shown.includes('Site');
  expect(await page.getByRole('form', { name: 'A user' }).count()).toBe(reads ? 1 : 0);
  expect(await page.getByText('Events per second').count()).toBe(shown.includes('Live') ? 1 : 0);

  for (const [hash, title] of [
    ['#/live', 'Live'],
    ['#/user/ann', reads ? 'User ann' : 'User'],
  ] as const) {
    await go(page, hash, title);
    const isShown = shown.includes(title.split(' ')[0]!) && (title !== 'User' || reads);
    const refusal = page.getByText(
      /^This needs a (read|metrics) key or an admin key; the one of this tab is another\.$/,
    );
    expect([hash, await refusal.count()]).toEqual([hash, isShown ? 0 : 1]);
  }
  for (const name of [/Erase/, 'Save a copy']) {
    const button = page.getByRole('button', { name });
    if (kind === 'admin') await button.waitFor();
    else expect(await button.count()).toBe(0);
  }
  expect(await page.getByText('Saving what is held, and erasing, take an admin key.').count()).toBe(
    kind === 'read' ? 1 : 0,
  );
  if (reads) await page.getByText('nobody saw this user').waitFor();
  else expect(asked.filter((path) => path.startsWith('/v1/user'))).toEqual([]); // what it may not is not tried
  if (missing.includes('metrics')) expect(asked).not.toContain('/v1/live');
  expect(troubles).toHaveLength(1);
});

test('a key is kept for its tab alone, and in no address', async () => {
  const { context, page } = await stand.open('#/site/shop');
  const asked: string[] = [];
  context.on('request', (request) => asked.push(`${request.url()} ${request.headers().referer ?? ''}`));
  await use(page, KEYS.admin);
  await heading(page, 'Site shop').waitFor();
  const places = `[JSON.stringify(localStorage), document.cookie, JSON.stringify(sessionStorage), location.href, document.title,
    document.documentElement.outerHTML, JSON.stringify(history.state)]`;
  const [local, cookie, session, ...others] = await page.evaluate<string[]>(places);
  expect([local, cookie]).toEqual(['{}', '']);
  expect(JSON.parse(session!)).toMatchObject({ 'footfall.key': KEYS.admin });
  expect(others.join()).not.toContain(KEYS.admin);

  await page.reload();
  await heading(page, 'Site shop').waitFor();
  await go(page, '#/live', 'Live');
  const other = await context.newPage();
  await other.goto(page.url());
  await heading(other, 'A key, please').waitFor();
  await use(other, KEYS.metrics);
  await heading(other, 'Live').waitFor();
  expect(await page.evaluate(`sessionStorage['footfall.key']`)).toBe(KEYS.admin);
  expect(asked.length).toBeGreaterThan(5);
  expect(asked.join()).not.toContain('zq7k');
});

test('a key can be forgotten, and another one used, or not', async () => {
  const { page } = await openWith(KEYS.read, '#/logins');
  await page.getByRole('button', { name: 'Use another key' }).click();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await heading(page, 'Logins').waitFor();
  await page.getByRole('button', { name: 'Use another key' }).click();
  await use(page, KEYS.metrics);
  await page.getByText('This needs a read key or an admin key').waitFor();
  expect(await sections(page)).toEqual(['Overview', 'Live']);
  await page.getByRole('button', { name: 'Forget it' }).click();
  await heading(page, 'A key, please').waitFor();
  expect(await page.evaluate('[sessionStorage.length, localStorage.length]')).toEqual([0, 0]);
  const asked: string[] = [];
  page.on('request', (request) => request.url().includes('/v1/') && asked.push(request.url()));
  await page.evaluate(`location.hash = '#/live'`);
  await page.goBack();
  await heading(page, 'A key, please').waitFor();
  expect((await page.getByRole('alert').allInnerTexts()).filter(Boolean)).toEqual([]);
  expect(asked).toEqual([]);
  await page.reload();
  await heading(page, 'A key, please').waitFor();
  expect(await sections(page)).toEqual([]);
});

test('forgotten while the service is away, it is asked for no more once one goes elsewhere', async () => {
  const { page } = await openWith(KEYS.read, '#/logins');
  await page.route('**/v1/key', (route) => route.abort('connectionrefused'));
  await page.getByRole('button', { name: 'Forget it' }).click();
  await page.getByText('The service does not answer').waitFor();
  await go(page, '#/user', 'User');
  expect(await page.locator('#banner').innerText()).toBe('');
});

test.each([
  ['the live figures', '#/live', 'Live'],
  ['a user', '#/user/ann', 'User ann'],
])('a key that is taken away while one looks at %s is asked for again', async (_, hash, title) => {
  const file = join(processes.dir, 'admin-keys');
  writeFileSync(file, KEYS.admin);
  const service = await processes.start({ ADMIN_KEYS_FILE: file });
  const { open } = await browser.visitor();
  const page = await open(`http://127.0.0.1:${service.port}/${hash}`);
  await use(page, KEYS.admin);
  await heading(page, title).waitFor();
  writeFileSync(file, 'another-key-of-a-test');
  service.kill('SIGHUP');
  await until('the keys are others', () => service.said().includes('SIGHUP: the keys were read again'));
  if (hash === '#/user/ann') {
    await page.getByRole('button', { name: 'Erase this user…' }).click();
    await page.getByLabel('Type the user’s id to confirm').fill('ann');
    await page.getByRole('button', { name: 'Erase for good' }).click();
  }
  await heading(page, 'A key, please').waitFor();
  expect(await page.getByRole('alert').innerText()).toContain('The service does not know this key');
  expect(await sections(page)).toEqual([]);
  await use(page, 'another-key-of-a-test');
  await heading(page, title).waitFor();
});
