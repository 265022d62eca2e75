import fc from 'fast-check';
import { DAY, dateOf, datesBetween, dayOf, parseTimestamp } from '../src/time.ts';

test.each([
  ['2026-11-21T08:30:00Z', '2026-11-21T08:30:00.000Z'],
  ['2026-11-21T08:30:00.1Z', '2026-11-21T08:30:00.100Z'],
  ['2026-11-21T08:30:00.12Z', '2026-11-21T08:30:00.120Z'],
  ['2026-11-21T08:30:00.123Z', '2026-11-21T08:30:00.123Z'],
  ['2026-11-21T08:30:00.123456Z', '2026-11-21T08:30:00.123Z'],
  ['2026-11-21T08:30:00.999999999Z', '2026-11-21T08:30:00.999Z'],
  ['2026-11-21T08:30:00.00000000000000000001Z', '2026-11-21T08:30:00.000Z'],
  ['2026-11-21t08:30:00z', '2026-11-21T08:30:00.000Z'],
  ['2026-11-21T08:30:00+00:00', '2026-11-21T08:30:00.000Z'],
  ['2026-11-21T08:30:00-00:00', '2026-11-21T08:30:00.000Z'],
  ['2026-11-21T08:30:00+02:00', '2026-11-21T06:30:00.000Z'],
  ['2026-11-21T08:30:00-02:00', '2026-11-21T10:30:00.000Z'],
  ['2026-11-21T01:00:00+05:45', '2026-11-20T19:15:00.000Z'],
  ['2026-11-21T23:00:00-03:30', '2026-11-22T02:30:00.000Z'],
  ['2026-01-01T00:00:00+14:00', '2025-12-31T10:00:00.000Z'],
  ['2026-11-21T00:00:00+23:59', '2026-11-20T00:01:00.000Z'],
  ['2026-11-21T00:00:00-23:59', '2026-11-21T23:59:00.000Z'],
  ['2026-11-21T00:00:00Z', '2026-11-21T00:00:00.000Z'],
  ['2026-11-21T23:59:59.999Z', '2026-11-21T23:59:59.999Z'],
  ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00.000Z'],
  ['2016-12-31T23:59:60.5Z', '2017-01-01T00:00:00.500Z'],
  ['2017-01-01T01:59:60+02:00', '2017-01-01T00:00:00.000Z'],
  ['2024-02-29T12:00:00Z', '2024-02-29T12:00:00.000Z'],
  ['2000-02-29T12:00:00Z', '2000-02-29T12:00:00.000Z'],
  ['1969-12-31T23:59:59.999Z', '1969-12-31T23:59:59.999Z'],
  ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
  ['0099-12-31T00:00:00Z', '0099-12-31T00:00:00.000Z'],
  ['0000-02-29T00:00:00Z', '0000-02-29T00:00:00.000Z'],
  ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
])('%s is read as %s', (text, expected) => {
  expect(new Date(parseTimestamp(text)).toISOString()).toBe(expected);
});

test.each([
  ['no zone', '2026-11-21T08:30:00'],
  ['no zone after a fraction', '2026-11-21T08:30:00.000'],
  ['a date alone', '2026-11-21'],
  ['no seconds', '2026-11-21T08:30Z'],
  ['a space for the T', '2026-11-21 08:30:00Z'],
  ['a space before', ' 2026-11-21T08:30:00Z'],
  ['a space after', '2026-11-21T08:30:00Z '],
  ['a line feed after', '2026-11-21T08:30:00Z\n'],
  ['the basic format', '20261121T083000Z'],
  ['no digit after the point', '2026-11-21T08:30:00.Z'],
  ['a comma', '2026-11-21T08:30:00,5Z'],
  ['an offset without a colon', '2026-11-21T08:30:00+0200'],
  ['an offset without minutes', '2026-11-21T08:30:00+02'],
  ['an offset of 24 hours', '2026-11-21T08:30:00+24:00'],
  ['an offset of 60 minutes', '2026-11-21T08:30:00+02:60'],
  ['a zone by name', '2026-11-21T08:30:00 CET'],
  ['a zone in brackets', '2026-11-21T08:30:00+01:00[Europe/Paris]'],
  ['two zones', '2026-11-21T08:30:00Z+01:00'],
  ['a minus sign of Unicode', '2026-11-21T08:30:00−02:00'],
  ['30 February', '2026-02-30T08:30:00Z'],
  ['29 February of a common year', '2026-02-29T08:30:00Z'],
  ['29 February 1900', '1900-02-29T08:30:00Z'],
  ['31 April', '2026-04-31T08:30:00Z'],
  ['32 January', '2026-01-32T08:30:00Z'],
  ['day 0', '2026-11-00T08:30:00Z'],
  ['month 0', '2026-00-21T08:30:00Z'],
  ['month 13', '2026-13-21T08:30:00Z'],
  ['hour 24', '2026-11-21T24:00:00Z'],
  ['minute 60', '2026-11-21T08:60:00Z'],
  ['second 61', '2026-11-21T08:30:61Z'],
  ['a year of two digits', '26-11-21T08:30:00Z'],
  ['a year of five digits', '12026-11-21T08:30:00Z'],
  ['a signed year', '+002026-11-21T08:30:00Z'],
  ['a negative year', '-0001-11-21T08:30:00Z'],
  ['digits of another script', '٢٠٢٦-11-21T08:30:00Z'],
  ['seconds since 1970', '1795250000'],
  ['a header date', 'Sat, 21 Nov 2026 08:30:00 GMT'],
  ['a week date', '2026-W47-6T08:30:00Z'],
  ['words', 'now'],
  ['nothing', ''],
])('%s is no time: %j', (_what, text) => {
  expect(parseTimestamp(text)).toBeNaN();
});

test('a time is read the same after another one and after none', () => {
  const text = '2026-11-21T08:30:00Z';
  const first = parseTimestamp(text);
  expect(parseTimestamp('never')).toBeNaN();
  expect(parseTimestamp('never')).toBeNaN();
  expect(parseTimestamp(text)).toBe(first);
});

test('any time of four-digit years is read as Date writes it', () => {
  const times = fc.date({
    min: new Date('0000-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59.999Z'),
    noInvalidDate: true,
  });
  fc.assert(fc.property(times, (time) => parseTimestamp(time.toISOString()) === time.getTime()));
});

test.each([
  ['1970-01-01T00:00:00.000Z', 0, '1970-01-01'],
  ['1969-12-31T23:59:59.999Z', -1, '1969-12-31'],
  ['2026-11-20T23:59:59.999Z', 20777, '2026-11-20'],
  ['2026-11-21T00:00:00.000Z', 20778, '2026-11-21'],
])('%s falls on day %d, %s', (text, day, date) => {
  expect(dayOf(parseTimestamp(text))).toBe(day);
  expect(dateOf(day)).toBe(date);
});

test('a year of dates, asked for twice, is the same both times', () => {
  const days = Array.from({ length: 366 }, (_, i) => 20_000 + i);
  const expected = days.map((day) => new Date(day * DAY).toISOString().slice(0, 10));
  expect(days.map(dateOf)).toEqual(expected);
  expect(days.map(dateOf)).toEqual(expected);
});

test('the dates between two days include both, over the end of a year', () => {
  const last = dayOf(parseTimestamp('2026-12-31T00:00:00Z'));
  expect(datesBetween(last - 1, last + 1)).toBe('2026-12-30 2026-12-31 2027-01-01');
});
