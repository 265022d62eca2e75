// `npm run examples`: two sites under a strict policy, and the Footfall that counts them.

import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { useBrowser } from './support/browser.ts';
import { type Begun, type Settings, sendTo, until, useProcesses } from './support/process.ts';
import { steadyPort } from './support/topologies.ts';

const ROOT = join(__dirname, '..');
const SCRIPT = join(ROOT, 'scripts/examples.mjs');
const KEY = 'a-write-key-of-a-test';
const SECRET = 'a-signing-secret-of-a-test';

const browser = useBrowser();
const processes = useProcesses();

interface Report {
  views: number;
  unique_users: number;
  top_paths: { path: string; views: number }[];
}

interface Examples extends Begun {
  still: string;
  staying: string;
  service: string;
}

/** In a session of its own, as a terminal has one. */
const begin = (settings: Settings, ...args: string[]) =>
  processes.begin(settings, { command: ['setsid', process.execPath, SCRIPT, ...args] });

/** On ports of their own. */
async function start(settings: Settings, ...args: string[]): Promise<Examples> {
  const begun = begin(settings, '--port', '0', ...args);
  let ended = false;
  begun.ended.then(() => {
    ended = true;
  });
  const line = await until('the examples are served', () => {
    if (ended) throw new Error(`ended instead of serving: ${begun.out()}${begun.err()}`);
    return /^Examples: (\S+)\/ \(static\) and (\S+)\/ \(single page\), counted by (\S+)$/m.exec(begun.out());
  });
  const [, still, staying, service] = line as unknown as [string, string, string, string];
  return { ...begun, still, staying, service };
}

/** With a Footfall of the test's own. */
async function startBeside(settings: Settings = {}) {
  const { port } = await processes.start(settings);
  const service = `http://127.0.0.1:${port}`;
  return { port, ...(await start(settings, '--service', service)) };
}

async function get(url: string) {
  const { port, pathname } = new URL(url);
  return sendTo(Number(port), 'GET', pathname);
}

