// Row 10: Redis has an eviction policy by which profiles would go in silence.

import { more, strike } from '../support/faultStand.ts';
import { audit, useLedger } from '../support/ledger.ts';
import { KEYS } from '../support/marks.ts';
import { type Service, until, useProcesses } from '../support/process.ts';
import { seedOf } from '../support/random.ts';
import { MB } from '../support/resident.ts';
import { count, isShort, long, reportRow } from '../support/rows.ts';
import { startStand } from '../support/stand.ts';

const processes = useProcesses();
const ledger = useLedger();

const BALLAST = 'ballast'; // has no TTL, so it stays
const POLICY = 'maxmemory-policy';
const MEND = 'CONFIG SET maxmemory-policy noeviction';
const RECHECKED = 15; // seconds

const readiness = async ({ get }: Service) => (await get('/readyz')).status;
const ready = (service: Service) => until('ready', async () => (await readiness(service)) === 200);
const namesMend = (service: Service) => service.said().some((message) => message.includes(MEND));
const isLast = (service: Service, message: string) => service.said().at(-1) === message;

test.each(['volatile-lru', 'volatile-ttl', 'allkeys-lru'])('a Redis with %s', async (policy) => {
  const { store, service } = await startStand(processes, { redis: [`--${POLICY}`, policy] });
  const before = await readiness(service);
  const isNamed = namesMend(service);
  const since = performance.now();
  await store.redis.config('SET', POLICY, 'noeviction');
  await ready(service);
  const seconds = (performance.now() - since) / 1000;
  await until('it is said', () => isLast(service, 'ready again'));
  reportRow(
    '10',
    `${policy} from the start`,
    { 'not ready': before === 503, 'the log says what mends it': isNamed },
    `/readyz ${before}; ready ${seconds.toFixed(1)} s after the command`,
    { 'ready within 3 s of the command': seconds <= 3 },
  );
});

test('the policy is changed while it runs', async () => {
  const { store, service } = await startStand(processes);
  await ready(service);
  const since = performance.now();
  await store.redis.config('SET', POLICY, 'volatile-lru');
  // The short way: a new connection is looked at, too.
  if (isShort) await store.redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await until('it is noticed', () => namesMend(service), { within: 60_000 });
  const seconds = (performance.now() - since) / 1000;
  const during = await readiness(service);
  await store.redis.config('SET', POLICY, 'noeviction');
  await ready(service);
  reportRow(
    '10',
    `volatile-lru while it runs${isShort ? ', connections broken' : ''}`,
    { 'not ready': during === 503 },
    `/readyz ${during} and the command in the log after ${seconds.toFixed(1)} s`,
    { [`noticed within ${RECHECKED + 1} s`]: seconds <= RECHECKED + 1 },
  );
});

test('control: what such a Redis loses', async () => {
  const redis = ['--maxmemory', String(32 * MB), `--${POLICY}`, 'volatile-lru'];
  const { store, service, port } = await startStand(processes, { settings: { LIMIT_ADDRESS: '0' }, redis });
  const running = ledger.run({
    ...{ port, key: KEYS.write, readKey: KEYS.read, seed: seedOf(process.env.FAULT_SEED), rate: 800 },
    users: 100,
  });
  await more(running, long(1200, 200));
  const evictedKeys = async () => Number(/^evicted_keys:(\d+)/m.exec(await store.redis.info('stats'))?.[1]);
  const piece = 'x'.repeat(MB / 16);
  const calls = await strike(running, async () => {
    while ((await evictedKeys()) < 50) await store.redis.rpush(BALLAST, piece);
  });
  await store.redis.config('SET', 'maxmemory', '1gb');
  await more(running, long(1200, 200));
  const { acknowledged, statuses } = await running.finish(3000);
  const { lost, visitorsOff } = await audit(running);
  reportRow(
    '10',
    'control: volatile-lru, full',
    {
      'calls were in flight': calls > 0,
      'it loses, as expected': lost > 0,
      'it is not ready all the while': (await readiness(service)) === 503,
    },
    `seed ${running.options.seed}; ${calls} calls in flight; ${count(acknowledged)} events acknowledged (${Object.keys(statuses).join(', ')} alone), ${count(await evictedKeys())} keys evicted: ${count(lost)} lost, visitors off by ${count(visitorsOff)}`,
  );
});
