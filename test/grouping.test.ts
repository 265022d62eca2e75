import { Overloaded, Unavailable } from '../src/redis/errors.ts';
import { createGrouping, type GroupingOptions, promised } from '../src/redis/grouping.ts';
import { at, scriptsOn, view } from './support/lua.ts';
import { useRedis } from './support/redis.ts';
import { service } from './support/service.ts';

interface Sent {
  shard: number;
  items: string[];
  answer(results?: (string | Error)[]): void;
  fail(error: Error): void;
}

/** A grouping whose calls wait until they are answered; without results, with what was sent. */
function grouping(options: Partial<GroupingOptions<string, string>> = {}) {
  const sent: Sent[] = [];
  const { add, inFlight } = createGrouping<string, string>({
    largest: 128,
    mostInFlight: 1000,
    send: (shard, items) =>
      new Promise((resolve, fail) => {
        sent.push({ shard, items, answer: (results = items) => resolve(results), fail });
      }),
    ...options,
  });
  return {
    add: (shard: number, item: string) => promised<string>((waiter) => add(shard, item, waiter)),
    inFlight,
    sent,
  };
}

const tick = () => new Promise((done) => setImmediate(done));
const names = (count: number) => Array.from({ length: count }, (_, i) => `item${i}`);

describe('a group', () => {
  test('is what one tick asks of one shard, and nothing goes before the tick ends', async () => {
    const { add, sent } = grouping();
    void add(0, 'a');
    void add(3, 'b');
    await Promise.resolve();
    void add(0, 'c');
    expect(sent).toEqual([]);
    await tick();
    expect(sent.map(({ shard, items }) => [shard, items])).toEqual([
      [0, ['a', 'c']],
      [3, ['b']],
    ]);
  });

  test('that is not full waits for the call that is under way, and grows', async () => {
    const { add, sent } = grouping();
    void add(0, 'a');
    await tick();
    void add(0, 'b');
    await tick();
    void add(0, 'c');
    void add(1, 'd'); // another shard's call is no reason to wait
    await tick();
    expect(sent.map(({ items }) => items)).toEqual([['a'], ['d']]);
    sent[0]!.answer();
    await tick();
    expect(sent.map(({ items }) => items)).toEqual([['a'], ['d'], ['b', 'c']]);
  });

  test('is never larger than the largest, and goes at once when it is as large', async () => {
    const { add, sent } = grouping();
    for (const name of names(300)) void add(1, name);
    expect(sent.map(({ items }) => items.length)).toEqual([128, 128]);
    sent[0]!.answer();
    await tick();
    expect(sent.map(({ items }) => items.length)).toEqual([128, 128, 44]);
    expect(sent.flatMap(({ items }) => items)).toEqual(names(300));
  });

  test('that is exactly the largest leaves no empty call behind', async () => {
    const { add, sent } = grouping({ largest: 2 });
    for (const name of names(4)) void add(1, name);
    await tick();
    expect(sent.map(({ items }) => items.length)).toEqual([2, 2]);
  });
});

