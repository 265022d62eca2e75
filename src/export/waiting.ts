// What waits for the archive, and what was put aside since it could not be read, of one person.

import { type Erasure, type Kept, readEntry } from '../archive/entry.ts';
import type { Entry, Outbox } from '../archive/outbox.ts';
import { wordsOf } from './events.ts';
import type { Line } from './line.ts';

const ENTRIES = 100; // at once; each has up to 128 events of anybody

export async function* waitingLines(outbox: Outbox, shard: number, userId: string): AsyncGenerator<Line> {
  for (const read of [outbox.read, outbox.readDead]) {
    let entries: Entry[];
    let last: string | undefined;
    do {
      entries = await read(shard, ENTRIES, last);
      for (const entry of entries) yield* linesOf(entry, userId);
      last = entries.at(-1)?.id;
    } while (entries.length === ENTRIES);
  }
}

function* linesOf({ id, fields }: Entry, userId: string): Generator<Line> {
  const received_at = new Date(Number.parseInt(id, 10)).toISOString();
  for (let i = 0; i < fields.length; i += 2) {
    const [field, value] = [fields[i]!, fields[i + 1]!];
    const line = lineOf(field, value, userId);
    if (line) yield { from: 'outbox', ...line, received_at };
  }
}

function lineOf(field: string, value: string, userId: string): Line | undefined {
  if (!value.includes(JSON.stringify(userId))) return undefined; // most are of others, and need not be read
  let found: Kept | Erasure;
  try {
    found = readEntry(field, value);
  } catch {
    return unreadable(value, userId);
  }
  if (found.is === 'erasure') {
    const { userId: of, erasedAt } = found;
    return of === userId ? { is: 'erasure', refused_until: new Date(erasedAt).toISOString() } : undefined;
  }
  const { event, late } = found;
  return event.userId === userId ? { ...wordsOf(event), late } : undefined;
}

/** What can't be read is told as it stands there if it says that it is theirs; else, that there is something. */
function unreadable(value: string, userId: string): Line | undefined {
  try {
    const found = JSON.parse(value) as { user_id?: unknown } | null;
    return found?.user_id === userId ? { is: 'unreadable', what: found } : undefined;
  } catch {
    const isNamed = value.includes(JSON.stringify(userId));
    return isNamed ? { is: 'unreadable', what: 'an entry with this id in it' } : undefined;
  }
}
