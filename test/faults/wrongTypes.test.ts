// Row 16: a key holds another type than it should. What needs it fails alone, at any place of a group, and leaves nothing.

import { once } from 'node:events';
import { connect } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import { createKeys, type Keys } from '../../src/redis/keys.ts';
import type { FootfallRedis } from '../../src/redis/scripts.ts';
import { DAY, dayOf, MINUTE, monthOf } from '../../src/time.ts';
import { ask, figure, metricsOf } from '../support/ask.ts';
import { createChecks } from '../support/faultRuns.ts';
import { wrongTypes } from '../support/lua.ts';
import { KEYS, MARK } from '../support/marks.ts';
import { useProcesses } from '../support/process.ts';
import { randomOf, seedOf } from '../support/random.ts';
import { snapshot } from '../support/redis.ts';
import { count, long, reportRow } from '../support/rows.ts';
import { type Stand, startStand } from '../support/stand.ts';

const processes = useProcesses();

const SEED = seedOf(process.env.FAULT_SEED);
const SIZE = 9; // of a group
const PLACES = { first: 0, middle: 4, last: SIZE - 1 };
const USERS = Array.from({ length: SIZE }, (_, i) => `${MARK.user}-${SEED}-${i}`);
const NOW = Date.now() - MINUTE;
const TODAY = dayOf(NOW);
const THIS_MONTH = monthOf(TODAY);
const keys: Keys = createKeys('ff', 1);

type Kind = 'view' | 'visit' | 'click' | 'login';

/** One of a batch, and its path where it comes alone. */
type Sent = { path: string; body: Record<string, string> & { user_id: string } };

const KINDS: Record<Kind, (user_id: string, at: number, page?: string) => Sent> = {
  view: (user_id, at, name = 'Home') => ({ path: '/v1/page', body: { user_id, timestamp: iso(at), name } }),
  visit: (user_id, at, name = 'Home') => ({
    path: '/v1/page',
    body: { user_id, timestamp: iso(at), name, url: `https://shop.example/${name}`, site_id: MARK.site },
  }),
  click: (user_id, at, path = '/') => ({
    path: '/v1/event',
    body: { type: 'event', user_id, timestamp: iso(at), path, site_id: MARK.site, event_type: 'click' },
  }),
  login: (user_id, at) => ({ path: '/v1/user/login', body: { type: 'login', user_id, login_time: iso(at) } }),
};
const ALL_KINDS = Object.keys(KINDS) as Kind[];

const iso = (at: number) => new Date(at).toISOString();

/** What everybody did before the group. */
const BEFORE = USERS.flatMap((user) => [
  ...[2, 1, 0].map((days) => KINDS.visit(user, NOW - days * DAY - MINUTE)),
  KINDS.click(user, NOW - MINUTE),
  KINDS.login(user, NOW - DAY),
]);

/** One event of each user, the victim's of this kind. */
const groupOf = (place: number, kind: Kind): Sent[] =>
  USERS.map((user, i) => KINDS[i === place ? kind : ALL_KINDS[i % ALL_KINDS.length]!](user, NOW + i, 'New'));

// --- Sending ---

/** What became of each: recorded, or the code of a problem. */
type Send = (port: number, sent: Sent[]) => Promise<string[]>;

const WAYS: [what: string, send: Send][] = [
  ['one batch', sendBatch],
  ['single requests at once', sendSingles],
];

async function sendBatch(port: number, sent: Sent[]): Promise<string[]> {
  const answer = await ask(port, '/v1/pages', { body: JSON.stringify(sent.map(({ body }) => body)) });
  if (answer.status !== 202) return sent.map(() => `${answer.status}`);
  const { recorded, rejected } = JSON.parse(answer.text);
  if (recorded + rejected.length !== sent.length) return sent.map(() => answer.text);
  const outcomes = sent.map(() => 'recorded');
  for (const { index, code } of rejected) outcomes[index] = code;
  return outcomes;
}

/** On one connection without waiting for answers: so they are grouped in their order. */
async function sendSingles(port: number, sent: Sent[]): Promise<string[]> {
  const requests = sent.map(({ path, body }, i) => {
    const text = JSON.stringify(body);
    const heads = [
      `POST ${path} HTTP/1.1`,
      'Host: x',
      `X-Api-Key: ${KEYS.write}`,
      'Content-Type: application/json',
      `Content-Length: ${Buffer.byteLength(text)}`,
      `Connection: ${i === sent.length - 1 ? 'close' : 'keep-alive'}`,
    ];
    return `${heads.join('\r\n')}\r\n\r\n${text}`;
  });
  const socket = connect(port, '127.0.0.1').setEncoding('latin1');
  let answers = '';
  socket.on('data', (chunk) => {
    answers += chunk;
  });
  socket.write(requests.join(''));
  await once(socket, 'close');
  return [...answers.matchAll(/HTTP\/1\.1 (\d+) .*?\r\n\r\n(\{.*?\})(?=HTTP\/1\.1|$)/gs)].map(
    ([, status, text]) => outcomeOf(Number(status), JSON.parse(text!)),
  );
}

