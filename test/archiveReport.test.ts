// A site's report over days that Redis no longer holds.

import pg from 'pg';
import request from 'supertest';
import type { SiteReport } from '../src/answers.ts';
import { DAY, dateOf, dayOf, HOUR } from '../src/time.ts';
import { type Archived, useArchives } from './support/archive.ts';
import { at, click, NOW, TODAY, view } from './support/lua.ts';
import { queryAt, usePostgres } from './support/postgres.ts';
import { until } from './support/process.ts';
import { randomOf } from './support/random.ts';
import { useRedis } from './support/redis.ts';
import { fakeClock, service } from './support/service.ts';
import { createSiteHistory, type OfSite } from './support/siteHistory.ts';

const server = useRedis();
const postgres = usePostgres();
const open = useArchives();

const date = (days: number) => dateOf(TODAY + days);
const HELD = 35;
const oldestOf = ({ clock }: Archived) => dateOf(dayOf(clock()) - HELD + 1);
const visit = (userId: string, when: number, more = {}): OfSite => ({
  ...view(userId, when, { path: 'Home', ...more }),
  siteId: 'shop',
});

const ask = ({ app }: Archived, from: string, to?: string, site = 'shop') =>
  request(app)
    .get(`/v1/site/${encodeURIComponent(site)}/report`)
    .query(to === undefined ? { from } : { from, to });

async function report(...asked: Parameters<typeof ask>): Promise<SiteReport> {
  const { status, body } = await ask(...asked);
  if (status !== 200) throw new Error(`${status}: ${JSON.stringify(body)}`);
  return body;
}

/** An archive that began before all that a test does, unless it says when. */
async function begin(url: string, { began = TODAY - 500, clock = fakeClock(), config = {} } = {}) {
  const archived = open(server.redis, url, { clock, config });
  const { worker } = archived.work();
  await until('the tables are there', async () => {
    const sql =
      "UPDATE footfall_schema SET applied_at = $1 WHERE version = 1 AND to_regclass('forgotten') IS NOT NULL RETURNING 1";
    const rows = await queryAt(url, sql, [new Date(began * DAY + HOUR)]).catch(() => []);
    return rows.length > 0;
  });
  return { ...archived, worker };
}

/** Takes events in, each on its own day. */
async function record({ clock, recorder }: Archived, ...events: OfSite[]) {
  const now = clock();
  for (const event of events) {
    clock.set(event.at);
    expect(await recorder.record(event)).toBe('recorded');
  }
  clock.set(now);
}

/** Drops what Redis would have dropped by now. */
async function age({ clock, redis }: Archived): Promise<void> {
  const ended = (await redis.keys('*')).filter((key) => {
    const day = /:(\d{4}-\d\d-\d\d)\b/.exec(key)?.[1];
    return day !== undefined && day <= dateOf(dayOf(clock()) - (key.includes(':site:') ? HELD : 8));
  });
  if (ended.length > 0) await redis.unlink(ended);
}

