import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { createKeys, encodeId, short, thing } from '../src/redis/keys.ts';
import { crc16, shardTags } from '../src/redis/shards.ts';
import { DAY, dateOf } from '../src/time.ts';
import { HOSTILE_IDS, NOW, TODAY } from './support/lua.ts';
import { useRedis } from './support/redis.ts';

const SLOTS = 16_384;
const slotOfTag = (tag: string) => crc16(tag) % SLOTS;

/** Ids of few characters, so that two of them are often nearly the same. */
const ids = fc.oneof(
  fc.string({
    unit: fc.constantFrom(...'%:*?[]\\{}235ABDFab', 'é', 'e\u0301', '😀'),
    minLength: 1,
    maxLength: 6,
  }),
  fc.constantFrom(...HOSTILE_IDS),
);

describe('the tags of the shards', () => {
  test('one shard has the tag 0', () => {
    expect(shardTags(1)).toEqual(['0']);
  });

  test.each([1, 2, 3, 7, 16, 64, 100, 255, 256])(
    'of %d lie evenly on the slots, one in each part',
    (shards) => {
      const tags = shardTags(shards);
      expect(new Set(tags).size).toBe(shards);
      for (const [i, tag] of tags.entries()) {
        expect(slotOfTag(tag)).toBeGreaterThanOrEqual((i * SLOTS) / shards);
        expect(slotOfTag(tag)).toBeLessThan(((i + 1) * SLOTS) / shards);
      }
    },
  );

  test('each of 256 is the smallest number with a slot in its 64', () => {
    const tags = shardTags(256).map(Number);
    for (const [i, tag] of tags.entries()) {
      const smallest = Array.from({ length: tag + 1 }, (_, n) => n).find(
        (n) => Math.floor(slotOfTag(String(n)) / 64) === i,
      );
      expect(tag).toBe(smallest);
    }
    expect(Math.max(...tags)).toBe(477);
  });
});

describe('slots', () => {
  const server = useRedis({ cluster: true });
  const slot = (key: string) => server.redis.call('CLUSTER', 'KEYSLOT', key);

  test('crc16 is the one of Redis Cluster, over the bytes of UTF-8', async () => {
    expect(crc16('123456789')).toBe(0x31c3);
    expect(crc16('')).toBe(0);
    const texts = ['0', '477', '\u007f', '\u0080', '\uffff', 'a'.repeat(200), `${'a'.repeat(127)}é`];
    for (const text of [...texts, ...HOSTILE_IDS].filter((t) => !t.includes('{'))) {
      expect([text, crc16(text) % SLOTS]).toEqual([text, await slot(text)]);
    }
  });

  test.each([1, 7, 256])(
    'every key of a user lies in the slot of its shard’s tag, with %d shards',
    async (shards) => {
      const keys = createKeys('ff', shards);
      const tags = shardTags(shards);
      for (const id of HOSTILE_IDS) {
        const all = [...new Set([keys.erased(id), ...keys.ofUser(id, NOW), keys.shard(keys.shardOf(id))])];
        const slots = new Set(await Promise.all(all.map(slot)));
        expect([...slots]).toEqual([slotOfTag(tags[keys.shardOf(id)]!)]);
      }
    },
  );
});

describe('an id in a key', () => {
  test('that is plain stays as it is', () => {
    for (const id of [
      '019mr8mf4r',
      'Ann-Marie_9.x',
      'a b',
      'ann@example.com',
      'é',
      '😀',
      '__proto__',
      '"\'',
    ]) {
      expect(encodeId(id)).toBe(id);
    }
  });

  test('has none of the characters that mean something to keys and patterns', () => {
    expect(encodeId('%:*?[]\\{}')).toBe('%25%3A%2A%3F%5B%5D%5C%7B%7D');
    fc.assert(fc.property(ids, (id) => !/[:*?[\]\\{}]/.test(encodeId(id))));
  });

  test('can be read back without doubt', () => {
    fc.assert(fc.property(ids, (id) => decodeURIComponent(encodeId(id)) === id));
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }),
        (id) => decodeURIComponent(encodeId(id)) === id,
      ),
    );
  });
});

