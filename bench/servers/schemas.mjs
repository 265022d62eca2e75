// What (b), (c) and the one with the queue let in.

export const pageSchema = {
  type: 'object',
  properties: {
    user_id: { type: 'string', minLength: 1, maxLength: 128 },
    name: { type: 'string', minLength: 1, maxLength: 512 },
    timestamp: { type: 'string', minLength: 20, maxLength: 40 },
  },
  required: ['user_id', 'name', 'timestamp'],
};

export const userSchema = {
  type: 'object',
  properties: { user_id: { type: 'string', minLength: 1, maxLength: 128 } },
  required: ['user_id'],
};
