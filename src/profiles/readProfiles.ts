import type { RequestHandler } from 'express';
import { jsonBody } from '../http/body.ts';
import { Problem } from '../http/problem.ts';
import { NOT_STORED, sendJson } from '../http/respond.ts';
import { compile, userId } from '../http/validate.ts';
import { Damaged } from '../redis/errors.ts';
import type { Profiles } from './profiles.ts';

const MOST_USERS = 500;
const LIMIT = 1024 * 1024;

// The list first, then what is in it: a megabyte of bad ids must not become an answer with a fault for each.
const list = {
  type: 'object',
  properties: { user_ids: { type: 'array', minItems: 1, maxItems: MOST_USERS } },
  required: ['user_ids'],
};
const checkList = compile<{ user_ids: unknown[] }>(list);
const checkIds = compile<{ user_ids: string[] }>({
  type: 'object',
  properties: { user_ids: { type: 'array', items: userId } },
});
/** Both at once, for those who describe it. */
export const userIdsSchema = {
  type: 'object',
  properties: { user_ids: { ...list.properties.user_ids, items: userId } },
  required: ['user_ids'],
};

export function readProfiles(profiles: Profiles): RequestHandler[] {
  return [
    jsonBody(LIMIT),
    async (req, res) => {
      const { user_ids } = checkIds(checkList(req.body));
      const answers = await Promise.allSettled(user_ids.map((id) => profiles.of(id)));
      const found = answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : answer.reason));
      const damaged = found.flatMap((answer, i) => (answer instanceof Damaged ? [i] : []));
      const failure = found.find((answer) => answer instanceof Error && !(answer instanceof Damaged));
      if (failure) throw failure;
      if (damaged.length > 0) {
        const detail = "what is stored of this user can't be read; an erasure repairs it";
        const faults = damaged.map((i) => ({ pointer: `/user_ids/${i}`, detail }));
        throw new Problem('damaged', 'Ask again without the users named in errors.', { faults });
      }
      sendJson(res, 200, { profiles: found }, NOT_STORED);
    },
  ];
}