describe('an answer', () => {
  test('reaches the caller that asked', async () => {
    const { add, sent } = grouping({ largest: 3 });
    const answers = Promise.all(names(7).map((name, i) => add(i % 2, name)));
    for (let answered = 0; answered < 3; answered++) {
      await tick();
      const call = sent[answered]!;
      call.answer(call.items.map((item) => `${call.shard} ${item}`));
    }
    expect(await answers).toEqual(names(7).map((name, i) => `${i % 2} ${name}`));
  });

  test('that is an error is one caller’s own', async () => {
    const { add, sent } = grouping();
    const answers = Promise.allSettled(names(3).map((name) => add(0, name)));
    await tick();
    const error = new Error('damaged');
    sent[0]!.answer(['x', error, 'z']);
    expect(await answers).toEqual([
      { status: 'fulfilled', value: 'x' },
      { status: 'rejected', reason: error },
      { status: 'fulfilled', value: 'z' },
    ]);
  });

  test('that does not come is an error for all callers of that call and no other', async () => {
    const { add, sent } = grouping({ largest: 2 });
    const answers = Promise.allSettled([add(0, 'a'), add(0, 'b'), add(0, 'c'), add(1, 'd')]);
    await tick();
    const error = new Error('away');
    sent[0]!.fail(error);
    await tick();
    expect(sent.map(({ items }) => items)).toEqual([['a', 'b'], ['d'], ['c']]);
    sent[1]!.answer();
    sent[2]!.answer();
    expect(await answers).toEqual([
      { status: 'rejected', reason: error },
      { status: 'rejected', reason: error },
      { status: 'fulfilled', value: 'c' },
      { status: 'fulfilled', value: 'd' },
    ]);
  });

  test('that Redis does not give is none for those who waited behind it either: nobody waits for two', async () => {
    const { add, inFlight, sent } = grouping();
    const first = add(0, 'a');
    await tick();
    const second = add(0, 'b');
    await tick();
    sent[0]!.fail(new Unavailable('away'));
    await expect(first).rejects.toBeInstanceOf(Unavailable);
    await expect(second).rejects.toBeInstanceOf(Unavailable);
    expect(sent).toHaveLength(1);
    expect(inFlight()).toBe(0);
    void add(0, 'c');
    await tick();
    expect(sent).toHaveLength(2);
  });

  test('of a call that cannot even be sent is an error too', async () => {
    const error = new RangeError('too long');
    const { add, inFlight } = grouping({
      send: () => {
        throw error;
      },
    });
    await expect(add(0, 'a')).rejects.toBe(error);
    expect(inFlight()).toBe(0);
  });
});

describe('what is in flight', () => {
  test('is counted from the asking to the answer, whatever that is', async () => {
    const { add, inFlight, sent } = grouping();
    const answers = Promise.allSettled([add(0, 'a'), add(0, 'b'), add(1, 'c'), add(2, 'd')]);
    expect(inFlight()).toBe(4);
    await tick();
    expect(inFlight()).toBe(4);
    sent[0]!.answer(['x', new Error('damaged')]);
    await tick();
    expect(inFlight()).toBe(2);
    sent[1]!.fail(new Error('away'));
    sent[2]!.answer();
    await answers;
    expect(inFlight()).toBe(0);
  });

  test('is bounded: what is more is refused and not sent', async () => {
    const { add, inFlight, sent } = grouping({ mostInFlight: 3 });
    const accepted = [add(0, 'a'), add(1, 'b'), add(0, 'c')];
    await expect(add(0, 'd')).rejects.toBeInstanceOf(Overloaded);
    await expect(add(3, 'e')).rejects.toBeInstanceOf(Overloaded);
    await tick();
    expect(inFlight()).toBe(3);
    expect(sent.flatMap(({ items }) => items)).toEqual(['a', 'c', 'b']);
    for (const call of sent) call.answer();
    await Promise.all(accepted);
    expect(inFlight()).toBe(0);
    const next = add(0, 'f');
    await tick();
    sent[2]!.answer();
    expect(await next).toBe('f');
  });
});