describe('days that Redis no longer holds', () => {
  test('are in a report with the same fields', async () => {
    const archived = await begin(await postgres.freshDatabase());
    await record(
      archived,
      visit('ann', at('10:00', -40), { name: 'Prices', url: '/prices', path: '/prices' }),
      visit('bob', at('10:00', -36), { name: 'Prices', url: '/prices', path: '/prices' }),
      click('cid', at('10:00', -36)),
      visit('ann', at('10:00', -34)),
      visit('ann', at('11:00')),
    );
    await age(archived);
    const { text, headers } = await ask(archived, date(-40), date(-33)).expect(200);
    expect(text).toBe(
      JSON.stringify({
        site_id: 'shop',
        from: '2026-10-12',
        to: '2026-10-19',
        views: 3,
        unique_users: 3,
        exact: true,
        events_by_type: { page_view: 3, click: 1 },
        top_paths: [
          { path: '/prices', views: 2 },
          { path: 'Home', views: 1 },
        ],
        days: [
          { date: '2026-10-12', views: 1, unique_users: 1 },
          { date: '2026-10-13', views: 0, unique_users: 0 },
          { date: '2026-10-14', views: 0, unique_users: 0 },
          { date: '2026-10-15', views: 0, unique_users: 0 },
          { date: '2026-10-16', views: 1, unique_users: 2 },
          { date: '2026-10-17', views: 0, unique_users: 0 },
          { date: '2026-10-18', views: 1, unique_users: 1 },
          { date: '2026-10-19', views: 0, unique_users: 0 },
        ],
      }),
    );
    expect(headers).toMatchObject({ 'cache-control': 'no-store' });
    const { views, unique_users, days } = await report(archived, date(-399));
    expect([views, unique_users, days.length]).toEqual([4, 3, 400]);
  });

  test.each([1, 2])('add up as an oracle says, over two months of anything (%i)', async (seed) => {
    const clock = fakeClock(NOW - 61 * DAY);
    const archived = await begin(await postgres.freshDatabase(), { clock, config: { shards: 4 } });
    const random = randomOf(seed, 0);
    const oracle = createSiteHistory();
    const sites = ['shop', "sh'op", '%:*{a}', '\u{1f600}', 'NULL'];
    const paths = [
      '/',
      '/a',
      '/b',
      '/B',
      'é',
      '\u{1f600}',
      '\uffe6',
      '(other)',
      '"',
      "a','b",
      '{a,b}',
      '\\x00',
      'NULL',
    ];
    paths.push(
      '\u{1f600}'.repeat(1024),
      ...Array.from({ length: 2048 / 512 }, (_, i) => `${i}`.padEnd(2048, 'é')),
    );
    const users = [...Array.from({ length: 12 }, (_, i) => `user${i}`), '\u{1f600}'.repeat(64), 'a:b'];
    let past: OfSite[] = [];

    function someEvent(when: number): OfSite {
      const [userId, siteId, path] = [random.pick(users), random.pick(sites), random.pick(paths)];
      const eventId = random.chance(0.5) ? `${random.next()}` : undefined;
      const common = { userId, siteId, path, at: when, eventId };
      const type = random.pick(['click', 'purchase', '__proto__', 'login']);
      if (random.chance(0.3)) return { kind: 'event', ...common, type };
      return {
        kind: 'view',
        ...common,
        ...(random.chance(0.5) ? { url: path, name: 'Page' } : { name: path }),
      };
    }

    async function take(event: OfSite) {
      oracle.take(event, await archived.recorder.record(event));
      past.push(event);
    }

    async function aDay() {
      clock.advance(DAY);
      await age(archived);
      for (let i = 0; i < 8; i++) {
        const back = random.weighted([
          [7, 0],
          [2, random.from(0, 7)],
          [2, random.from(7, 60)],
        ]);
        await take(someEvent(clock() - back * DAY - random.from(0, 12 * HOUR)));
      }
      if (random.chance(0.5)) await take(random.pick(past));
      if (!random.chance(0.15)) return;
      const userId = random.pick(users);
      await archived.eraser.erase(userId);
      oracle.erase(userId, clock());
      past = past.filter((event) => event.userId !== userId || random.chance(0.1));
    }

    async function compare(spans: number) {
      const today = dayOf(clock());
      for (let i = 0; i < spans; i++) {
        const from = today - random.from(HELD, 110);
        const to = random.weighted([
          [2, today + random.from(0, 2)],
          [3, random.from(from, today + 1)],
          [1, from],
        ]);
        const asked = [random.pick(sites), dateOf(from), dateOf(to)] as const;
        const [site, first, last] = asked;
        const expected = oracle.report(...asked, oldestOf(archived));
        const got = await report(archived, first, last, site);
        expect(got).toEqual(expected);
        expect(Object.keys(got.events_by_type)).toEqual(Object.keys(expected.events_by_type));
      }
    }

    for (let day = 1; day <= 61; day++) {
      await aDay();
      if (day % 20 === 0) await compare(15);
    }
    await compare(40);
    clock.advance(33 * DAY); // all but the last days are in the archive alone
    await age(archived);
    await compare(40);
  });

  test('keep totals of who was erased, and neither users nor paths of theirs', async () => {
    const archived = await begin(await postgres.freshDatabase());
    await record(
      archived,
      visit('ann', at('10:00', -40), { name: '/ann', path: '/ann' }),
      visit('bob', at('11:00', -40)),
      click('ann', at('12:00', -40)),
    );
    await archived.eraser.erase('ann');
    expect(await report(archived, date(-40))).toMatchObject({
      ...{ views: 2, unique_users: 1, exact: true, events_by_type: { page_view: 2, click: 1 } },
      top_paths: [{ path: 'Home', views: 1 }],
    });
  });

  test('have what came too late, which the days that Redis holds have not', async () => {
    const archived = await begin(await postgres.freshDatabase());
    const late = [
      visit('ann', at('10:00', -40)),
      visit('ann', at('10:00', -20)),
      visit('bob', at('10:00', -20)),
    ];
    for (const event of late) expect(await archived.recorder.record(event)).toBe('expired');
    await record(archived, visit('cid', at('10:00', -20)), visit('cid', at('10:00', -19)));
    expect(await report(archived, date(-40))).toMatchObject({ views: 3, unique_users: 2, exact: true });
    expect(await report(archived, date(-34))).toMatchObject({ views: 2, unique_users: 1 });
    archived.clock.advance(30 * DAY);
    expect(await report(archived, date(-40), date(0))).toMatchObject({
      views: 5,
      unique_users: 3,
      exact: true,
    });
  });
});

