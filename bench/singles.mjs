// One event, or one profile, a request: every server in turn, in several rounds.

import { mustBeArchived, mustWait } from './archived.mjs';
import { allUsers, EVENTS_A_VISIT, event, VIEWS_A_VISIT } from './events.mjs';
import { drive, medians } from './measure.mjs';
import { recordArgs, SHARD, viewsStored } from './scripts.mjs';
import { watch } from './watchers.mjs';

const ACTIVE_DAYS = 3;

export async function measureEvents(bench, plan) {
  for (const server of bench.servers) {
    await run(server, { connections: 32, count: plan.warmUp });
    bench.say(`warm: ${server.title}`);
  }
  return takeTurns(bench, plan, bench.servers, (server, connections) =>
    run(server, { connections, count: plan.events[connections] }),
  );

  async function run(server, { connections, count }) {
    const { redis, today } = bench;
    await redis.clear();
    if (server.archive) await bench.database.clear();
    const unwatch = await watch(server);
    const figures = await drive({ ...bench, server }, { kind: 'page', first: 0, today, connections, count });
    unwatch();
    await mustBeStored(bench, server, figures.had, count);
    if (server.archive === 'waits') await mustWait(bench, server, count);
    if (server.archive === 'carried') await mustBeArchived(bench, server, count);
    return figures;
  }
}

/** Every accepted event is in a profile, or the run has failed. */
export async function mustBeStored(bench, server, accepted, sent) {
  if (accepted !== sent) throw new Error(`${server.title} accepted ${accepted} of ${sent} events`);
  if (!server.store) return;
  const stored = await viewsStored(bench.redis.client, allUsers, server.store);
  if (stored !== accepted) {
    throw new Error(`${server.title} accepted ${accepted} events, but profiles show ${stored}`);
  }
  bench.found.accepted += accepted;
  bench.found.stored += stored;
}

export async function measureReads(bench, plan) {
  const { redis } = bench;
  const servers = bench.servers.filter(({ writesOnly }) => !writesOnly); // a read is of one user, so of one shard
  await redis.clear();
  bench.say('users with three active days');
  await fill(bench, plan.readers);
  const views = ACTIVE_DAYS * VIEWS_A_VISIT;
  for (const server of servers) await run(server, { connections: 32, count: plan.warmUp });
  return takeTurns(bench, plan, servers, (server, connections) =>
    run(server, { connections, count: plan.reads[connections] }),
  );

  async function run(server, { connections, count }) {
    const unwatch = await watch(server);
    const figures = await drive(
      { ...bench, server },
      { kind: 'profile', users: plan.readers, views, connections, count },
    );
    unwatch();
    if (figures.had !== count)
      throw new Error(`${server.title} read ${figures.had} of ${count} profiles right`);
    return figures;
  }
}

/** The first so many users, each with as many visits as active days. */
async function fill({ redis, today }, readers) {
  const events = [];
  for (let visit = 0; visit < ACTIVE_DAYS; visit++) {
    for (let i = 0; i < VIEWS_A_VISIT * readers; i++) events.push(event(visit * EVENTS_A_VISIT + i, today));
  }
  while (events.length > 0) {
    const calls = Array.from({ length: 20 }, () => events.splice(-100)).filter(({ length }) => length > 0);
    await Promise.all(calls.map((views) => redis.client.record(SHARD, recordArgs(views))));
  }
}

/** A B C D A B C D …: what the machine does meanwhile befalls all of them. Gives rows of medians, with their rounds. */
async function takeTurns({ say }, { rounds, connections }, servers, run) {
  const rows = connections.flatMap((n) => servers.map((server) => ({ connections: n, server, rounds: [] })));
  for (let round = 1; round <= rounds; round++) {
    for (const row of rows) {
      say(`round ${round} of ${rounds}, ${row.connections} connections: ${row.server.title}`);
      row.rounds.push(await run(row.server, row.connections));
    }
  }
  return rows.map((row) => ({
    connections: row.connections,
    server: row.server.name,
    title: row.server.title,
    ...medians(row.rounds),
    rounds: row.rounds,
  }));
}
