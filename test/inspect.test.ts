import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Login, SiteEvent } from '../src/events/event.ts';
import { report } from '../src/inspect/report.ts';
import { createKeys, LAYOUT_VERSION } from '../src/redis/keys.ts';
import { checkMeta } from '../src/redis/meta.ts';
import { openStore } from '../src/redis/openStore.ts';
import { DAY, dateOf, dayOf, HOUR, MINUTE } from '../src/time.ts';
import { at, everything, NOW, TODAY, view, withoutAChange } from './support/lua.ts';
import { useRedis } from './support/redis.ts';
import { fakeClock, service } from './support/service.ts';

const server = useRedis();
const keys = createKeys('ff', 1);

/** The service at a time, and a look at one of its users. */
function over(now = NOW, config: Parameters<typeof service>[1] = {}) {
  const clock = fakeClock(now);
  const { recorder, eraser, profiles, settings } = service(server.redis, config, clock);
  return {
    clock,
    recorder,
    eraser,
    profiles,
    inspect: (userId = 'ann', all = false) =>
      report(server.redis, settings, { userId, now: clock(), all }).then((text) => text.split('\n')),
  };
}

const digestsOf = async (userId: string, day: number) =>
  (await server.redis.zrange(keys.visits(userId, day), '0', '-1')).map((member) => JSON.stringify(member));

beforeEach(() => checkMeta(server.redis, keys, { sessionGapSeconds: 1800, lateLoginDays: 35 }));

