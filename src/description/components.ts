// All that has a name in the description.

import { ANSWERS } from './answers.ts';
import { BODIES } from './bodies.ts';
import type { Schema } from './call.ts';
import { EXPORT } from './export.ts';
import { STATES } from './states.ts';

export const SCHEMAS = { ...BODIES, ...ANSWERS, ...EXPORT, ...STATES };

export const ref = (name: keyof typeof SCHEMAS): Schema => ({ $ref: `#/components/schemas/${name}` });
