// Forget a user, and say what was done.

import type { Receipt, Residue } from '../answers.ts';
import { receiptId } from '../archive/carry.ts';
import type { Erasures } from '../archive/erasures.ts';
import type { Metrics } from '../metrics.ts';
import { answerOf } from '../redis/calls.ts';
import type { Confirm } from '../redis/durability.ts';
import { encodeId, type Keys, markDays } from '../redis/keys.ts';
import type { FootfallRedis } from '../redis/scripts.ts';
import { type Clock, DAY, datesBetween, dayOf, WINDOW_DAYS } from '../time.ts';
import { dropResidue } from './residue.ts';

export interface Eraser {
  erase(userId: string): Promise<Receipt>;
}

export interface EraserOptions {
  redis: FootfallRedis;
  keys: Keys;
  clock: Clock;
  /** How long to look for what older layouts left, ms. */
  scanBudget: number;
  lateLoginDays: number;
  confirm: Confirm;
  metrics: Metrics;
  /** Where there is an archive. */
  erasures?: Erasures | undefined;
}

export function createEraser(options: EraserOptions): Eraser {
  const { redis, keys, clock, scanBudget, confirm, metrics, erasures } = options;
  const markTtl = String(markDays(options.lateLoginDays) * DAY);
  // One walk at a time, or many erasures at once would leave Redis no time for anything else. Who waits, waits within
  // the budget.
  let walk: Promise<unknown> = Promise.resolve();

  function walkInTurn(userId: string, now: number, deadline: number): Promise<Residue> {
    const mine = walk.then(() => dropResidue({ redis, keys, userId, now, deadline }));
    walk = mine.catch(() => undefined);
    return mine;
  }

  async function inArchive(id: string): Promise<Pick<Receipt, 'archive' | 'erasure_id'>> {
    return { archive: (await erasures!.isDoneSoon(id)) ? 'done' : 'pending', erasure_id: id };
  }

  return {
    async erase(userId) {
      const now = clock();
      const deadline = performance.now() + scanBudget;
      const days = keys.storedDays(now);
      const shard = keys.shardOf(userId);
      const call = redis.ffErase(keys.shard(shard), [
        String(now),
        markTtl,
        encodeId(userId),
        String(days[0]! * DAY),
        datesBetween(days[0]!, days.at(-1)!),
        String(1 + days.indexOf(dayOf(now) - WINDOW_DAYS)),
        keys.storedMonths(now).join(' '),
        erasures ? JSON.stringify(userId) : '',
      ]);
      const reply = await answerOf(metrics, 'erase', 1, call);
      await confirm?.(reply);
      const [erasedAt, keysDeleted, countsCorrected, entry] = reply;
      const archive = entry === undefined ? undefined : inArchive(receiptId(shard, entry));
      // The person is gone by now. A walk that fails does not unsay that.
      const residue = await walkInTurn(userId, now, deadline).catch(
        (): Residue => ({ scan: 'incomplete', residue: null }),
      );
      return {
        user_id: userId,
        erased_at: new Date(Number(erasedAt)).toISOString(),
        keys_deleted: keysDeleted,
        counts_corrected: countsCorrected,
        ...residue,
        ...((await archive) ?? { archive: 'none' }),
      };
    },
  };
}
