// What browser tests rely on: a visitor is as they were asked for, and what goes wrong on a page is heard of.

import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { useBrowser } from './support/browser.ts';
import { until } from './support/process.ts';

const browser = useBrowser();

const PAGE = `<!doctype html><title>A page</title><link rel="icon" href="data:,">
<script>addEventListener('pageshow', (event) => { window.comesBack = event.persisted })</script>`;
const DAY = 86_400_000;

let server: Server;
let site: string;
let asked: IncomingMessage[] = [];

beforeAll(async () => {
  server = createServer((req, res) => {
    asked.push(req);
    if (req.url === '/dead') return void req.socket.destroy();
    if (req.url === '/strict') res.setHeader('Content-Security-Policy', "default-src 'none'");
    res.statusCode = req.url === '/missing' ? 404 : 200;
    res.setHeader('Content-Type', 'text/html');
    res.end(PAGE);
  }).listen(0, '127.0.0.1');
  await until('it listens', () => server.listening);
  site = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
beforeEach(() => {
  asked = [];
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const keep = `try { localStorage.count = Number(localStorage.count ?? 0) + 1; localStorage.count } catch (error) { error.name }`;
const privacy = '[navigator.doNotTrack, navigator.globalPrivacyControl ?? null]';

describe('a visitor', () => {
  test('has what they kept on every tab, and nobody else has it', async () => {
    const [one, other] = [await browser.visitor(), await browser.visitor()];
    const counts = [];
    for (const visitor of [one, one, other]) counts.push(await (await visitor.open(site)).evaluate(keep));
    expect(counts).toEqual(['1', '2', '1']);
  });

  test('may refuse to keep anything', async () => {
    const visitor = await browser.visitor({ refusesStorage: true });
    expect(await (await visitor.open(site)).evaluate(keep)).toBe('SecurityError');
  });

  test('may ask not to be tracked, in either way', async () => {
    const visitors = [{}, { doNotTrack: true }, { globalPrivacyControl: true }];
    const seen = [];
    for (const options of visitors) {
      const visitor = await browser.visitor(options);
      seen.push([await (await visitor.open(site)).evaluate(privacy), asked.at(-1)!.headers.dnt]);
    }
    expect(seen).toEqual([
      [[null, null], undefined],
      [['1', null], '1'],
      [[null, true], undefined],
    ]);
  });

  test.each([-3 * DAY, 2 * DAY])('may have a clock that is %d ms ahead', async (clock) => {
    const page = await (await browser.visitor({ clock })).open(site);
    const before = Date.now() + clock;
    const times = await page.evaluate<number[]>(
      '[Date.now(), new Date().getTime(), Date.parse(Date()) + 999, new Date(5).getTime(), Date.UTC(1970, 0)]',
    );
    const after = Date.now() + clock;
    for (const time of times.slice(0, 3)) {
      expect(time).toBeGreaterThanOrEqual(before);
      expect(time).toBeLessThanOrEqual(after + 999);
    }
    expect(times.slice(3)).toEqual([5, 0]);
    expect(await page.evaluate('new Date() instanceof Date')).toBe(true);
  });

  test('finds a page as they left it when they go back', async () => {
    const page = await (await browser.visitor()).open(site);
    await page.goto(`${site}/next`);
    await page.goBack({ waitUntil: 'commit' });
    await until('it is back', () => page.evaluate('window.comesBack'));
    expect(page.url()).toBe(`${site}/`);
    expect(asked).toHaveLength(2);
  });

  test('may lose the network', async () => {
    const { context, open } = await browser.visitor();
    const page = await open(site);
    const look = `fetch('/').then(() => 'there', () => 'away')`;
    await context.setOffline(true);
    expect(await page.evaluate(look)).toBe('away');
    await context.setOffline(false);
    expect(await page.evaluate(look)).toBe('there');
  });
});

describe('troubles', () => {
  test.each<[what: string, path: string, script: string, trouble: RegExp]>([
    ['what a page complains of', '/', `console.error('no good')`, /^error: no good$/],
    ['what it throws', '/', `setTimeout(() => { throw new TypeError('odd') })`, /^thrown: odd$/],
    ['what is not there', '/', `fetch('/missing')`, /^error: Failed to load resource: .*404/],
    [
      'what gets no answer',
      '/',
      `fetch('/dead').catch(() => 0)`,
      /^failed: GET http:\S+\/dead net::ERR_EMPTY_RESPONSE$/,
    ],
    ['what the policy forbids', '/strict', '', /^error: .*Content Security Policy/],
  ])('%s', async (_, path, script, trouble) => {
    const { open, troubles } = await browser.visitor();
    const page = await open(site + path);
    await page.evaluate(`(() => { ${script} })()`);
    await until('it is heard of', () => troubles.some((line) => trouble.test(line)));
  });

  test('none where all is well', async () => {
    const { open, troubles } = await browser.visitor();
    const page = await open(site);
    await page.evaluate(`console.log('well')`);
    await page.goto(`${site}/next`);
    expect(troubles).toEqual([]);
  });
});
