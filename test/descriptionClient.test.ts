// A client that a generator makes out of the description fits this service: its types are sound, and it makes every call.

import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ARCHIVE, DESCRIBED, DOCUMENT } from './support/description.ts';
import { type Api, startApi, stopServer } from './support/http.ts';
import { useRedis } from './support/redis.ts';

const server = useRedis();
const run = promisify(execFile);
const ROOT = join(__dirname, '..');
const MODULES = join(ROOT, 'node_modules');
const bin = (name: string) => join(MODULES, '.bin', name);

const KEYS = { write: 'the-key-that-writes', admin: 'the-key-for-admins' };

/** Somebody's program: what it is told is typed, so a field that is not described does not compile. */
const PROGRAM = `
import { writeFileSync } from 'node:fs';
import * as footfall from './client.ts';

const [base = '', out = ''] = process.argv.slice(2);
footfall.defaults.baseUrl = base;
const asAdmin = { headers: { Authorization: 'Bearer ${KEYS.admin}' } };
const asPage = { headers: { 'X-Api-Key': '${KEYS.write}' } };

const said: Record<string, unknown> = {};
async function note<T extends { status: number }>(name: string, answer: Promise<T>): Promise<T> {
  const { status, ...rest } = await answer;
  const { data } = rest as { data?: unknown };
  said[name] = [status, typeof data === 'string' ? data.slice(0, 60) : data];
  return answer;
}

const timestamp = '2026-11-21T11:00:00Z';
const click: footfall.SiteEvent = { user_id: 'ann', site_id: 'shop', event_type: 'click', path: '/', timestamp };

const view = await note('recordPage', footfall.recordPage({ user_id: 'ann', url: '/prices', site_id: 'shop', timestamp }, {}, asPage));
if (view.status === 202) said.outcome = view.data.status satisfies 'recorded' | 'duplicate' | 'erased' | 'expired' | 'capped';
const preferred = await footfall.recordPage({ user_id: 'ann', name: 'Home', timestamp }, { prefer: 'return=representation' }, asAdmin);
if (preferred.status === 200) said.views = preferred.data.number_pages_viewed_in_the_last_7_days + 0;
const bad = await footfall.recordPage({ user_id: '', name: 'Home' }, {}, asPage);
if (bad.status === 400) said.bad = [bad.data.code satisfies 'invalid_json' | 'invalid_body' | 'timestamp_in_future', bad.data.errors?.[0]?.pointer];
const strange = await footfall.readProfile('ann');
if (strange.status === 401) said.strange = strange.data.code satisfies 'unauthorized';

await note('recordBatch', footfall.recordBatch([{ user_id: 'bob', name: 'Home', event_id: '1' }, { type: 'event', ...click }, { type: 'login', user_id: 'bob', login_time: timestamp }], {}, asPage));
await note('recordEvent', footfall.recordEvent({ ...click, path: '/cart' }, {}, asPage));
await note('recordEventToo', footfall.recordEventToo({ ...click, path: '/cart' }, {}, asPage));
await note('recordLogin', footfall.recordLogin({ user_id: 'ann', login_time: timestamp }, {}, asPage));
await note('readProfile', footfall.readProfile('ann', asAdmin));
await note('readProfileOfLogin', footfall.readProfileOfLogin(asAdmin));
await note('readDays', footfall.readDays('ann', asAdmin));
await note('readVisits', footfall.readVisits('ann', asAdmin));
await note('readProfiles', footfall.readProfiles({ user_ids: ['ann', 'eve'] }, asAdmin));
await note('countVisitors', footfall.countVisitors({ url: '/prices', days: '3' }, asAdmin));
await note('countDailyUniques', footfall.countDailyUniques('2026-11-21', asAdmin));
await note('countMonthlyUniques', footfall.countMonthlyUniques('2026-11', asAdmin));
await note('readSiteReport', footfall.readSiteReport('shop', { $from: '2026-11-20', to: '2026-11-21' }, asAdmin));
// The runtime of these clients takes what is named ndjson for one JSON, so its program has to say that it is text.
const asText: typeof fetch = async (url, init) => {
  const { status, body } = await fetch(url, init);
  return new Response(body, { status, headers: { 'Content-Type': 'text/plain' } });
};
await note('exportUser', footfall.exportUser('ann', { ...asAdmin, fetch: asText }));
await note('eraseUser', footfall.eraseUser('ann', asAdmin));
await note('eraseUserLogin', footfall.eraseUserLogin(asAdmin));
await note('readErasure', footfall.readErasure('0-1795877715735-0', asAdmin));
await note('askIfAlive', footfall.askIfAlive());
await note('askIfReady', footfall.askIfReady());
await note('readMetrics', footfall.readMetrics(asAdmin));
await note('readKey', footfall.readKey(asPage));
await note('readDescription', footfall.readDescription());
await note('readTracker', footfall.readTracker());
await note('readDocs', footfall.readDocs());
await note('readDocsStyle', footfall.readDocsStyle());
await note('readDashboard', footfall.readDashboard());
await note('readDashboardScript', footfall.readDashboardScript());
await note('readDashboardStyle', footfall.readDashboardStyle());
await note('readDashboardIcon', footfall.readDashboardIcon());
// It does not end, so whoever listens leaves.
const leave = new AbortController();
const stream: { status: number; body: ReadableStream<Uint8Array> | null } = await new Promise((resolve, reject) => {
  const listen: typeof fetch = async (url, init) => {
    const answer = await fetch(url, init);
    resolve({ status: answer.status, body: answer.body });
    return new Response('', { status: 204 });
  };
  footfall.listen({ ...asAdmin, signal: leave.signal, fetch: listen }).catch(reject);
});
said.listen = [stream.status];
await stream.body?.getReader().read();
leave.abort();
writeFileSync(out, JSON.stringify(said));
`;

