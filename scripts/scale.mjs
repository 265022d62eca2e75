// `npm run scale`: computes and simulates what docs/scale.md says of more than one Redis, and writes it between that page's
// markers, `<!-- scale: name -->` and `<!-- /scale -->`. Nothing is measured here: what was, stands below with its place.
// The same constants and the same seed make the same page.

import { readFileSync, writeFileSync } from 'node:fs';
import { crc16, shardTags } from '../dist/redis/shards.js';

const PAGE = 'docs/scale.md';
const SEED = 20261121;

// Measured elsewhere. µs are of CPU for one event, bytes of Redis's memory.

const DESIGN = '[design.md](design.md), What it costs';
const DECISION_6 = '[0006](decisions/0006-what-a-read-costs-and-what-size-costs.md)';
const CHART = '[bench.svg](bench.svg)';
const RUN = '[the same run](../bench/results/2026-11-21T0409-45c63db.json)';
const STORE_RUN = '[store run](../bench/results/2026-11-21T0653-990dba1-store.json)';
const LATENCY_PAGE =
  "[Redis's page on latency](https://redis.io/docs/latest/operate/oss_and_stack/management/optimization/latency/)";

const KINDS = ['name', 'url', 'url + site'];
const REDIS_US = [30, 38, 54]; // DESIGN; by kind, one shard, 32 events at once, each the user's first view of its page
const BYTES_A_VIEW = [323, 371, 462]; // DESIGN; two views of new pages on a day
const DAY_BYTES = [
  [1, 580],
  [3, 630],
  [20, 1170],
  [100, 3750],
]; // DESIGN; views of a user's day by name, and its bytes
const SINGLE_NODE_US = 32.0; // CHART; over HTTP, 32 connections, one shard, by name
const SHARDED_NODE_US = 65.7; // RUN; the same with SHARDS=256
const BATCH_NODE_US = 6.0; // RUN; batches of 1,000, one shard, by name
const SIZE_US = [2.8, 8.2]; // DECISION_6; the commands of an event, at 1,000 and at 1,000,000 users
const READ_US = 32.8; // DECISION_6; a profile of three active days
const HMGET_US = 3.8; // DECISION_6; one bare HMGET at 1,000,000 users
const QUESTION_US = { redis: 33, node: 52 }; // STORE_RUN; visitors of a page over seven days, one shard
const PAGE_BYTES = [80, 620]; // DESIGN; a page's visitors of a day: without those who come back, and with all of them
const HLL_BYTES = 14_000; // DESIGN; a site's day once it has some thousand users
const FORK_MS = [9, 13]; // LATENCY_PAGE; ms a GB

// Measured for that page, as it tells: the store without HTTP, by name and with url and site, means of two rounds.
const STORE = {
  '32 at once': {
    1: { redis: [26.0, 51.4], node: [6.2, 8.8], file: [565, 982] },
    256: { redis: [54.7, 99.3], node: [19.1, 23.2], file: [662, 1255] },
  },
  '1,000 at once': {
    1: { redis: [22.3, 38.6], node: [3.6, 6.9], file: [541, 816] },
    256: { redis: [32.5, 58.6], node: [8.9, 14.1], file: [593, 1048] },
  },
};

// Settings and limits of the program, see configuration.md and src/redis/recorder.ts.

const SHARDS = 256;
const KEPT_DAYS = 8;
const REPORT_DAYS = 35;
const MAX_VIEWS_PER_USER_DAY = 10_000;
const MAX_PATHS_PER_SITE_DAY = 10_000;
const LIMIT_USER = 100; // events a second

// Chosen for this page.

const NODES = [1, 3, 6, 12, 24, 64];
const LOAD = 0.6; // of a core that a process may use
const NODE_GB = 64;
const FILL = 0.6; // of a node's memory that data may take
const EVENTS_A_DAY = 1e9;
const PEAKS = [1, 3, 5]; // of the mean rate
const USERS = 1_000_000; // that are simulated
const MEAN_VIEWS = 20; // a simulated user and day, for the cap
const HTTP_BYTES = 1000; // of a request and its answer, with a browser's headers

