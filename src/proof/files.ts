// An id in the bytes of a file, whatever its size.

import { open } from 'node:fs/promises';
import { LONGEST, LZF_MARK, unpackAt } from './lzf.ts';
import { marksOf, spellingsOf } from './spellings.ts';

const STEP = 1024 * 1024;
/** Read beyond each step, so that what begins in it is whole. */
const BEYOND = LONGEST + 16;
/** Shorter ids are in any bytes by chance: of these only what is beyond doubt counts. */
const SHORTEST = 3;

export interface Search {
  bytes: number;
  found: number;
  mayBe: number;
}

export async function searchFile(path: string, id: string, step = STEP): Promise<Search> {
  const marks = marksOf(id).map((text) => Buffer.from(text));
  const bare = spellingsOf(id)
    .map((text) => Buffer.from(text))
    .filter(({ length }) => length >= SHORTEST);
  const window = Buffer.alloc(step + BEYOND);
  let [read, found, named] = [0, 0, 0];

  /** Counts what begins before `end`. */
  function look(bytes: Buffer, end: number): void {
    found += countIn(bytes, marks, end);
    named += countIn(bytes, bare, end);
  }

  const file = await open(path);
  try {
    for (;;) {
      const bytes = window.subarray(0, await readFully(file, window, read));
      const end = Math.min(step, bytes.length);
      if (end === 0) return { bytes: read, found, mayBe: Math.max(0, named - found) };
      look(bytes, end);
      for (let at = bytes.indexOf(LZF_MARK); at >= 0 && at < end; at = bytes.indexOf(LZF_MARK, at + 1)) {
        const packed = unpackAt(bytes, at);
        if (packed) look(packed.text, packed.text.length);
      }
      read += end;
    }
  } finally {
    await file.close();
  }
}

async function readFully(
  file: Awaited<ReturnType<typeof open>>,
  buffer: Buffer,
  position: number,
): Promise<number> {
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, position + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return length;
}

function countIn(bytes: Buffer, needles: Buffer[], end: number): number {
  let count = 0;
  for (const needle of needles) {
    for (let at = bytes.indexOf(needle); at >= 0 && at < end; at = bytes.indexOf(needle, at + 1)) count++;
  }
  return count;
}
