// The dashboard's figures of sites, pages, logins and users: each is what the API says, over weeks of made-up people.

import type { UserVisits } from '../src/answers.ts';
import { DAY, dateOf, dayOf, SECOND } from '../src/time.ts';
import { eventsOf } from '../src/traffic/visits.ts';
import {
  asTable,
  count,
  day,
  figuresOn,
  heading,
  loaded,
  part,
  rowsOf,
  seconds,
  useDashboard,
} from './support/dashboard.ts';
import { iso, JSON_TYPE, userPath } from './support/http.ts';
import { NOON } from './support/service.ts';

const stand = useDashboard();
const { api } = stand;
const NOW = Date.parse(NOON);
const TODAY = dayOf(NOW);
const daysAgo = (n: number) => dateOf(TODAY - n);

/** Two weeks, of which the first is not in the window any more. */
beforeEach(async () => {
  for (const week of [2, 1]) {
    api.clock.set(NOW - 7 * DAY * (week - 1));
    const last = dayOf(api.clock());
    const days = [6, 5, 4, 3, 2, 1, 0].flatMap((ago) => eventsOf(last - ago, { seed: 3, users: 25 }));
    const events = days.filter(({ at }) => at <= api.clock()).map(({ body }) => body);
    for (let from = 0; from < events.length; from += 1000) {
      const body = JSON.stringify(events.slice(from, from + 1000));
      const { status } = await api.send({ method: 'POST', path: '/v1/pages', headers: JSON_TYPE, body });
      expect(status).toBe(202);
    }
  }
});

interface Report {
  views: number;
  unique_users: number;
  exact: boolean;
  events_by_type: Record<string, number>;
  top_paths: { path: string; views: number }[];
  days: { date: string; views: number; unique_users: number }[];
}

describe.each(['shop', 'magazine'])('the site %s', (site) => {
  test.each([7, 30])('over %i days', async (days) => {
    const { page, troubles } = await stand.open(`#/site/${site}`);
    await heading(page, `Site ${site}`).waitFor();
    await page
      .getByRole('navigation', { name: 'Span' })
      .getByRole('link', { name: `${days} days` })
      .click();
    await page.locator(`[aria-label=Span] [aria-current=true]`, { hasText: `${days} days` }).waitFor();
    await loaded(page);

    const query = { from: daysAgo(days - 1), to: daysAgo(0) };
    const report = (await api.read(`/v1/site/${site}/report`, query)) as Report;
    const { page_view, ...others } = report.events_by_type;
    const sum = (counts: number[]) => counts.reduce((total, n) => total + n, 0);
    expect(report.exact).toBe(days === 7);
    expect(await figuresOn(page)).toEqual({
      Views: [count(report.views)],
      'Unique users': [
        `${days === 7 ? '' : '≈ '}${count(report.unique_users)}`,
        days === 7 ? 'exact' : 'an estimate',
      ],
      'Views per user': [(report.views / report.unique_users).toFixed(1)],
      'Other events': [count(sum(Object.values(others)))],
    });
    expect(report.views).toBe(page_view);
    expect(await asTable(page, /^Views and unique users a day/)).toEqual(
      report.days.map((one) => [day(one.date), count(one.views), count(one.unique_users)]).reverse(),
    );
    expect(await rowsOf(part(page, 'Top paths'))).toEqual(
      report.top_paths.map(({ path, views }) => [path, count(views)]),
    );
    const all = sum(Object.values(report.events_by_type));
    expect(await rowsOf(part(page, 'Types of events'))).toEqual(
      Object.entries(report.events_by_type).map(([type, n]) => [
        type,
        count(n),
        `${Number(((100 * n) / all).toFixed(1))}%`,
      ]),
    );
    expect(troubles).toEqual([]);
  });
});

