import { createHash } from 'node:crypto';
import { DAY } from '../time.ts';

export interface PageView {
  userId: string;
  /** When it happened, ms since 1970. */
  at: number;
  /** The page's name, or its url where there was no name. */
  name: string;
  eventId?: string | undefined;
}

/**
 * What is unique about a view among its user's views of a day, as it stands in Redis. Without an event_id that is its
 * time and page; a digest of the page (66 bits) keeps it short, and only views of one user in one millisecond meet.
 */
export function identityOf(view: PageView): string {
  if (view.eventId !== undefined) return `e:${view.eventId}`;
  const sinceMidnight = ((view.at % DAY) + DAY) % DAY;
  return `${sinceMidnight.toString(36)}.${pageDigest(view.name)}`;
}

const digests = new Map<string, string>();
const DIGESTS_KEPT = 10_000;

/** Pages come again and again, so their digests are kept. */
export function pageDigest(name: string): string {
  let digest = digests.get(name);
  if (digest === undefined) {
    digest = createHash('sha256').update(name).digest('base64url').slice(0, 11);
    if (digests.size >= DIGESTS_KEPT) digests.clear();
    digests.set(name, digest);
  }
  return digest;
}
