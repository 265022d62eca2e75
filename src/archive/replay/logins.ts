// A month of logins that is past: no login of it is accepted any more, and the bits of its users are gone.

import { DAY, monthEnd, monthOf } from '../../time.ts';
import { countsLess, type Past, run, writeEach } from './counts.ts';
import { loginsOf } from './rows.ts';

/** How many counts were written, or undefined where it was stopped before. */
export async function replayLogins(
  firstDay: number,
  retentionDays: number,
  past: Past,
): Promise<number | undefined> {
  const { redis, keys, database, now, patiently, onRead, stopped } = past;
  const month = monthOf(firstDay);
  const ttl = (monthEnd(firstDay) + retentionDays) * DAY - now;
  const shards = Array.from({ length: keys.shards }, () => new Map<string, number>());
  for (let after = ''; ; ) {
    if (stopped()) return undefined;
    const some = await patiently(() => loginsOf(database, firstDay, after));
    if (some.length === 0) break;
    after = some.at(-1)!.userId;
    for (const { userId, dates } of some) {
      const counts = shards[keys.shardOf(userId)]!;
      for (const field of [...dates, month]) counts.set(field, (counts.get(field) ?? 0) + 1);
    }
    onRead(some.reduce((sum, { rows }) => sum + rows, 0));
  }
  return writeEach(past, shards.entries(), async ([shard, counts]) => {
    const key = keys.loginCounts(shard, month);
    if (!(await countsLess(redis, key, counts))) return false;
    await run(redis.multi().unlink(key).hset(key, Object.fromEntries(counts)).pexpire(key, ttl));
    return true;
  });
}
