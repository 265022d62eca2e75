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

/** What `erase.lua` says: erased at (ms), keys deleted, counts corrected. */
export type EraseReply = [string, number, number];

export interface Commands {
  ffRecord(shard: string, args: string[]): Promise<RecordReply>;
  ffProfile(shard: string, args: string[]): Promise<ProfileReply[]>;
  ffDays(shard: string, args: string[]): Promise<DaysReply>;
  ffVisitors(shard: string, args: string[]): Promise<number>;
  ffErase(shard: string, args: string[]): Promise<EraseReply>;
  ffRights(shard: string, args: string[]): Promise<RightsReply>;
}

/** Of a cluster too: it has whatever is called here. See nodes.ts for what is asked of single nodes. */
export type FootfallRedis = Redis & Commands;

/** For ioredis's `scripts` option. It sends EVALSHA and falls back to EVAL, so a SCRIPT FLUSH costs one round trip. */
export function loadScripts() {
  return {
    ffRecord: { lua: assemble('record'), numberOfKeys: 1 },
    ffProfile: { lua: assemble('profile'), numberOfKeys: 1, readOnly: true },
    ffDays: { lua: assemble('days'), numberOfKeys: 1, readOnly: true },
    ffVisitors: { lua: assemble('visitors'), numberOfKeys: 1, readOnly: true },
    ffErase: { lua: assemble('erase'), numberOfKeys: 1 },
    ffRights: { lua: assemble('rights'), numberOfKeys: 1, readOnly: true },
  };
}

/** The text of `lua/<name>.lua` with each `-- @include x/y` replaced by `lua/x/y.lua`. */
export function assemble(name: string): string {
  return readFileSync(join(LUA, `${name}.lua`), 'utf8').replace(
    /^-- @include ([\w/]+)$/gm,
    (_, part: string) => readFileSync(join(LUA, `${part}.lua`), 'utf8').trimEnd(),
  );
}

/** Every command that a script runs, as their text has them. */
export function commandsOfScripts(): string[] {
  const text = ['record', 'profile', 'days', 'visitors', 'erase'].map(assemble).join('\n');
  const found = text.matchAll(/(?:call|list)\('([A-Z]+)'|\{ '([A-Z]+)', 0/g);
  return [...new Set([...found].map(([, name, ofTable]) => name ?? ofTable!))].sort();
}
