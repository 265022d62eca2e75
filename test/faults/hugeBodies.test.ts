// Row 21: bodies that are made to be expensive. Each is sent by itself, while another process asks /livez.

import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { timesOf, useFloods } from '../support/flood.ts';
import { KEYS, MARK } from '../support/marks.ts';
import { useProcesses } from '../support/process.ts';
import { long, ms, reportRow } from '../support/rows.ts';
import { startStand } from '../support/stand.ts';

const processes = useProcesses();
const startFlood = useFloods();

const HELD = 50; // ms
const MB = 1_000_000;
const LIMIT = 1024 * 1024;

type Body = [what: string, path: string, body: Buffer, how?: How];

interface How {
  headers?: Record<string, string>;
  /** Without Content-Length. */
  chunked?: true;
  /** It is good, if large. */
  isGood?: true;
}

const gzip = { 'Content-Encoding': 'gzip' };
const lines = { 'Content-Type': 'application/x-ndjson' };

const text = (body: string) => Buffer.from(body);
const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
const objects = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
const list = (count: number, item: (i: number) => string) =>
  `[${Array.from({ length: count }, (_, i) => item(i)).join(',')}]`;
const upTo = (size: number, filled: string) => text(filled.repeat(Math.floor(size / filled.length)));
const event = (i: number, more = '') =>
  `{"user_id":"${MARK.user}${i % 50}","name":"${MARK.page} ${i % 40}","event_id":"${i}"${more}}`;

function bodies(): Body[] {
  const tenMegabytes = text(`{"user_id":"${MARK.user}","name":"${'x'.repeat(10 * MB)}"}`);
  const bomb = gzipSync(Buffer.alloc(500 * MB), { level: 9 }); // half a megabyte
  const [page, pages, profiles] = ['/v1/page', '/v1/pages', '/v1/users/profiles'];
  const long = `,"site_id":"${MARK.site}","url":"https://x.example/${'ü'.repeat(400)}"`;
  return [
    ['10 MB', page, tenMegabytes],
    ['10 MB', pages, tenMegabytes],
    ['10 MB', profiles, tenMegabytes],
    ['10 MB in chunks', pages, tenMegabytes, { chunked: true }],
    ['gzip of 500 MB', pages, bomb, { headers: gzip }],
    ['gzip of 500 MB in chunks', pages, bomb, { headers: gzip, chunked: true }],
    ['gzip of 500 MB of lines', pages, bomb, { headers: { ...gzip, ...lines } }],
    ['gzip in gzip', pages, gzipSync(bomb), { headers: gzip }],
    ['50,000 levels', pages, text(nested(50_000))],
    ['500,000 levels', pages, text(nested(500_000))],
    ['170,000 levels of objects', pages, text(`[${objects(170_000)}]`)],
    ['50,000 levels in an event', pages, text(`[{"user_id":${nested(50_000)},"name":"x"}]`)],
    ['30,000 levels in an event', page, text(`{"user_id":${nested(30_000)},"name":"x"}`)],
    ['50,000 levels on a line', pages, text(nested(50_000)), { headers: lines }],
    ['50,000 levels as ids', profiles, text(`{"user_ids":${nested(50_000)}}`)],
    ['170,000 arrays', pages, text(list(170_000, () => '[[]]'))],
    ['340,000 objects', pages, text(list(340_000, () => '{}'))],
    ['500,000 numbers', pages, text(list(500_000, () => '1'))],
    ['340,000 empty strings', pages, text(list(340_000, () => '""'))],
    ['one string of escapes', pages, text(`["${'\\"'.repeat(520_000)}"]`)],
    ['a number of a megabyte', pages, text(`[${'9'.repeat(MB)}]`)],
    ['a million empty lines', pages, upTo(LIMIT, '\n'), { headers: lines }],
    ['half a million lines', pages, upTo(LIMIT, '1\n'), { headers: lines }],
    ['1,000 lines of arrays', pages, upTo(LIMIT, `${nested(520)}\n`), { headers: lines }],
    ['a megabyte of blanks', pages, upTo(LIMIT, ' '), { headers: lines }],
    ['250,000 ids', profiles, text(`{"user_ids":${list(250_000, () => '"a"')}}`)],
    ['500 bad ids', profiles, text(`{"user_ids":${list(500, () => `"${'\\u0007'.repeat(300)}"`)}}`)],
    ['one field 90,000 times', pages, text(`[{${'"name":"x",'.repeat(90_000)}"user_id":"${MARK.user}"}]`)],
    ['80,000 fields', pages, text(`[{${list(80_000, (i) => `"f${i}":1`).slice(1, -1)}}]`)],
    [
      '1,000 events without a good field',
      pages,
      text(list(1000, () => `{"user_id":"${'\\u0007'.repeat(150)}"}`)),
    ],
    ['1,000 events', pages, text(list(1000, (i) => event(i))), { isGood: true }],
    ['1,000 events of a kilobyte', pages, text(list(1000, (i) => event(i, long))), { isGood: true }],
    ['a query of 14 kB', `/v1/page/visitors?${'a=1&'.repeat(3500)}`, Buffer.alloc(0)],
  ];
}