test.each<[what: string, query: Record<string, string>]>([
  ['by url, on its site', { url: 'https://shop.example/sale', site_id: 'shop' }],
  ['by url, on another site', { url: 'https://shop.example/', site_id: 'magazine' }],
  ['by name', { name: 'Magazine: this week' }],
])('a page %s, over one to seven days', async (_, query) => {
  const { page, troubles } = await stand.open('#/page');
  await page.getByLabel('By').selectOption(query.url ? 'url' : 'name');
  await page.getByLabel('Page', { exact: true }).fill(query.url ?? query.name!);
  await page.getByLabel('On a site (or all)').fill(query.site_id ?? '');
  await page.getByRole('button', { name: 'Show page' }).click();
  await heading(page, `Page ${query.url ?? query.name}`).waitFor();
  const spans = [1, 2, 3, 4, 5, 6, 7];
  const visitors = await Promise.all(spans.map((n) => api.visitors({ ...query, days: `${n}` })));
  for (const n of spans) {
    const link = page.getByRole('link', { name: n === 1 ? 'today' : `${n} days`, exact: true }).first();
    await link.click();
    await page
      .locator('[aria-label=Span] [aria-current=true]', { hasText: n === 1 ? 'today' : `${n} d` })
      .waitFor();
    await loaded(page);
    const note = n === 1 ? 'today' : `in the last ${n} days`;
    expect(await figuresOn(page)).toEqual({ 'Distinct visitors': [count(visitors[n - 1]!), note] });
    if (visitors.at(-1) === 0) continue;
    expect(await rowsOf(part(page, 'By span'))).toEqual(
      visitors.map((users, i) => [i === 0 ? 'today' : `last ${i + 1} days`, count(users)]),
    );
  }
  expect(visitors.at(-1)! > 0).toBe(query.site_id !== 'magazine');
  expect(troubles).toEqual([]);
});

test('a path that is no whole URL is found by either', async () => {
  await api.view({ site_id: 'paths', name: 'The sale', url: '/sale' });
  await api.view({ site_id: 'paths', name: 'No url at all' });
  const { page, troubles } = await stand.open('#/site/paths');
  for (const [path, isName] of [
    ['No url at all', true],
    ['/sale', false],
  ] as const) {
    await part(page, 'Top paths').getByRole('link', { name: path }).click();
    await heading(page, `Page ${path}`).waitFor();
    await loaded(page);
    expect(await figuresOn(page)).toMatchObject({
      'Distinct visitors': [isName ? '1' : '0', expect.anything()],
    });
    const other = page.getByRole('link', { name: 'Look for it by its URL' });
    expect(await other.count()).toBe(isName ? 0 : 1);
    if (isName) await page.goBack();
    else await other.click();
  }
  await page.getByText('By its URL').waitFor();
  await part(page, 'By span').waitFor();
  expect(await figuresOn(page)).toEqual({ 'Distinct visitors': ['1', 'in the last 7 days'] });
  expect(troubles).toEqual([]);
});

test.each([7, 90])('logins, over %i days and by month', async (days) => {
  await api.login('somebody', iso(NOW));
  const { page, troubles } = await stand.open(`#/logins?days=${days}`);
  await loaded(page);
  const users = async (unit: 'daily' | 'monthly', query: Record<string, string>) =>
    count(((await api.read(`/v1/user/uniques/${unit}`, query)) as { unique_users: number }).unique_users);
  const [today, month] = [daysAgo(0), daysAgo(0).slice(0, 7)];
  expect(await figuresOn(page)).toEqual({
    'Logged in today': [await users('daily', { date: today }), day(today)],
    'This month': [await users('monthly', { month }), 'November 2026'],
  });
  const dates = Array.from({ length: days }, (_, i) => daysAgo(i));
  const shown = await asTable(page, /^How many logged in each day/);
  expect(shown.map(([date, n]) => [date!.replace('Sept', 'Sep'), n])).toEqual(
    await Promise.all(dates.map(async (date) => [day(date), await users('daily', { date })])),
  );
  expect(await rowsOf(part(page, 'By month'))).toEqual([
    ['November 2026', await users('monthly', { month })],
  ]);
  expect(troubles).toEqual([]);
});

