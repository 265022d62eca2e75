import type { RequestHandler } from 'express';
import { NOT_STORED, sendJson } from '../http/respond.ts';
import { badQuery, compile, siteId } from '../http/validate.ts';
import { dateOf, parseDate, WINDOW_DAYS } from '../time.ts';
import type { Sites } from './sites.ts';

export const sitePath = { type: 'object', properties: { site_id: siteId }, required: ['site_id'] };
const checkPath = compile<{ site_id: string }>(sitePath, 'invalid_path');

const date = { type: 'string', format: 'date' };
export const reportQuery = { type: 'object', properties: { from: date, to: date } };
const checkQuery = compile<{ from?: string; to?: string }>(reportQuery, 'invalid_query');

export function readReport(sites: Sites): RequestHandler {
  return async (req, res) => {
    const { site_id } = checkPath(req.params);
    const query = checkQuery(req.query);
    const to = query.to === undefined ? sites.today() : parseDate(query.to);
    const from = query.from === undefined ? to - WINDOW_DAYS + 1 : parseDate(query.from);
    if (from > to) throw badQuery('from', 'must not be after to');
    const { mostDays } = sites;
    if (to - from >= mostDays) throw badQuery('from', `must be at most ${mostDays} days, to included`);
    if (from < sites.oldest()) {
      const oldest = await sites.oldestOf(site_id);
      if (from < oldest) {
        throw badQuery('from', `must not be before ${dateOf(oldest)}: it is not kept any more`);
      }
    }
    sendJson(res, 200, await sites.report(site_id, from, to), NOT_STORED);
  };
}
