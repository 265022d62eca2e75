// Token buckets by the clock: how much is there, when more will be.

import { createBuckets } from '../src/http/buckets.ts';

const AT_ONCE = 10;

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

const pass = (seconds: number) => jest.advanceTimersByTime(seconds * 1000);

test('holds so many seconds’ worth, and gets so much a second back, to no more than full', () => {
  const buckets = createBuckets(2, AT_ONCE);
  expect(buckets.most).toBe(20);
  expect(buckets.take('ann', 20)).toBe(0);
  expect(buckets.take('ann', 1)).toBeCloseTo(0.5);
  pass(0.5);
  expect(buckets.take('ann', 1)).toBe(0);
  expect(buckets.take('ann', 4)).toBeCloseTo(2);
  pass(3600);
  expect(buckets.take('ann', 20)).toBe(0);
  expect(buckets.take('ann', 1)).toBeGreaterThan(0);
});

test('what is refused takes nothing', () => {
  const buckets = createBuckets(1, AT_ONCE);
  buckets.take('ann', 8);
  for (let i = 0; i < 5; i++) expect(buckets.take('ann', 3)).toBeCloseTo(1);
  expect(buckets.take('ann', 2)).toBe(0);
});

test('each name has one of its own', () => {
  const buckets = createBuckets(1, AT_ONCE);
  buckets.take('ann', 10);
  expect(buckets.has('ann')).toBe(false);
  expect(buckets.has('bob')).toBe(true);
  expect(buckets.take('bob', 10)).toBe(0);
});

/** A batch: its request pays for one event before anybody knows how many there are. */
function takeBatch(buckets: ReturnType<typeof createBuckets>, events: number): number {
  const wait = buckets.take('ann', 1);
  return wait > 0 || events === 1 ? wait : buckets.take('ann', events - 1, 1);
}

describe.each([1, 2, 7])('at %d a second', (perSecond) => {
  test.each([1, 2, 9, 10, 11, 70, 71, 1000])(
    'a batch of %d that comes again when it was told to is let in',
    (events) => {
      const buckets = createBuckets(perSecond, AT_ONCE);
      buckets.take('ann', buckets.most);
      let waits = 0;
      for (let wait = takeBatch(buckets, events); wait > 0; wait = takeBatch(buckets, events)) {
        expect(++waits).toBeLessThanOrEqual(2); // for its first event, and for the rest
        expect(Math.ceil(wait)).toBeLessThanOrEqual(AT_ONCE);
        pass(Math.ceil(wait)); // as Retry-After says it
      }
    },
  );

  test('what is larger than a bucket costs what it is, in the end', () => {
    const buckets = createBuckets(perSecond, AT_ONCE);
    expect(takeBatch(buckets, 5 * buckets.most)).toBe(0);
    expect(buckets.take('ann', 1)).toBeCloseTo(4 * AT_ONCE + 1 / perSecond);
  });
});

test('what was spent elsewhere counts, there or not, and is paid back in full', () => {
  const buckets = createBuckets(1, AT_ONCE);
  buckets.charge('ann', 9);
  expect(buckets.has('ann')).toBe(true);
  expect(buckets.take('ann', 2)).toBeCloseTo(1);
  buckets.charge('ann', 6);
  expect(buckets.has('ann')).toBe(false);
  expect(buckets.take('ann', 1)).toBeCloseTo(6);
  buckets.charge('ann', 1_000_000);
  expect(buckets.take('ann', 1)).toBeCloseTo(1_000_006);
});

test('one that many others came after begins anew, so that no memory grows', () => {
  const buckets = createBuckets(1, AT_ONCE);
  buckets.take('ann', AT_ONCE);
  expect(buckets.has('ann')).toBe(false);
  for (let i = 0; i < 50_000; i++) buckets.take(`user${i}`, 1);
  expect(buckets.has('ann')).toBe(true);
});
