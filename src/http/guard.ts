// What stands before a call: is there room, has this client sent too much, may its key do it. In this order, and all of it
// before a body is read.

import type { Request, RequestHandler } from 'express';
import type { Right } from '../answers.ts';
import type { Client } from './clients.ts';
import { type Keyring, may, needs, type Shown } from './keys.ts';
import type { Limits } from './limits.ts';
import { beginWork } from './measure.ts';
import type { Overload, Urgency } from './overload.ts';
import { Problem } from './problem.ts';
import { openToBrowsers } from './respond.ts';

export interface Caller {
  client: Client;
  shown: Shown;
}

const CALLER = Symbol('caller');
type Called = Request & { [CALLER]?: Caller };

export interface GuardOptions {
  keyring: Keyring;
  limits: Limits;
  overload: Overload;
  clientOf(req: Request): Client;
}

/** For each right what a route that needs it begins with; `any` is content with any good key. */
export type Guard = Record<Right | 'any', RequestHandler>;

export function createGuard({ keyring, limits, overload, clientOf }: GuardOptions): Guard {
  const guard =
    (right: Right | 'any', urgency?: Urgency): RequestHandler =>
    (req, res, next) => {
      if (right === 'write') openToBrowsers(res);
      const refusal = urgency && overload.refusal(urgency);
      if (refusal) {
        next(refusal);
        return;
      }
      const client = clientOf(req);
      const shown = keyring.shownBy(req);
      limits.spend(client, shown?.id, 1); // who tries keys pays as well
      needs(req, shown, right);
      (req as Called)[CALLER] = { client, shown };
      beginWork(res, overload);
      next();
    };
  return {
    write: guard('write', 'write'),
    read: guard('read', 'read'),
    admin: guard('admin', 'erase'),
    metrics: guard('metrics'),
    any: guard('any'),
  };
}

export function callerOf(req: Request): Caller {
  return (req as Called)[CALLER]!;
}

/** For what a caller asks beside what the route needs. */
export function mustBeAllowed(req: Request, right: Right): void {
  if (!may(callerOf(req).shown, right)) {
    throw new Problem('forbidden', `It needs a key that may ${right}, too.`);
  }
}
