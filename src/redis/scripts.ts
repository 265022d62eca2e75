// The Lua scripts, put together from their files, and the one client type that carries them.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';

const LUA = join(import.meta.dirname, '../../lua'); // the same from src and from dist

/** What `record.lua` says of an event. */
export type RecordOutcome = 'recorded' | 'duplicate' | 'erased' | 'expired' | 'capped' | 'future' | 'damaged';

/** What `profile.lua` says of a user: views, active ms, days with a view, most viewed page. */
export type ProfileReply = [number, number, number, string | null] | 'damaged';

/** What `days.lua` says of each day: views, active ms, most viewed page. */
export type DaysReply = [number, number, string | null][] | 'damaged';

/** What `erase.lua` says: erased at (ms), keys deleted, counts corrected. */
export type EraseReply = [string, number, number];

export interface Commands {
  ffRecord(shard: string, args: string[]): Promise<RecordOutcome[]>;
  ffProfile(shard: string, args: string[]): Promise<ProfileReply[]>;
  ffDays(shard: string, args: string[]): Promise<DaysReply>;
  ffErase(keyCount: number, keysAndArgs: (string | number)[]): Promise<EraseReply>;
}

export type FootfallRedis = Redis & Commands;

/** For ioredis's `scripts` option. It sends EVALSHA and falls back to EVAL, so a SCRIPT FLUSH costs one round trip. */
export function loadScripts() {
  return {
    ffRecord: { lua: assemble('record'), numberOfKeys: 1 },
    ffProfile: { lua: assemble('profile'), numberOfKeys: 1, readOnly: true },
    ffDays: { lua: assemble('days'), numberOfKeys: 1, readOnly: true },
    ffErase: { lua: assemble('erase') },
  };
}

/** The text of `lua/<name>.lua` with each `-- @include x` replaced by `lua/lib/x.lua`. */
export function assemble(name: string): string {
  return readFileSync(join(LUA, `${name}.lua`), 'utf8').replace(/^-- @include (\w+)$/gm, (_, part: string) =>
    readFileSync(join(LUA, 'lib', `${part}.lua`), 'utf8').trimEnd(),
  );
}
