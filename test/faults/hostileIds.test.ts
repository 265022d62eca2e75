// Row 22: names that mean something to a program, a pattern, a key or a terminal.

import { ask } from '../support/ask.ts';
import { MARK } from '../support/marks.ts';
import { useProcesses } from '../support/process.ts';
import { count, reportRow } from '../support/rows.ts';
import { startStand } from '../support/stand.ts';

const processes = useProcesses();

const FINE = [
  ...['__proto__', 'constructor', 'prototype', 'hasOwnProperty', 'toString', 'length'],
  ...['*', '?', '[a-z]', '[^x]', '\\', '\\*', 'a*', 'ff:*'],
  ...['a:b', 'a%3Ab', 'a%3ab', '%', '%%', '%2A', ':', '::'],
  ...['{0}', '}{', '{}', '{', '}', '{{0}}'],
  ...['"', "'", '`', '<b>', '&amp;', ' ', 'a b', ' a', 'a '],
  ...['login', 'uniques', 'profiles', 'stats', '2026-11-21', '0', '-1', '1e3', 'true', 'null '],
  ...['a/b', '../x', '/', '//', '...', '?key=1', '#'],
  ...['😀', '👩‍👩‍👧', '🏴‍☠️', 'שלום', 'مرحبا', '\u202Eabc', '\u200b', '\ufeff', '\uffff'],
  ...['e\u0301', '\u00e9', 'Å', 'Å', 'ﬀ', 'ff', 'K', 'K', 'İ', 'i̇', 'ß', 'SS'],
  ...['x'.repeat(128), '😀'.repeat(128)],
];
const REFUSED = [
  ...['\ud800', '\udc00', 'a\ud800', '\udc00\ud800', 'a\0b', '\0', '\n', 'a\tb', '\x1b[31m', '\x7f', '\x85'],
  ...['', 'x'.repeat(129), '😀'.repeat(129), 'null', 'undefined', 'NaN', '[object Object]', '.', '..'],
];

const json = (value: unknown) => JSON.stringify(value);

