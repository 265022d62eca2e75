// Makes the README's pictures anew: the dashboard of a service of its own under made-up traffic, light and dark.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';
import { fileOf } from './ensure.mjs';

const ROOT = join(import.meta.dirname, '..');
const SITE = 'shop';
const WINDOW = { width: 1100, height: 1014 };

const folder = mkdtempSync(join(tmpdir(), 'ff-pictures-'));
const service = spawn(process.execPath, [join(ROOT, 'dist/server.js')], {
  env: { ...process.env, DATA_DIR: folder, PORT: '0', LOG_LEVEL: 'info', REDIS_URL: '', DATABASE_URL: '' },
  stdio: ['ignore', 'pipe', 'inherit'],
});
try {
  const url = await addressOf(service);
  const traffic = spawn(
    process.execPath,
    [join(ROOT, 'dist/traffic/command.js'), '--url', url, '--for', '2'],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
    },
  );
  await once(traffic, 'exit');
  const browser = await chromium.launch({ executablePath: await fileOf('chromium') });
  for (const colorScheme of ['light', 'dark']) {
    const page = await browser.newPage({ viewport: WINDOW, colorScheme });
    await page.goto(`${url}/#/site/${SITE}?days=7`);
    await page.getByRole('img').waitFor();
    const path = `docs/dashboard-${colorScheme}.png`;
    await page.screenshot({ path: join(ROOT, path) });
    console.log(path);
  }
  await browser.close();
} finally {
  const ended = once(service, 'exit');
  service.kill();
  await ended;
  rmSync(folder, { recursive: true });
}

async function addressOf({ stdout }) {
  let said = '';
  for await (const text of stdout.setEncoding('utf8')) {
    said += text;
    const [, port] = /listens on http:\/\/\S+:(\d+)/.exec(said) ?? [];
    if (port) return `http://127.0.0.1:${port}`;
  }
  throw new Error('the service did not start');
}