const policyFor = (service: string) =>
  `default-src 'none'; script-src 'self' ${service}; connect-src ${service}; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

describe('the files', () => {
  const files = readdirSync(join(ROOT, 'examples'), { recursive: true, encoding: 'utf8' });
  const pages = files.filter((name) => name.endsWith('.html'));
  const read = (name: string) => readFileSync(join(ROOT, 'examples', name), 'utf8');

  test.each(pages)('%s has the tag, and nothing that a strict policy forbids', (name) => {
    const page = read(name);
    expect(
      page.match(/<script defer src="http:\/\/localhost:3000\/tracker.js" data-site="\w+"><\/script>/g),
    ).toHaveLength(1);
    expect(page).not.toMatch(/<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)/);
  });

  test.each(pages)('%s: its links lead somewhere', (name) => {
    const stays = name.startsWith('single-page');
    const links = [...read(name).matchAll(/(?:href|src)="([^":]+)"/g)].map(([, link]) =>
      link!.replace(/^\.?\//, ''),
    );
    const dead = links.filter((link) => link && !files.includes(join(name, '..', link)));
    expect(dead).toEqual(stays ? ['harbour'] : []);
  });
});

describe('beside a Footfall that runs', () => {
  test('serves both sites, with the tag of that Footfall, under the policy', async () => {
    const { still, staying, service, port, out } = await startBeside();
    expect(service).toBe(`http://127.0.0.1:${port}`);
    for (const [url, site] of [
      [`${still}/`, 'tea'],
      [`${still}/teas.html`, 'tea'],
      [`${staying}/`, 'boats'],
    ] as const) {
      const { status, headers, text } = await get(url);
      expect({ status, policy: headers['content-security-policy'] }).toEqual({
        status: 200,
        policy: policyFor(service),
      });
      expect(text).toContain(`<script defer src="${service}/tracker.js" data-site="${site}"></script>`);
      expect(text).not.toContain('localhost:3000');
    }
    for (const path of ['tea/report', 'boats/report']) expect(out()).toContain(`${service}/v1/site/${path}'`);
    expect(out()).not.toContain('Api-Key');
  });

  test('an address of the single page shows it, one of a file that is not there does not', async () => {
    const { still, staying } = await startBeside();
    const { text } = await get(`${staying}/`);
    for (const path of ['/trips/lighthouse', '/no/such/page']) {
      expect(await get(staying + path)).toMatchObject({ status: 200, text });
    }
    for (const url of [
      `${staying}/no.js`,
      `${still}/no.html`,
      `${still}/trips`,
      `${still}/..%2fsingle-page/app.js`,
    ]) {
      expect((await get(url)).status).toBe(404);
    }
  });

  test('with keys, the first write key is in the tag, and a person who logs in is signed', async () => {
    const settings = {
      ...{ WRITE_KEYS: `${KEY},another-write-key-of-it`, READ_KEYS: 'a-read-key-of-a-test' },
      USER_SIGNING_SECRET: SECRET,
    };
    const { still, staying, service, port, out } = await startBeside(settings);
    for (const url of [`${still}/`, `${staying}/`]) {
      expect((await get(url)).text).toContain(
        `<script defer src="${service}/tracker.js" data-key="${KEY}" data-site=`,
      );
    }
    expect(out()).toContain("-H 'X-Api-Key: A READ KEY'");
    expect(out()).not.toContain('a-read-key');

    const [, user, signature] = /data-as="(\w+)" data-sig="(\w+)"/.exec((await get(`${staying}/`)).text)!;
    const view = { user_id: user, name: 'Home', event_id: '1' };
    const send = (user_sig?: string) =>
      sendTo(port, 'POST', `/v1/page?key=${KEY}`, JSON.stringify({ ...view, user_sig }));
    expect((await send(signature)).status).toBe(202);
    expect((await send()).status).not.toBe(202);
  });

  test('a stop leaves that Footfall alone', async () => {
    const { kill, ended, port } = await startBeside();
    kill('SIGINT');
    await ended;
    expect((await get(`http://127.0.0.1:${port}/livez`)).status).toBe(200);
  });
});

describe('in a browser', () => {
  const hrefs = `[...document.querySelectorAll('main a, nav a')].map((a) => a.href)`;

  /** Once they are as many as that: a view is sent as its title is known. */
  const pathsOf = (port: number, site: string, origin: string, views: number, users = 1) =>
    until(`${views} views of ${site} are counted`, async () => {
      const { text } = await sendTo(port, 'GET', `/v1/site/${site}/report`);
      const report = JSON.parse(text) as Report;
      if (report.views < views) return undefined;
      expect(report).toMatchObject({ views, unique_users: users });
      return Object.fromEntries(report.top_paths.map(({ path, views }) => [path.replace(origin, ''), views]));
    });

  test('every page of the static site keeps to the policy, with its style and its tag, and is counted', async () => {
    const { still, port } = await startBeside();
    const visitor = await browser.visitor();
    const page = await visitor.open(`${still}/`);
    const urls = [...new Set(await page.evaluate<string[]>(hrefs))];
    const visits: Record<string, number> = { '/': 1 };
    for (const url of urls) {
      await page.goto(url);
      expect(await page.evaluate('[document.styleSheets.length, typeof footfall]')).toEqual([1, 'object']);
      const { pathname } = new URL(url);
      visits[pathname] = (visits[pathname] ?? 0) + 1;
    }
    expect(await pathsOf(port, 'tea', still, urls.length + 1)).toEqual(visits);
    expect(visitor.troubles).toEqual([]);
  });

  test('the single page goes from address to address, and back, without being loaded again, and is counted', async () => {
    const { staying, port } = await startBeside();
    const visitor = await browser.visitor();
    await visitor.context.clock.install();
    const page = await visitor.open(`${staying}/trips/lighthouse`);
    const titled = () => page.clock.runFor(300);
    await titled();
    await page.evaluate('window.stayed = true');
    expect(await page.title()).toBe('To the lighthouse | Skerry boats');
    await page.getByRole('link', { name: 'Book this trip' }).click();
    expect([page.url(), await page.title()]).toEqual([
      `${staying}/book/lighthouse`,
      'Book: To the lighthouse | Skerry boats',
    ]);
    await titled();
    await page.getByRole('button', { name: 'One more' }).click();
    await page.getByRole('button', { name: 'Next' }).click();
    expect(await page.locator('main').textContent()).toContain('3 seats: € 138');
    await page.getByRole('button', { name: 'Book' }).click();
    await page.getByRole('button', { name: 'Log in' }).click();
    expect(await page.getByRole('banner').textContent()).toContain('Hello, ada');
    await page.goBack();
    await page.getByRole('heading', { name: 'To the lighthouse' }).waitFor();
    expect(await page.evaluate('[location.pathname, window.stayed]')).toEqual(['/trips/lighthouse', true]);
    await titled();
    const views = { '/trips/lighthouse': 2, '/book/lighthouse': 3 }; // two steps of a booking have its address
    expect(await pathsOf(port, 'boats', staying, 5, 2)).toEqual(views); // nobody yet, and then ada
    expect(visitor.troubles).toEqual([]);
  });
});

