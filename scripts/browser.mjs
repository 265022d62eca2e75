// Makes what a browser gets, in dist/browser: bundled, minified, and its sizes told where they have changed.

import { existsSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const FROM = 'src/browser';
const TO = 'dist/browser';
const BROWSERS = ['chrome111', 'firefox113', 'safari16.4'];

/** Whose work is in the dashboard, as its licence wants it said. */
const UPLOT = '/*! uPlot, (c) Leon Sorokin, MIT licensed: github.com/leeoniya/uPlot */';

const common = {
  bundle: true,
  minify: true,
  charset: 'utf8',
  legalComments: 'none',
  target: BROWSERS,
  tsconfigRaw: { compilerOptions: { alwaysStrict: false } }, // modules are strict, and the tag counts its bytes
  logLevel: 'warning',
};

const made = [
  // A script of its own, so that the page's globals are not its.
  { entryPoints: [`${FROM}/tracker.ts`], outfile: `${TO}/tracker.js`, format: 'iife' },
  { entryPoints: [`${FROM}/docs.css`], outfile: `${TO}/docs.css` },
  {
    entryPoints: [`${FROM}/dashboard/main.ts`],
    outfile: `${TO}/dashboard/main.js`,
    format: 'esm',
    banner: { js: UPLOT },
  },
  ...['main.css', 'index.html', 'icon.svg'].map((name) => ({
    entryPoints: [`${FROM}/dashboard/${name}`],
    outfile: `${TO}/dashboard/${name}`,
    loader: { '.html': 'copy', '.svg': 'copy' },
  })),
];

for (const options of made) {
  const path = options.outfile;
  const before = existsSync(path) ? readFileSync(path) : undefined;
  await build({ ...common, ...options });
  const after = readFileSync(path);
  if (before?.equals(after)) continue;
  const compressed = gzipSync(after, { level: 9 }).length;
  console.log(`${path}: ${after.length} bytes, ${compressed} compressed`);
}
