// Counts about everybody against a model that keeps every event: whatever comes, in whatever order, they are exact, with
// any number of shards.

import fc from 'fast-check';
import { DAY, dayOf, HOUR, MINUTE, SECOND } from '../src/time.ts';
import { useRedis } from './support/redis.ts';
import { NOON } from './support/service.ts';
import { createStory, eventOf, type Seed, type Story, USERS } from './support/story.ts';

const RUNS = Math.ceil(Number(process.env.FC_RUNS || 1000) / 150); // each takes as long as 150 of the profile's
const LONG_HISTORIES = Array.from({ length: Math.ceil(RUNS / 7) }, (_, i) => i + 1);
const TIME_LIMIT = Math.max(15 * MINUTE, RUNS * MINUTE); // only shrinking is ever cut off by it
const server = useRedis();

const STARTS = [NOON, '2026-11-30T23:57:00.000Z', '2026-12-31T23:59:59.999Z', '2028-02-28T17:00:00.000Z'];

/** What a history notes. Agreeing with the model says little if the cases that matter were not met. */
function createNotes() {
  const met = new Map<string, number>();
  return {
    note: (what: string) => void met.set(what, (met.get(what) ?? 0) + 1),
    missing: (cases: string[]) => cases.filter((what) => !met.has(what)),
  };
}

const CASES = [
  ...['recorded', 'duplicate', 'erased', 'expired', 'erasure', 'midnight passes', 'late arrival'],
  ...['erased when nothing named the day any more', 'visitor on several days'],
  ...['exact report', 'estimated report'],
];

type Step =
  | { send: Seed[] } // in one tick
  | { again: number; ms: number } // an earlier event once more, or so many ms later
  | { erase: number }
  | { by: number }
  | { pastMidnight: number }
  | { behind: number }; // to another server's clock

const seeds: fc.Arbitrary<Seed> = fc.record({
  user: fc.nat(9),
  kind: fc.nat(9),
  name: fc.nat(11),
  url: fc.nat(11),
  site: fc.nat(5),
  daysAgo: fc.constantFrom(0, 0, 0, 0, 1, 1, 2, 3, 5, 6, 6, 7, 8, 'ahead' as const),
  ms: fc.constantFrom(0, 1, 12 * HOUR, 12 * HOUR, DAY - 1, DAY - 2 * MINUTE, 7 * HOUR + 1),
});

const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 12, arbitrary: fc.record({ send: fc.array(seeds, { minLength: 1, maxLength: 8 }) }) },
  { weight: 2, arbitrary: fc.record({ again: fc.nat(30), ms: fc.constantFrom(0, 0, 1, DAY) }) },
  { weight: 2, arbitrary: fc.record({ erase: fc.nat(9) }) },
  {
    weight: 3,
    arbitrary: fc.record({ by: fc.constantFrom(MINUTE, 5 * HOUR, 13 * HOUR, DAY, 2 * DAY, 3 * DAY) }),
  },
  { weight: 3, arbitrary: fc.record({ pastMidnight: fc.constantFrom(-2 * MINUTE, 0, 0, 1, HOUR) }) },
  { weight: 2, arbitrary: fc.record({ behind: fc.constantFrom(0, 3 * MINUTE) }) },
);

/** What comes before midnight for the day after it, and what becomes of it: with an erasure in between, or without. */
const midnights: fc.Arbitrary<Step[]> = fc
  .record({ seeds: fc.array(seeds, { minLength: 2, maxLength: 5 }), erased: fc.option(fc.nat(9)) })
  .map(({ seeds, erased }) => {
    const ahead = seeds.map((seed) => ({ ...seed, daysAgo: 'ahead' as const, ms: 3 * MINUTE + seed.user }));
    return [
      { pastMidnight: -2 * MINUTE },
      { send: [...seeds, ...ahead] },
      ...(erased === null ? [] : [{ erase: erased }]),
      { pastMidnight: 0 },
    ];
  });

/** Takes the steps of a plan one after the other. */
async function play(story: Story, plan: Step[]): Promise<void> {
  const sent: ReturnType<typeof eventOf>[] = [];
  for (const step of plan) {
    const now = story.clock();
    if ('send' in step) {
      const events = step.send.map((seed) => eventOf(seed, now));
      sent.push(...events);
      await story.send(events);
    } else if ('again' in step) {
      const event = sent.at(-1 - (step.again % Math.max(1, sent.length)));
      if (event && event.at + step.ms <= now) await story.send([{ ...event, at: event.at + step.ms }]);
    } else if ('erase' in step) {
      await story.erase(USERS[step.erase % USERS.length]!);
    } else if ('by' in step) {
      await story.moveTo(now + step.by);
    } else if ('behind' in step) {
      await story.moveTo(story.latest() - step.behind);
    } else {
      const midnight = (dayOf(now) + 1) * DAY;
      await story.moveTo(Math.max(now, midnight + step.pastMidnight));
    }
  }
  await story.compare(true);
}

test(
  `${RUNS} random histories agree with the model`,
  async () => {
    const { note, missing } = createNotes();
    const plans = fc.tuple(
      fc.constantFrom(...STARTS),
      fc.array(
        fc.oneof({ weight: 9, arbitrary: steps.map((step) => [step]) }, { weight: 1, arbitrary: midnights }),
        { minLength: 20, maxLength: 40, size: 'max' },
      ),
    );
    await fc.assert(
      fc.asyncProperty(plans, async ([start, plan]) => {
        await server.redis.flushall();
        await play(createStory(server.redis, start, note), plan.flat());
      }),
      {
        numRuns: RUNS,
        ...(process.env.FC_SEED && { seed: Number(process.env.FC_SEED) }),
        interruptAfterTimeLimit: TIME_LIMIT,
        markInterruptAsFailure: true,
      },
    );
    const often = [...CASES, 'view on tomorrow', 'event on tomorrow', 'login on tomorrow'];
    if (RUNS >= 50) expect(missing(often)).toEqual([]);
  },
  TIME_LIMIT + 30 * SECOND,
);

/** On which days of a history somebody is erased: the day after, in the window, just after it, at its reports' end. */
const ERASURES = [1, 5, 9, 34];
const DAILY = 'ann'; // is there every day, and is erased each time

test.each(LONG_HISTORIES)(
  'a history of 40 days (seed %d) with erasures on days 1, 5, 9 and 34, and one who is there every day',
  async (seed) => {
    await server.redis.flushall();
    const { note, missing } = createNotes();
    const story = createStory(server.redis, NOON, note);
    const others = USERS.filter((userId) => userId !== DAILY);
    const events = fc.sample(seeds, { seed, numRuns: 40 * 8 });
    for (let day = 0; day < 40; day++) {
      const now = story.clock();
      await story.send([
        { kind: 'view', userId: DAILY, at: now, name: 'Home', path: 'Home', siteId: 'shop' },
      ]);
      if (day === 0)
        await story.send(others.map((userId) => eventOf({ ...events[0]!, kind: 0 }, now, userId)));
      await story.send(events.splice(0, 8).map((event) => eventOf(event, now)));
      if (ERASURES.includes(day)) {
        await story.erase(others[ERASURES.indexOf(day)]!);
        await story.erase(DAILY);
      }
      await story.moveTo(now + DAY + (day % 2 === 0 ? 5 : -5) * HOUR);
    }
    for (const userId of USERS) await story.erase(userId);
    await story.compare(true);
    expect(missing(CASES)).toEqual([]);
  },
  2 * MINUTE,
);