describe('how far back a report reaches', () => {
  const expectTooOld = async (archived: Archived, from: string, oldest: string) => {
    const { body } = await ask(archived, from, date(-30)).expect(400);
    expect(body).toMatchObject({
      code: 'invalid_query',
      errors: [{ pointer: '/from', detail: `must not be before ${oldest}: it is not kept any more` }],
    });
  };

  test('400 days at most', async () => {
    const archived = await begin(await postgres.freshDatabase());
    await ask(archived, date(-399)).expect(200);
    const { body } = await ask(archived, date(-400)).expect(400);
    expect(body).toMatchObject({
      errors: [{ pointer: '/from', detail: 'must be at most 400 days, to included' }],
    });
    await ask(archived, date(-480), date(-470)).expect(200);
  });

  test('to the first whole day of the archive', async () => {
    const archived = await begin(await postgres.freshDatabase(), { began: TODAY - 50 });
    await expectTooOld(archived, date(-50), date(-49));
    expect(await report(archived, date(-49))).toMatchObject({ views: 0, unique_users: 0, exact: true });
  });

  test('to the first event of the site, which is no whole day and says so', async () => {
    const archived = await begin(await postgres.freshDatabase(), { began: TODAY - 50 });
    await record(
      archived,
      visit('ann', at('10:00', -49)),
      visit('ann', at('10:00', -48)),
      visit('bob', at('10:00', -53)),
    );
    await archived.carried();
    await expectTooOld(archived, date(-54), date(-53));
    expect(await report(archived, date(-53))).toMatchObject({ views: 3, unique_users: 2, exact: false });
    expect(await report(archived, date(-49))).toMatchObject({ views: 2, unique_users: 1, exact: true });
    const { status } = await ask(archived, date(-53), date(0), 'blog');
    expect(status).toBe(400);
  });

  test('as far as Redis does, where the archive is younger', async () => {
    const archived = await begin(await postgres.freshDatabase(), { began: TODAY - 10 });
    await expectTooOld(archived, date(-35), date(-34));
    expect(await report(archived, date(-34))).toMatchObject({ exact: true });
  });

  test('where it was switched on later, by the larger of what the two know of users', async () => {
    const clock = fakeClock();
    const before = service(server.redis, {}, clock);
    for (const user of ['ann', 'bob', 'cid']) {
      clock.set(at('10:00', -20));
      await before.recorder.record(visit(user, clock()));
    }
    clock.set(NOW);
    const archived = await begin(await postgres.freshDatabase(), { began: TODAY - 10, clock });
    const late = async (userId: string) => {
      expect(await archived.recorder.record(visit(userId, at('10:00', -36)))).toBe('expired');
      await archived.carried();
    };
    await late('dan');
    expect(await report(archived, date(-36))).toMatchObject({ views: 4, unique_users: 3, exact: false });
    for (const user of ['eve', 'fay', 'gus']) await late(user);
    expect(await report(archived, date(-36))).toMatchObject({ views: 7, unique_users: 4, exact: false });
    expect(await report(archived, date(-36), date(-35))).toMatchObject({ unique_users: 4, exact: false });
  });
});

describe('an archive that is behind', () => {
  test('says so, and is waited for a moment', async () => {
    const archived = await begin(await postgres.freshDatabase());
    await record(archived, visit('ann', at('10:00', -40)), visit('ann', at('10:00', -1)));
    await archived.carried();
    await archived.worker.stop();
    await record(archived, visit('bob', at('10:00')), visit('cid', at('11:00')));
    const since = performance.now();
    expect(await report(archived, date(-40))).toMatchObject({ views: 4, unique_users: 3, exact: false });
    expect(performance.now() - since).toBeGreaterThan(1900);
    const waiting = report(archived, date(-40));
    archived.work();
    expect(await waiting).toMatchObject({ views: 4, unique_users: 3, exact: true });
  });

  test('is not waited for longer than for what was there at first', async () => {
    const archived = await begin(await postgres.freshDatabase());
    await record(archived, visit('ann', at('10:00', -40)), visit('ann', at('10:00')));
    let isOver = false;
    const traffic = (async () => {
      for (let i = 0; !isOver; i++) await archived.recorder.record(visit('ann', NOW - i));
    })();
    try {
      for (let i = 0; i < 3; i++) {
        expect(await report(archived, date(-40))).toMatchObject({ unique_users: 1, exact: true });
      }
    } finally {
      isOver = true;
      await traffic;
    }
  });
});