const SLOTS = 16_384;
const SECONDS = 86_400;
const CORE = LOAD * 1e6; // µs a second
const ROOM = NODE_GB * FILL * 1e9;

// What an event costs.

const sizeUs = SIZE_US[1] - SIZE_US[0];
const SITE = KINDS.length - 1;

/** By kind, of a figure by name and one with url and site; the url lies between them as it does in REDIS_US. */
const byKind = ([name, site]) =>
  REDIS_US.map((us) => name + ((us - REDIS_US[0]) / (REDIS_US[SITE] - REDIS_US[0])) * (site - name));

/** What a road costs: Redis beyond calls of 32 on one shard, and Node in all. */
function roadOf(road, atOnce, shards, nodeByName) {
  const { redis, node } = STORE[atOnce][shards];
  const base = byKind(STORE['32 at once'][1].redis);
  return {
    road,
    shards,
    calls: byKind(redis).map((us, kind) => us - base[kind]),
    node: byKind(node).map((us) => nodeByName + us - node[0]),
  };
}

const batchedNodeUs =
  BATCH_NODE_US + STORE['1,000 at once'][SHARDS].node[0] - STORE['1,000 at once'][1].node[0];
const ROADS = [
  roadOf('single', '32 at once', 1, SINGLE_NODE_US),
  roadOf('single', '32 at once', SHARDS, SHARDED_NODE_US),
  roadOf('batch', '1,000 at once', 1, BATCH_NODE_US),
  roadOf('batch', '1,000 at once', SHARDS, batchedNodeUs),
];
const [SINGLE_1, SINGLE, BATCH_1, BATCHED] = ROADS;
const redisUs = ({ calls }, kind) => REDIS_US[kind] + calls[kind] + sizeUs;
const nodeUs = ({ node }, kind) => node[kind];

// Where shards lie.

/** Which node a slot is on, as `redis-cli --cluster create` deals them out: ranges, as even as can be. */
function slotOwners(nodes) {
  const owners = new Uint8Array(SLOTS);
  for (let node = 0, first = 0; node < nodes; node++) {
    const end = node === nodes - 1 ? SLOTS : Math.round(((node + 1) * SLOTS) / nodes);
    owners.fill(node, first, end);
    first = end;
  }
  return owners;
}

/** The node of each shard. */
function nodesOf(tags, nodes) {
  const owners = slotOwners(nodes);
  return tags.map((tag) => owners[crc16(tag) % SLOTS]);
}

function sumBy(places, count, weights) {
  const sums = new Float64Array(count);
  for (let i = 0; i < places.length; i++) sums[places[i]] += weights ? weights[i] : 1;
  return sums;
}

const TAGS = shardTags(SHARDS);
const PLAIN = Array.from({ length: SHARDS }, (_, i) => String(i));
const shardsOn = (tags, nodes) => sumBy(nodesOf(tags, nodes), nodes);
/** The part of all that the fullest node carries. */
const fullest = (nodes) => Math.max(...shardsOn(TAGS, nodes)) / SHARDS;
const rateOf = (nodes, us) => CORE / us / fullest(nodes);

/** The fewest nodes of which none is over its load. */
function nodesFor(rate, us) {
  for (let nodes = 1; nodes <= SHARDS; nodes++) if (rateOf(nodes, us) >= rate) return nodes;
  throw new Error(`${rate} events a second need more nodes than there are shards`);
}

function nodesForBytes(bytes) {
  for (let nodes = 1; nodes <= SHARDS; nodes++) if (bytes * fullest(nodes) <= ROOM) return nodes;
  throw new Error(`${bytes} bytes need more nodes than there are shards`);
}

const processesFor = (rate, us) => Math.ceil((rate * us) / CORE);

// Users, simulated.