test('hostile ids come back as they went in, or are refused, and never meet', async () => {
  const { port, store, lookBack } = await startStand(processes, { settings: { LIMIT_ADDRESS: '0' } });
  const post = (path: string, body: unknown) => ask(port, path, { body: json(body) });
  const get = async (path: string) => {
    const { status, text } = await ask(port, path);
    return status === 200 ? JSON.parse(text) : { status };
  };
  const userPath = (id: string) => `/v1/user/${encodeURIComponent(id)}`;
  const now = () => new Date().toISOString();
  const wrong: string[] = [];
  let asked = 0;
  const want = (what: string, id: string, got: unknown, wanted: unknown) => {
    asked++;
    if (json(got) !== json(wanted))
      wrong.push(`${what} ${json(id)}: ${json(got)} instead of ${json(wanted)}`);
  };
  const refused = new Set(REFUSED);
  const all = [...new Set([...FINE, ...REFUSED])];

  // As users, and as names of pages.
  for (const id of all) {
    const { status } = await post('/v1/page', {
      user_id: id,
      name: `${MARK.page} ${json(id)}`.slice(0, 500),
    });
    want('user', id, status, refused.has(id) ? 400 : 202);
  }
  const userKeys = (await store.redis.keys('ff:{0}:user:*:stats')).length;
  want('keys of', 'all', userKeys, all.length - refused.size);
  for (const id of FINE) {
    const {
      user_id,
      number_pages_viewed_in_the_last_7_days: views,
      most_viewed_page_in_last_7_days: page,
    } = await get(userPath(id));
    want('profile of', id, [user_id, views, page], [id, 1, `${MARK.page} ${json(id)}`.slice(0, 500)]);
    want('days of', id, (await get(`${userPath(id)}/days`)).at?.(-1)?.views, 1);
  }
  const ids = [...new Set(FINE)];
  const together = await ask(port, '/v1/users/profiles', { body: json({ user_ids: ids }) });
  want(
    'profiles of',
    'all',
    JSON.parse(together.text).profiles.map((one: { user_id: string }) => one.user_id),
    ids,
  );

  // As names and urls, of one user each.
  const names = all.filter((id) => id.isWellFormed() && !/[\0-\x1f\x7f-\x9f]/.test(id) && id !== '');
  for (const [i, name] of names.entries()) {
    const { status } = await post('/v1/page', { user_id: `${MARK.user}-n${i}`, name, url: `u${name}` });
    want('page', name, status, 202);
    const profile = await get(`/v1/user/${MARK.user}-n${i}`);
    want('most viewed', name, profile.most_viewed_page_in_last_7_days, name);
  }
  for (const name of names) {
    const { name: back, distinct_visitors } = await get(`/v1/page/visitors?name=${encodeURIComponent(name)}`);
    want('visitors of the name', name, [back, distinct_visitors], [name, 1]);
    const of = await get(`/v1/page/visitors?url=u${encodeURIComponent(name)}`);
    want('visitors of the url', name, [of.url, of.distinct_visitors], [`u${name}`, 1]);
  }

  // As sites, paths and types of events.
  const long = (id: string) => [...id].length > 64;
  for (const id of all) {
    const body = { site_id: id, event_type: 'page_view', path: `/p${id}`, user_id: `${MARK.user}-s` };
    const { status } = await post('/v1/event', { ...body, timestamp: now() });
    const isRefused = refused.has(id) || long(id);
    want('site', id, status, isRefused ? 400 : 202);
    if (isRefused) continue;
    const report = await get(`/v1/site/${encodeURIComponent(id)}/report`);
    want(
      'report of',
      id,
      [report.site_id, report.views, report.unique_users, report.top_paths],
      [id, 1, 1, [{ path: `/p${id}`, views: 1 }]],
    );
  }
  const types = [
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'a:b',
    '-',
    '.',
    'type:x',
    'users',
  ];
  for (const event_type of types) {
    const { status } = await post('/v1/event', {
      ...{ site_id: MARK.site, event_type, path: '/', user_id: `${MARK.user}-t` },
      timestamp: now(),
    });
    want('type', event_type, status, 202);
  }
  const { events_by_type } = await get(`/v1/site/${MARK.site}/report`);
  want('types', 'all', Object.entries(events_by_type).sort(), types.map((type) => [type, 1]).sort());
  for (const id of all) {
    const { status } = await post('/v1/page', { user_id: `${MARK.user}-e`, name: 'x', event_id: id });
    want(
      'event_id',
      id,
      status,
      refused.has(id) && [...id].length <= 100 ? 400 : [...id].length > 100 ? 400 : 202,
    );
  }

  // Who is erased is erased alone.
  const patterns = ['*', '?', '[a-z]', '\\*', 'a*', 'ff:*', '{0}', '%2A', '__proto__'];
  let others = 0;
  for (const id of patterns) {
    const before = new Set(await store.redis.keys('*'));
    const { text } = await ask(port, userPath(id), { method: 'DELETE' });
    const receipt = JSON.parse(text);
    want('receipt of', id, receipt.user_id, id);
    const after = new Set(await store.redis.keys('*'));
    const gone = [...before].filter((key) => !after.has(key));
    others += gone.length - receipt.keys_deleted;
    want(
      'views after the erasure of',
      id,
      (await get(userPath(id))).number_pages_viewed_in_the_last_7_days,
      0,
    );
  }
  for (const id of FINE.filter((one) => !patterns.includes(one))) {
    want('views of', id, (await get(userPath(id))).number_pages_viewed_in_the_last_7_days, 1);
  }

  process.stdout.write(
    wrong
      .slice(0, 20)
      .map((line) => `  ${line}\n`)
      .join(''),
  );
  reportRow(
    '22',
    '',
    { 'as sent, or 400': wrong.length === 0, 'an erasure is of one user': others === 0 },
    `${count(all.length)} ids, ${refused.size} of them refused; ${count(asked)} questions, ${wrong.length} wrong answers; ${patterns.length} erasures, ${others} keys of others gone`,
  );
  // Of what is not marked, that which no log line has for reasons of its own.
  await lookBack('22', ['__proto__', '😀', 'שלום', '[a-z]', '\u202E']);
});
