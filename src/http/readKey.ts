import type { RequestHandler } from 'express';
import { callerOf } from './guard.ts';
import { may, RIGHTS } from './keys.ts';
import { NOT_STORED, sendJson } from './respond.ts';

/** What a page has to know of the service before it asks for anything. None of it is a secret. */
export interface About {
  timeSpentUnit: 'minutes' | 'seconds';
  sessionGapSeconds: number;
  archive: boolean;
  /** How many days a report may have. */
  reportDays: number;
}

/** What the keys may do that were shown. */
export function readKey({ archive, timeSpentUnit, sessionGapSeconds, reportDays }: About): RequestHandler {
  const about = {
    archive,
    time_spent_unit: timeSpentUnit,
    session_gap_seconds: sessionGapSeconds,
    report_days: reportDays,
  };
  return (req, res) => {
    const { shown } = callerOf(req);
    const keys = { keys: shown.id !== undefined, may: RIGHTS.filter((right) => may(shown, right)) };
    sendJson(res, 200, { ...keys, ...about }, NOT_STORED);
  };
}
