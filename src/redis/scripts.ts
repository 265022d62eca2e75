// The Lua scripts, put together from their files, and the one client type that carries them.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';

const LUA = join(import.meta.dirname, '../../lua'); // the same from src and from dist

/** What `record.lua` says of an event. */
export type RecordOutcome =
  | 'recorded'
  | 'new'
  | 'duplicate'
  | 'erased'
  | 'expired'
  | 'capped'
  | 'future'
  | 'damaged'
  | 'unknown';

/**
 * What `record.lua` says: of each event, and then how often there was no room for a name of its own: for a page, a url or
 * site, a path, a type.
 */
export type RecordReply = [...outcomes: RecordOutcome[], number, number, number, number];

/** What `profile.lua` says of a user: views, active ms, days with a view, most viewed page. */
export type ProfileReply = [number, number, number, string | null] | 'damaged';

/** What `days.lua` says of each day: views, active ms, most viewed page. */
export type DaysReply = [number, number, string | null][] | 'damaged';

/** What `rights.lua` says: the commands that are refused. */
export type RightsReply = string[];

/** What `erase.lua` says: erased at (ms), keys deleted, counts corrected; where there is an archive, its entry in the outbox. */
export type EraseReply = [string, number, number, string?];

/**
 * What `backlog.lua` says of an outbox: entries, bytes, when the oldest of them came (ms since 1970, as a string; or null), and
 * how many could not be read.
 */
export type BacklogReply = [number, number, string | null, number];

export interface Commands {
  ffRecord(shard: string, args: string[]): Promise<RecordReply>;
  ffProfile(shard: string, args: string[]): Promise<ProfileReply[]>;
  ffDays(shard: string, args: string[]): Promise<DaysReply>;
  ffVisitors(shard: string, args: string[]): Promise<number>;
  ffErase(shard: string, args: string[]): Promise<EraseReply>;
  ffRights(shard: string, args: string[]): Promise<RightsReply>;
  ffBacklog(shard: string, args: string[]): Promise<BacklogReply>;
  ffBury(shard: string, args: string[]): Promise<number>;
  ffExhume(shard: string, args: string[]): Promise<number>;
  ffRemember(shard: string, args: string[]): Promise<number>;
}

/** Of a cluster too: it has whatever is called here. See nodes.ts for what is asked of single nodes. */
export type FootfallRedis = Redis & Commands;

const SCRIPTS = {
  ffRecord: { file: 'record' },
  ffProfile: { file: 'profile', readOnly: true },
  ffDays: { file: 'days', readOnly: true },
  ffVisitors: { file: 'visitors', readOnly: true },
  ffErase: { file: 'erase' },
  ffRights: { file: 'rights', readOnly: true },
  ffBacklog: { file: 'backlog', readOnly: true },
  ffBury: { file: 'bury' },
  ffExhume: { file: 'exhume' },
  ffRemember: { file: 'remember' },
} satisfies Record<keyof Commands, { file: string; readOnly?: true }>;

/**
 * The keys that a script's call declares. Neither is ever there: a script derives its keys from the first. There are two of
 * them since a cluster runs a call of one key on the half of a slot that has been moved already, and answers one of two
 * with TRYAGAIN until all of it has.
 */
export const declaredKeys = (shard: string): [string, string] => [shard, `${shard}:`];

/** Gives a client the scripts. It sends EVALSHA and falls back to EVAL, so a SCRIPT FLUSH costs one round trip. */
export function addScripts(redis: Redis): FootfallRedis {
  const client = redis as unknown as Record<string, (...args: unknown[]) => unknown>;
  for (const [name, { file, ...rest }] of Object.entries(SCRIPTS)) {
    redis.defineCommand(name, { lua: assemble(file), numberOfKeys: 2, ...rest });
    const call = client[name]!.bind(client);
    client[name] = (shard, args) => call(...declaredKeys(shard as string), args);
  }
  return redis as FootfallRedis;
}

/** The text of `lua/<name>.lua` with each `-- @include x/y` replaced by `lua/x/y.lua`. */
export function assemble(name: string): string {
  return readFileSync(join(LUA, `${name}.lua`), 'utf8').replace(
    /^-- @include ([\w/]+)$/gm,
    (_, part: string) => readFileSync(join(LUA, `${part}.lua`), 'utf8').trimEnd(),
  );
}

/** Every command that a script runs, as their text has them; `forArchive` are those that only an archive needs. */
export function commandsOfScripts(): { always: string[]; forArchive: string[] } {
  const text = ['record', 'profile', 'days', 'visitors', 'erase', 'backlog', 'bury', 'remember']
    .map(assemble)
    .join('\n');
  const found = text.matchAll(/(?:call|list)\('([A-Z]+)'(?:, '([A-Z]+)')?|\{ '([A-Z]+)', 0/g);
  const names = [...found].map(([, name, part, ofTable]) => (part ? `${name}|${part}` : (name ?? ofTable!)));
  const all = [...new Set(names)].sort();
  const isForArchive = (name: string) => /^X|^MEMORY/.test(name);
  return {
    always: all.filter((name) => !isForArchive(name)),
    forArchive: [...all.filter(isForArchive), 'XREVRANGE'], // of the outbox, outside of scripts
  };
}
