// The fuzz against the built service, and what must hold after it.

import { figure, metricsOf } from './ask.ts';
import { fuzz } from './fuzz.ts';
import { survey } from './keyspace.ts';
import { KEY_SETTINGS, marksIn } from './marks.ts';
import { type Processes, until } from './process.ts';
import { seedOf } from './random.ts';
import { startRedis } from './redis.ts';
import { highest, residentOf, watchResident } from './resident.ts';

const LIMITS = { HEADERS_TIMEOUT_MS: '2000', REQUEST_TIMEOUT_MS: '3000' };
/** The limit of a whole request, and what the service takes to notice. */
const DEADLINE = 3000 + 2000;

export async function fuzzRun(
  processes: Processes,
  { count, seed: given }: { count: number; seed?: string },
) {
  const seed = seedOf(process.env.FUZZ_SEED ?? given);
  process.stdout.write(`fuzz: ${count} requests of FUZZ_SEED=${seed}\n`);
  const store = await startRedis();
  processes.atEnd(store.stop);
  const service = await processes.start({
    ...KEY_SETTINGS,
    ...LIMITS,
    REDIS_URL: store.url,
    TRUST_PROXY: '1',
    ERASE_SCAN_MS: '50',
  });
  const memory = watchResident(() => [service.pid]);
  const at: number[] = [];
  const since = performance.now();
  const report = await fuzz({
    port: service.port,
    seed,
    count,
    deadline: DEADLINE,
    onProgress: (done) => {
      at[done] = memory.samples.length;
    },
  });
  const seconds = (performance.now() - since) / 1000;
  memory.stop();

  expect(report.bad.slice(0, 10)).toEqual([]);
  expect(report.hung.slice(0, 10)).toEqual([]);
  expect(service.err()).toBe('');
  expect(residentOf(service.pid)).toBeGreaterThan(0); // it lives

  const metric = async (name: string) => figure(await metricsOf(service.port), name);
  await until('nothing is in flight', async () => (await metric('footfall_events_in_flight')) === 0);
  const own = 1; // the scrape itself
  await until('nothing is under way', async () => (await metric('footfall_requests_under_way')) === own);

  const { staying, foreign, keys } = await survey(store.redis);
  expect(staying.slice(0, 10)).toEqual([]);
  expect(foreign.slice(0, 10)).toEqual([]);
  expect(keys).toBeGreaterThan(100); // much of it came through

  expect(marksIn(await metricsOf(service.port))).toEqual([]);
  expect(marksIn(service.out())).toEqual([]);

  /** The most memory, MB, between two shares of the requests; the first fifth warms it up. */
  const most = (from: number, to: number) =>
    highest(memory.samples.slice(at[Math.floor(count * from)], at[Math.floor(count * to) - 1]));
  return { ...report, seed, sent: count, seconds, keys, first: most(0.2, 0.6), second: most(0.6, 1) };
}