/** mulberry32 */
function random(seed) {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const next = random(SEED);
const randomId = () =>
  `019${Math.floor(next() * 36 ** 7)
    .toString(36)
    .padStart(7, '0')}`;
const shardsOfUsers = (id) => Uint8Array.from({ length: USERS }, (_, i) => crc16(id(i)) % SHARDS);
const byChance = shardsOfUsers(randomId);
const inOrder = shardsOfUsers((i) => String(i + 1));

// The user of rank r has 1/r of the first one's views.
const zipf = Float64Array.from({ length: USERS }, (_, i) => 1 / (i + 1));
const zipfSum = zipf.reduce((sum, views) => sum + views, 0);
const views = zipf.map((weight) => (weight / zipfSum) * MEAN_VIEWS * USERS);
const capped = views.map((count) => Math.min(count, MAX_VIEWS_PER_USER_DAY));
const overCap = views.filter((count) => count > MAX_VIEWS_PER_USER_DAY).length;

const LOADS = [
  { what: 'users, random ids', byShard: sumBy(byChance, SHARDS) },
  { what: 'users, ids 1 to 1,000,000', byShard: sumBy(inOrder, SHARDS) },
  { what: 'events, Zipf', byShard: sumBy(byChance, SHARDS, views) },
  { what: 'events, Zipf, capped', byShard: sumBy(byChance, SHARDS, capped) },
];

/** The most and the least loaded of some, as a ratio to an equal part. */
function skew(loads) {
  const mean = loads.reduce((sum, load) => sum + load, 0) / loads.length;
  return [Math.max(...loads) / mean, Math.min(...loads) / mean];
}

// What Redis is sent and answers for a view with a url and a site that is alone in its call, in bytes.

const resp = (...words) =>
  words.reduce(
    (sum, word) => sum + `$${String(word).length}\r\n${word}\r\n`.length,
    `*${words.length}\r\n`.length,
  );

function bytesOfCall() {
  const [user, site, ms] = ['019mr8mf4r', 'shop', 36_250_000];
  const now = 1_795_224_645_033;
  const [name, url, member] = ['Pricing', 'https://shop.example/pricing', 'lkyog.3-lXg-3-95G'];
  const things = [`url:${url}`, `site:${site}:url:${url}`, `site:${site}:name:${name}`, `site:${site}`];
  const dates = Array(9).fill('2026-11-21').join(' ');
  const settings = [now - ms, ms, 1_800_000, 10_000, 1000, dates, 10_000, 35, 35, 400];
  const event = ['visit', user, now, member, name, site, url, things.length, ...things];
  const call = resp('EVALSHA', 'f'.repeat(40), 1, 'ff:{477}', ...settings, ...event);
  return call + '*5\r\n$8\r\nrecorded\r\n:0\r\n:0\r\n:0\r\n:0\r\n'.length;
}

// The page.

const whole = (value) => Math.round(value).toLocaleString('en');
const fixed = (value, digits = 1) => value.toFixed(digits);
const part = (value, digits = 1) => `${fixed(value * 100, digits)} %`;
const times = (value) => `${fixed(value, value >= 1.995 ? 1 : 3)}×`;
const million = (value) => `${value < 99.5e6 ? fixed(value / 1e6) : whole(value / 1e6)} M`;
const storage = (bytes) => (bytes < 1e12 ? `${whole(bytes / 1e9)} GB` : `${fixed(bytes / 1e12)} TB`);
/** Two digits are all that such figures bear. */
const rough = (value) => Number(value.toPrecision(2)).toLocaleString('en');

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

const list = (items) => items.map((item) => `- ${item}`).join('\n');

function sources() {
  const rows = [
    ['Redis, an event by name; with url; with url and site', `${REDIS_US.join(', ')} µs`, DESIGN],
    ['bytes an event, two new pages a day', BYTES_A_VIEW.join(', '), DESIGN],
    ...DAY_BYTES.map(([count, bytes]) => [
      `bytes a user and day, ${count} view${count > 1 ? 's' : ''} by name`,
      whole(bytes),
      DESIGN,
    ]),
    ['single over HTTP, by name, one shard: Node', `${fixed(SINGLE_NODE_US)} µs`, CHART],
    ['the same with `SHARDS=256`, on one Redis', `${fixed(SHARDED_NODE_US)} µs`, RUN],
    ['batches of 1,000, by name, one shard: Node', `${fixed(BATCH_NODE_US)} µs`, RUN],
    ['commands of an event at 1,000 users; at a million', `${SIZE_US.join(', ')} µs`, DECISION_6],
    ['Redis, a profile of three active days', `${READ_US} µs`, DECISION_6],
    ['Redis, one `HMGET` among a million users', `${HMGET_US} µs`, DECISION_6],
    [
      'visitors of a page, seven days, one shard: Redis, Node',
      `${QUESTION_US.redis}, ${QUESTION_US.node} µs`,
      STORE_RUN,
    ],
    ["bytes of a page's visitors of a day", `${PAGE_BYTES[0]} to ${PAGE_BYTES[1]}`, DESIGN],
    ["bytes of a site's HyperLogLog of a day, at most", whole(HLL_BYTES), DESIGN],
    ['a fork, ms a GB (not on our machine)', FORK_MS.join(' to '), LATENCY_PAGE],
  ];
  return table(['measured', 'figure', 'where'], rows).replace(
    '| --- | ---: | ---: |',
    '| --- | ---: | --- |',
  );
}

function store() {
  const rows = Object.entries(STORE).flatMap(([atOnce, by]) =>
    Object.entries(by).map(([shards, { redis, node, file }]) => [
      `${atOnce}, ${shards} shard${shards === '1' ? '' : 's'}`,
      ...[redis, node].flatMap((us) => us.map((value) => fixed(value))),
      ...file.map(whole),
    ]),
  );
  const figures = ['Redis µs', 'Node µs', 'bytes of file'];
  return table(['an event', ...figures.flatMap((what) => [`${what}: name`, 'url + site'])], rows);
}

function costs() {
  const rows = ROADS.map((road) => [
    `${road.road}, ${road.shards} shard${road.shards > 1 ? 's' : ''}`,
    ...KINDS.map((_, kind) => fixed(redisUs(road, kind), 0)),
    ...KINDS.map((_, kind) => fixed(nodeUs(road, kind), 0)),
  ]);
  return table(
    ['µs an event', ...KINDS.map((kind) => `Redis: ${kind}`), ...KINDS.map((kind) => `Node: ${kind}`)],
    rows,
  );
}

function throughput() {
  const row = (nodes, single, batched) => {
    const rates = KINDS.map((_, kind) => rateOf(nodes, redisUs(single, kind)));
    const batch = rateOf(nodes, redisUs(batched, SITE));
    return [
      `${nodes}${single.shards === 1 ? ', one shard' : ''}`,
      ...rates.map(rough),
      rough(batch),
      String(processesFor(rates[SITE], nodeUs(single, SITE))),
      String(processesFor(batch, nodeUs(batched, SITE))),
    ];
  };
  return table(
    [
      'Redis nodes',
      'singles/s: name',
      'url',
      'url + site',
      'batched/s: url + site',
      'processes, singles',
      'processes, batches',
    ],
    [row(1, SINGLE_1, BATCH_1), ...NODES.map((nodes) => row(nodes, SINGLE, BATCHED))],
  );
}

function memory() {
  const kinds = [
    ['1 view, name', DAY_BYTES[0][1]],
    ['3 views, name', DAY_BYTES[1][1]],
    ['2 views, url + site', 2 * BYTES_A_VIEW[SITE]],
    ['20 views, name', DAY_BYTES[2][1]],
    ['100 views, name', DAY_BYTES[3][1]],
  ];
  const rows = NODES.map((nodes) => [
    String(nodes),
    storage(nodes * NODE_GB * 1e9),
    ...kinds.map(([, bytes]) => million(ROOM / fullest(nodes) / (KEPT_DAYS * bytes))),
  ]);
  return table(['Redis nodes', 'memory', ...kinds.map(([what]) => what)], rows);
}

function shards() {
  const range = (counts) => `${Math.max(...counts)} / ${Math.min(...counts)}`;
  const rows = NODES.slice(1).map((nodes) => {
    const plain = shardsOn(PLAIN, nodes);
    return [
      String(nodes),
      fixed(SHARDS / nodes),
      range(shardsOn(TAGS, nodes)),
      range(plain),
      times(skew(plain)[0]),
      String(plain.filter((count) => count === 0).length),
    ];
  });
  return table(
    ['nodes', 'fair', 'our tags, most / least', 'tags 0–255', 'their fullest : fair', 'nodes with none'],
    rows,
  );
}

function spread() {
  const cell = ([most, least]) => `${fixed(most, 3)} / ${fixed(least, 3)}`;
  const ofNodes = (nodes) =>
    LOADS.map(({ byShard }) => cell(skew(sumBy(nodesOf(TAGS, nodes), nodes, byShard))));
  return table(
    ['most / least : fair', ...LOADS.map(({ what }) => what)],
    [
      [`of ${SHARDS} shards`, ...LOADS.map(({ byShard }) => cell(skew(byShard)))],
      ...NODES.slice(1).map((nodes) => [`of ${nodes} nodes`, ...ofNodes(nodes)]),
    ],
  );
}

function hottest() {
  const one = redisUs(SINGLE, SITE);
  return list([
    `**The hottest user** of ${whole(USERS)}, if activity is Zipf with s = 1.0, makes ${part(zipf[0] / zipfSum)} of all events. At ${MEAN_VIEWS} views a user and day that would be ${whole(views[0])} views; \`MAX_VIEWS_PER_USER_DAY\` counts ${whole(MAX_VIEWS_PER_USER_DAY)}. ${overCap} users meet that cap, and with it no user makes more than ${part(MAX_VIEWS_PER_USER_DAY / capped.reduce((all, count) => all + count, 0), 2)} of what counts.`,
    `One user is one shard, so one core: ${rough(CORE / one)} events a second with url and site, whatever the number of nodes. \`LIMIT_USER\` (${LIMIT_USER}/s) lets them take ${part((LIMIT_USER * one) / 1e6)} of that core.`,
    `**The hottest page** is counted in the shard of each viewer: a field in each of ${SHARDS} hashes, no hot key. Each name that it counts under takes ${rough((SHARDS * PAGE_BYTES[0]) / 1000)} to ${rough((SHARDS * PAGE_BYTES[1]) / 1000)} KB a day on ${SHARDS} shards, where it takes ${PAGE_BYTES[0]} to ${PAGE_BYTES[1]} bytes on one.`,
    `**The hottest site** has a HyperLogLog in each shard: up to ${fixed((SHARDS * HLL_BYTES) / 1e6)} MB a day and ${rough((SHARDS * HLL_BYTES * REPORT_DAYS) / 1e6)} MB over ${REPORT_DAYS} days, once each shard has some thousand of its users a day. A hundred such sites are ${fixed((100 * SHARDS * HLL_BYTES * REPORT_DAYS) / 1e9)} GB.`,
  ]);
}

function reads() {
  const hashes = REPORT_DAYS * SHARDS;
  const path = resp('https://shop.example/pages/1234', 1234) - '*2\r\n'.length;
  const paths = (each) => hashes * each;
  const ms = (us) => fixed((SHARDS * us) / 1000);
  const report = [
    `${whole(hashes)} \`HGETALL\`, as many \`ZSCAN\` or more, ${SHARDS} \`PFCOUNT\` of ${REPORT_DAYS} keys`,
  ];
  return [
    table(
      ['question', 'calls on one shard', `on ${SHARDS}`, 'cost'],
      [
        ['a profile', '1', '1', `${READ_US} µs of Redis`],
        [
          'visitors of a page, 7 days',
          '1',
          `${SHARDS}`,
          `up to ${ms(QUESTION_US.redis)} ms of Redis, ${ms(QUESTION_US.node)} of Node`,
        ],
        ['logins of a day or month', '1', `${SHARDS}`, `about ${ms(HMGET_US)} ms of Redis`],
        [
          `a site's report, ${REPORT_DAYS} days`,
          whole(2 * REPORT_DAYS + 1),
          whole(2 * hashes + SHARDS),
          `at least ${whole((2 * hashes * HMGET_US) / 1000)} ms of Redis, and the paths`,
        ],
      ],
    ).replace('| --- | ---: | ---: | ---: |', '| --- | ---: | ---: | --- |'),
    '',
    list([
      `The report is ${report}: some ${rough(hashes)} commands for the numbers alone, some ${rough(2 * hashes + SHARDS)} in all.`,
      `Each shard and day answers all its paths. At 1,000 paths in each that is ${million(paths(1000))} paths and ${rough((paths(1000) * path) / 1e6)} MB through one process; at \`MAX_PATHS_PER_SITE_DAY\` (${whole(MAX_PATHS_PER_SITE_DAY)}) ten times that.`,
      `Its \`PFCOUNT\`s read up to ${rough((hashes * HLL_BYTES) / 1e6)} MB of HyperLogLogs.`,
    ]),
  ].join('\n');
}

const MEAN = EVENTS_A_DAY / SECONDS;

function rates() {
  const rows = PEAKS.map((peak) => {
    const rate = MEAN * peak;
    return [
      peak === 1 ? 'mean' : `peak, ${peak}×`,
      whole(rate),
      ...KINDS.map((_, kind) => String(nodesFor(rate, redisUs(SINGLE, kind)))),
      String(nodesFor(rate, redisUs(BATCHED, SITE))),
      String(processesFor(rate, nodeUs(SINGLE, SITE))),
      String(processesFor(rate, nodeUs(BATCHED, SITE))),
    ];
  });
  return table(
    [
      '',
      'events/s',
      'Redis nodes: name',
      'url',
      'url + site',
      'the same in batches',
      'processes, singles',
      'in batches',
    ],
    rows,
  );
}

const DAYS = [
  ...DAY_BYTES.map(([count, bytes]) => ({ count, bytes, what: `${count}, by name`, kind: 0 })),
  { count: 2, bytes: 2 * BYTES_A_VIEW[SITE], what: '2, url + site', kind: SITE },
].sort((a, b) => a.count - b.count);
const PEAK = PEAKS.at(-1);

const stored = ({ count, bytes }) => (EVENTS_A_DAY / count) * bytes * KEPT_DAYS;

function billion() {
  const rows = DAYS.map((day) => {
    const cpu = nodesFor(MEAN * PEAK, redisUs(SINGLE, day.kind));
    return [
      day.what,
      million(EVENTS_A_DAY / day.count),
      storage(stored(day)),
      String(nodesForBytes(stored(day))),
      String(cpu),
      storage((stored(day) * fullest(cpu)) / FILL),
    ];
  });
  return table(
    [
      'views of a user and day',
      'active users a day',
      `data of ${KEPT_DAYS} days`,
      'nodes for memory',
      `for CPU, ${PEAK}×`,
      'a node, were CPU to decide',
    ],
    rows,
  );
}

/** Where each limit of one Redis and one process lies, in events a day. */
function limits() {
  const cpu = (us) => million((CORE / us) * (SECONDS / PEAK));
  const rows = DAYS.map((day) => [
    day.what,
    million((ROOM / (KEPT_DAYS * day.bytes)) * day.count),
    cpu(redisUs(SINGLE_1, day.kind)),
    cpu(nodeUs(SINGLE_1, day.kind)),
    cpu(nodeUs(BATCH_1, day.kind)),
  ]);
  return table(
    [
      'views of a user and day',
      'memory is full at',
      "Redis's core",
      'one process, singles',
      'one process, batches',
    ],
    rows,
  );
}

function others() {
  const call = bytesOfCall();
  const file = STORE['32 at once'][SHARDS].file[SITE - 1];
  const rate = MEAN * PEAK;
  const day = DAYS.find(({ what }) => what === '2, url + site');
  const nodes = nodesForBytes(stored(day));
  const fileADay = (EVENTS_A_DAY * file) / nodes;
  const fork = FORK_MS.map((ms) => fixed((ms * ROOM) / 1e12, 2));
  const keys = (ROOM / day.bytes) * 3;
  const expiring = ((EVENTS_A_DAY / day.count) * 3) / nodes / (6 * 3600);
  return list([
    `**Network**: about ${rough(HTTP_BYTES)} bytes an event over HTTP (assumed) and ${rough(call)} to Redis and back (counted from the call), so ${rough((rate * (HTTP_BYTES + call) * 8) / 1e9)} Gbit/s at ${PEAK}× the mean, over all machines. Not first.`,
    `**Append-only file**: about ${rough(file)} bytes an event (measured, section 1), so ${rough((EVENTS_A_DAY * file) / 1e12)} TB a day, ${rough(fileADay / 1e9)} GB on each of ${nodes} nodes: ${rough((rate * file) / nodes / 1e6)} MB/s at ${PEAK}×. Not first.`,
    `**Its rewrite** forks a process of ${fixed(ROOM / 1e9)} GB, and all stand still for it: ${fork.join(' to ')} s by the published figure. \`REDIS_TIMEOUT_MS\` is 1,000: with ${FORK_MS.map(
      (ms) => whole(1000 / ms),
    )
      .reverse()
      .join(
        ' to ',
      )} GB of data on a node, calls would be answered 503 and sent again. Pages that are written meanwhile exist twice: that is what the ${part(1 - FILL, 0)} are kept for.`,
    `**Keys that go**: ${million(keys)} keys of users a node; in the six hours before a midnight ${rough(expiring)} of them a second. Redis's CPU for that was not measured.`,
    `**The walk of an erasure** does not get through so many keys in \`ERASE_SCAN_MS\`: the receipt says \`incomplete\`. The erasure itself costs what it always does.`,
  ]);
}

function answer() {
  const cpu = PEAKS.slice(1).map((peak) => nodesFor(MEAN * peak, redisUs(SINGLE, SITE)));
  const bytes = DAYS.map((day) => nodesForBytes(stored(day)));
  const processes = processesFor(MEAN * PEAK, nodeUs(SINGLE, SITE));
  const within = processesFor(MEAN * PEAK, nodeUs(BATCHED, SITE));
  return `**Memory of Redis is first.** It asks for ${Math.min(...bytes)} to ${Math.max(...bytes)} nodes of ${NODE_GB} GB, by how many views a user makes in a day; Redis's CPU, with url and site and at ${PEAKS.slice(1).join('× to ')}× the mean, for ${cpu.join(' to ')}; Node, at ${PEAK}×, for ${processes} processes, or ${within} where events come in batches, and processes share nothing and are cheap. Replicas double the nodes. Only where users make a hundred views a day and more, each of a new page with url and site, would CPU be first: the memory of such days was measured by name alone.`;
}

const BLOCKS = {
  sources,
  store,
  costs,
  throughput,
  memory,
  shards,
  spread,
  hottest,
  reads,
  rates,
  billion,
  limits,
  others,
  answer,
};

const written = new Set();
const page = readFileSync(PAGE, 'utf8').replace(
  /(<!-- scale: (\w+) -->\n)[\s\S]*?(<!-- \/scale -->)/g,
  (_, opening, name, closing) => {
    if (!Object.hasOwn(BLOCKS, name)) throw new Error(`${PAGE}: nothing is called ${name}`);
    written.add(name);
    return `${opening}\n${BLOCKS[name]()}\n\n${closing}`;
  },
);
const missing = Object.keys(BLOCKS).filter((name) => !written.has(name));
if (missing.length > 0) throw new Error(`${PAGE} has no place for ${missing.join(', ')}`);
writeFileSync(PAGE, page);