describe('what it tells', () => {
  test('every number of a profile can be followed', async () => {
    const { recorder, inspect } = over();
    const views = [
      view('ann', at('23:26', -1)),
      view('ann', at('23:34', -1), { name: 'Prices' }),
      view('ann', at('00:04'), { name: 'Prices' }),
      view('ann', at('00:04'), { eventId: 'e 1' }),
      view('ann', at('00:08:10.250'), { name: 'Blog: "a"' }),
      view('ann', at('00:38:10.250'), { name: 'Prices' }), // as long as a step may be
      view('ann', at('01:08:10.251'), { name: 'Prices' }), // 1 ms too long
      view('ann', at('02:08:10.251'), { eventId: 'null' }),
    ];
    for (const one of views.toReversed()) expect(await recorder.record(one)).toBe('recorded');
    const [m1, m2] = await digestsOf('ann', TODAY - 1);
    const [m3, , m5, m6, m7] = await digestsOf('ann', TODAY);
    expect(await inspect()).toEqual([
      '"ann": what Redis holds at 2026-11-21T12:00:00.000Z, days and times in UTC',
      '  keys    ff:{0}:user:ann:<day>:stats, :pages, :visits, :events; …:<month>:logins',
      '  window  2026-11-15 to 2026-11-21',
      '  step    counts up to 30 min',
      '  erased  no',
      '',
      '2026-11-20',
      '  stats   views 2, active 8 min, first 23:26:00.000, last 23:34:00.000',
      '  others  2026-11-21',
      '  pages   1 × "Home", 1 × "Prices"',
      expect.stringMatching(/^ {2}goes {4}in 6 days \d+ h$/),
      `  23:26:00.000  ${m1} = "Home"`,
      '      + 8 min counted',
      `  23:34:00.000  ${m2} = "Prices"`,
      '      + 30 min counted, to 2026-11-21',
      '',
      '2026-11-21',
      '  stats   views 6, active 34 min 10.250 s, first 00:04:00.000, last 02:08:10.251',
      '  others  2026-11-20',
      '  pages   3 × "Prices", 2 × "Home", 1 × "Blog: \\"a\\""',
      expect.stringMatching(/^ {2}goes {4}in 7 days \d+ h$/),
      `  00:04:00.000  ${m3} = "Prices"`,
      '      + 0 s counted',
      '  00:04:00.000  event_id "e 1"',
      '      + 4 min 10.250 s counted',
      `  00:08:10.250  ${m5} = "Blog: \\"a\\""`,
      '      + 30 min counted',
      `  00:38:10.250  ${m6} = "Prices"`,
      '      - 30 min 0.001 s too long (more than 30 min)',
      `  01:08:10.251  ${m7} = "Prices"`,
      '      - 1 h too long (more than 30 min)',
      '  02:08:10.251  event_id "null"',
      '',
      'The window',
      '  views   2 + 6 = 8',
      '  time    8 min on 2026-11-20 + 30 min to 2026-11-21 + 34 min 10.250 s on 2026-11-21 = 1 h 12 min 10.250 s, in minutes 72',
      '',
      'The profile                             these views          profile.lua',
      'number_pages_viewed_in_the_last_7_days  8                    8',
      '  time between views, exactly           1 h 12 min 10.250 s  1 h 12 min 10.250 s',
      'time_spent_on_site_in_last_7_days       72                   72',
      'number_of_days_active_in_last_7_days    2                    2',
      'most_viewed_page_in_last_7_days         "Prices"             "Prices"',
      '',
      'Both agree.',
      '',
    ]);
  });

  test('what lies outside the window is marked, and does not count', async () => {
    const { recorder, inspect, clock } = over(at('23:59'));
    await recorder.record(view('ann', at('23:50', -6)));
    await recorder.record(view('ann', at('23:59', -6)));
    await recorder.record(view('ann', at('00:01', -5)));
    await recorder.record(view('ann', at('00:03', 1)));
    const before = await inspect();
    expect(before).toContain('2026-11-15');
    expect(before).toContain('2026-11-22  outside the window: yet to come');
    expect(before).toContain('  views   2 + 1 = 3');
    clock.set(at('00:00', 1));
    const after = await inspect();
    expect(after).toContain('2026-11-15  outside the window: too old');
    expect(after).toContain('2026-11-22');
    expect(after.filter((line) => line.startsWith('      '))).toEqual([
      '      - 9 min outside the window',
      '      - 2 min outside the window, to 2026-11-16',
      expect.stringMatching(/^ {6}- 144 h 2 min too long .*, to 2026-11-22$/),
    ]);
    expect(after).toContain('  views   1 + 1 = 2');
    expect(after).toContain('Both agree.');
  });

  test('a step to a day outside the window does not count', async () => {
    const { recorder, inspect } = over(at('23:59'));
    await recorder.record(view('ann', at('23:59')));
    await recorder.record(view('ann', at('00:01', 1)));
    expect(await inspect()).toContain('      - 2 min outside the window, to 2026-11-22');
    expect(await inspect()).toContain('Both agree.');
  });

  test('an erasure leaves its mark, also on the day that goes on', async () => {
    const { recorder, eraser, inspect, clock } = over();
    await recorder.record(view('ann', at('11:00')));
    await eraser.erase('ann');
    const erased =
      '  erased  what happened up to 2026-11-21T12:00:00.000Z is refused; the mark goes in 36 days 23 h';
    expect(await inspect()).toContain(erased);
    expect(await inspect()).toContain('  views   0 = 0');
    clock.advance(MINUTE);
    await recorder.record(view('ann', at('12:01')));
    expect(await inspect()).toContain(erased);
    expect(await inspect()).toContain(
      '  stats   views 1, active 0 s, first 12:01:00.000, last 12:01:00.000, what happened up to 2026-11-21T12:00:00.000Z is refused',
    );
    expect(await inspect()).toContain('Both agree.');
  });

  const click = (when: number, more: Partial<SiteEvent> = {}): SiteEvent => ({
    ...{ kind: 'event', userId: 'ann', at: when, siteId: 'a:b', type: 'click', path: '/' },
    ...more,
  });
  const login = (when: number): Login => ({ kind: 'login', userId: 'ann', at: when });

  test('what was seen, events that are no page views, logins, and other days', async () => {
    const { recorder, inspect } = over();
    const page = { url: 'https://example.com/', siteId: 'a:b', path: 'https://example.com/' };
    await recorder.record(view('ann', at('10:00', -2), page));
    await recorder.record(click(at('10:00:05', -2), { eventId: 'c1' }));
    await recorder.record(click(at('11:00')));
    for (const days of [0, -1, -20, -21]) await recorder.record(login(at('09:00', days)));
    const [digest] = await server.redis.zrange(keys.events('ann', TODAY), '0', '-1');
    const lines = await inspect();
    const from = lines.indexOf('2026-11-19');
    expect(lines.slice(from, lines.indexOf('The window'))).toEqual([
      '2026-11-19',
      '  stats   views 1, active 0 s, first 10:00:00.000, last 10:00:00.000',
      '  others  2026-11-21',
      '  pages   1 × "Home"',
      '  seen    "site:a%3Ab", "site:a%3Ab:name:Home", "site:a%3Ab:url:https://example.com/", "url:https://example.com/"',
      '  events  10:00:05.000  event_id "c1"',
      expect.stringMatching(/^ {2}goes {4}in 5 days \d+ h$/),
      expect.stringMatching(/^ {2}10:00:00.000 {2}".*" = "Home"$/),
      '',
      '2026-11-21',
      '  stats   no views',
      '  others  2026-11-19',
      '  seen    "site:a%3Ab"',
      `  events  11:00:00.000  "${digest}"`,
      expect.stringMatching(/^ {2}goes {4}in 7 days \d+ h$/),
      '',
      'Logins',
      expect.stringMatching(/^ {2}2026-10-31; goes in 15 days \d+ h$/),
      expect.stringMatching(/^ {2}2026-11-01, 2026-11-20, 2026-11-21; goes in 45 days \d+ h$/),
      '',
    ]);
    expect(lines).toContain('  views   1 = 1');
    expect(lines).toContain('Both agree.');
  });

  test('of somebody who only logged in, that', async () => {
    const { recorder, inspect } = over();
    await recorder.record(login(at('09:00')));
    const lines = await inspect();
    expect(lines.slice(lines.indexOf('')).slice(0, 3)).toEqual([
      '',
      'Logins',
      expect.stringMatching(/^ {2}2026-11-21; goes in /),
    ]);
    expect(lines).toContain('Both agree.');
  });

  test('every day of a month on which somebody logged in', async () => {
    const { recorder, inspect } = over(at('12:00', 9)); // 30 November
    const days = Array.from({ length: 30 }, (_, i) => TODAY - 20 + i);
    for (const day of days) await recorder.record(login(day * DAY));
    expect((await inspect()).join('\n')).toContain(`  ${days.map(dateOf).join(', ')}; goes in`);
  });

  test('long lists are cut unless all is asked for', async () => {
    const { recorder, inspect } = over();
    for (let i = 0; i < 7; i++) {
      await recorder.record(view('ann', at('10:00') + i, { name: `P${i}`, url: `https://a/${i}` }));
      await recorder.record(click(at('10:00') + i));
    }
    const cut = (await inspect()).filter((line) => /^ {2}(pages|seen|events) /.test(line));
    expect(cut.map((line) => line.replace(/.*, /, ''))).toEqual(['and 2 more', 'and 3 more', 'and 2 more']);
    expect((await inspect('ann', true)).filter((line) => / more$/.test(line))).toEqual([]);
  });

  test('of somebody unknown, that there is nothing', async () => {
    expect(await over().inspect('nobody')).toEqual(['Redis holds nothing of "nobody".', '']);
  });

  test('a long day is cut in the middle unless all is asked for', async () => {
    const { recorder, inspect } = over();
    const start = at('08:00');
    await Promise.all(
      Array.from({ length: 41 }, (_, i) =>
        recorder.record(view('ann', start + i * MINUTE + (i > 20 ? HOUR : 0))),
      ),
    );
    const isView = (line: string) => /^ {2}\d\d:/.test(line);
    const cut = await inspect();
    expect(cut.filter(isView)).toHaveLength(40);
    expect(cut).toContain('      + 1 min counted in 1 of 2 steps; views not shown: 1 (--all shows them)');
    expect((await inspect('ann', true)).filter(isView)).toHaveLength(41);
    expect(await inspect('ann', true)).toContain('Both agree.');
  });

  test('pages past the cap count under (other), and their views keep only a digest', async () => {
    const { recorder, inspect } = over(NOW, { maxPagesPerUserDay: 1, timeSpentUnit: 'seconds' });
    for (const [i, name] of ['A', 'B', 'C'].entries()) {
      await recorder.record(view('ann', at('08:00') + i * MINUTE, { name }));
    }
    const lines = await inspect();
    expect(lines).toContain('  pages   2 × "(other)", 1 × "A"');
    expect(lines.filter((line) => / {2}08:0\d:00\.000 /.test(line) && !line.includes(' = '))).toHaveLength(2);
    expect(lines).toContain('time_spent_on_site_in_last_7_days       120          120');
    expect(lines).toContain('most_viewed_page_in_last_7_days         "A"          "A"');
  });

  test('it agrees with the service on any history', async () => {
    const { recorder, inspect, profiles, clock } = over();
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % below;
    };
    const views = Array.from({ length: 400 }, (_, i) =>
      view(`user${i % 8}`, NOW - random(7 * 24) * HOUR - random(4) * 10 * MINUTE - random(3), {
        name: `Page ${random(5)}`,
        ...(random(3) === 0 && { eventId: `e${i}` }),
        ...(random(3) === 0 && { url: `https://a/${random(3)}`, siteId: `s${random(2)}` }),
      }),
    );
    await Promise.all(views.map((one) => recorder.record(one)));
    for (const days of [0, 1, 3]) {
      clock.set(NOW + days * DAY);
      for (let i = 0; i < 8; i++) {
        const lines = await inspect(`user${i}`);
        expect(lines).toContain('Both agree.');
        expect(lines.filter((line) => line.includes('!'))).toEqual([]);
        const { number_pages_viewed_in_the_last_7_days: n } = await profiles.of(`user${i}`);
        expect(lines.filter((line) => line.startsWith('number_pages'))[0]).toMatch(
          new RegExp(` ${n} +${n}$`),
        );
      }
    }
  });
});

