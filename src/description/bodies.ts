// What is sent, by the schemas that validate it.

import { eventSchema, loginSchema, pageSchema, type typeSchema } from '../events/bodies.ts';
import { userIdsSchema } from '../profiles/readProfiles.ts';
import type { Schema } from './call.ts';

// It is checked apart from the rest, and only where the service has a secret.
const user_sig = { type: 'string', pattern: '^[0-9A-Fa-f]{64}$' };

const signed = (description: string, schema: { properties: Schema }): Schema => ({
  description,
  ...schema,
  properties: { ...schema.properties, user_sig },
});

type Type = (typeof typeSchema.properties.type.enum)[number];
const ofType = (type: Type, name: string, more: Schema = {}): Schema => ({
  allOf: [
    { $ref: `#/components/schemas/${name}` },
    { type: 'object', properties: { type: { type: 'string', const: type } }, ...more },
  ],
});

export const BODIES = {
  PageView: signed('A page view. It needs a `name` or a `url`.', pageSchema),
  SiteEvent: signed('An event of a site.', eventSchema),
  Login: signed('A login.', loginSchema),
  BatchEvent: {
    description: 'An event of a batch: it may say its `type`.',
    anyOf: [
      ofType('page', 'PageView'),
      ofType('event', 'SiteEvent', { required: ['type'] }),
      ofType('login', 'Login', { required: ['type'] }),
    ],
  },
  UserIds: { description: 'Users.', ...userIdsSchema },
} satisfies Record<string, Schema>;
