// What is wanted, as ratios of medians of one run. A time never fails the run: the machine may be busy.

const atMost = (what, limit, got, unit = '×') => check(what, '≤', limit, got, unit);
const atLeast = (what, limit, got, unit = '×') => check(what, '≥', limit, got, unit);

function check(what, sign, limit, got, unit) {
  const held = sign === '≤' ? got <= limit : got >= limit;
  return { what, wanted: `${sign} ${limit}${unit}`, got: `${got.toFixed(2)}${unit}`, held };
}

const both = (row) => row.node + row.redis;

export function checksOf({ events, reads, batches, archive, store }) {
  return [
    ...(events ? checkEvents(events) : []),
    ...(batches
      ? [atLeast('batches of 1,000, events/s to pipelined', 0.8, batches.http.rate / batches.pipelined.rate)]
      : []),
    ...(reads ? checkReads(reads) : []),
    ...(archive ? checkArchive(archive) : []),
    ...(store ? checkSizes(store.sizes) : []),
  ];
}

const MAIN = 32; // connections

function by(rows, connections) {
  const at = rows.filter((row) => row.connections === connections);
  return at.length === 0 ? undefined : Object.fromEntries(at.map((row) => [row.server, row]));
}

function checkEvents(rows) {
  const { bare, express, fastify, footfall, guarded } = by(rows, MAIN);
  const checks = [
    atMost('event, CPU of Node to (a)', 2.0, footfall.node / bare.node),
    atMost('event, CPU of Node to (b)', 0.25, footfall.node / express.node),
    atMost('event, CPU of Node to (c)', 0.9, footfall.node / fastify.node),
    atMost('event, Node and Redis to (b)', 0.4, both(footfall) / both(express)),
    atMost('event with keys and limits, CPU of Node to (a)', 2.2, guarded.node / bare.node),
    atMost('event with keys and limits, CPU of Node to (c)', 0.9, guarded.node / fastify.node),
    atLeast('events/s to (b)', 3, footfall.rate / express.rate),
    atLeast('events/s to (c)', 1, footfall.rate / fastify.rate),
  ];
  for (const connections of [32, 256]) {
    const at = by(rows, connections);
    if (at) checks.push(atMost(`event, p99 at ${connections} to (c)`, 1, at.footfall.p99 / at.fastify.p99));
  }
  return checks;
}

function checkReads(rows) {
  const { bare, fastify, footfall } = by(rows, MAIN);
  return [
    atMost('profile, CPU of Node to (a)', 2.2, footfall.node / bare.node),
    atLeast('profiles/s to (c)', 1, footfall.rate / fastify.rate),
    atMost('profile of three days, Redis', 20, footfall.redis, ' µs'),
  ];
}

function checkArchive(sides) {
  const { batches, singles, queue } = Object.fromEntries(sides.map((side) => [side.name, side]));
  return [
    atLeast('to Postgres, batches of 1,000, events/s to BullMQ', 10, batches.drained / queue.drained),
    atLeast('to Postgres, one a request, events/s to BullMQ', 10, singles.drained / queue.drained),
  ];
}

function checkSizes(sizes) {
  const [least, most] = [sizes[0], sizes.at(-1)];
  const span = `${least.users.toLocaleString('en')} → ${most.users.toLocaleString('en')} users`;
  const kinds = {
    event: 'event',
    read: 'read',
    eventAgain: 'event of a user just seen',
    readAgain: 'read of a user just seen',
  };
  return Object.entries(kinds).flatMap(([kind, what]) => [
    atMost(`${what}, Redis, ${span}`, 1.1, most[kind].redis / least[kind].redis),
    atMost(`${what}, Node and Redis, ${span}`, 1.1, both(most[kind]) / both(least[kind])),
  ]);
}
