// The description: whole, valid, and its examples true.

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { type AppOptions, createApp } from '../src/app.ts';
import type { Document } from '../src/description/reading.ts';
import { PROBLEMS } from '../src/http/problem.ts';
import {
  ARCHIVE,
  DESCRIBED,
  DOCUMENT,
  examplesOf,
  goodRequest,
  nameOf,
  strayIn,
} from './support/description.ts';
import { type Api, expectProblem, startApi, stopServer, useApi } from './support/http.ts';
import { useRedis } from './support/redis.ts';
import { service } from './support/service.ts';

const server = useRedis();
const api = useApi(server);

const run = promisify(execFile);

describe('by the rules of OpenAPI', () => {
  test('a validator finds nothing', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'ff-description-'));
    const file = join(dir, 'openapi.json');
    writeFileSync(file, JSON.stringify(DOCUMENT));
    // It is a module, which Jest can't load.
    const script = `
      import { Validator } from '@seriousme/openapi-schema-validator';
      const validator = new Validator();
      const found = await validator.validate(${JSON.stringify(file)});
      validator.resolveRefs();
      console.log(JSON.stringify({ ...found, version: validator.version }));`;
    try {
      const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], {
        cwd: join(__dirname, '..'),
      });
      expect(JSON.parse(stdout)).toEqual({ valid: true, version: '3.1' });
    } finally {
      rmSync(dir, { recursive: true });
    }
  });

  test('each reference leads to something, and each thing with a name is referred to', () => {
    const refs = new Set(
      [...JSON.stringify(DOCUMENT).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, ref]) => ref!),
    );
    const named = Object.entries(DOCUMENT.components).flatMap(([kind, all]) =>
      Object.keys(all).map((name) => `components/${kind}/${name}`),
    );
    const byName = named.filter((name) => !name.startsWith('components/securitySchemes/'));
    const aside = ['not_found', 'method_not_allowed', 'Allow'];
    expect([...refs].filter((ref) => !named.includes(ref))).toEqual([]);
    expect(byName.filter((name) => !refs.has(name) && !aside.some((one) => name.endsWith(one)))).toEqual([]);
  });

  test('each call has a name of its own, each field a meaning', () => {
    const names = DESCRIBED.map(({ operation }) => operation.operationId);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z][A-Za-z]+$/);
    const fields = Object.entries(DOCUMENT.components.schemas).flatMap(([schema, { properties = {} }]) =>
      Object.entries(properties).map(([field, { description }]) => [`${schema}.${field}`, description]),
    );
    const selfEvident = ['Alive.status', 'Unready.status'];
    expect(
      fields.filter(([name, said]) => !said && !selfEvident.includes(name!)).map(([name]) => name),
    ).toEqual([]);
  });
});

describe('every call is described', () => {
  /** As the app has them. */
  function routes(archive: AppOptions['archive']) {
    const made = service(server.redis);
    const log = pino({ level: 'silent' });
    const app = createApp({ ...made, archive, log, unreadyBecause: () => undefined });
    const layers = (app.router as unknown as { stack: { route?: Route }[] }).stack;
    return layers.flatMap(({ route }) =>
      (route?.stack ?? [])
        .filter(({ method }) => method && method !== 'options')
        .map(({ method }) => `${method!.toUpperCase()} ${route!.path.replace(/:(\w+)/g, '{$1}')}`),
    );
  }

  test('and no other, but for what an archive brings', () => {
    const described = new Set(DESCRIBED.map(nameOf));
    expect(described).toEqual(new Set(routes(ARCHIVE)));
    expect(described).toEqual(new Set([...routes(undefined), 'GET /v1/erasures/{id}']));
  });
});

describe('what is said of keys', () => {
  const RIGHTS = ['write', 'read', 'admin', 'metrics'] as const;
  const keyOf = (right: string) => `a-key-that-may-${right}`;
  let closed: Api;
  beforeAll(async () => {
    const keys = Object.fromEntries(RIGHTS.map((right) => [`${right}Keys`, [keyOf(right)]]));
    closed = await startApi(server.redis, keys, { archive: ARCHIVE });
  });
  afterAll(() => stopServer(closed.server));

  test.each(DESCRIBED.map((call) => [nameOf(call), call] as const))('%s', async (_name, call) => {
    const ask = async (headers: Record<string, string>, query = '') => {
      const { path = '', ...sent } = goodRequest(call);
      const { status } = await closed.send({
        ...sent,
        method: sent.method === 'GET' ? 'HEAD' : sent.method!, // some go on
        path: query && path.includes('?') ? `${path}&${query}` : `${path}${query && '?'}${query}`,
        headers: { ...sent.headers, ...headers },
      });
      return status === 401 || status === 403 ? status : 'in';
    };
    const { security } = call.operation;
    const isFree = security.length === 0;
    const roles = security.flatMap((scheme) => Object.values(scheme)[0]!);
    expect(await ask({})).toBe(isFree ? 'in' : 401);
    for (const right of RIGHTS) {
      const may = right === 'admin' || roles.length === 0 || roles.includes(right) ? 'in' : 403;
      expect([right, await ask({ Authorization: `Bearer ${keyOf(right)}` })]).toEqual([right, may]);
      expect([right, await ask({ 'X-Api-Key': keyOf(right) })]).toEqual([right, may]);
    }
    const takesUrl = security.some((scheme) => 'url' in scheme);
    expect((await ask({}, `key=${keyOf('write')}`)) === 'in').toBe(isFree || takesUrl);
    expect(await ask({}, `key=${keyOf('admin')}`)).toBe(isFree ? 'in' : 401);
  });
});

