// Row 15: Postgres asleep and cut off under load, and away for so long that the outbox is full.

import { type Outage, outage } from '../support/archiveRuns.ts';
import { concludeArchive, drained, startArchiveStand, watchReadiness } from '../support/archiveStand.ts';
import { ask, figure, metricsOf } from '../support/ask.ts';
import { more, strike } from '../support/faultStand.ts';
import { useLedger } from '../support/ledger.ts';
import { KEYS, MARK } from '../support/marks.ts';
import { usePostgres } from '../support/postgres.ts';
import { until, useProcesses } from '../support/process.ts';
import { long, ms } from '../support/rows.ts';

const processes = useProcesses();
const ledger = useLedger();
const postgres = usePostgres({ durable: true, tcp: true });

afterEach(() => postgres.kill('SIGCONT'));

const PROBES = 20;
const REFUSED = 'footfall_redis_failures_total{why="OUTBOX"}';

const OUTAGES: Outage[] = [
  {
    fault: 'Postgres asleep',
    forMs: long(15_000, 3000),
    begin: () => postgres.kill('SIGSTOP'),
    end: () => postgres.kill('SIGCONT'),
  },
  {
    fault: 'Postgres cut off, all is swallowed',
    forMs: long(60_000, 3000),
    begin: ({ between }) => between.set('swallow'),
    end: ({ between }) => between.set('pass'),
    cutOff: true,
  },
];

test.each(OUTAGES)('$fault', (fault) => outage(processes, ledger, postgres, fault));

test('so long that the outbox is full', async () => {
  const stand = await startArchiveStand(processes, ledger, postgres, {
    settings: { OUTBOX_LIMIT: '1mb' },
  });
  const { server, service } = stand;
  const { port } = service;
  const send = (user_id: string, event_id: string) =>
    ask(port, '/v1/page', { key: KEYS.write, body: JSON.stringify({ user_id, name: 'Home', event_id }) });
  const person = `${MARK.user}-erased`;
  await send(person, 'x');
  const running = stand.load({ rate: long(800, 1200) });
  await more(running, 200);
  const readiness = watchReadiness(processes, service);
  const calls = await strike(running, () => postgres.kill('SIGKILL'));
  const degraded = await until('it says that it is behind', () => readiness.since('degraded'), {
    within: 30_000,
  });
  const isFull = async () => figure(await metricsOf(port), REFUSED) > 0;
  await until('events are refused', isFull, { within: 30_000 });
  const refusing = performance.now();
  const probes = Array.from({ length: PROBES }, (_, i) => `${MARK.user}-probe-${i}`);
  const refused = await Promise.all(probes.map((probe) => send(probe, 'x')));
  const read = await ask(port, `/v1/user/${person}`);
  const erased = await ask(port, `/v1/user/${person}`, { method: 'DELETE' });
  const receipt = JSON.parse(erased.text);
  await postgres.restart();
  const drain = await drained(server.client, 60_000);
  const isDone = async () =>
    JSON.parse((await ask(port, `/v1/erasures/${receipt.erasure_id}`)).text).archive === 'done';
  await until('the erasure is done', isDone);
  await until('it is ready again', () => readiness.last() === 'ready', { within: 20_000 });
  await more(running, 200);
  const { profiles } = JSON.parse(
    (await ask(port, '/v1/users/profiles', { body: JSON.stringify({ user_ids: probes }) })).text,
  );
  await concludeArchive('until OUTBOX_LIMIT=1mb is reached', stand, running, {
    strikes: [calls],
    held: {
      'it is said before events are refused': degraded < refusing,
      'events are refused with Retry-After': refused.every(
        ({ status, headers }) => status === 503 && Number(headers['retry-after']) > 0,
      ),
      'reads and erasures go on':
        read.status === 200 && erased.status === 200 && receipt.archive === 'pending',
      'what was refused does not count': profiles.every(
        (profile: { number_pages_viewed_in_the_last_7_days: number }) =>
          profile.number_pages_viewed_in_the_last_7_days === 0,
      ),
    },
    figures: [`degraded ${ms(refusing - degraded)} before the first 503`, `drained in ${ms(drain)}`],
  });
});
