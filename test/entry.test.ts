// What stands in the outbox is what is read back from it, and a row is the event that it was made of.

import fc from 'fast-check';
import { entryOf, eventOfRow, type Kept, readEntry, rowOf } from '../src/archive/entry.ts';
import { type Event, identityOf } from '../src/events/event.ts';
import { at, click, login, NOW, view } from './support/lua.ts';

const ids = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
  .filter((id) => !/[\u0000-\u001f\u007f-\u009f]/.test(id) && id.isWellFormed())
  .filter((id) => !['null', 'undefined', 'NaN', '.', '..'].includes(id));
const times = fc.integer({ min: -62_167_219_200_000, max: NOW });
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

const views = fc
  .record({ userId: ids, at: times, name: ids, url: maybe(ids), siteId: maybe(ids), eventId: maybe(ids) })
  .map((fields): Event => ({ kind: 'view', ...fields, path: fields.url ?? fields.name }));
const clicks = fc
  .record({
    userId: ids,
    at: times,
    siteId: ids,
    type: fc.constantFrom('click', 'login', 'a.b:c-d_e'),
    path: ids,
    eventId: maybe(ids),
  })
  .map((fields): Event => ({ kind: 'event', ...fields }));
const logins = fc.record({ userId: ids, at: times }).map((fields): Event => ({ kind: 'login', ...fields }));
const events = fc.oneof(views, clicks, logins);

const readBack = (event: Event, field = 'event') => readEntry(field, entryOf(event)) as Kept;

test('an event is read back as it was written', () => {
  fc.assert(
    fc.property(events, (event) => {
      expect(readBack(event)).toEqual({ is: 'event', event, late: false });
      expect(readBack(event, 'late').late).toBe(true);
    }),
  );
});

test('an event is the one that its row was made of', () => {
  fc.assert(
    fc.property(events, (event) => {
      const back = eventOfRow(rowOf({ is: 'event', event, late: false }));
      expect(back).toEqual(event);
      if (event.kind !== 'login' && back.kind !== 'login') expect(identityOf(back)).toBe(identityOf(event));
    }),
  );
});

test('who sent it is not written', () => {
  const client = { address: '203.0.113.9' } as never;
  expect(entryOf(view('ann', NOW, { client }))).not.toContain('203.0.113');
});

test('a view and a click of one event_id are two', () => {
  const identities = [view('ann', NOW, { eventId: 'x' }), click('ann', NOW, { eventId: 'x' })].map(
    (event) => rowOf({ is: 'event', event, late: false }).identity,
  );
  expect(identities).toEqual(['e:x', 'event:e:x']);
});

test('an event of the type login is no login', () => {
  const event = click('ann', NOW, { type: 'login', eventId: undefined });
  expect(eventOfRow(rowOf({ is: 'event', event, late: false }))).toEqual(event);
  const real = login('ann', at('10:00'));
  expect(eventOfRow(rowOf({ is: 'event', event: real, late: false }))).toEqual(real);
});

test.each([
  ['event', 'not JSON'],
  ['event', 'null'],
  ['event', '[]'],
  ['event', '{"kind":"view"}'],
  ['event', '{"kind":"login","user_id":"ann"}'],
  ['event', '{"kind":"login","user_id":"ann","at":"now"}'],
  ['event', '{"kind":"login","user_id":"ann","at":1.5}'],
  ['event', '{"kind":"login","user_id":"ann","at":1e300}'],
  ['event', '{"kind":"login","user_id":"a\\u0000b","at":1}'],
  ['event', '{"kind":"login","user_id":"\\ud800","at":1}'],
  ['event', `{"kind":"login","user_id":"${'x'.repeat(129)}","at":1}`],
  ['event', '{"kind":"event","user_id":"ann","at":1,"site_id":"s","type":"a b","path":"/"}'],
  ['event', '{"kind":"purchase","user_id":"ann","at":1}'],
  ['erasure', '{"user_id":"ann"}'],
  ['other', '{"kind":"login","user_id":"ann","at":1}'],
])('%s %s is nothing that we write', (field, value) => {
  expect(() => readEntry(field, value)).toThrow();
});
