// The service against a model of it (support/model.ts): whatever comes, in whatever order, every number is the same.

import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { identityOf, type PageView } from '../src/events/event.ts';
import { DAY, dateOf, dayOf, HOUR, MINUTE, SECOND, WINDOW_DAYS } from '../src/time.ts';
import { createModel, type ModelSettings } from './support/model.ts';
import { useRedis } from './support/redis.ts';
import { fakeClock, NOON, service } from './support/service.ts';

const RUNS = Number(process.env.FC_RUNS || 1000);
const TIME_LIMIT = Math.max(15 * MINUTE, RUNS * SECOND); // only shrinking is ever cut off by it
const parameters = {
  ...(process.env.FC_SEED && { seed: Number(process.env.FC_SEED) }),
  interruptAfterTimeLimit: TIME_LIMIT,
  markInterruptAsFailure: true,
};

const server = useRedis();

/** The HTTP side lets nothing through that lies further ahead. */
const AHEAD = 5 * MINUTE;

// Ids that a key could be taken apart at, or that are a part of other users' keys.
const USERS = [
  '019mr8mf4r',
  '019mr8mf4r:2026-11-21',
  'visits',
  'user',
  '2026-11-21',
  '*',
  '{0}',
  '%2A',
  '__proto__',
];

// Few names in a history, so that they tie. U+FF5E sorts before an emoji by its bytes and after it by UTF-16.
const LONG = 'x'.repeat(40);
const PAGES = [
  ['～', '😀', '～😀', '～～'],
  ['Home', 'Home page', 'Hom', 'home'],
  ['(other)', 'Home', '(othe', '(other) '],
  ['__proto__', 'constructor', 'Home', '(other)'],
  ['views', 'first', 'page:views', 'page:(other)'],
  [`${LONG}a${LONG}b`, `${LONG}b${LONG}a`, LONG, `${LONG}a${LONG}`],
  ['é', 'e', '中', '😀'],
];

const STARTS = [
  NOON,
  '2026-11-21T23:57:00.000Z',
  '2026-12-31T23:59:59.999Z',
  '2028-02-29T00:00:00.000Z',
  '2027-03-01T00:04:00.000Z',
];

interface Sent {
  user: number;
  page: number;
  when:
    | { daysAgo: number; spot: number } // one of the few times of a day, see spotsOf
    | { ahead: number } // of the clock, ms
    | { beside: number; of: number }; // ms after (or before) an earlier event
  id: null | number | 'spelt as a view without one';
}

type Step =
  | { send: Sent[] } // in one tick
  | Again
  | { erase: number }
  | { clock: Move };

/** An earlier event (-1 is the last) once more, or under another stamp: moved by so many ms, on another page. */
interface Again {
  again: number;
  move?: number;
  page?: number;
}

/** By so many ms; to so many ms past the next midnight; or to another server's clock, which is so far behind. */
type Move = { by: number } | { pastMidnight: number } | { behind: number };

interface Plan {
  settings: ModelSettings & { shards: number; eraseScanMs: number };
  start: string;
  users: string[];
  pages: string[];
  steps: Step[];
}

