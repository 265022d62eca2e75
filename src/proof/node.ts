// One Redis: its file is rewritten, and then its keys, its outboxes and its files are searched.

import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { encodeId } from '../redis/keys.ts';
import { keysOn } from '../redis/nodes.ts';
import { HOUR, SECOND } from '../time.ts';
import { lookAtFiles } from './nodeFiles.ts';
import { infoOf, type NodeOptions } from './nodeInfo.ts';
import { notLookedAt, type Place, wordOf } from './place.ts';
import { wordFinder } from './spellings.ts';

export async function lookAtNode(options: NodeOptions): Promise<Place[]> {
  const { node, at } = options;
  const rewriting = await rewrite(node, at);
  const keys = await lookAtKeys(options);
  return [rewriting, ...keys, ...(await lookAtFiles(options))];
}

const REWRITTEN_WITHIN = HOUR;
const LOOK_EVERY = SECOND / 20;

/** Redis writes its file anew from its memory, so that what was erased is in it no more. */
async function rewrite(node: Redis, at: string): Promise<Place> {
  const what = 'rewriting';
  const mend = 'redis-cli BGREWRITEAOF, as a Redis user who may';
  try {
    if ((await infoOf(node)).aof_enabled !== '1') {
      return { at, what, found: 0, mayBe: 0, note: 'it keeps no append-only file (appendonly no)' };
    }
    const since = performance.now();
    await begin(node);
    const { aof_last_bgrewrite_status: status } = await idle(node);
    if (status !== 'ok') return notLookedAt(at, what, `it failed (${status}): look into Redis's log`, mend);
    const seconds = ((performance.now() - since) / SECOND).toFixed(1);
    return { at, what, found: 0, mayBe: 0, note: `the append-only file was written anew in ${seconds} s` };
  } catch (error) {
    return notLookedAt(at, what, wordOf(error), mend);
  }
}

/** One that is under way may have begun before the erasure, and another may begin before ours does. */
async function begin(node: Redis): Promise<void> {
  for (;;) {
    await idle(node);
    try {
      await node.call('BGREWRITEAOF');
      return;
    } catch (error) {
      if (!/in progress/.test((error as Error).message)) throw error;
    }
  }
}

/** Waits until no rewriting is under way, nor one that waits for a snapshot to end. */
async function idle(node: Redis): Promise<Record<string, string>> {
  const late = performance.now() + REWRITTEN_WITHIN;
  for (;;) {
    const info = await infoOf(node);
    if (info.aof_rewrite_in_progress === '0' && info.aof_rewrite_scheduled === '0') return info;
    if (performance.now() > late) throw new Error('TIMEOUT');
    await delay(LOOK_EVERY);
  }
}

async function lookAtKeys({ node, at, prefix, userId, isReplica }: NodeOptions): Promise<Place[]> {
  const judge = keyJudge(prefix, userId);
  const isStream = new RegExp(`^${prefix}:\\{\\d+\\}:outbox(:dead)?$`);
  const names = new Map<string, 'theirs' | 'may be'>(); // one may come twice
  const streams = new Set<string>();
  let keys = 0;
  try {
    for await (const found of keysOn(node, '*')) {
      keys += found.length;
      for (const key of found) {
        const verdict = judge(key);
        if (verdict) names.set(key, verdict);
        if (isStream.test(key)) streams.add(key);
      }
    }
  } catch (error) {
    return [notLookedAt(at, 'names of keys', wordOf(error))];
  }
  const verdicts = [...names.values()];
  const theirs = verdicts.filter((verdict) => verdict === 'theirs').length;
  const mend = theirs > 0 ? 'npm run erase -- USER' : undefined;
  const of = (isDead: boolean) => [...streams].filter((key) => key.endsWith(':dead') === isDead);
  return [
    {
      ...{ at, what: 'names of keys', size: `${keys} keys` },
      found: theirs,
      mayBe: verdicts.length - theirs,
      mend,
    },
    ...(isReplica
      ? [] // they are the primary's
      : [
          await lookAtStreams(node, at, 'outbox', of(false), userId),
          await lookAtStreams(node, at, 'dead letters', of(true), userId),
        ]),
  ];
}

/** Whose a key is stands at its place in the name where it is one of today's; in an older one of ours, it is some part. */
function keyJudge(prefix: string, userId: string): (key: string) => 'theirs' | 'may be' | undefined {
  const ids = [encodeId(userId), userId];
  const holds = wordFinder(userId);
  return (key) => {
    const [begin, tag = '', ...parts] = key.split(':');
    if (begin !== prefix) return holds(key) ? 'may be' : undefined;
    const [kind = '', owner] = parts;
    const named = kind === 'user' ? [owner] : OF_EVERYBODY.test(kind) ? [] : parts;
    if (named.some((part) => part !== undefined && ids.includes(part))) return 'theirs';
    return named === parts && holds(key.slice(begin.length + tag.length + 2)) ? 'may be' : undefined;
  };
}

const OF_EVERYBODY = /^(site|erased|outbox|\d{4}-\d\d(-\d\d)?)$/;

const ENTRIES = 500;

async function lookAtStreams(
  node: Redis,
  at: string,
  what: string,
  keys: string[],
  userId: string,
): Promise<Place> {
  const judge = entryJudge(userId);
  const place = { at, what, found: 0, mayBe: 0 };
  let count = 0;
  try {
    for (const key of keys) {
      let after = '-';
      for (;;) {
        const entries = await node.xrange(key, after, '+', 'COUNT', ENTRIES);
        for (const [, fields] of entries) {
          const verdicts = fields.map(judge);
          if (verdicts.includes('theirs')) place.found++;
          else if (verdicts.includes('may be')) place.mayBe++;
        }
        count += entries.length;
        if (entries.length < ENTRIES) break;
        after = `(${entries.at(-1)![0]}`;
      }
    }
  } catch (error) {
    return { ...place, fault: wordOf(error) };
  }
  const note = place.found > 0 ? 'the archive takes it, and forgets, as soon as its worker runs' : undefined;
  return { ...place, size: `${count} entries`, note: what === 'outbox' ? note : undefined };
}

/** What is JSON says whose it is; what is none is theirs if it has the id as a string of its own. */
function entryJudge(userId: string): (value: string) => 'theirs' | 'may be' | undefined {
  const holds = wordFinder(userId);
  return (value) => {
    try {
      const found: unknown = JSON.parse(value);
      const { user_id, ...others } = Object(found) as Record<string, unknown>;
      if (user_id === userId) return 'theirs';
      return Object.values(others).some((other) => typeof other === 'string' && holds(other))
        ? 'may be'
        : undefined;
    } catch {
      if (value.includes(JSON.stringify(userId))) return 'theirs';
      return holds(value) ? 'may be' : undefined;
    }
  };
}