function outcomeOf(status: number, { status: outcome, code }: Record<string, string>): string {
  if (status === 202) return outcome!;
  return status === 500 ? code! : `${status} ${code}`;
}

const profileOf = async (port: number, user: string): Promise<unknown[]> =>
  Object.values(JSON.parse((await ask(port, `/v1/user/${user}`)).text));
const erase = (port: number, user: string) => ask(port, `/v1/user/${user}`, { method: 'DELETE' });

// --- What is stored ---

type Stored = Map<string, string>;

async function given({ store, port }: Stand): Promise<void> {
  const [meta, ...others] = (await store.redis.keys('ff:*')).sort((a) => (a === keys.meta ? -1 : 1));
  if (meta !== keys.meta) throw new Error('ff:meta is gone');
  if (others.length > 0) await store.redis.unlink(...others);
  const outcomes = await sendBatch(port, BEFORE);
  if (outcomes.some((outcome) => outcome !== 'recorded')) throw new Error(`before: ${outcomes}`);
}

const isOf = (user: string) => (key: string) => key.includes(`:user:${user}:`);
const without = (stored: Stored, left: (key: string) => boolean): Stored =>
  new Map([...stored].filter(([key]) => !left(key)));
const only = (stored: Stored, kept: (key: string) => boolean): Stored => without(stored, (key) => !kept(key));

type Plant = (redis: FootfallRedis, key: string) => Promise<unknown>;

async function plant({ store: { redis } }: Stand, key: string, put: Plant): Promise<void> {
  await redis.del(key);
  await put(redis, key);
}

/** What a clean Redis holds after these, by themselves, and after somebody's erasure then. */
function controls(stand: Stand) {
  const known = new Map<string, [Stored, Stored]>();
  return async (sent: Sent[], victim = 'nobody'): Promise<[sent: Stored, erased: Stored]> => {
    const name = JSON.stringify([victim, sent]);
    let stored = known.get(name);
    if (!stored) {
      await given(stand);
      await sendBatch(stand.port, sent);
      const before = await snapshot(stand.store.redis);
      await erase(stand.port, victim);
      stored = [before, await snapshot(stand.store.redis)];
      known.set(name, stored);
    }
    return stored;
  };
}

const groupsIn = async (port: number) =>
  figure(await metricsOf(port), 'footfall_group_size_count{script="record"}');

/** Of all counts of people, their sum. */
function peopleIn(stored: Stored): number {
  const hashes = only(stored, (key) => /\d:visitors$|\}:\d+-\d+:logins$/.test(key));
  return [...hashes.values()]
    .flatMap((text) => JSON.parse(text) as [string, string][])
    .reduce((sum, [, n]) => sum + Number(n), 0);
}

const start = () =>
  startStand(processes, { settings: { LIMIT_ADDRESS: '0', LIMIT_USER: '0', LIMIT_NEW_USERS: '0' } });
const typesBut = (right: string) => long(wrongTypes(right), wrongTypes(right).slice(0, 1));
const recordedIn = (outcomes: string[]) => outcomes.filter((outcome) => outcome === 'recorded').length;

// --- A user's own keys ---

interface Damage {
  what: string;
  key(user: string): string;
  right: string;
  /** What needs it. */
  kinds: Kind[];
}

const OF_USER: Damage[] = [
  {
    ...{ what: 'stats', key: (user) => keys.stats(user, TODAY), right: 'a hash' },
    kinds: ['view', 'visit', 'click'],
  },
  {
    ...{ what: 'pages', key: (user) => keys.pages(user, TODAY), right: 'a sorted set' },
    kinds: ['view', 'visit'],
  },
  {
    ...{ what: 'visits', key: (user) => keys.visits(user, TODAY), right: 'a sorted set' },
    kinds: ['view', 'visit'],
  },
  { what: 'events', key: (user) => keys.events(user, TODAY), right: 'a sorted set', kinds: ['click'] },
  { what: 'logins', key: (user) => keys.logins(user, THIS_MONTH), right: 'a string', kinds: ['login'] },
];