describe('a database that', () => {
  const expectUnavailable = async (archived: Archived, code = 'unavailable') => {
    const { status, body, headers, text } = await ask(archived, date(-40));
    expect([status, body.code, headers['retry-after']]).toEqual([
      503,
      code,
      expect.stringMatching(/^[1-4]$/),
    ]);
    expect(text).not.toMatch(/shop|postgres|events/i);
  };

  test.each<[what: string, away: NodeJS.Signals, back: () => Promise<void>]>([
    ['was killed', 'SIGKILL', () => postgres.restart()],
    ['stands still', 'SIGSTOP', () => postgres.kill('SIGCONT')],
  ])('%s makes a 503 of reports that need it, and of no others', async (_what, away, back) => {
    const url = await postgres.freshDatabase();
    const archived = await begin(url);
    await record(archived, visit('ann', at('10:00', -40)), visit('ann', at('11:00')));
    await report(archived, date(-40));
    await postgres.kill(away);
    try {
      await expectUnavailable(archived);
      expect(await report(archived, date(-34))).toMatchObject({ views: 1 });
      await ask(archived, date(-34), date(1)).expect(200);
    } finally {
      await back();
    }
    await until('reports are back', async () => (await ask(archived, date(-40))).status === 200);
    expect(await report(archived, date(-40))).toMatchObject({ views: 2, unique_users: 1, exact: true });
  });

  test('is killed while it works on one does so, too', async () => {
    const url = await postgres.freshDatabase();
    const archived = await begin(url);
    const free = await locked(url, 'forgotten');
    const answer = expectUnavailable(archived);
    await untilWaiting(url, 1);
    await postgres.kill('SIGKILL');
    await free();
    await answer;
    await postgres.restart();
    await until('reports are back', async () => (await ask(archived, date(-40))).status === 200);
  });

  test('has no tables yet does so, too', async () => {
    await expectUnavailable(open(server.redis, await postgres.freshDatabase()));
  });

  test('is slow is asked for two reports at once, and goes on telling of erasures', async () => {
    const url = await postgres.freshDatabase();
    const archived = await begin(url);
    const { erasure_id } = await archived.eraser.erase('ann');
    await archived.carried();
    const free = await locked(url, 'forgotten');
    const answers: unknown[] = [];
    const reports = Array.from({ length: 12 }, async () => {
      const { status, body } = await ask(archived, date(-40));
      answers.push(body.code ?? status);
    });
    try {
      await untilWaiting(url, 2);
      await until('all have come, and two are refused', () => answers.length === 2);
      const { body } = await request(archived.app).get(`/v1/erasures/${erasure_id}`).expect(200);
      expect(body).toMatchObject({ archive: 'done' });
    } finally {
      await free();
    }
    await Promise.all(reports);
    expect(answers).toEqual([...Array(2).fill('overloaded'), ...Array(10).fill(200)]);
  });
});

/** Until so many statements wait for what somebody else has. */
const untilWaiting = (url: string, count: number) =>
  until(`${count} wait for a lock`, async () => {
    const sql =
      "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    return (await queryAt(url, sql)).length === count;
  });

/** Nobody gets at a table until it is freed. */
async function locked(url: string, table: string): Promise<() => Promise<void>> {
  const holder = new pg.Client({ connectionString: url });
  holder.on('error', () => undefined); // the server may be killed
  await holder.connect();
  await holder.query(`BEGIN; LOCK TABLE ${table}`);
  return () => holder.end();
}

test('without an archive a report reaches as far as Redis', async () => {
  const alone = { ...service(server.redis) } as unknown as Archived;
  expect((await ask(alone, date(-35), date(-10))).body).toMatchObject({ errors: [{ pointer: '/from' }] });
  expect((await ask(alone, date(-34), date(1))).body).toMatchObject({ errors: [{ pointer: '/from' }] });
  await ask(alone, date(-34)).expect(200);
});
