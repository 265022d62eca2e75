// Tables for the terminal.

/** Columns: `[title, value(row)]`; the first is text, the others figures. */
export function table(rows, columns) {
  const lines = [
    columns.map(([title]) => title),
    ...rows.map((row) => columns.map(([, value]) => value(row))),
  ];
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  return lines
    .map((line) =>
      line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '),
    )
    .join('\n');
}

const whole = (value) => Math.round(value).toLocaleString('en');
const fixed = (digits) => (value) => value.toFixed(digits);
const column = (title, name, form) => [title, (row) => form(row[name])];
const cpu = [column('Node µs', 'node', fixed(1)), column('Redis µs', 'redis', fixed(1))];

/** Singles at one number of connections, with Node's CPU as a ratio to (a), (b) and (c). */
function singlesTable(rows, unit) {
  const of = (name) => rows.find(({ server }) => server === name);
  const ratio = (title, name) => [title, (row) => `${(row.node / of(name).node).toFixed(2)}×`];
  return table(rows, [
    ['', (row) => row.title],
    column(`${unit}/s`, 'rate', whole),
    column('p50 ms', 'p50', fixed(2)),
    column('p99 ms', 'p99', fixed(2)),
    ...cpu,
    column('load µs', 'load', fixed(1)),
    ratio('Node to (a)', 'bare'),
    ratio('to (b)', 'express'),
    ratio('to (c)', 'fastify'),
    [
      'both to (b)',
      (row) => `${((row.node + row.redis) / (of('express').node + of('express').redis)).toFixed(2)}×`,
    ],
  ]);
}

export function singlesTables(title, rows, unit) {
  const numbers = [...new Set(rows.map(({ connections }) => connections))];
  return numbers
    .map((n) => {
      const at = rows.filter(({ connections }) => connections === n);
      return `${title}, ${n} connection${n === 1 ? '' : 's'}\n${singlesTable(at, unit)}`;
    })
    .join('\n\n');
}

export function batchesTable({ size, http, pipelined }) {
  const rows = [
    { title: 'record.lua pipelined, no HTTP', ...pipelined },
    { title: `POST /v1/pages, ${whole(size)} a batch`, ...http },
  ];
  const columns = [
    ['', (row) => row.title],
    column('events/s', 'rate', whole),
    ...cpu,
    ['to pipelined', (row) => `${(row.rate / pipelined.rate).toFixed(2)}×`],
  ];
  return `Batches\n${table(rows, columns)}`;
}

export function archiveTables(events, sides) {
  const road = [...new Set(events.map(({ connections }) => connections))].map((n) => {
    const of = (name) => events.find(({ server, connections }) => server === name && connections === n);
    const rows = ['footfall', 'outbox', 'archived'].map(of);
    const to = (title, value) => [title, (row) => `${(value(row) / value(rows[0])).toFixed(2)}×`];
    return `${n} connection${n === 1 ? '' : 's'}\n${table(rows, [
      ['', (row) => row.title],
      column('events/s', 'rate', whole),
      column('p50 ms', 'p50', fixed(2)),
      column('p99 ms', 'p99', fixed(2)),
      ...cpu,
      to('Node to (d)', (row) => row.node),
      to('Redis', (row) => row.redis),
      to('both', (row) => row.node + row.redis),
    ])}`;
  });
  const usual = sides.at(-1);
  const drains = table(sides, [
    ['', (row) => row.title],
    column('accepted/s', 'rate', whole),
    ...cpu,
    column('drained/s', 'drained', whole),
    column('worker µs', 'worker', fixed(1)),
    column('Redis µs', 'redisOfWorker', fixed(1)),
    column('Postgres µs', 'postgres', fixed(1)),
    ['to BullMQ', (row) => `${(row.drained / usual.drained).toFixed(1)}×`],
  ]);
  return [
    'The archive on the road of a page view: its outbox alone, and with the worker, whose reading and deleting is in Redis µs, too',
    ...road,
    `From a request to a row of Postgres: first all is accepted, then a worker carries it\n${drains}`,
  ].join('\n\n');
}

export function durabilityTable(rows) {
  const columns = [
    ['', (row) => row.title],
    column('events/s', 'rate', whole),
    column('p50 ms', 'p50', fixed(2)),
    column('p99 ms', 'p99', fixed(2)),
    ...cpu,
    ['to local', (row) => `${(row.rate / rows[0].rate).toFixed(2)}×`],
  ];
  return `DURABILITY, 32 connections\n${table(rows, columns)}`;
}

export function storeTables({ kinds, counts, days, sizes }) {
  const cost = (title, value) => [
    title,
    (row) => {
      const { redis, node, took } = value(row);
      return [redis, node, took].map(fixed(1)).join(' / ');
    },
  ];
  const kindsTable = table(kinds, [['', (row) => row.what], cost('one', (row) => row)]);
  const countsTable = table(counts.events, [
    ['', (row) => row.what],
    cost('one', (row) => row),
    column('bytes', 'bytes', whole),
  ]);
  const { users, bytesADay, distinct, estimate, question } = counts.crowd;
  const crowd = [
    `A page that ${whole(users)} users saw, everybody on one of three days: ${whole(bytesADay)} bytes a day for all its counts,`,
    `${whole(distinct)} distinct visitors (${[question.redis, question.took].map(fixed(0)).join(' µs of Redis, ')} µs in all); the HyperLogLog says ${whole(estimate)},`,
    `which is ${fixed(2)(((estimate - users) / users) * 100)} % off`,
  ].join('\n');
  const daysTable = table(days, [
    ['', (row) => `${whole(row.views)} view${row.views === 1 ? '' : 's'}`],
    column('bytes', 'bytes', whole),
    column('a view', 'bytesAView', whole),
    cost('next event', (row) => row.next),
    cost('event between', (row) => row.between),
    cost('read', (row) => row.read),
  ]);
  const sizesTable = table(sizes, [
    ['', (row) => `${whole(row.users)} users`],
    column('bytes a user', 'bytes', whole),
    cost('event', (row) => row.event),
    cost('read', (row) => row.read),
    cost('event, just seen', (row) => row.eventAgain),
    cost('read, just seen', (row) => row.readAgain),
    cost('erasure', (row) => row.erasure),
  ]);
  return [
    `The store alone, 32 at once: µs of Redis / of Node / in all\n${kindsTable}`,
    `By what an event feeds\n${countsTable}`,
    crowd,
    `By views of a user and day\n${daysTable}`,
    `By users in Redis\n${sizesTable}`,
  ].join('\n\n');
}

export function checksTable(checks) {
  return `Wanted\n${table(checks, [
    ['', (row) => row.what],
    ['wanted', (row) => row.wanted],
    ['got', (row) => row.got],
    ['', (row) => (row.held ? 'yes' : 'NO')],
  ])}`;
}
