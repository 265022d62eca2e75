// Row 19: one user with far too many events, then with far too many page names.

import { shownStatuses, timesOf, useFloods } from '../support/flood.ts';
import { memoryOf } from '../support/keyspace.ts';
import { address, KEYS, MARK } from '../support/marks.ts';
import { useProcesses } from '../support/process.ts';
import { count, long, measured, ms, reportRow } from '../support/rows.ts';
import { type Stand, startStand } from '../support/stand.ts';

const processes = useProcesses();
const startFlood = useFloods();

const HEAVY = `${MARK.user}-heavy`;
const SIZE = 50; // events of a batch
const EVENTS = 20_000; // a second
const SECONDS = long(8, 3);
const OTHERS = { connections: 100, rate: 500, from: [address(3)] };

/** The others by themselves, then beside the heavy one, who comes from many addresses, so that no limit of one is met first. */
async function measure({ port }: Stand, pages: number | undefined, total?: number) {
  const [heavy, light, reader] = await Promise.all([startFlood(), startFlood(), startFlood()]);
  const seconds = total === undefined ? SECONDS : total / EVENTS;
  const others = () => light.run({ kind: 'views', port, seconds, ...OTHERS });
  const quiet = await others();
  const [flood, beside, reads] = await Promise.all([
    heavy.run({
      ...{ kind: 'batches', port, seconds, connections: 40, rate: EVENTS / SIZE, size: SIZE },
      ...{ user: HEAVY, ...(pages !== undefined && { pages }) },
      from: Array.from({ length: 20 }, (_, i) => address(10 + i)),
    }),
    others(),
    reader.run({
      ...{ kind: 'profile', port, seconds, connections: 20, rate: 50, from: [address(4)] },
      ...{ user: HEAVY, users: 0, key: KEYS.read },
    }),
  ]);
  return {
    flood,
    beside,
    normal: timesOf(quiet, 202),
    p99: timesOf(beside, 202),
    reads: timesOf(reads, 200),
  };
}

type Measured = Awaited<ReturnType<typeof measure>>;

const TWICE = 2;
const isGood = ({ normal, p99, reads }: Measured) => p99.p99 <= TWICE * normal.p99 && reads.most < 50;

async function report(
  stand: Stand,
  fault: string,
  { flood, beside, normal, p99, reads }: Measured,
  mostBytes: number,
) {
  const keys = (await stand.store.redis.keys('ff:*')).filter((key) => key.includes(`:user:${HEAVY}:`));
  const bytes = await memoryOf(stand.store.redis, keys);
  const events = (flood.sent * SIZE) / flood.seconds;
  reportRow(
    '19',
    fault,
    {
      'others are all answered 202': Object.keys(beside.statuses).join() === '202',
      "that user's memory is bounded": bytes <= mostBytes,
      'the profile was read': reads.count > 0,
    },
    `${count(events)} events a second in batches of ${SIZE} (${shownStatuses(flood)}); others' p99 ${ms(p99.p99)}, normal ${ms(normal.p99)}; the user takes ${count(bytes / 1000)} kB in ${keys.length} keys; its profile reads in ${ms(reads.p99)} (p99), ${ms(reads.most)} at most`,
    {
      "others' p99 is at most twice its normal": p99.p99 <= TWICE * normal.p99,
      'the profile reads in under 50 ms': reads.most < 50,
    },
  );
}

const LIMITS = { LIMIT_NEW_USERS: '0' }; // others are new, too

test('a user with 20,000 events a second is limited, and slows nobody', async () => {
  const stand = await startStand(processes, { settings: LIMITS });
  const best = await measured(() => measure(stand, 40), isGood);
  await report(stand, 'with the default limits', best, 3_000_000);
  await stand.lookBack('19');
});

test('a user with 100,000 page names is capped, and slows nobody', async () => {
  const stand = await startStand(processes, { settings: { ...LIMITS, LIMIT_USER: '0', LIMIT_ADDRESS: '0' } });
  const best = await measured(() => measure(stand, undefined, long(100_000, 50_000)), isGood);
  await report(stand, `${count(long(100_000, 50_000))} page names, without limits`, best, 3_000_000);
  await stand.lookBack('19');
});
