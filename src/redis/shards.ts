// A shard is a hash tag: every key of a user, and every count that the user's events feed, carries the same tag, so
// that one script call can touch them all in one slot of a cluster. A single Redis has one shard, a cluster 256.

const SLOTS = 16_384;

const CRC16 = new Uint16Array(256).map((_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

/** CRC16 as Redis Cluster computes it (XMODEM), over the UTF-8 bytes of the text. */
export function crc16(text: string): number {
  let crc = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 127) return crc16OfBytes(Buffer.from(text));
    crc = ((crc << 8) & 0xffff) ^ CRC16[(crc >> 8) ^ code]!;
  }
  return crc;
}

function crc16OfBytes(bytes: Buffer): number {
  let crc = 0;
  for (const byte of bytes) crc = ((crc << 8) & 0xffff) ^ CRC16[(crc >> 8) ^ byte]!;
  return crc;
}

/** The slot of a key: of what stands in its first braces, if there is anything. */
export function slotOf(key: string): number {
  const tag = /\{([^}]+)\}/.exec(key)?.[1];
  return crc16(tag ?? key) % SLOTS;
}

/**
 * The tags of the shards: for shard i the smallest integer whose slot lies in the i-th equal part of the slots, so that
 * shards lie evenly however many nodes share the slots. (Plain 0–255 would give 64 nodes between 0 and 8 shards each.)
 */
export function shardTags(shards: number): string[] {
  const tags: string[] = new Array(shards);
  let found = 0;
  for (let candidate = 0; found < shards; candidate++) {
    const shard = Math.floor(((crc16(String(candidate)) % SLOTS) * shards) / SLOTS);
    if (tags[shard] === undefined) {
      tags[shard] = String(candidate);
      found++;
    }
  }
  return tags;
}
