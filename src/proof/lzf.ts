// Redis compresses strings of more than 20 bytes in its files (LZF), so an id may stand there in pieces. Such a string begins
// with a byte that says so and two lengths; no list of where they are is needed: what is none does not unpack to its length.

export const LZF_MARK = 0xc3;

/** What may be compressed is some thousand bytes long; a value of a megabyte is nothing of ours. */
export const LONGEST = 256 * 1024;

export interface Packed {
  text: Buffer;
  /** How many bytes it took. */
  took: number;
}

/** The compressed string that begins at a byte, or undefined where there is none. */
export function unpackAt(bytes: Buffer, at: number): Packed | undefined {
  if (bytes[at] !== LZF_MARK) return undefined;
  const packed = lengthAt(bytes, at + 1);
  const plain = packed && lengthAt(bytes, packed.end);
  if (!plain || packed.length > LONGEST || plain.length > LONGEST || packed.length >= plain.length)
    return undefined;
  const end = plain.end + packed.length;
  if (end > bytes.length) return undefined;
  const text = unpack(bytes.subarray(plain.end, end), plain.length);
  return text && { text, took: end - at };
}

/** A length as a snapshot has it: in six bits, in fourteen, or in 32. */
function lengthAt(bytes: Buffer, at: number): { length: number; end: number } | undefined {
  const first = bytes[at];
  if (first === undefined) return undefined;
  if (first < 0x40) return { length: first, end: at + 1 };
  if (first < 0x80 && at + 1 < bytes.length)
    return { length: ((first & 0x3f) << 8) | bytes[at + 1]!, end: at + 2 };
  if (first === 0x80 && at + 4 < bytes.length) return { length: bytes.readUInt32BE(at + 1), end: at + 5 };
  return undefined;
}

function unpack(packed: Buffer, length: number): Buffer | undefined {
  const text = Buffer.alloc(length);
  let from = 0;
  let to = 0;
  while (from < packed.length) {
    const control = packed[from++]!;
    if (control < 32) {
      const end = from + control + 1;
      if (end > packed.length || to + control + 1 > length) return undefined;
      to += packed.copy(text, to, from, end);
      from = end;
      continue;
    }
    let run = control >> 5;
    if (run === 7) run += packed[from++] ?? 0;
    const back = to - ((control & 31) << 8) - (packed[from++] ?? 0) - 1;
    if (back < 0 || to + run + 2 > length) return undefined;
    for (let i = 0; i < run + 2; i++) text[to + i] = text[back + i]!; // it may run into itself
    to += run + 2;
  }
  return to === length ? text : undefined;
}