describe('what is not as it should be', () => {
  const inspect = () => over().inspect();
  const record = () => over().recorder.record(view('ann', at('10:00')));

  test('a number that was changed by hand', async () => {
    await record();
    await server.redis.hset(keys.stats('ann', TODAY), 'views', 7);
    const lines = await inspect();
    expect(lines).toContain('  ! stats says views 7, visits make it 1');
    expect(lines).toContain('THEY DIFFER: number_pages_viewed_in_the_last_7_days.');
    expect(lines).not.toContain('Both agree.');
  });

  test('a view that was dropped by hand', async () => {
    await record();
    await over().recorder.record(view('ann', at('10:20')));
    await server.redis.zremrangebyrank(keys.visits('ann', TODAY), -1, -1);
    const lines = await inspect();
    expect(lines).toContain('  ! stats says active_ms 1200000, visits make it 0');
    expect(lines).toContain('  ! stats says last 37200000, visits make it 36000000');
    expect(lines).toContain('  ! pages counts 2 views, visits has 1');
    expect(lines.at(-2)).toBe(
      'THEY DIFFER: number_pages_viewed_in_the_last_7_days, time between views, exactly, time_spent_on_site_in_last_7_days.',
    );
  });

  const eventToo = () =>
    over().recorder.record({
      ...{ kind: 'event', userId: 'ann', at: at('10:00'), siteId: 's', type: 'click', path: '/' },
    });

  test('events of another type, or that never go', async () => {
    await record();
    await eventToo();
    await server.redis.persist(keys.events('ann', TODAY));
    expect(await inspect()).toContain('  ! events never goes');
    await server.redis.set(keys.events('ann', TODAY), 'x');
    const lines = await inspect();
    expect(lines).toContain('  ! events holds something else than it should (WRONGTYPE)');
    expect(lines).toContain('Both agree.');
  });

  test('what was seen is more or less than stats says', async () => {
    await eventToo();
    await server.redis.hset(keys.stats('ann', TODAY), 'url:x', '');
    expect(await inspect()).toContain('  ! stats says seen 1, and has 2');
  });

  test('days that do not know each other', async () => {
    await record();
    await over().recorder.record(view('ann', at('10:00', -2)));
    await server.redis.hset(keys.stats('ann', TODAY), 'earlier', '');
    await server.redis.hdel(keys.stats('ann', TODAY - 2), 'next');
    expect((await inspect()).filter((line) => line.includes('!'))).toEqual([
      '  ! stats does not know of 2026-11-21',
      '  ! stats does not know of 2026-11-19',
    ]);
  });

  test('logins of another type, that never go, or of days that there are not', async () => {
    const logins = keys.logins('ann', '2026-11');
    await server.redis.set(logins, '\u0001\u0000\u0000\u0003');
    expect(await inspect()).toEqual(
      expect.arrayContaining([
        '  ! logins of 2026-11 has days that no month has',
        '  ! logins of 2026-11 never goes',
        '  2026-11-08, 2026-11-31; goes never',
      ]),
    );
    await server.redis.unlink(logins);
    await server.redis.hset(logins, 'x', 'y');
    expect(await inspect()).toContain(
      '  ! logins of 2026-11 holds something else than it should (WRONGTYPE)',
    );
  });

  test.each(['stats', 'pages', 'visits'] as const)('%s of another type', async (part) => {
    await record();
    await server.redis.set(keys[part]('ann', TODAY), 'x');
    const lines = await inspect();
    expect(lines).toContain(`  ! ${part} holds something else than it should (WRONGTYPE)`);
    expect(lines.join('\n')).toMatch(
      part === 'visits' ? /THEY DIFFER/ : /number_pages_viewed\w+ +1 +damaged\n/,
    );
  });

  test.each(['stats', 'pages', 'visits'] as const)('%s that is gone, or never goes', async (part) => {
    await record();
    await server.redis.persist(keys[part]('ann', TODAY));
    expect(await inspect()).toContain(`  ! ${part} never goes`);
    await server.redis.unlink(keys[part]('ann', TODAY));
    expect(await inspect()).toContain(`  ! there is no ${part}`);
  });

  test('a mark of another type', async () => {
    await server.redis.rpush(keys.erased('ann'), 'x');
    expect(await inspect()).toContain('  erased  the mark holds something else than it should (WRONGTYPE)');
  });

  test('numbers that are none', async () => {
    await record();
    await server.redis.set(keys.erased('ann'), '9e99');
    await server.redis.hset(keys.stats('ann', TODAY), { active_ms: 'x\u001b[2J', first: '1e30', last: '-5' });
    await server.redis.zadd(keys.visits('ann', TODAY), '+inf', 'later', '-inf', 'e:');
    expect((await inspect()).join('\n')).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  });

  test('names that a terminal would obey are escaped', async () => {
    const name = '\u001b[2J\u202egnp\u2028\u200b\n\u0085"\u{e0001}';
    await over().recorder.record(view('ann', at('10:00'), { name }));
    await over().recorder.record(view('ann', at('10:00'), { name: 'שלום 😀' }));
    await server.redis.zadd(keys.visits('ann', TODAY), 1, 'e:\u001b]0;x\u0007');
    const text = (await inspect()).join('\n');
    expect(text).toContain('"\\u001b[2J\\u202egnp\\u2028\\u200b\\n\\u0085\\"\\udb40\\udc01"');
    expect(text).toContain('event_id "\\u001b]0;x\\u0007"');
    expect(text).toContain('"שלום 😀"');
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  });
});

