// Every call, in the order in which their paths are told. A new one is one entry more: in a file of its kind, or of its own.

import type { Call } from './call.ts';
import { DASHBOARD, VISITS } from './dashboard.ts';
import { EVENTS, recordLogin } from './events.ts';
import { PEOPLE } from './people.ts';
import { READS } from './reads.ts';
import { SERVICE } from './service.ts';

const [readProfile, ...reads] = READS;

/** Of two paths that fit one request, the one that is for all comes first to a reader. */
export const CALLS: Call[] = [
  ...EVENTS,
  readProfile!,
  recordLogin,
  ...reads,
  VISITS,
  ...PEOPLE,
  ...SERVICE,
  ...DASHBOARD,
];