// Asked to close it, Node closes a connection with its answer, and who is still sending then may never read that.
const agent = new Agent({ keepAlive: true });
afterAll(() => agent.destroy());

/** Its status, though the body may not have been sent to its end. */
function send(port: number, [what, path, body, { headers, chunked } = {}]: Body): Promise<number> {
  return new Promise((resolve, reject) => {
    const length = chunked ? { 'Transfer-Encoding': 'chunked' } : { 'Content-Length': body.length };
    const req = request(
      {
        ...{ host: '127.0.0.1', port, path, agent, method: body.length > 0 ? 'POST' : 'GET' },
        headers: { 'X-Api-Key': KEYS.admin, 'Content-Type': 'application/json', ...length, ...headers },
      },
      (res) => {
        res.resume();
        res.on('end', () => resolve(res.statusCode!));
      },
    );
    req.on('error', (error) => reject(new Error(`${what} to ${path}: ${error.message}`)));
    req.end(body);
  });
}

test('bodies that are made to be expensive are refused, and hold nobody up', async () => {
  const { port, lookBack } = await startStand(processes, {
    settings: { UNLIMITED_CLIENTS: '127.0.0.1', LIMIT_USER: '0' },
  });
  const prober = await startFlood();
  const probe = (seconds: number) =>
    prober.run({ kind: 'livez', port, seconds, connections: 50, rate: 500, from: ['127.0.0.1'] });
  const wrong: string[] = [];

  /** How long /livez took at most while a body was sent a few times. */
  async function heldBy(body: Body): Promise<number> {
    let isOver = false;
    const probing = probe(long(0.5, 0.3)).finally(() => {
      isOver = true;
    });
    probing.catch(() => undefined);
    for (await delay(50); !isOver; await delay(30)) {
      const status = await send(port, body);
      const isRight = body[3]?.isGood ? status === 202 : status === 400 || status === 413;
      if (!isRight) wrong.push(`${body[0]} to ${body[1]}: ${status}`);
    }
    return timesOf(await probing, 200).most;
  }

  const quiet = timesOf(await probe(long(3, 1)), 200).most;
  const all = bodies();
  const held: [most: number, what: string][] = [];
  for (const body of all) {
    await send(port, body); // its code is compiled
    // What the service itself does, it does each time: the least of up to five rounds.
    let least = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 5 && least >= HELD; round++) least = Math.min(least, await heldBy(body));
    held.push([least, `${body[0]} to ${body[1].split('?')[0]}`]);
  }
  held.sort(([a], [b]) => b - a);
  process.stdout.write(held.map(([most, what]) => `  ${ms(most)}: ${what}\n`).join(''));
  const [[worst, what]] = held as [[number, string]];
  reportRow(
    '21',
    '',
    {
      'each is answered 413 or 400': wrong.length === 0,
    },
    `${all.length} kinds, ${wrong.length} other answers${wrong[0] ? ` (${wrong[0]})` : ''}; a /livez beside them took ${ms(worst)} at most (${what}), without them ${ms(quiet)}`,
    { [`the event loop is not held ${HELD} ms`]: worst < HELD },
  );
  await lookBack('21');
});
