// How an id may be written, and where it stands by itself rather than in another's.

import { encodeId } from '../redis/keys.ts';

const inJson = (id: string) => JSON.stringify(id).slice(1, -1);

/** As it is; as in a key; as in JSON; as in a URL. */
export function spellingsOf(id: string): string[] {
  return [...new Set([id, encodeId(id), inJson(id), encodeURIComponent(id)])];
}

const escaped = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'); // in JavaScript as in Postgres
const begins = (text: string) => /^[\p{L}\p{N}_]/u.test(text);
const ends = (text: string) => /[\p{L}\p{N}_]$/u.test(text);

/** A pattern that the id matches where it stands by itself; `word` is what letters and digits are. */
function patternOf(id: string, word: string): string {
  const alternatives = spellingsOf(id).map(
    (text) => (begins(text) ? `(?<!${word})` : '') + escaped(text) + (ends(text) ? `(?!${word})` : ''),
  );
  return alternatives.join('|');
}

/** Whether a text holds the id as a word of its own, in any spelling: `ann` is in `/user/ann/cart`, and not in `joanna`. */
export function wordFinder(id: string): (text: string) => boolean {
  const pattern = new RegExp(patternOf(id, '[\\p{L}\\p{N}_]'), 'u');
  return (text) => pattern.test(text);
}

/** The same as a pattern of Postgres's. */
export const wordPattern = (id: string) => patternOf(id, '\\w');

/** Where bytes say beyond doubt that they are this person's: in a key's name, and in an entry of the outbox. */
export function marksOf(id: string): string[] {
  return [`}:user:${encodeId(id)}:`, `"user_id":${JSON.stringify(id)}`];
}
