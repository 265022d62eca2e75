// Row 18, in the archive: an erasure while a worker sleeps on what came before it. Another one takes over, and whatever the
// sleeper does when it wakes up, nobody comes back.

import type { FootfallRedis } from '../../src/redis/scripts.ts';
import { beginWorker, drained, holdTable, OF_WORKER, OUTBOX, waitsForLock } from '../support/archiveStand.ts';
import { createErasedPerson, type ErasedPerson, PERSON } from '../support/erasedPerson.ts';
import { startFaultStand } from '../support/faultStand.ts';
import { useLedger } from '../support/ledger.ts';
import { marksIn } from '../support/marks.ts';
import { queryAt, usePostgres } from '../support/postgres.ts';
import { type Begun, type Settings, until, useProcesses } from '../support/process.ts';
import type { Proxy as Between } from '../support/proxy.ts';
import { count, isShort, long, ms, reportRow } from '../support/rows.ts';

const processes = useProcesses();
const postgres = usePostgres();
const ledger = useLedger();

afterEach(() => postgres.kill('SIGCONT'));

const OF_EACH = 20; // all of them in one request
const LOOKS_FOR = long(10_000, 1000); // after it woke up
const TAKEN_OVER_WITHIN = 10_000 + 5000; // Postgres ends the session of a worker that sleeps; and for the machine
const LONG = 2000; // an URL
const MORE_THAN_A_SOCKET = 500_000; // bytes
const COLUMNS = 'event_time, received_at, late, is_url, site_id, event_type, path, name, user_id, identity';
const PATIENT = { REDIS_TIMEOUT_MS: '60000' }; // who sleeps does not notice how long

interface Scene {
  person: ErasedPerson;
  url: string;
  redis: FootfallRedis;
  /** Stands before Redis for who asks there. */
  proxy: Between;
  /** What the sleeper runs with. */
  settings: Settings;
  /** The sleeper, after it has carried something. */
  beginAtWork(): Promise<Begun>;
}

interface Asleep {
  worker: Begun;
  /** Is done once the erasure is answered, and another worker is there. */
  letGo?(): unknown;
  /** Is done as it wakes up. */
  wake?(): unknown;
}

/** Brings a worker to where it is to sleep, and stops it there. */
type Case = [fault: string, make: (scene: Scene) => Promise<Asleep>];

/** It waits for Postgres, with what is written meanwhile in its hands. */
async function stopAtWork(
  { beginAtWork, url }: Scene,
  write: () => Promise<unknown>,
  table = 'events',
): Promise<Asleep> {
  const worker = await beginAtWork();
  const { release } = await holdTable(processes, url, table);
  await write();
  await waitsForLock(url);
  worker.kill('SIGSTOP');
  return { worker, letGo: release };
}

async function endOf(worker: Begun): Promise<void> {
  worker.kill('SIGKILL');
  await worker.ended;
}

const clients = async (redis: FootfallRedis) => String(await redis.client('LIST'));
/** Bytes. */
const sentBy = async (redis: FootfallRedis) =>
  Number(/total_net_output_bytes:(\d+)/.exec(await redis.info('stats'))![1]);

/** The worker has asked for shards that are free: for a second it will not do so again. */
async function hasJustLooked(url: string): Promise<void> {
  const last = async () =>
    (await queryAt<{ at: Date }>(url, `SELECT query_start AS at FROM pg_stat_activity WHERE ${OF_WORKER}`))[0]
      ?.at;
  const before = Number(await last());
  await until('it has looked again', async () => Number(await last()) > before);
}

const CASES: Case[] = [
  [
    'about to put aside what it can’t read of the person',
    (scene) =>
      stopAtWork(scene, async () => {
        const readable = { kind: 'view', user_id: PERSON, at: Date.now(), name: 'x' };
        const other = { user_id: PERSON, of: 'another version' };
        const both = [readable, other].flatMap((entry) => ['event', JSON.stringify(entry)]);
        await scene.redis.xadd(OUTBOX, '*', ...both); // it comes to Postgres with the fifth try
        await scene.person.writeBefore();
      }),
  ],
  ['its INSERT is under way', (scene) => stopAtWork(scene, scene.person.writeBefore)],
  [
    'in the midst of the erasure',
    (scene) =>
      stopAtWork(
        scene,
        async () => {
          await scene.person.writeBefore();
          await scene.person.erase();
        },
        'erasure_receipts',
      ),
  ],
  [
    'half of its first INSERT is sent, which waits for a table',
    async ({ beginAtWork, person, url, settings }) => {
      await endOf(await beginAtWork());
      const { release } = await holdTable(processes, url, 'events');
      await person.writeBefore(LONG);
      const worker = beginWorker(processes, settings);
      await waitsForLock(url);
      worker.kill('SIGSTOP');
      return { worker, letGo: release };
    },
  ],
  [
    'half of its INSERT is sent, since Postgres stands still',
    async ({ beginAtWork, person, url, redis }) => {
      const worker = await beginAtWork();
      await hasJustLooked(url);
      await postgres.kill('SIGSTOP');
      const before = await sentBy(redis);
      await person.writeBefore(LONG);
      await until('it has read the batch', async () => (await sentBy(redis)) > before + MORE_THAN_A_SOCKET);
      await until('it waits', async () => / name=footfall-archive .* idle=[1-9]/.test(await clients(redis)));
      worker.kill('SIGSTOP');
      await postgres.kill('SIGCONT');
      return { worker };
    },
  ],
  [
    'the batch is read and not sent to Postgres',
    async ({ beginAtWork, proxy, person, url, redis, settings }) => {
      await endOf(await beginAtWork());
      await person.writeBefore();
      const { release } = await holdTable(processes, url, 'footfall_schema');
      const worker = beginWorker(processes, { ...settings, REDIS_URL: proxy.url });
      await waitsForLock(url);
      await until('it has Redis', async () =>
        / name=footfall-archive .* cmd=info /.test(await clients(redis)),
      );
      proxy.set('delay', 300);
      await release();
      await until('it has asked', async () =>
        / name=footfall-archive .* cmd=xrange /.test(await clients(redis)),
      );
      proxy.set('holdReplies');
      worker.kill('SIGSTOP');
      return { worker, wake: () => proxy.set('pass') };
    },
  ],
];