function plans(): fc.Arbitrary<Plan> {
  const index = fc.nat({ max: 99 });
  return fc.constantFrom(1800, 1800, 1800, 60, 1, 43_200).chain((sessionGapSeconds) => {
    const gap = sessionGapSeconds * SECOND;
    const apart = fc
      .constantFrom(0, 0, 1, 500, 30 * SECOND, gap, gap, gap + 1, gap + 1, DAY, DAY, 2 * DAY)
      .chain((ms) => fc.constantFrom(ms, -ms));
    const when: fc.Arbitrary<Sent['when']> = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({
          daysAgo: fc.constantFrom(0, 0, 0, 0, 1, 1, 1, 2, 5, 6, 6, 7, 8),
          spot: index,
        }),
      },
      { weight: 2, arbitrary: fc.record({ ahead: fc.constantFrom(0, -1, 1, AHEAD, AHEAD - 1, 3 * MINUTE) }) },
      {
        weight: 4,
        arbitrary: fc.record({ beside: apart, of: index }),
      },
    );
    const id: fc.Arbitrary<Sent['id']> = fc.oneof(
      { weight: 8, arbitrary: fc.constant(null) },
      { weight: 5, arbitrary: fc.constantFrom(1, 2, 3) },
      { weight: 1, arbitrary: fc.constant('spelt as a view without one' as const) },
    );
    const sent: fc.Arbitrary<Sent> = fc.record({ user: index, page: index, when, id });
    const step: fc.Arbitrary<Step> = fc.oneof(
      { weight: 12, arbitrary: sent.map((one) => ({ send: [one] })) },
      { weight: 3, arbitrary: fc.array(sent, { minLength: 2, maxLength: 8 }).map((send) => ({ send })) },
      {
        weight: 6,
        arbitrary: fc.record({ again: index, move: apart, page: index }, { requiredKeys: ['again'] }),
      },
      { weight: 1, arbitrary: fc.record({ erase: index }) },
      {
        weight: 2,
        arbitrary: fc
          .oneof(
            {
              weight: 4,
              arbitrary: fc.record({ pastMidnight: fc.constantFrom(-1, 0, 0, 1, 3 * MINUTE, -2 * MINUTE) }),
            },
            {
              weight: 3,
              arbitrary: fc.record({
                by: fc.constantFrom(1, MINUTE, HOUR, 12 * HOUR, DAY, 3 * DAY, 6 * DAY, 8 * DAY),
              }),
            },
            { weight: 1, arbitrary: fc.record({ behind: fc.constantFrom(0, 3 * MINUTE, AHEAD) }) },
          )
          .map((clock) => ({ clock })),
      },
    );
    // The same event_id on the window's first day and, when that day has left the window, on the next one.
    const edgeOfWindow: fc.Arbitrary<Step[]> = sent.map((one) => [
      { send: [{ ...one, id: 1, when: { daysAgo: 6, spot: one.page } }] },
      { clock: { pastMidnight: 0 } },
      { send: [{ ...one, id: 1, when: { beside: DAY, of: 0 } }] },
    ]);
    // The ms of an erasure, once it lies before the window.
    const edgeOfErasure: fc.Arbitrary<Step[]> = sent.map((one) => [
      { send: [{ ...one, when: { ahead: 0 } }] },
      { erase: one.user },
      { clock: { by: 7 * DAY } },
      { again: -1 },
    ]);
    const steps = fc.oneof(
      { weight: 60, arbitrary: step.map((one) => [one]) },
      { weight: 2, arbitrary: edgeOfWindow },
      { weight: 1, arbitrary: edgeOfErasure },
    );
    return fc.record({
      settings: fc.record({
        shards: fc.constantFrom(1, 7, 256),
        eraseScanMs: fc.constantFrom(0, 2000),
        sessionGapSeconds: fc.constant(sessionGapSeconds),
        timeSpentUnit: fc.constantFrom('minutes' as const, 'seconds' as const),
        maxViewsPerUserDay: fc.constantFrom(1, 2, 3, 4, 5, 6, 10_000, 10_000, 10_000, 10_000, 10_000),
        maxPagesPerUserDay: fc.constantFrom(1, 2, 3, 1000, 1000, 1000),
      }),
      start: fc.constantFrom(...STARTS),
      users: fc.shuffledSubarray(USERS, { minLength: 1, maxLength: 3 }),
      pages: fc.constantFrom(...PAGES).chain((pool) => fc.shuffledSubarray(pool, { minLength: 2 })),
      steps: fc.array(steps, { minLength: 10, maxLength: 40, size: 'max' }).map((each) => each.flat()),
    });
  });
}

/** The times of a day that meet each other: steps of exactly the gap and 1 ms more, also across midnight, and halves. */
function spotsOf(gap: number): number[] {
  const noon = 12 * HOUR;
  const half = Math.floor(gap / 2);
  return [
    [0, 1, half, gap, gap - half, gap + 1],
    [noon, noon, noon + gap, noon + gap + 1, noon + 2 * gap + 1, noon - gap, noon + 500, noon + 30 * SECOND],
    [DAY - gap, DAY - half, DAY - 500, DAY - 1, DAY - 1],
  ]
    .flat()
    .filter((ms) => ms >= 0 && ms < DAY);
}

/** `toStrictEqual`, which is slow, only where there is a difference to show. */
function equal(actual: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(actual, expected)) expect(actual).toStrictEqual(expected);
}

