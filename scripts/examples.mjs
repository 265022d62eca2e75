// `npm run examples`: serves the two sites of examples/ as their own servers would, each with the tag and under a strict
// Content-Security-Policy. What they count goes to the Footfall that runs, or to one that is started here and ends with this.

import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import express from 'express';
import { hasKeys, readConfig } from '../dist/config.js';
import { readEnv } from '../dist/env.js';

const EXAMPLES = fileURLToPath(new URL('../examples', import.meta.url));
const SERVER = fileURLToPath(new URL('../dist/server.js', import.meta.url));
const PORT = '8080';
const STOPS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/** Where the files themselves say that Footfall is, without a key. */
const AS_WRITTEN = 'src="http://localhost:3000/tracker.js"';

const HELP = `npm run examples -- [--option value]…
Two sites to try Footfall with: a few static pages, and a page that stays.

  --port     ${PORT}                   of the static site; the other one has the next
  --service  http://127.0.0.1:3000  where Footfall listens; left out: at PORT, and started there if nothing answers
`;

/** Without `service` the one of the settings; throws what is wrong, in one line. */
function readOptions(args) {
  const options = { port: { type: 'string', default: PORT }, service: { type: 'string' } };
  let values;
  try {
    values = parseArgs({ args, options: { ...options, help: { type: 'boolean' } } }).values;
  } catch (error) {
    throw new Error(error.message.split(/\. |\n/)[0]);
  }
  const { help, port, service } = values;
  if (!/^\d+$/.test(port) || Number(port) > 65_534) {
    throw new Error(`--port must be a whole number up to 65534, not ${JSON.stringify(port)}`);
  }
  if (service !== undefined && (!/^https?:\/\//.test(service) || !URL.canParse(service))) {
    throw new Error(`--service must be like http://127.0.0.1:3000, not ${JSON.stringify(service)}`);
  }
  return { help, port: Number(port), service: service?.replace(/\/+$/, '') };
}

/** Whether Footfall answers there. */
async function answers(service) {
  const answer = await fetch(`${service}/livez`, { signal: AbortSignal.timeout(5000) }).catch(
    () => undefined,
  );
  if (!answer) return false;
  const { status } = await answer.json().catch(() => ({}));
  if (status !== 'alive') throw new Error(`${service} is no Footfall: choose another with --service`);
  return true;
}

/** In a group of its own, so that a Ctrl-C reaches it through us, once. */
async function startFootfall(env) {
  const child = spawn(process.execPath, [SERVER], {
    env: { ...env, LOG_LEVEL: 'info' }, // at which it tells its port
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  process.once('exit', () => child.kill());
  for (const signal of STOPS) process.on(signal, () => child.kill());
  child.once('exit', (code) => process.exit(code ?? 1)); // it has said why
  let said = '';
  return new Promise((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text) => {
      process.stdout.write(text);
      said = (said + text).slice(-1000);
      const [, port] = /Footfall listens on http:\/\/\S+:(\d+)/.exec(said) ?? [];
      if (port) resolve(`http://127.0.0.1:${port}`);
    });
  });
}

/** What only the site's own server may know is in the page that it gives to a user. */
function tagFor({ service, writeKeys, userSigningSecret }) {
  const key = writeKeys ? ` data-key="${writeKeys[0]}"` : '';
  const sign = (user) => createHmac('sha256', userSigningSecret[0]).update(user).digest('hex');
  return (page) => {
    const tagged = page.replace(AS_WRITTEN, `src="${service}/tracker.js"${key}`);
    if (!userSigningSecret) return tagged;
    return tagged.replace(
      /data-as="(\w+)" data-sig=""/,
      (_, user) => `data-as="${user}" data-sig="${sign(user)}"`,
    );
  };
}

/** Serves a site's folder. Where `stays`, its one page answers to every address that is no file's. */
async function serveSite({ folder, port, service, tag, stays }) {
  const root = join(EXAMPLES, folder);
  const pages = new Set(readdirSync(root).filter((name) => extname(name) === '.html'));
  const { origin } = new URL(service);
  const policy = [
    ...["default-src 'none'", `script-src 'self' ${origin}`, `connect-src ${origin}`, "style-src 'self'"],
    ...["img-src 'self' data:", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
  ].join('; ');
  const app = express();
  app.disable('x-powered-by');
  app.use((req, res, next) => {
    res.set({
      'Content-Security-Policy': policy,
      'X-Content-Type-Options': 'nosniff',
      'Cache-Control': 'no-cache',
    });
    const name = req.path === '/' ? 'index.html' : req.path.slice(1);
    const page = pages.has(name) ? name : stays && extname(name) === '' && 'index.html';
    if (page) res.type('html').send(tag(readFileSync(join(root, page), 'utf8')));
    else next();
  });
  app.use(express.static(root));
  const server = app.listen(port, '127.0.0.1');
  await once(server, 'listening').catch(({ code }) => {
    throw new Error(`port ${port} can't be had (${code}): choose another with --port`);
  });
  return `http://127.0.0.1:${server.address().port}`;
}

function show([still, staying], service, keyed) {
  const key = keyed ? "-H 'X-Api-Key: A READ KEY' " : '';
  return `Examples: ${still}/ (static) and ${staying}/ (single page), counted by ${service}

Open both, look around, and then ask:

  curl -s ${key}'${service}/v1/site/tea/report'
  curl -s ${key}'${service}/v1/page/visitors?url=${still}/teas.html'
  curl -s ${key}'${service}/v1/site/boats/report'
  curl -s ${key}'${service}/v1/user/ada'      # once you have logged in at the second

`;
}

async function main() {
  const options = readOptions(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(HELP);
    return;
  }
  const env = readEnv();
  const config = readConfig(env);
  const given = options.service ?? (config.port === 0 ? undefined : `http://127.0.0.1:${config.port}`);
  const runs = given !== undefined && (await answers(given));
  if (options.service && !runs)
    throw new Error(`nothing answers at ${given}: start Footfall, or leave out --service`);

  const service = runs ? given : await startFootfall(env);
  const tag = tagFor({ service, ...config });
  const sites = [
    await serveSite({ folder: 'static', port: options.port, service, tag }),
    await serveSite({
      folder: 'single-page',
      port: options.port && options.port + 1,
      service,
      tag,
      stays: true,
    }),
  ];
  process.stdout.write(show(sites, service, hasKeys(config)));
}

main().catch((error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(2);
});
