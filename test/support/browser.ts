// A real browser for a test file: Chromium without a screen, one process for all, and for each visitor storage of their own.

import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  type LaunchOptions,
  type Page,
} from 'playwright-core';
import { pidsIn, until } from './process.ts';

export interface VisitorOptions {
  /** How many ms their clock is ahead, or behind if negative. Timers go on as ever. */
  clock?: number;
  /** As the person has set it in the browser: a header and what scripts see. Costs a browser of its own, of about a second. */
  doNotTrack?: boolean;
  /** Chromium has no such setting, so this is only what scripts see. */
  globalPrivacyControl?: boolean;
  /** Touching localStorage is a SecurityError, and no cookie is kept. Costs a browser of its own, too. */
  refusesStorage?: boolean;
  /** A screen, a colour scheme, … */
  context?: BrowserContextOptions;
}

export interface Visitor {
  /** For all else: `context.setOffline(true)`. */
  context: BrowserContext;
  /** A new tab; done when the page has loaded. */
  open(url: string): Promise<Page>;
  /**
   * What went wrong on any page of theirs so far, a line each: `error: …` of the console, where Chromium also tells what a
   * Content-Security-Policy forbids, `thrown: …`, and `failed: METHOD URL why`. An answer of 400 or more is an `error`.
   */
  troubles: string[];
}

export interface TestBrowser {
  /** Somebody new. What is theirs goes with the test. */
  visitor(options?: VisitorOptions): Promise<Visitor>;
}

const ENSURE = join(__dirname, '../../scripts/ensure.mjs');
const ARGS = [
  ...['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
  ...['--disable-background-networking', '--disable-component-update'], // tests call nobody
  '--host-resolver-rules=MAP *.test 127.0.0.1', // a host like others: loopback passes for one with TLS
];

const run = promisify(execFile);

/** Call it at the top of a test file. */
export function useBrowser(): TestBrowser {
  let dir = '';
  let options: LaunchOptions;
  let browser: Browser;
  let contexts: BrowserContext[] = [];
  let profiles = 0;

  beforeAll(async () => {
    dir = realpathSync(mkdtempSync(join(tmpdir(), 'ff-browser-')));
    options = {
      // Jest can't import what finds it.
      executablePath: (await run(process.execPath, [ENSURE, '--which', 'chromium'])).stdout.trim(),
      args: ARGS,
      // A page that one goes back to comes out of a cache, alive, as it does for people. It does not load again, so wait for
      // no more than `page.goBack({ waitUntil: 'commit' })`.
      ignoreDefaultArgs: ['--disable-back-forward-cache'],
      env: { PATH: process.env.PATH, HOME: dir, TMPDIR: dir, TZ: 'UTC' },
    };
    browser = await chromium.launch(options);
  });
  afterEach(async () => {
    for (const context of contexts) await context.close();
    contexts = [];
    expect(browser.contexts()).toEqual([]);
  });
  afterAll(async () => {
    await browser?.close();
    await until('the browser has ended', () => pidsIn(dir).length === 0);
    rmSync(dir, { recursive: true, force: true });
  });

  /** A browser that was set up so by the person. */
  function openProfile(preferences: object, context: BrowserContextOptions): Promise<BrowserContext> {
    const profile = join(dir, `profile-${++profiles}`);
    mkdirSync(join(profile, 'Default'), { recursive: true });
    writeFileSync(join(profile, 'Default/Preferences'), JSON.stringify(preferences));
    return chromium.launchPersistentContext(profile, { ...options, ...context });
  }

  return {
    async visitor({ clock, doNotTrack, globalPrivacyControl, refusesStorage, context: given = {} } = {}) {
      const preferences = {
        ...(doNotTrack && { enable_do_not_track: true }),
        ...(refusesStorage && { profile: { default_content_setting_values: { cookies: BLOCKED } } }),
      };
      const isSetUp = Object.keys(preferences).length > 0;
      const context = await (isSetUp ? openProfile(preferences, given) : browser.newContext(given));
      contexts.push(context);
      context.setDefaultTimeout(PATIENCE);
      if (clock !== undefined) await context.addInitScript(clockAheadBy(clock));
      if (globalPrivacyControl) await context.addInitScript(GLOBAL_PRIVACY_CONTROL);
      return {
        context,
        troubles: troublesOf(context),
        async open(url) {
          const page = await context.newPage();
          await page.goto(url);
          return page;
        },
      };
    },
  };
}

/** Shorter than Jest's, so that what was waited for in vain is said. */
const PATIENCE = 60_000; // ms
/** Chromium's number for it. */
const BLOCKED = 2;
/** As an icon is when the page is left before it has come. */
const GIVEN_UP = 'net::ERR_ABORTED';

const GLOBAL_PRIVACY_CONTROL = `Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', { get: () => true })`;

/** Without the timers, which a test must not wait for in vain. */
function clockAheadBy(ms: number): string {
  return `{
    const now = Date.now;
    const ahead = () => now() + ${ms};
    Date = new Proxy(Date, {
      construct: (target, args, made) => Reflect.construct(target, args.length > 0 ? args : [ahead()], made),
      apply: () => new Date().toString(),
      get: (target, name) => (name === 'now' ? ahead : Reflect.get(target, name)),
    });
  }`;
}

function troublesOf(context: BrowserContext): string[] {
  const troubles: string[] = [];
  context.on('console', (message) => {
    if (message.type() === 'error') troubles.push(`error: ${message.text()}`);
  });
  context.on('weberror', (error) => troubles.push(`thrown: ${error.error().message}`));
  context.on('requestfailed', (request) => {
    const why = request.failure()?.errorText;
    if (why !== GIVEN_UP) troubles.push(`failed: ${request.method()} ${request.url()} ${why}`);
  });
  return troubles;
}
