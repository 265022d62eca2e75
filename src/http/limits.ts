// How much a client, a key and a user may send. Buckets live in the process; processes that share a port tell each other
// what was spent, so a limit is one limit however many they are.

import type { LIMITED, Metrics } from '../metrics.ts';
import { type Buckets, createBuckets } from './buckets.ts';
import type { Client } from './clients.ts';
import { Problem } from './problem.ts';

export type LimitKind = (typeof LIMITED)[number];

/** What was spent: kind, name, amount. */
export type Spent = [LimitKind, string, number][];

export interface Limits {
  /** So many events, or one other request. Throws a problem where that is too much. `paid` is what they have spent before. */
  spend(client: Client, key: string | undefined, amount: number, paid?: number): void;
  /** One event of a user. Throws a problem where that is too much. */
  spendOfUser(client: Client, userId: string): void;
  /** Whether a client may bring a user who is not known: '-' if not, '+' if that is counted. */
  of(client: Client): '' | '+' | '-';
  broughtNewUser(client: Client): void;
  /** What was spent here since the last time, as far as it is worth telling. */
  spent(): Spent;
  /** What was spent elsewhere. */
  hear(spent: Spent): void;
}

export interface LimitSettings {
  limitAddress: number;
  limitKey: number;
  limitUser: number;
  limitNewUsers: number;
}

const AT_ONCE = 10; // seconds' worth
const MINUTE = 60;

export function createLimits(settings: LimitSettings, metrics: Metrics, isShared = false): Limits {
  const bucketsOf = (perSecond: number, seconds = AT_ONCE) =>
    perSecond > 0 ? createBuckets(perSecond, seconds) : undefined;
  const buckets: Record<LimitKind, Buckets | undefined> = {
    address: bucketsOf(settings.limitAddress),
    key: bucketsOf(settings.limitKey),
    user: bucketsOf(settings.limitUser),
    new_users: bucketsOf(settings.limitNewUsers / MINUTE, MINUTE),
  };
  const untold = new Map<string, [LimitKind, string, number]>();

  function note(kind: LimitKind, name: string, amount: number): void {
    if (!isShared) return;
    const id = `${kind} ${name}`;
    const entry = untold.get(id);
    if (entry) entry[2] += amount;
    else if (untold.size < MOST_UNTOLD) untold.set(id, [kind, name, amount]);
  }

  function take(kind: LimitKind, name: string, amount: number, paid = 0): void {
    const of = buckets[kind];
    if (!of) return;
    const wait = of.take(name, amount, paid);
    if (wait > 0) {
      metrics.limited(kind);
      throw tooMany(kind, of, wait);
    }
    note(kind, name, amount);
  }

  return {
    spend(client, key, amount, paid) {
      if (client === undefined) return;
      take('address', client, amount, paid);
      if (key !== undefined) take('key', key, amount, paid);
    },
    spendOfUser(client, userId) {
      if (client !== undefined) take('user', userId, 1);
    },
    of(client) {
      if (client === undefined || !buckets.new_users) return '';
      return buckets.new_users.has(client) ? '+' : '-';
    },
    broughtNewUser(client) {
      if (client === undefined || !buckets.new_users) return;
      buckets.new_users.charge(client, 1);
      note('new_users', client, 1);
    },
    spent() {
      const worthTelling = [...untold].filter(
        ([, [kind, , amount]]) => amount * WORTH_TELLING >= (buckets[kind]?.most ?? 0),
      );
      if (untold.size === MOST_UNTOLD) untold.clear();
      for (const [id] of worthTelling) untold.delete(id);
      return worthTelling.map(([, entry]) => entry);
    },
    hear(spent) {
      for (const [kind, name, amount] of spent) buckets[kind]?.charge(name, amount);
    },
  };
}

/** A hundredth of a full bucket: below that many clients would be told of for little. */
const WORTH_TELLING = 100;
const MOST_UNTOLD = 50_000;

const WHAT = {
  address: 'from this address',
  key: 'with this key',
  user: 'of this user',
  new_users: 'of new users from this address',
};

function tooMany(kind: LimitKind, { perSecond, most }: Buckets, wait: number): Problem {
  const seconds = String(Math.ceil(wait));
  return new Problem('too_many_requests', `There is too much ${WHAT[kind]} at once.`, {
    headers: {
      'Retry-After': seconds,
      'RateLimit-Policy': `"${kind}";q=${Math.round(most)};w=${Math.round(most / perSecond)}`,
      RateLimit: `"${kind}";r=0;t=${seconds}`,
    },
  });
}