describe('a user', () => {
  test.each(['u1', 'ann'])('%s: five numbers, days, pages, and how the time came about', async (user) => {
    for (const [ms, name] of [
      [NOW - 2 * DAY, 'Home'],
      [NOW - 2 * DAY + 61 * SECOND, 'Prices'],
      [NOW - 2 * DAY + 3600 * SECOND, 'Prices'],
      [NOW - 130 * SECOND, 'Home'],
      [NOW - 114 * SECOND, 'Prices'],
      [NOW - 9 * SECOND, 'Home'],
    ] as const) {
      await api.view({ name, timestamp: iso(ms) });
    }
    const { page, troubles } = await stand.open(`#/user/${user}`);
    await loaded(page);
    const profile = await api.profile(user);
    const visits = (await api.read(`${userPath(user)}/visits`)) as UserVisits;
    const minutes = profile.time_spent_on_site_in_last_7_days;
    expect(profile.number_pages_viewed_in_the_last_7_days).toBeGreaterThan(0);
    expect(await figuresOn(page)).toEqual({
      'Pages viewed': [count(profile.number_pages_viewed_in_the_last_7_days), 'in the last 7 days'],
      'Time spent': [count(minutes), 'minutes'],
      'Days active': [String(profile.number_of_days_active_in_last_7_days), 'of 7'],
      'Different pages': [count(visits.pages_total)],
      'Most viewed page': [profile.most_viewed_page_in_last_7_days],
    });
    const newest = visits.days.toReversed();
    expect(await asTable(page, /^Views a day/)).toEqual(
      newest.map(({ date, views }) => [day(date), count(views)]),
    );
    const spent = await asTable(page, /^Time spent a day/);
    expect(spent.map(([date]) => date)).toEqual(newest.map(({ date }) => day(date)));
    for (const [i, [, time]] of spent.entries())
      expect(Math.abs(seconds(time!) - newest[i]!.seconds)).toBeLessThanOrEqual(0.5);

    const pages = part(page, 'Pages by views');
    const all = pages.getByRole('button', { name: /^all \d+$/ });
    if ((await all.count()) > 0) await all.click();
    expect(await rowsOf(pages)).toEqual(visits.pages.map(({ name, views }) => [name, count(views)]));

    const steps = visits.days.flatMap((one) => one.visits).filter(({ counted }) => counted);
    const sum = steps.reduce((total, { step_seconds }) => total + step_seconds!, 0);
    const shown = seconds(await page.getByTestId('sum').innerText());
    expect(Math.abs(shown - sum)).toBeLessThanOrEqual(0.5);
    expect(Math.round(shown / 60)).toBe(minutes);
    const days = part(page, 'How the time spent came about').getByRole('group');
    const seen = newest.filter(({ views }) => views > 0);
    expect(await days.count()).toBe(seen.length);
    for (const [i, one] of seen.entries()) {
      const details = days.nth(i);
      if ((await details.getAttribute('open')) === null) await details.locator('summary').click();
      expect(await details.locator('summary').innerText()).toContain(
        `${day(one.date)} ${count(one.views)} view`,
      );
      const rows = await rowsOf(details);
      expect(rows.map(([time]) => time)).toEqual(one.visits.map(({ at }) => at.slice(11, 19)));
      if (user === 'ann') expect(rows.map(([, name]) => name)).toEqual(one.visits.map(({ page }) => page));
      const counted = rows.map((row) => /^\+ (.*)$/.exec(row.at(-1)!)?.[1]);
      expect(counted.map((text) => text !== undefined)).toEqual(one.visits.map((visit) => visit.counted));
      for (const [n, text] of counted.entries())
        if (text) expect(Math.abs(seconds(text) - one.visits[n]!.step_seconds!)).toBeLessThanOrEqual(0.5);
    }
    if (user === 'ann') {
      const texts = await page.locator('.counted').allInnerTexts();
      expect(texts.map((text) => text.slice(2)).toSorted()).toEqual(['1 min 1 s', '1 min 45 s', '16 s']);
      expect(texts.reduce((total, text) => total + seconds(text), 0)).toBe(shown);
    }
    expect(troubles).toEqual([]);
  });
});
