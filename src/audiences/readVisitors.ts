import type { RequestHandler } from 'express';
import { NOT_STORED, sendJson } from '../http/respond.ts';
import { badQuery, compile, siteId, text } from '../http/validate.ts';
import { thing } from '../redis/keys.ts';
import { WINDOW_DAYS } from '../time.ts';
import type { Visitors } from './visitors.ts';

interface Query {
  url?: string;
  name?: string;
  site_id?: string;
  days?: string;
}

export const visitorsQuery = {
  type: 'object',
  properties: { url: text(2048), name: text(2048), site_id: siteId, days: { enum: [...'1234567'] } },
};
const check = compile<Query>(visitorsQuery, 'invalid_query');

export function readVisitors(visitors: Visitors): RequestHandler {
  return async (req, res) => {
    const { url, name, site_id, days = String(WINDOW_DAYS) } = check(req.query);
    if (url !== undefined && name !== undefined)
      throw badQuery('name', 'must be left out where there is a url');
    const page = url !== undefined ? { url } : name !== undefined ? { name } : undefined;
    if (page === undefined) throw badQuery('url', 'is required, or a name');
    const distinct = await visitors.of(thing(page, site_id), Number(days));
    const site = site_id !== undefined && { site_id };
    sendJson(
      res,
      200,
      { ...page, ...site, days: Number(days), distinct_visitors: distinct, exact: true },
      NOT_STORED,
    );
  };
}