/** Plays a plan to the service and to the model; throws at the first thing that they see differently. */
async function play(plan: Plan, note: (what: string) => void): Promise<void> {
  await server.redis.flushall();
  const clock = fakeClock(plan.start);
  const { keys, recorder, profiles, eraser } = service(server.redis, plan.settings, clock);
  const model = createModel(plan.settings, note);
  const spots = spotsOf(plan.settings.sessionGapSeconds * SECOND);
  const user = (i: number) => plan.users[i % plan.users.length]!;
  const sent: PageView[] = [];
  const story: string[] = []; // for whoever has to find out what went wrong
  let latest = clock();

  /** The same time of day that is not too far ahead. */
  function notAhead(at: number): number {
    return at > clock() + AHEAD ? notAhead(at - DAY) : at;
  }

  function timeOf(when: Sent['when']): number {
    if ('ahead' in when) return clock() + when.ahead;
    if ('beside' in when) return notAhead((sent.at(-1 - (when.of % 4))?.at ?? clock()) + when.beside);
    return notAhead((dayOf(clock()) - when.daysAgo) * DAY + spots[when.spot % spots.length]!);
  }

  function viewOf({ user: u, page, when, id }: Sent): PageView {
    const name = plan.pages[page % plan.pages.length]!;
    const view: PageView = { kind: 'view', userId: user(u), at: timeOf(when), name };
    if (id !== null) view.eventId = typeof id === 'number' ? `id${id}` : identityOf(view);
    sent.push(view);
    return view;
  }

  function viewAgain(earlier: PageView, { move = 0, page }: Again): PageView {
    const name = page === undefined ? earlier.name : plan.pages[page % plan.pages.length]!;
    return { ...earlier, at: notAhead(earlier.at + move), name };
  }

  async function send(views: PageView[]): Promise<void> {
    const outcomes = await Promise.all(views.map((view) => recorder.record(view)));
    const expected = views.map((view) => model.record(view, clock()));
    views.forEach(({ at, ...view }, i) => {
      story.push(`${JSON.stringify({ at: new Date(at), ...view })}: ${outcomes[i]}`);
    });
    equal(outcomes, expected);
    await compare(views.map(({ userId }) => userId));
  }

  async function compare(userIds: Iterable<string>): Promise<void> {
    await Promise.all(
      [...new Set(userIds)].map(async (userId) => {
        const actual = await Promise.all([profiles.of(userId), profiles.daysOf(userId)]);
        equal(actual, [model.profile(userId, clock()), model.days(userId, clock())]);
      }),
    );
  }

  /** What a profile does not show: how many views of each page are stored, those under (other) too. */
  async function comparePages(userId: string): Promise<void> {
    const today = dayOf(clock());
    const stored = Array.from({ length: WINDOW_DAYS + 1 }, async (_, i) => {
      const day = today + 1 - i;
      const flat = await server.redis.zrange(keys.pages(userId, day), '0', '-1', 'WITHSCORES');
      const names = flat.filter((_, at) => at % 2 === 0);
      const pages = Object.fromEntries(names.map((name, at) => [name, Number(flat[2 * at + 1])]));
      equal(pages, model.pages(userId, dateOf(day)));
    });
    await Promise.all(stored);
  }

  function move(by: Move): void {
    if ('by' in by) clock.advance(by.by);
    else if ('behind' in by) clock.set(latest - by.behind);
    else clock.set((dayOf(clock()) + 1) * DAY + by.pastMidnight);
    latest = Math.max(latest, clock());
  }

  async function take(step: Step): Promise<void> {
    if ('send' in step) {
      if (step.send.length > 1) note('several in a tick');
      await send(step.send.map(viewOf));
    } else if ('again' in step) {
      const earlier = sent.at(step.again % sent.length);
      if (earlier) await send([viewAgain(earlier, step)]);
    } else if ('erase' in step) {
      const receipt = await eraser.erase(user(step.erase));
      story.push(`erase ${receipt.user_id}: ${receipt.erased_at}`);
      equal(receipt.erased_at, model.erase(user(step.erase), clock()).erased_at);
      const days = Array.from({ length: WINDOW_DAYS + 2 }, (_, i) => dayOf(clock()) + 1 - i);
      const kept = await server.redis.exists(days.map((day) => keys.visits(user(step.erase), day)));
      equal(kept, 0);
      await compare(plan.users);
    } else {
      const day = dayOf(clock());
      move(step.clock);
      if (dayOf(clock()) !== day) note('midnight passes');
      story.push(`it is ${new Date(clock()).toISOString()}`);
      await compare(plan.users);
    }
  }

  try {
    for (const step of plan.steps) await take(step);
    await compare(plan.users);
    for (const userId of plan.users) await comparePages(userId);
  } catch (error) {
    throw new Error([plan.start, ...story, (error as Error).message].join('\n'));
  }
}

