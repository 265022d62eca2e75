// How far the archive is behind, looked at again and again.

import { type Clock, MINUTE, SECOND } from '../time.ts';
import type { Backlog, Outbox } from './outbox.ts';

export interface BacklogWatch {
  /** Undefined where it is not known. */
  figures(): BacklogFigures | undefined;
  degradedBecause(): string | undefined;
  stop(): void;
}

export interface BacklogFigures {
  entries: number;
  bytes: number;
  /** Bytes that may wait, of all shards. */
  limit: number;
  /** Of the oldest entry. */
  ageSeconds: number;
  /** Entries that could not be read. */
  dead: number;
}

const LOOK_EVERY = 2 * SECOND;
/** What has been seen is not told for longer than that: Redis may be away. */
const STALE_AFTER = 5 * LOOK_EVERY;
/** Of what may wait, and how long; past either somebody should look. */
const SHARE = 0.5;
const LONG = 5 * MINUTE;

export function watchBacklog(
  { outbox, outboxLimit }: { outbox: Outbox; outboxLimit: number },
  shards: number,
  clock: Clock,
): BacklogWatch {
  let seen: { backlog: Backlog; at: number } | undefined;
  let isLooking = false;
  async function look(): Promise<void> {
    if (isLooking) return;
    isLooking = true;
    try {
      seen = { backlog: await outbox.backlog(), at: performance.now() };
    } catch {
      // Redis is away, and readiness says so
    } finally {
      isLooking = false;
    }
  }
  const timer = setInterval(() => void look(), LOOK_EVERY).unref();
  const now = () => (seen && performance.now() - seen.at < STALE_AFTER ? seen.backlog : undefined);

  return {
    figures() {
      const backlog = now();
      if (!backlog) return undefined;
      const { entries, bytes, since, dead } = backlog;
      const limit = outboxLimit * shards;
      return {
        entries,
        bytes,
        limit,
        dead,
        ageSeconds: since === undefined ? 0 : Math.max(0, clock() - since) / SECOND,
      };
    },
    degradedBecause() {
      const { fullest = 0, since = Number.POSITIVE_INFINITY } = now() ?? {};
      if (fullest > SHARE * outboxLimit) {
        const percent = Math.min(100, Math.floor((100 * fullest) / outboxLimit));
        return `the archive is behind: ${percent} % of OUTBOX_LIMIT wait for Postgres, at 100 % events are refused`;
      }
      if (clock() - since > LONG) return 'the archive is behind: look at its worker and at Postgres';
      return undefined;
    },
    stop: () => clearInterval(timer),
  };
}