interface Route {
  path: string;
  stack: { method?: string }[];
}

describe('every problem is described', () => {
  test.each(Object.entries(PROBLEMS))('%s', (code, [status, title]) => {
    const { 'x-problems': told, components } = DOCUMENT;
    expect(told[code]).toEqual({
      status,
      when: expect.stringMatching(/\.$/),
      remedy: expect.stringMatching(/\.$/),
    });
    const all = Object.entries(components.responses).filter(([name]) => name.split('.').includes(code));
    expect(all.length).toBeGreaterThan(0);
    for (const [, response] of all) {
      const { examples = {} } = response.content!['application/problem+json']!;
      expect(examples[code]!.value).toMatchObject({
        code,
        status,
        title,
        type: `urn:footfall:problem:${code}`,
      });
    }
    expect(components.schemas.Problem!.properties!.code!.enum).toContain(code);
  });

  test('and no other', () => {
    expect(Object.keys(DOCUMENT['x-problems'])).toEqual(Object.keys(PROBLEMS));
  });

  test('a problem stands at its own status', () => {
    for (const { operation } of DESCRIBED) {
      for (const [status, { $ref }] of Object.entries(operation.responses)) {
        for (const code of $ref ? $ref.split('/').at(-1)!.split('.') : []) {
          expect([code, DOCUMENT['x-problems'][code]!.status]).toEqual([code, Number(status)]);
        }
      }
    }
  });
});

test('its examples are what is answered, one after the other', async () => {
  const sent: string[] = [];
  for (const call of DESCRIBED) {
    for (const example of examplesOf(call)) {
      if (example.needs) continue; // see the archive's
      const { method, path, headers, body, status, answer, varies } = example;
      expect(varies).toEqual([]);
      const reply = await api.send({ method, path, headers, ...(body !== undefined && { body }) });
      const what = `${nameOf(call)} ${example.name}`;
      const found = typeof answer === 'string' ? reply.text : reply.body;
      expect([what, reply.status, found]).toEqual([what, status, answer]);
      expect([what, strayIn(call, reply)]).toEqual([what, []]);
      sent.push(what);
    }
  }
  expect(sent.length).toBeGreaterThan(30);
  expect(new Set(sent).size).toBe(sent.length);
});

test('every call that has a body, or answers JSON of its own, has an example', () => {
  const bare = DESCRIBED.filter((call) => examplesOf(call).length === 0).map(nameOf);
  const files = DESCRIBED.filter(({ operation }) => operation.responses['304']).map(nameOf);
  expect(bare.filter((name) => !files.includes(name))).toEqual(['GET /metrics', 'GET /v1/live']);
});

describe('/openapi.json', () => {
  const ask = (sent = {}) => api.send({ path: '/openapi.json', ...sent });

  test('is this description', async () => {
    const reply = await ask();
    expect(reply.body as Document).toEqual(DOCUMENT);
    expect(reply).toMatchObject({ status: 200, headers: { 'access-control-allow-origin': '*' } });
  });

  test('is sent once', async () => {
    const { headers } = await ask();
    const again = await ask({ headers: { 'If-None-Match': headers.etag } });
    expect(again).toMatchObject({ status: 304, text: '' });
    expectProblem(await ask({ method: 'POST' }), 405, 'method_not_allowed');
  });
});

test('/docs is a page of its own: it loads nothing from elsewhere, and no other site may read or frame it', async () => {
  const { status, headers } = await api.send({ path: '/docs' });
  expect(status).toBe(200);
  expect(headers['content-security-policy']).toMatch(/default-src 'none'.*style-src 'self'/);
  expect(headers['content-security-policy']).toMatch(/frame-ancestors 'none'/);
  expect(headers['access-control-allow-origin']).toBeUndefined();
});
