// How the numbers of a profile came about: the single views of the window, and which of the steps between them count.
//
// What is read is bounded by settings and by MOST_VIEWS, whatever a user has viewed. It is read in one transaction, so that
// what is shown adds up to what is said.

import type { UserVisits, Visit, VisitDay } from '../answers.ts';
import { byViews, pairs } from '../inspect/read.ts';
import { stepTo, type View, viewsOf } from '../inspect/walk.ts';
import type { Metrics } from '../metrics.ts';
import { answerOf } from '../redis/calls.ts';
import { Damaged } from '../redis/errors.ts';
import { encodeId, type Keys } from '../redis/keys.ts';
import { assemble, type DaysReply, declaredKeys, type FootfallRedis } from '../redis/scripts.ts';
import { type Clock, DAY, dateOf, datesBetween, dayOf, SECOND, WINDOW_DAYS } from '../time.ts';
import { createTurns } from '../turns.ts';

export interface Visits {
  of(userId: string): Promise<UserVisits>;
}

/** Of a day, the newest. */
const MOST_VIEWS = 200;
const MOST_PAGES = 100;

/** Of a user who has viewed all they may, one holds Redis up for some 20 ms: people look at them, no service does. */
const AT_ONCE = 1;
const MOST_WAITING = 8;

export interface VisitsOptions {
  redis: FootfallRedis;
  keys: Keys;
  clock: Clock;
  sessionGapSeconds: number;
  maxPagesPerUserDay: number;
  metrics: Metrics;
}

interface StoredDay {
  day: number;
  views: number;
  ms: number;
  pages: [name: string, views: number][];
  /** One more than are shown, for the step to the first of these. */
  visits: [member: string, ms: number][];
}

export function createVisits(options: VisitsOptions): Visits {
  const { redis, keys, clock, sessionGapSeconds, maxPagesPerUserDay, metrics } = options;
  const gap = sessionGapSeconds * SECOND;
  const script = assemble('days');
  const pagesOfDay = String(-maxPagesPerUserDay - 1); // and (other)
  const viewsOfDay = String(-MOST_VIEWS - 1);
  const inTurn = createTurns(AT_ONCE, MOST_WAITING);

  async function read(userId: string): Promise<StoredDay[] | 'damaged'> {
    const today = dayOf(clock());
    const oldest = today - WINDOW_DAYS + 1;
    const days = Array.from({ length: WINDOW_DAYS }, (_, i) => oldest + i);
    const multi = redis.multi();
    for (const day of days) {
      multi.zrange(keys.pages(userId, day), pagesOfDay, '-1', 'WITHSCORES');
      multi.zrange(keys.visits(userId, day), viewsOfDay, '-1', 'WITHSCORES');
    }
    const declared = declaredKeys(keys.shard(keys.shardOf(userId)));
    multi.call('EVAL_RO', script, 2, ...declared, gap, datesBetween(oldest, today), encodeId(userId));
    const replies = (await multi.exec()) ?? [];
    const failed = replies.find(([error]) => error)?.[0];
    if (failed && !/^WRONGTYPE/.test(failed.message)) throw failed;
    const rows = replies.at(-1)?.[1] as DaysReply;
    if (failed || rows === 'damaged') return 'damaged';
    const listed = (i: number) => pairs(replies[i]![1] as string[]);
    return days.map((day, i) => {
      const [views, ms] = rows[i]!;
      return { day, views, ms, pages: listed(2 * i).sort(byViews), visits: listed(2 * i + 1) };
    });
  }

  return {
    async of(userId) {
      const days = await inTurn(() => answerOf(metrics, 'visits', 1, read(userId)));
      if (days === 'damaged' || !days.every(isWhole)) throw new Damaged();
      const pages = new Map<string, number>();
      for (const [name, views] of days.flatMap((day) => day.pages)) {
        pages.set(name, (pages.get(name) ?? 0) + views);
      }
      const best = [...pages].sort(byViews).slice(0, MOST_PAGES);
      return {
        user_id: userId,
        session_gap_seconds: sessionGapSeconds,
        pages: best.map(([name, views]) => ({ name, views })),
        pages_total: pages.size,
        days: visitDays(days, gap),
      };
    },
  };
}

/** Whether the views are those that the day's numbers are about. */
function isWhole({ views, visits }: StoredDay): boolean {
  const areOfDay = visits.every(([, ms]) => Number.isInteger(ms) && ms >= 0 && ms < DAY);
  return areOfDay && visits.length === Math.min(views, MOST_VIEWS + 1);
}

function visitDays(days: StoredDay[], gap: number): VisitDay[] {
  let before: View | undefined;
  return days.map(({ day, views, ms, pages, visits }) => {
    const found = viewsOf(day, visits, pages);
    const hidden = Math.max(0, found.length - MOST_VIEWS);
    before = found[hidden - 1] ?? before;
    const shown = found.slice(hidden).map((view): Visit => {
      const step = before && stepTo(view, before, gap);
      before = view;
      return {
        at: new Date(view.at).toISOString(),
        page: view.page ?? null,
        step_seconds: step ? step.ms / SECOND : null,
        counted: step?.verdict === 'counted',
      };
    });
    const seconds = Math.round(ms / SECOND);
    return { date: dateOf(day), views, seconds, left_out: views - shown.length, visits: shown };
  });
}
