import type { RequestHandler } from 'express';
import { NOT_STORED, sendJson } from '../http/respond.ts';
import { badQuery, compile } from '../http/validate.ts';
import { dateOf, monthEnd, monthOf, parseDate, parseMonth } from '../time.ts';
import type { Uniques } from './uniques.ts';

const field = (format: 'date' | 'month') => ({
  type: 'object',
  properties: { [format]: { type: 'string', format } },
  required: [format],
});
export const dateQuery = field('date');
export const monthQuery = field('month');
const checkDate = compile<{ date: string }>(dateQuery, 'invalid_query');
const checkMonth = compile<{ month: string }>(monthQuery, 'invalid_query');

export function dailyUniques(uniques: Uniques): RequestHandler {
  return async (req, res) => {
    const { date } = checkDate(req.query);
    const day = parseDate(date);
    const oldest = uniques.oldest();
    if (day < oldest) throw badQuery('date', `must not be before ${dateOf(oldest)}: it is not kept any more`);
    sendJson(res, 200, { date, unique_users: await uniques.daily(day) }, NOT_STORED);
  };
}

export function monthlyUniques(uniques: Uniques): RequestHandler {
  return async (req, res) => {
    const { month } = checkMonth(req.query);
    const first = parseMonth(month);
    const oldest = uniques.oldest();
    if (monthEnd(first) <= oldest) {
      throw badQuery('month', `must not be before ${monthOf(oldest)}: it is not kept any more`);
    }
    sendJson(res, 200, { month, unique_users: await uniques.monthly(first) }, NOT_STORED);
  };
}
