// What answers are made of.

import type { Schema } from './call.ts';

export const text = (description: string) => ({ type: 'string', description });
export const count = (description: string) => ({ type: 'integer', minimum: 0, description });
export const time = (description: string) => ({ type: 'string', format: 'date-time', description });
export const day = (description: string) => ({ type: 'string', format: 'date', description });
export const flag = (description: string) => ({ type: 'boolean', description });

/** All fields, each of them required `but` some, or some `only`. */
export function object(
  properties: Record<string, Schema>,
  { but, only, description }: { but?: string[]; only?: string[]; description?: string } = {},
): Schema {
  const required = only ?? Object.keys(properties).filter((name) => !but?.includes(name));
  return { type: 'object', ...(description && { description }), properties, required };
}

export const list = (items: Schema, more: Schema = {}): Schema => ({ type: 'array', items, ...more });

export const oneOf = (values: readonly string[], description: string) => ({
  type: 'string',
  enum: [...values],
  description,
});

export const orNull = (schema: { type: string; description: string }): Schema => ({
  ...schema,
  type: [schema.type, 'null'],
});