describe('over Redis', () => {
  const server = useRedis();
  const { record } = scriptsOn(server);

  /** How often scripts were called since the last reset. */
  async function calls(): Promise<number> {
    const stats = await server.redis.info('commandstats');
    return [...stats.matchAll(/cmdstat_evalsha?(?:_ro)?:calls=(\d+)/g)].reduce(
      (sum, [, n]) => sum + Number(n),
      0,
    );
  }

  beforeEach(async () => {
    await record([view('ann', at('09:00'))]); // Redis knows the script from here on
    await server.redis.config('RESETSTAT');
  });

  const views = (count: number) => Array.from({ length: count }, (_, i) => view(`user${i}`, at('10:00')));

  test('events of one tick are one call, and at most 128 are', async () => {
    const { recorder } = service(server.redis);
    for (const [count, expected] of [
      [128, 1],
      [129, 3],
      [300, 6],
    ] as const) {
      const outcomes = await Promise.all(views(count).map((v) => recorder.record(v)));
      expect(outcomes).toHaveLength(count);
      expect(await calls()).toBe(expected);
    }
    expect(recorder.inFlight()).toBe(0);
  });

  test('events of one tick are one call for each shard', async () => {
    const { recorder, keys } = service(server.redis, { shards: 7 });
    const all = views(60);
    const outcomes = await Promise.all(all.map((v) => recorder.record(v)));
    expect(outcomes).toEqual(Array(60).fill('recorded'));
    expect(new Set(all.map(({ userId }) => keys.shardOf(userId))).size).toBe(7);
    expect(await calls()).toBe(7);
    expect((await server.redis.keys('ff:{*}:user:user*:stats')).length).toBe(60);
  });

  test('reads of one tick are one call, and each caller gets their own', async () => {
    const { recorder, profiles } = service(server.redis);
    await Promise.all(views(3).map((v, i) => recorder.record({ ...v, name: `Page ${i}` })));
    await profiles.of('ann');
    await server.redis.config('RESETSTAT');
    const read = await Promise.all(['user2', 'user0', 'nobody'].map((user) => profiles.of(user)));
    expect(read.map((p) => [p.user_id, p.most_viewed_page_in_last_7_days])).toEqual([
      ['user2', 'Page 2'],
      ['user0', 'Page 0'],
      ['nobody', null],
    ]);
    expect(await calls()).toBe(1);
  });

  test('a user that many ask for in one tick is read once', async () => {
    const { recorder, profiles } = service(server.redis);
    await recorder.record(view('user0', at('10:00')));
    const read = jest.spyOn(server.redis, 'ffProfile');
    const answers = await Promise.all(['user0', 'nobody', 'user0', 'user0'].map((user) => profiles.of(user)));
    expect(read.mock.calls.map(([, args]) => args.slice(2))).toEqual([['user0', 'nobody']]);
    read.mockRestore();
    expect(answers.map((p) => p.number_pages_viewed_in_the_last_7_days)).toEqual([1, 0, 1, 1]);
  });

  test('what is more than may be in flight is refused and not sent', async () => {
    const { recorder } = service(server.redis, { maxInFlight: 5 });
    const outcomes = await Promise.allSettled(views(8).map((v) => recorder.record(v)));
    expect(outcomes.slice(0, 5)).toEqual(Array(5).fill({ status: 'fulfilled', value: 'recorded' }));
    expect(outcomes.slice(5)).toEqual(Array(3).fill({ status: 'rejected', reason: expect.any(Overloaded) }));
    expect(recorder.inFlight()).toBe(0);
    expect(await server.redis.exists('ff:{0}:user:user5:2026-11-21:stats')).toBe(0);
    expect(await recorder.record(view('user5', at('10:00')))).toBe('recorded');
  });

  test('a Redis that fails a call is Unavailable for its callers alone', async () => {
    const { recorder, keys } = service(server.redis, { shards: 2 });
    const { ffRecord } = server.redis;
    const failsOnce = jest
      .spyOn(server.redis, 'ffRecord')
      .mockImplementationOnce(() => Promise.reject(new Error('Command timed out')))
      .mockImplementation(ffRecord.bind(server.redis));
    const all = views(20);
    const failing = keys.shardOf(all[0]!.userId);
    const outcomes = await Promise.allSettled(all.map((v) => recorder.record(v)));
    failsOnce.mockRestore();
    expect(outcomes).toEqual(
      all.map(({ userId }) =>
        keys.shardOf(userId) === failing
          ? { status: 'rejected', reason: expect.any(Unavailable) }
          : { status: 'fulfilled', value: 'recorded' },
      ),
    );
    expect(recorder.inFlight()).toBe(0);
  });
});