describe('the keys of two users', () => {
  const all = (id: string, shards: number) => {
    const keys = createKeys('ff', shards);
    return [keys.erased(id), ...keys.ofUser(id, NOW)];
  };

  test.each([1, 7, 256])('are never the same, with %d shards', (shards) => {
    fc.assert(
      fc.property(ids, ids, (a, b) => {
        fc.pre(a !== b);
        const ofA = new Set(all(a, shards));
        return all(b, shards).every((key) => !ofA.has(key));
      }),
    );
    const hostile = HOSTILE_IDS.flatMap((id) => all(id, shards));
    expect(new Set(hostile).size).toBe(hostile.length);
  });
});

describe('the keys of counts', () => {
  const keys = createKeys('ff', 1);

  test('are spelt as the dictionary says', () => {
    expect(keys.visitors(0, TODAY)).toBe('ff:{0}:2026-11-21:visitors');
    expect(keys.returning(0, TODAY)).toBe('ff:{0}:2026-11-21:returning');
    expect(keys.loginCounts(0, '2026-11')).toBe('ff:{0}:2026-11:logins');
    expect(keys.site(0, 'a:b', TODAY, 'stats')).toBe('ff:{0}:site:a%3Ab:2026-11-21:stats');
    expect(keys.site(0, 'a:b', TODAY, 'hll')).toBe('ff:{0}:site:a%3Ab:2026-11-21:hll');
  });

  test('are never a user’s, nor of two sites', () => {
    const of = (id: string) =>
      (['stats', 'pages', 'hll'] as const).map((part) => keys.site(0, id, TODAY, part));
    fc.assert(
      fc.property(ids, ids, (a, b) => {
        const all = new Set([...of(a), keys.visitors(0, TODAY), keys.loginCounts(0, '2026-11')]);
        const ofB = a === b ? [] : of(b);
        return [...ofB, keys.erased(b), ...keys.ofUser(b, NOW)].every((key) => !all.has(key));
      }),
    );
  });

  test('a thing is spelt so that no two are the same', () => {
    expect(thing({ name: 'Home' }, undefined)).toBe('name:Home');
    expect(thing({ url: 'https://a/' }, undefined)).toBe('url:https://a/');
    expect(thing(undefined, 'a:b')).toBe('site:a%3Ab');
    expect(thing({ name: 'Home' }, 'shop')).toBe('site:shop:name:Home');
    expect(thing({ url: 'https://a/' }, 'shop')).toBe('site:shop:url:https://a/');
    const pages = fc.string({ unit: fc.constantFrom(...'#:a0é', 'name:', 'url:', 'site:'), minLength: 1 });
    const things = fc.record({ page: pages, isUrl: fc.boolean(), site: fc.option(ids) });
    const spelt = ({ page, isUrl, site }: { page: string; isUrl: boolean; site: string | null }) =>
      thing(isUrl ? { url: page } : { name: page }, site ?? undefined);
    fc.assert(
      fc.property(things, things, (a, b) => isDeepStrictEqual(a, b) || spelt(a) !== spelt(b)),
      { numRuns: 2000 },
    );
  });

  test('a long name stands as a digest, and so does what looks like one', () => {
    const digest = /^#[0-9a-f]{20}$/;
    expect(short('x'.repeat(40))).toBe('x'.repeat(40));
    expect(short('x'.repeat(41))).toMatch(digest);
    expect(short('é'.repeat(20))).toBe('é'.repeat(20));
    expect(short('é'.repeat(21))).toMatch(digest);
    expect(short('#')).toMatch(digest);
    expect(short(short('x'.repeat(41)))).not.toBe(short('x'.repeat(41)));
    expect(short('x'.repeat(41))).toBe(
      `#${createHash('sha1').update('x'.repeat(41)).digest('hex').slice(0, 20)}`,
    );
  });
});

