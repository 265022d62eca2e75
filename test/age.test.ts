// A view that says how long ago it happened, in place of when: from those who do not trust their clock.

import { expectProblem, iso, profileWith, useApi } from './support/http.ts';
import { snapshot, useRedis } from './support/redis.ts';
import { NOON } from './support/service.ts';

const server = useRedis();
const api = useApi(server);

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;
const now = Date.parse(NOON);

const aged = (age_ms: unknown, fields: object = {}) =>
  JSON.stringify({ user_id: 'ann', name: 'Home', event_id: 'e1', age_ms, ...fields });

async function outcomeOf(body: string): Promise<unknown> {
  const reply = await api.post(body);
  expect(reply.status).toBe(202);
  return (reply.body as { status: string }).status;
}

test('happened so long before now', async () => {
  expect(await outcomeOf(aged(10 * MINUTE))).toBe('recorded');
  expect(await outcomeOf(aged(0, { event_id: 'e2' }))).toBe('recorded');
  expect(await api.profile('ann')).toEqual(profileWith('ann', [2, 10, 1, 'Home']));
});

test('is of the day on which it happened', async () => {
  expect(await outcomeOf(aged(DAY))).toBe('recorded');
  expect((await api.days('ann')).map(({ views }) => views)).toEqual([0, 0, 0, 0, 0, 1, 0]);
});

test.each([
  ['the live one first', [undefined, 3 * DAY]],
  ['the late one first', [3 * DAY, undefined]],
])('sent again it counts once: %s', async (_which, [first, second]) => {
  api.clock.set(now - 3 * DAY);
  const before = first ?? 0;
  if (before > 0) api.clock.advance(before);
  expect(await outcomeOf(aged(first))).toBe('recorded');
  if (second !== undefined) api.clock.advance(second);
  expect(await outcomeOf(aged(second ?? 3 * DAY))).toBe('duplicate');
  api.clock.set(now);
  expect((await api.days('ann')).map(({ views }) => views)).toEqual([0, 0, 0, 1, 0, 0, 0]);
});

test('is expired where it is older than the window', async () => {
  expect(await outcomeOf(aged(7 * DAY))).toBe('expired');
  expect(await outcomeOf(aged(365 * DAY))).toBe('expired');
});

test('stays away from who was erased since', async () => {
  await api.erase('ann');
  api.clock.advance(MINUTE);
  expect(await outcomeOf(aged(2 * MINUTE))).toBe('erased');
  expect(await outcomeOf(aged(MINUTE - 1, { event_id: 'e2' }))).toBe('recorded');
});

test('of a batch, with others', async () => {
  const views = [
    { user_id: 'ann', name: 'Home', event_id: 'e1', age_ms: 20 * MINUTE },
    { user_id: 'ann', name: 'Prices', timestamp: iso(now) },
    { user_id: 'ann', name: 'Home', event_id: 'e3', age_ms: -1 },
  ];
  const headers = { 'Content-Type': 'application/json' };
  const { body } = await api.send({
    method: 'POST',
    path: '/v1/pages',
    headers,
    body: JSON.stringify(views),
  });
  expect(body).toMatchObject({ recorded: 2, rejected: [{ index: 2, pointer: '/age_ms' }] });
  expect(await api.profile('ann')).toEqual(profileWith('ann', [2, 20, 1, 'Home']));
});

test.each<[what: string, body: string, pointer: string]>([
  ['below zero', aged(-1), '/age_ms'],
  ['above a year', aged(365 * DAY + 1), '/age_ms'],
  ['a fraction', aged(0.5), '/age_ms'],
  ['a text', aged('1000'), '/age_ms'],
  ['null', aged(null), '/age_ms'],
  ['without an event_id', aged(1000, { event_id: undefined }), '/event_id'],
  ['beside a timestamp', aged(1000, { timestamp: NOON }), '/timestamp'],
])('is refused %s', async (_what, body, pointer) => {
  const before = await snapshot(server.redis);
  expectProblem(await api.post(body), 400, 'invalid_body', [pointer]);
  expect(await snapshot(server.redis)).toEqual(before);
});