test.each(WAYS)('keys of a user, %s', async (way, send) => {
  const stand = await start();
  const { port, store } = stand;
  const control = controls(stand);
  const { check, held, shown } = createChecks();
  const leftOver: Record<string, number> = {};
  let [cases, grouped, before, besides] = [0, 0, 0, 0];

  for (const { what, key, right, kinds } of OF_USER) {
    for (const [type, put] of typesBut(right)) {
      for (const [where, place] of Object.entries(PLACES)) {
        const kind = randomOf(SEED, cases++).pick(kinds);
        const name = `${type} for ${what}, a ${kind}, ${where}`;
        const victim = USERS[place]!;
        const theirs = isOf(victim);
        const group = groupOf(place, kind);
        const [sound, repaired] = await control(
          group.filter((_, i) => i !== place),
          victim,
        );

        await given(stand);
        await plant(stand, key(victim), put);
        const planted = await snapshot(store.redis);
        const groups = await groupsIn(port);
        const outcomes = await send(port, group);
        if ((await groupsIn(port)) === groups + 1) grouped++;
        const after = await snapshot(store.redis);
        before += BEFORE.length;
        besides += recordedIn(outcomes);
        const expected = group.map((_, i) => (i === place ? 'damaged' : 'recorded'));
        check('its event alone is 500', isDeepStrictEqual(outcomes, expected), `${name}: ${outcomes}`);
        check(
          'the others are whole, and the shared counts as without it',
          isDeepStrictEqual(without(after, theirs), without(sound, theirs)),
          name,
        );
        check('it is not half counted', isDeepStrictEqual(only(after, theirs), only(planted, theirs)), name);

        const { status } = await erase(port, victim);
        leftOver[what] = Math.max(
          leftOver[what] ?? 0,
          peopleIn(await snapshot(store.redis)) - peopleIn(repaired),
        );
        const soon = Date.now() + 50;
        const again = [KINDS[kind](victim, soon, 'Again'), KINDS.view(victim, soon + 1, 'Again')];
        const anew = await send(port, again);
        const views = kind === 'view' || kind === 'visit' ? 2 : 1;
        check(
          'an erasure repairs it',
          status === 200 &&
            isDeepStrictEqual(anew, ['recorded', 'recorded']) &&
            isDeepStrictEqual(await profileOf(port, victim), [victim, views, 0, 1, 'Again']),
          `${name}: ${status} ${anew}`,
        );
      }
    }
  }
  const left = Object.entries(leftOver).map(([what, most]) => `${what} ${most}`);
  reportRow(
    '16',
    `keys of a user, ${way}`,
    { ...held(), 'they were grouped': grouped >= cases / 2 },
    `seed ${SEED}; ${cases} cases of ${SIZE} events, ${grouped} in one call; ${count(before)} events before, ${count(besides)} beside the damaged; counts that still have the person after the erasure, since what would say so could not be read: ${left.join(', ')}${shown()}`,
  );
});

// --- Keys about everybody ---

const SHARED: [what: string, key: string, right: string][] = [
  ['visitors', keys.visitors(0, TODAY), 'a hash'],
  ['returning', keys.returning(0, TODAY), 'a hash'],
  ['counts of logins', keys.loginCounts(0, THIS_MONTH), 'a hash'],
  ['site stats', keys.site(0, MARK.site, TODAY, 'stats'), 'a hash'],
  ['site pages', keys.site(0, MARK.site, TODAY, 'pages'), 'a sorted set'],
  ['site hll', keys.site(0, MARK.site, TODAY, 'hll'), 'a HyperLogLog'],
];

test.each(WAYS)('keys about everybody, %s', async (way, send) => {
  const stand = await start();
  const { port, store } = stand;
  const control = controls(stand);
  const { check, held, shown } = createChecks();
  const group = groupOf(0, 'view');
  const fails: Record<string, string> = {};
  let cases = 0;

  for (const [what, key, right] of SHARED) {
    for (const [type, put] of typesBut(right)) {
      cases++;
      const name = `${type} for ${what}`;
      const isIt = (other: string) => other === key;
      await given(stand);
      await plant(stand, key, put);
      const planted = await store.redis.dumpBuffer(key);
      const outcomes = await send(port, group);
      const after = await snapshot(store.redis);
      const isLeft = planted.equals(await store.redis.dumpBuffer(key));
      const { status } = await erase(port, 'nobody');
      await store.redis.del(key);
      const repaired = await sendSingles(port, group);

      const [sound] = await control(group.filter((_, i) => outcomes[i] === 'recorded'));
      const kindOf = (i: number) => (i === 0 ? 'view' : ALL_KINDS[i % ALL_KINDS.length]!);
      const damaged = group.flatMap((_, i) => (outcomes[i] === 'damaged' ? [kindOf(i)] : []));
      fails[what] = [...new Set(damaged)].join(' and ');
      check(
        'some are 500, and the rest recorded',
        damaged.length > 0 && damaged.length + recordedIn(outcomes) === SIZE,
        `${name}: ${outcomes}`,
      );
      check('what cannot be read is left alone', isLeft && status === 200, name);
      check(
        'the others are whole, and nothing is half counted',
        isDeepStrictEqual(without(after, isIt), without(sound, isIt)),
        name,
      );
      check(
        'once it is dropped, all that was refused is recorded',
        isDeepStrictEqual(
          repaired,
          outcomes.map((outcome) => (outcome === 'damaged' ? 'recorded' : 'duplicate')),
        ),
        `${name}: ${repaired}`,
      );
    }
  }
  const which = Object.entries(fails).map(([what, kinds]) => `${what}: ${kinds}`);
  reportRow(
    '16',
    `keys about everybody, ${way}`,
    held(),
    `seed ${SEED}; ${cases} cases of ${SIZE} events; 500 are, for ${which.join('; ')}${shown()}`,
  );
});
