// Row 15: Postgres killed under load; and what it would look like if the archive lost or doubled anything.

import { outage } from '../support/archiveRuns.ts';
import { auditArchive, drained, OUTBOX, startArchiveStand } from '../support/archiveStand.ts';
import { more, strike } from '../support/faultStand.ts';
import { useLedger } from '../support/ledger.ts';
import { queryAt, usePostgres } from '../support/postgres.ts';
import { useProcesses } from '../support/process.ts';
import { count, long, reportRow } from '../support/rows.ts';

const processes = useProcesses();
const ledger = useLedger();
const postgres = usePostgres({ durable: true, tcp: true });

const TWICE = 3; // rows

test('Postgres killed', () =>
  outage(processes, ledger, postgres, {
    fault: 'Postgres killed',
    forMs: long(60_000, 5000),
    begin: () => postgres.kill('SIGKILL'),
    end: () => postgres.restart(),
  }));

test('control: what the worker would lose that deletes before it commits, and what comes twice', async () => {
  const stand = await startArchiveStand(processes, ledger, postgres);
  const { url, server } = stand;
  const running = stand.load({ rate: 400 });
  await more(running, 200);
  const calls = await strike(running, () => postgres.kill('SIGKILL'));
  await more(running, 200);
  const [[, entries], [, trimmed]] = (await server.client
    .multi()
    .xrange(OUTBOX, '-', '+')
    .xtrim(OUTBOX, 'MAXLEN', 0)
    .exec()) as [[null, [string, string[]][]], [null, number]];
  const taken = entries.reduce((sum, [, fields]) => sum + fields.length / 2, 0);
  await postgres.restart();
  await more(running, 200);
  const tally = await running.finish(30_000);
  await drained(server.client, 30_000);
  await queryAt(
    url,
    `INSERT INTO events (event_time, received_at, late, is_url, event_type, path, user_id, identity)
     SELECT event_time + interval '1 ms', received_at, late, is_url, event_type, path, user_id, identity
     FROM events ORDER BY id LIMIT ${TWICE}`,
  );
  const { lost, doubled } = await auditArchive(running, url);
  reportRow(
    '15',
    'control: entries are deleted before they are in Postgres, and some rows are there twice',
    {
      'calls were in flight': calls > 0,
      'what was deleted is seen as lost': lost > 0 && lost === taken,
      'what is there twice is seen': doubled === TWICE,
    },
    `${count(tally.acknowledged)} events acknowledged; ${count(trimmed)} entries with ${count(taken)} events deleted, ${count(lost)} seen as lost; ${TWICE} made twice, ${doubled} seen`,
  );
});
