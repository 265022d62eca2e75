// A write key stands in a page, so anybody could write anybody's history. Where the site's own server signs its users, only
// it can say who somebody is.

import { createHmac, timingSafeEqual } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { Problem } from '../http/problem.ts';

/** Throws a problem where an event's user is not signed. */
export type CheckSignature = (userId: string, signature: unknown) => void;

const USERS_KEPT = 10_000;
const HEX = /^[0-9a-f]{64}$/i;

/** Without a secret nobody needs a signature. */
export function signaturesBy(secrets: string[] | undefined): CheckSignature | undefined {
  if (!secrets) return undefined;
  const known = new LRUCache<string, Buffer[]>({ max: USERS_KEPT });
  const signaturesOf = (userId: string) => {
    let all = known.get(userId);
    if (!all) {
      all = secrets.map((secret) => createHmac('sha256', secret).update(userId).digest());
      known.set(userId, all);
    }
    return all;
  };
  return (userId, signature) => {
    if (typeof signature === 'string' && HEX.test(signature)) {
      const given = Buffer.from(signature, 'hex');
      if (signaturesOf(userId).filter((good) => timingSafeEqual(good, given)).length > 0) return;
    }
    const detail = 'must be the HMAC-SHA-256 of user_id in hex, made with the signing secret';
    throw new Problem('bad_signature', `/user_sig ${detail}`, { faults: [{ pointer: '/user_sig', detail }] });
  };
}