async function setUp() {
  const url = await postgres.freshDatabase();
  const { server, service, proxy, settings } = await startFaultStand(processes, ledger, {
    settings: { DATABASE_URL: url, ARCHIVE_WORKER: 'off' },
  });
  const redis = server.client;
  const person = createErasedPerson({ port: service.port, redis, url, ofEach: OF_EACH });
  return { url, service, proxy, settings, redis, person };
}

test.each(CASES.slice(0, isShort ? 1 : undefined))('a worker sleeps: %s', async (fault, make) => {
  const { url, service, proxy, settings, redis, person } = await setUp();
  const { check, held, shown } = person;
  const sleeper = { ...settings, ...PATIENT };
  const { worker, letGo, wake } = await make({
    ...{ person, url, redis, proxy, settings: sleeper },
    async beginAtWork() {
      const begun = beginWorker(processes, sleeper);
      await person.writeFirst();
      await drained(redis, 20_000);
      return begun;
    },
  });
  const inHand = await redis.xlen(OUTBOX);
  if (person.answered() === undefined) await person.erase();
  await person.writeNewer();
  const second = beginWorker(processes, settings);
  await letGo?.();

  const since = performance.now();
  const took = await until('the archive has forgotten', person.isDone, {
    within: TAKEN_OVER_WITHIN,
    every: 50,
  }).then(
    () => performance.now() - since,
    () => undefined,
  );
  check('the archive forgets while it sleeps', took !== undefined, 'it is pending');
  if (took !== undefined) await person.look();
  await wake?.();
  worker.kill('SIGCONT');
  await until('the archive has forgotten', person.isDone, { within: 20_000 });
  await person.look(LOOKS_FOR / 2);
  await person.writeNewer();
  await person.look(LOOKS_FOR / 2);
  second.kill('SIGKILL');
  await person.writeNewer();
  await drained(redis, 20_000); // by the one that slept
  await person.look();
  const [own, others] = await person.checkOthers();

  const said = [service, worker, second].map(({ out, err }) => out() + err()).join('');
  check('nothing of a person is logged', marksIn(said).length === 0, marksIn(said).join());
  const done = took === undefined ? 'not done while it slept' : `done ${ms(took)} after another could begin`;
  reportRow(
    '18',
    `archive, a worker sleeps: ${fault}`,
    { ...held(), 'there was something in its hands': inHand > 0 },
    [
      `${inHand} entries in its hands`,
      `the erasure is answered ${person.answered()}, ${done}`,
      `${count(person.looks())} looks after it; when it woke up it said: ${worker.said().slice(1).join(', ') || 'nothing'}`,
      `in the end ${count(own)} newer rows of the person, ${count(others)} of others`,
    ].join('; ') + shown(),
  );
});

test('control: rows that come back by another connection than the one with the lock', async () => {
  const { url, settings, redis, person } = await setUp();
  beginWorker(processes, settings);
  await person.writeBefore();
  await drained(redis, 20_000);
  await queryAt(url, `CREATE TABLE kept AS SELECT ${COLUMNS} FROM events WHERE user_id = '${PERSON}'`);
  await person.erase();
  await until('the archive has forgotten', person.isDone);
  await person.look();
  const before = Object.values(person.held()).every(Boolean);
  await queryAt(url, `INSERT INTO events (${COLUMNS}) SELECT * FROM kept`);
  await person.look();
  reportRow(
    '18',
    'archive, control: rows inserted without the lock',
    {
      'until then nothing is seen': before,
      'they are seen': person.held()['nothing of before is in Postgres'] === false,
    },
    `seen${person.shown()}`,
  );
});