/** What the histories must have met, or agreeing with the model says little. The model notes it. */
const CASES = [
  'recorded',
  'duplicate',
  'erased',
  'expired',
  'capped',
  'several in a tick',
  'late arrival',
  'midnight passes',
  'view on tomorrow',
  'equal times',
  'step as long as the gap',
  'step one ms too long',
  'step across midnight',
  'half a unit',
  'tie',
  'tie that UTF-16 would decide otherwise',
  'name past the cap',
  'page named (other)',
  '(other) has most views',
  '(other) ties',
  'duplicate with another stamp',
  'duplicate of the day before',
  'duplicate of the day after',
  'duplicate of the day before the window',
  'duplicate on a full day',
  'same event_id, too many days apart',
  'erasure',
  'erased to the ms',
  'erased ahead of the clock',
  'erased although expired',
  'erased to the ms although expired',
  'day goes on after an erasure',
];

test(
  `${RUNS} random histories agree with the model and meet every case`,
  async () => {
    const met = new Map(CASES.map((what) => [what, 0]));
    const note = (what: string) => void met.set(what, (met.get(what) ?? 0) + 1);
    await fc.assert(
      fc.asyncProperty(plans(), (plan) => play(plan, note)),
      { numRuns: RUNS, ...parameters },
    );
    console.log([...met].map(([what, times]) => `${what}: ${times}`).join('\n'));
    const seldom = [...met].filter(([, times]) => times < Math.floor(RUNS / 100));
    expect(seldom).toEqual([]);
  },
  TIME_LIMIT + 30 * SECOND,
);

/** Views with an order for each of three users. No caps, and no event_id twice: then the order must not matter. */
function shuffles(): fc.Arbitrary<{ gap: number; views: Omit<PageView, 'userId'>[]; orders: number[][] }> {
  const gaps = fc.constantFrom(1800, 60, 1, 43_200);
  const pools = fc.constantFrom(...PAGES);
  return fc.tuple(gaps, pools, fc.constantFrom(6, 30, 150)).chain(([gapSeconds, pages, most]) => {
    const gap = gapSeconds * SECOND;
    const view = fc.record({
      daysAgo: fc.constantFrom(0, 0, 1, 1, 2, 6),
      spot: fc.oneof(fc.constantFrom(...spotsOf(gap)), fc.nat({ max: DAY - 1 })),
      name: fc.constantFrom(...pages),
      hasId: fc.boolean(),
    });
    return fc.array(view, { minLength: 2, maxLength: most, size: 'max' }).chain((generated) => {
      const views = generated.map(({ daysAgo, spot, name, hasId }, i) => ({
        kind: 'view' as const,
        at: (dayOf(LATE) - daysAgo) * DAY + spot,
        name,
        eventId: hasId ? `id${i}` : undefined,
      }));
      const order = fc.shuffledSubarray([...views.keys()], { minLength: views.length });
      return fc.record({
        gap: fc.constant(gap),
        views: fc.constant(views),
        orders: fc.array(order, { minLength: 3, maxLength: 3 }),
      });
    });
  });
}

const LATE = Date.parse('2026-11-21T23:59:59.999Z');

test(
  'the order in which views come changes neither the profile nor what is stored',
  async () => {
    await fc.assert(
      fc.asyncProperty(shuffles(), async ({ gap, views, orders }) => {
        await server.redis.flushall();
        const settings = { sessionGapSeconds: gap / SECOND, timeSpentUnit: 'seconds' as const };
        const caps = { maxViewsPerUserDay: 10_000, maxPagesPerUserDay: 1000 };
        const { recorder, profiles, keys } = service(server.redis, settings, fakeClock(LATE));
        const model = createModel({ ...settings, ...caps });
        for (const view of views) model.record({ ...view, userId: 'u' }, LATE);

        const seen = await Promise.all(
          orders.map(async (order, i) => {
            const userId = `user ${i}`;
            const inOrder = order.map((place) => ({ ...views[place]!, userId }));
            // The first user's come in one tick, the others' one after the other.
            if (i === 0) await Promise.all(inOrder.map(recorder.record));
            else for (const view of inOrder) await recorder.record(view);
            return {
              profile: { ...(await profiles.of(userId)), user_id: 'u' },
              days: await profiles.daysOf(userId),
              stored: await Promise.all(
                keys
                  .storedDays(LATE)
                  .flatMap((day) => [
                    server.redis.hmget(
                      keys.stats(userId, day),
                      'views',
                      'active_ms',
                      'first',
                      'last',
                      'pages',
                    ),
                    server.redis.zrange(keys.pages(userId, day), '0', '-1', 'WITHSCORES'),
                  ]),
              ),
            };
          }),
        );
        for (const { profile, days, stored } of seen) {
          equal(stored, seen[0]!.stored);
          equal([profile, days], [model.profile('u', LATE), model.days('u', LATE)]);
        }
      }),
      { numRuns: Math.ceil(RUNS / 5), ...parameters },
    );
  },
  TIME_LIMIT + 30 * SECOND,
);