describe('a generated client', () => {
  let dir: string;
  let api: Api;
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'ff-client-'));
    api = await startApi(
      server.redis,
      { writeKeys: [KEYS.write], adminKeys: [KEYS.admin] },
      { archive: ARCHIVE },
    );
    writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
    writeFileSync(join(dir, 'openapi.json'), JSON.stringify(DOCUMENT));
    writeFileSync(join(dir, 'program.ts'), PROGRAM);
    writeFileSync(
      join(dir, 'tsconfig.json'),
      JSON.stringify({
        extends: join(ROOT, 'tsconfig.json'),
        // The client's own code is not of our strictness about optional fields.
        compilerOptions: {
          ...{ exactOptionalPropertyTypes: false, types: ['node'], lib: ['es2024', 'dom', 'dom.iterable'] },
          ...{ noEmit: false, outDir: 'made', rootDir: '.' },
        },
        include: ['*.ts'],
      }),
    );
    symlinkSync(MODULES, join(dir, 'node_modules'));
    await run(process.execPath, [bin('oazapfts'), 'openapi.json', 'client.ts'], { cwd: dir });
    mkdirSync(join(dir, 'made'));
  });
  afterAll(async () => {
    await stopServer(api.server);
    rmSync(dir, { recursive: true });
  });

  test('compiles, and makes every call', async () => {
    await run(process.execPath, [bin('tsc'), '-p', '.'], { cwd: dir }).catch(({ stdout }) => {
      throw new Error(stdout);
    });
    const out = join(dir, 'said.json');
    const base = `http://127.0.0.1:${api.port}`;
    writeFileSync(join(dir, 'made/package.json'), '{"type":"module"}');
    await run(process.execPath, [join(dir, 'made/program.js'), base, out]);
    const { outcome, views, bad, strange, ...calls } = require(out) as Record<string, unknown>;
    expect({ outcome, views, bad, strange }).toEqual({
      ...{ outcome: 'recorded', views: 2, bad: ['invalid_body', '/user_id'], strange: 'unauthorized' },
    });
    const answered = Object.entries(calls).map(([name, answer]) => [name, (answer as [number])[0]]);
    const expected = DESCRIBED.map(({ operation }) => {
      const [good] = Object.keys(operation.responses)
        .filter((status) => status.startsWith('2'))
        .reverse();
      return [operation.operationId, Number(good)];
    });
    expect(Object.fromEntries(answered)).toEqual(Object.fromEntries(expected));
    expect(calls).toMatchObject({
      readProfiles: [200, { profiles: [{ user_id: 'ann' }, { user_id: 'eve' }] }],
      countVisitors: [200, { url: '/prices', days: 3, distinct_visitors: 1, exact: true }],
      readSiteReport: [200, { from: '2026-11-20', to: '2026-11-21', views: 1 }],
      exportUser: [200, expect.stringMatching(/^\{"from":"redis","is":"profile"/)],
      eraseUser: [200, { user_id: 'ann', archive: 'none' }],
      readMetrics: [200, expect.stringMatching(/^# HELP/)],
      readDescription: [200, DOCUMENT],
    });
  });
});
