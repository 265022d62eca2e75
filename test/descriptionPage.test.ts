// `/docs`: the description as a person reads it, in a browser and with curl.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { curlOf, HOST } from '../src/description/curl.ts';
import { page } from '../src/description/page.ts';
import type { Document } from '../src/description/reading.ts';
import { PROBLEMS } from '../src/http/problem.ts';
import { useBrowser } from './support/browser.ts';
import { DESCRIBED, DOCUMENT, examplesOf } from './support/description.ts';
import { useApi } from './support/http.ts';
import { useRedis } from './support/redis.ts';

const server = useRedis();
const api = useApi(server);
const browser = useBrowser();
const run = promisify(execFile);

const AXE = readFileSync(join(__dirname, '../node_modules/axe-core/axe.min.js'), 'utf8');
const HTML = page(DOCUMENT);
const all = (pattern: RegExp) => [...HTML.matchAll(pattern)].map(([, found]) => found!);

const LOOKS = [
  ['light', { colorScheme: 'light' }],
  ['dark', { colorScheme: 'dark' }],
  ['on a phone', { viewport: { width: 390, height: 844 } }],
] as const;

describe('in a browser', () => {
  test.each(LOOKS)(
    '%s: it can be read, by everybody, and asks nobody else',
    async (_name, context) => {
      const visitor = await browser.visitor({ context: { ...context, bypassCSP: true } }); // axe is a script of ours
      const asked: string[] = [];
      visitor.context.on('request', (request) => asked.push(request.url()));
      const tab = await visitor.open(`http://127.0.0.1:${api.port}/docs`);
      expect(asked).toEqual([`http://127.0.0.1:${api.port}/docs`, `http://127.0.0.1:${api.port}/docs.css`]);
      const width = await tab.evaluate('[document.documentElement.scrollWidth, innerWidth]');
      expect((width as number[])[0]).toBe((width as number[])[1]);
      await tab.evaluate(AXE);
      const { violations } = (await tab.evaluate('axe.run()')) as {
        violations: { id: string; nodes: unknown[] }[];
      };
      expect(violations.map(({ id, nodes }) => [id, nodes.length])).toEqual([]);
      expect(visitor.troubles).toEqual([]);
    },
    60_000,
  );

  test('under its own policy, by keyboard: past the contents, to a call, and an example opened', async () => {
    const visitor = await browser.visitor();
    const tab = await visitor.open(`http://127.0.0.1:${api.port}/docs`);
    await tab.keyboard.press('Tab');
    await tab.keyboard.press('Enter');
    expect(await tab.evaluate('document.activeElement.id')).toBe('calls');
    await tab.goto(`http://127.0.0.1:${api.port}/docs#recordPage`);
    const closed = tab.locator('article[aria-labelledby=recordPage] details:not([open]) summary').first();
    const before = await tab.locator('details[open]').count();
    await closed.focus();
    await tab.keyboard.press('Enter');
    expect(await tab.locator('details[open]').count()).toBe(before + 1);
    expect(await tab.evaluate('getComputedStyle(document.body).marginTop')).toBe('0px'); // its style is there
    expect(visitor.troubles).toEqual([]);
  });
});

test('it has no script, and nothing inline', () => {
  expect(HTML).not.toMatch(/<script|<style|\sstyle=|\son\w+=|javascript:/i);
});

test('each link in it leads somewhere, each id is there once', () => {
  const ids = all(/\sid="([^"]+)"/g);
  expect(new Set(ids).size).toBe(ids.length);
  const links = all(/href="#([^"]+)"/g);
  expect([...new Set(links)].filter((link) => !ids.includes(link))).toEqual([]);
  expect(new Set(all(/href="([^#"]+)"/g))).toEqual(new Set(['docs.css', 'data:,', 'openapi.json']));
});

test('it has every call, every schema and every problem', () => {
  const ids = all(/\sid="([^"]+)"/g);
  for (const { operation } of DESCRIBED) expect(ids).toContain(operation.operationId);
  for (const name of Object.keys(DOCUMENT.components.schemas)) expect(ids).toContain(`schema-${name}`);
  for (const code of Object.keys(PROBLEMS)) expect(ids).toContain(`problem-${code}`);
});

test('whatever the description says is text in it', () => {
  const bad = '<img src=x onerror="alert(1)">\'&`<b>`';
  const spoilt = JSON.parse(
    JSON.stringify(DOCUMENT, (key, value) =>
      ['summary', 'description', 'when', 'remedy', 'title', 'version', 'user_id'].includes(key) &&
      typeof value === 'string'
        ? `${value}${bad}`
        : value,
    ),
  ) as Document;
  const text = page(spoilt);
  expect(text).not.toMatch(/<img|<b>`/);
  expect(text.split('&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&#39;&amp;').length).toBeGreaterThan(200);
});

const unescaped = (html: string) =>
  html
    .replace(/<[^>]+>/g, '')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');

test('what it shows to type is answered as it shows', async () => {
  const shown = [
    ...HTML.matchAll(
      /<summary>(.*?)<\/summary>\s*<pre><code>(.*?)<\/code><\/pre>\s*<pre><code>(.*?)<\/code><\/pre>/gs,
    ),
  ]
    .map(([, summary, curl, answer]) => ({
      summary: summary!,
      curl: unescaped(curl!),
      answer: unescaped(answer!),
    }))
    .filter(({ summary }) => !summary.includes('with an archive'));
  // The page is by subject; what is sent has the order of the description.
  const typed = DESCRIBED.flatMap((call) =>
    examplesOf(call)
      .filter(({ needs }) => !needs)
      .map((example) => curlOf(example, call.operation)),
  );
  expect(shown.map(({ curl }) => curl).sort()).toEqual([...typed].sort());
  const env = { PATH: process.env.PATH!, WRITE_KEYS: '', READ_KEYS: '', ADMIN_KEYS: '', METRICS_KEYS: '' };
  for (const curl of typed) {
    const [{ answer } = { answer: '' }] = shown.splice(
      shown.findIndex((one) => one.curl === curl),
      1,
    );
    const { stdout } = await run('sh', ['-c', curl.replaceAll(HOST, `127.0.0.1:${api.port}`)], { env });
    const isJson = !answer.includes('\n{');
    expect([curl, isJson ? JSON.parse(stdout) : stdout]).toEqual([
      curl,
      isJson ? JSON.parse(answer) : answer,
    ]);
  }
});