describe('the keys of a user', () => {
  const keys = createKeys('ff', 1);

  test('are spelt as the dictionary says', () => {
    expect(keys.meta).toBe('ff:meta');
    expect(keys.shard(0)).toBe('ff:{0}');
    expect(keys.stats('a:b', TODAY)).toBe('ff:{0}:user:a%3Ab:2026-11-21:stats');
    expect(keys.pages('a:b', TODAY)).toBe('ff:{0}:user:a%3Ab:2026-11-21:pages');
    expect(keys.visits('a:b', TODAY)).toBe('ff:{0}:user:a%3Ab:2026-11-21:visits');
    expect(keys.events('a:b', TODAY)).toBe('ff:{0}:user:a%3Ab:2026-11-21:events');
    expect(keys.logins('a:b', '2026-11')).toBe('ff:{0}:user:a%3Ab:2026-11:logins');
    // printf a%%3Ab | sha1sum
    expect(keys.erased('a:b')).toBe('ff:{0}:erased:905d42a0512b4b3766560ec871698c2897f6ffab');
  });

  test('begin with the prefix that was chosen', () => {
    const other = createKeys('my-app', 7);
    for (const key of [other.meta, other.erased('a'), ...other.ofUser('a', NOW)]) {
      expect(key).toMatch(/^my-app:/);
    }
  });

  test('span the days that can still be stored, oldest first', () => {
    const days = keys.storedDays(NOW);
    expect(days.map(dateOf)).toEqual([
      ...['2026-11-13', '2026-11-14', '2026-11-15', '2026-11-16', '2026-11-17', '2026-11-18'],
      ...['2026-11-19', '2026-11-20', '2026-11-21', '2026-11-22', '2026-11-23'],
    ]);
    expect(keys.ofUser('a', NOW)).toEqual([
      ...days.flatMap((day) => [
        keys.stats('a', day),
        keys.pages('a', day),
        keys.visits('a', day),
        keys.events('a', day),
      ]),
      ...['2026-10', '2026-11'].map((month) => keys.logins('a', month)),
    ]);
  });

  test('span the months in which a login can still be stored, however late one may be', () => {
    const months = (now: string, lateLoginDays: number) =>
      createKeys('ff', 1, lateLoginDays).storedMonths(Date.parse(now));
    expect(months('2026-11-21T12:00:00Z', 35)).toEqual(['2026-10', '2026-11']);
    expect(months('2026-11-21T12:00:00Z', 60)).toEqual(['2026-09', '2026-10', '2026-11']);
    expect(months('2026-11-30T23:58:00Z', 1)).toEqual(['2026-11', '2026-12']);
    expect(months('2027-01-01T00:00:00Z', 60)).toEqual(['2026-10', '2026-11', '2026-12', '2027-01']);
  });

  test.each([
    ['midnight', TODAY * DAY],
    ['the moment before the next', (TODAY + 1) * DAY - 1],
  ])('turn with the day in UTC, at %s', (_, now) => {
    expect(keys.storedDays(now)[0]).toBe(TODAY - 8);
  });

  test('lie in a shard that depends on the user alone', () => {
    const of256 = createKeys('ff', 256);
    const users = Array.from({ length: 20_000 }, (_, i) => `user${i}`);
    const filled = new Map<number, number>();
    for (const user of users) filled.set(of256.shardOf(user), (filled.get(of256.shardOf(user)) ?? 0) + 1);
    expect(filled.size).toBe(256);
    expect(Math.max(...filled.values())).toBeLessThan(3 * (users.length / 256));
    expect(of256.shardOf('user7')).toBe(crc16('user7') % 256);
    expect(createKeys('x', 256).shardOf('user7')).toBe(of256.shardOf('user7'));
  });
});