describe('the command', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'ff-inspect-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const run = async (args: string[], env: Record<string, string> = {}, command = 'inspect') => {
    const script = join(__dirname, `../dist/${command}/command.js`);
    const { PATH } = process.env;
    const child = spawn(process.execPath, [script, ...args], {
      cwd: dir,
      env: { PATH, ...env },
      timeout: 10_000,
    });
    const out = { code: -1, stdout: '', stderr: '' };
    child.stdout.on('data', (text) => {
      out.stdout += text;
    });
    child.stderr.on('data', (text) => {
      out.stderr += text;
    });
    [out.code] = await once(child, 'close');
    return out;
  };
  const onServer = () => ({ REDIS_URL: server.url });
  const USAGE = 'usage: npm run inspect -- USER [--all]\n';

  test('tells of a user and writes nothing', async () => {
    const yesterday = dayOf(Date.now()) - 1;
    const { recorder } = over(Date.now());
    for (const minute of [0, 4, 45]) {
      await recorder.record(view('a:b', yesterday * DAY + 10 * HOUR + minute * MINUTE));
    }
    const { stdout, stderr, code } = await withoutAChange(server.redis, () => run(['a:b'], onServer()));
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    const lines = stdout.split('\n');
    expect(lines).toContain(
      '  keys    ff:{0}:user:a%3Ab:<day>:stats, :pages, :visits, :events; …:<month>:logins',
    );
    expect(lines).toContain(dateOf(yesterday));
    expect(lines).toContain('      + 4 min counted');
    expect(lines).toContain('      - 41 min too long (more than 30 min)');
    expect(lines).toContain('Both agree.');
  });

  test('sends no command that writes', async () => {
    await over(Date.now()).recorder.record(view('ann', Date.now()));
    await server.redis.config('RESETSTAT');
    expect((await run(['ann', '--all'], onServer())).code).toBe(0);
    const stats = (await server.redis.info('commandstats')).matchAll(/^cmdstat_([^:|]+)/gm);
    const called = [...new Set([...stats].map(([, name]) => name!))].filter((name) => name !== 'config');
    expect(called).toEqual(expect.arrayContaining(['multi', 'eval_ro', 'hgetall', 'zrange', 'pttl']));
    const infos = (await server.redis.call('COMMAND', 'INFO', ...called)) as [string, number, string[]][];
    expect(infos.filter(([, , flags]) => flags.includes('write')).map(([name]) => name)).toEqual([]);
    // eval may write, whatever Redis calls it
    expect(called.filter((name) => /^(eval|evalsha|fcall|config)$/.test(name))).toEqual([]);
  });

  test('a read-only connection refuses a write before Redis hears of it', async () => {
    const { settings } = service(server.redis, { redisUrl: server.url });
    const redis = await openStore(settings, { readOnly: true });
    try {
      const before = await everything(server.redis);
      await expect(redis.set('x', '1')).rejects.toThrow('set may write');
      await expect(redis.call('FLUSHALL')).rejects.toThrow('FLUSHALL may write');
      await expect(redis.eval("redis.call('SET', 'x', 1)", 0)).rejects.toThrow('eval may write');
      await expect(redis.ffErase('x', ['1', '1'])).rejects.toThrow('may write');
      await expect(redis.call('EVAL_RO', "redis.call('SET', 'x', 1)", 0)).rejects.toThrow('read-only');
      expect(await everything(server.redis)).toEqual(before);
    } finally {
      redis.disconnect();
    }
  });

  test('knows nobody', async () => {
    const stdout = 'Redis holds nothing of "nobody".\n';
    expect(await run(['nobody'], onServer())).toEqual({ code: 0, stdout, stderr: '' });
  });

  test.each<[what: string, args: string[], said: string]>([
    ['no user', [], ''],
    ['only a flag', ['--all'], ''],
    ['two users', ['ann', 'bob'], ''],
    ['an empty user', [''], 'USER must not be empty\n'],
    ['a long one', ['a'.repeat(129)], 'USER must be at most 128 characters\n'],
    [
      'no id',
      ['undefined'],
      'USER must be an id: no control characters, no lone surrogates, not null, undefined, NaN, . or ..\n',
    ],
  ])('%s: says how it is used', async (_what, args, said) => {
    expect(await run(args, onServer())).toEqual({ code: 2, stdout: '', stderr: `${said}${USAGE}` });
  });

  test('after -- there are no flags', async () => {
    expect((await run(['--', '--all'], onServer())).stdout).toBe('Redis holds nothing of "--all".\n');
  });

  test.each(['inspect', 'erasure'])('%s: the private Redis does not run', async (command) => {
    const DATA_DIR = join(dir, 'none');
    const stderr = `the private Redis of DATA_DIR=${DATA_DIR} is not running (ENOENT): it runs with the service, so start that (npm start), or set REDIS_URL\n`;
    expect(await run(['ann'], { DATA_DIR }, command)).toEqual({ code: 1, stdout: '', stderr });
  });

  test.each(['inspect', 'erasure'])('%s: the Redis of REDIS_URL does not run', async (command) => {
    writeFileSync(join(dir, '.env'), 'REDIS_URL=redis://:secret@127.0.0.1:1\n'); // read as the service reads it
    const stderr = "the Redis of REDIS_URL can't be reached (ECONNREFUSED): start it, or mend REDIS_URL\n";
    expect(await run(['ann'], {}, command)).toEqual({ code: 1, stdout: '', stderr });
  });

  test.each(['inspect', 'erasure'])('%s: a wrong setting', async (command) => {
    const { code, stderr } = await run(['ann'], { SHARDS: 'x' }, command);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: 'SHARDS must be a whole number from 1 to 256, not "x"\n',
    });
  });

  test('a Redis that no service has stored in, or another version, or that is damaged', async () => {
    await server.redis.hset(keys.meta, 'layout', 99);
    expect((await run(['ann'], onServer())).stderr).toMatch(/^ff:meta in Redis says layout 99.*\n$/);
    await server.redis.hset(keys.meta, { layout: LAYOUT_VERSION, late_login_days: 'x' });
    expect((await run(['ann'], onServer())).stderr).toMatch(/^ff:meta in Redis is damaged.*\n$/);
    await server.redis.hset(keys.meta, { late_login_days: 35, shards: 'x' });
    expect((await run(['ann'], onServer())).stderr).toMatch(/^ff:meta in Redis is damaged.*\n$/);
    await server.redis.flushall();
    expect(await run(['ann'], onServer())).toEqual({
      code: 1,
      stdout: '',
      stderr: 'there is no ff:meta in this Redis, so no service with KEY_PREFIX=ff has stored here\n',
    });
    expect(await server.redis.dbsize()).toBe(0);
  });

  test('shards and session gap are those of the first start', async () => {
    await server.redis.hset(keys.meta, { shards: 7, session_gap_seconds: 60 });
    const { recorder } = over(Date.now(), { shards: 7, sessionGapSeconds: 60 });
    await recorder.record(view('bob', Date.now()));
    const { stdout } = await run(['bob'], onServer());
    expect(stdout).toContain('  step    counts up to 1 min\n');
    expect(stdout).toContain('Both agree.');
  });
});