describe('without one', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('starts it, and %s stops all', async (signal) => {
    const port = await steadyPort();
    const { still, service, pid, out, ended } = await start({ PORT: String(port) });
    expect(service).toBe(`http://127.0.0.1:${port}`);
    for (const url of [`${service}/readyz`, `${still}/`]) expect((await get(url)).status).toBe(200);
    expect(processes.redisPids()).toHaveLength(1);
    process.kill(-pid, signal); // to all in the terminal
    expect((await ended).code).toBe(0);
    expect(processes.pids()).toEqual([]);
    expect(out()).not.toContain('at once');
  });

  test('PORT=0 is a free one', async () => {
    const { service } = await start({ PORT: '0' });
    expect((await get(`${service}/readyz`)).status).toBe(200);
  });

  test('it cannot start: says why, as it does itself, and ends', async () => {
    const port = await steadyPort();
    const { ended, err } = begin({ PORT: String(port), DATA_DIR: '/proc/x' }, '--port', '0');
    expect((await ended).code).toBe(2);
    expect(err()).toMatch(/^DATA_DIR can't be written/);
  });
});

describe('a mistake is one line', () => {
  test.each([
    [['--port', 'http'], /^--port must be a whole number up to 65534, not "http"\n$/],
    [['--service', 'shop'], /^--service must be like http:\/\/127.0.0.1:3000, not "shop"\n$/],
    [['--service', 'http://127.0.0.1:1'], /^nothing answers at http:\/\/127.0.0.1:1: start Footfall, or /],
    [['--ports', '1'], /^Unknown option '--ports'\n$/],
  ])('%j', async (args, line) => {
    const { ended, err } = begin({}, ...args);
    expect((await ended).code).toBe(2);
    expect(err()).toMatch(line);
  });

  test('a port that others have, and a service that is none', async () => {
    const other = createServer((_, res) => res.end('no JSON')).listen(0, '127.0.0.1');
    await until('it listens', () => other.listening);
    processes.atEnd(() => other.close());
    const { port } = other.address() as { port: number };
    const { port: service } = await processes.start();
    for (const [args, said] of [
      [['--service', `http://127.0.0.1:${port}`], `http://127.0.0.1:${port} is no Footfall: choose another`],
      [
        ['--service', `http://127.0.0.1:${service}`, '--port', String(port)],
        `port ${port} can't be had (EADDRINUSE)`,
      ],
    ] as const) {
      const { ended, err } = begin({}, ...args);
      expect((await ended).code).toBe(2);
      expect(err()).toContain(said);
    }
  });
});

test('--help tells the options', async () => {
  const { ended, out } = begin({}, '--help');
  expect((await ended).code).toBe(0);
  expect(out()).toContain('--service');
});
