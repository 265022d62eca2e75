// (c) Fastify as its guide has it: schemas of its own ajv for what comes in, and for what goes out, which is its fast way.

import fastify from 'fastify';
import { pageSchema, userSchema } from './schemas.mjs';
import { profile, record } from './store.mjs';

const app = fastify();

const status = { type: 'object', properties: { status: { type: 'string' } } };
app.post('/v1/page', { schema: { body: pageSchema, response: { 202: status } } }, async (request, reply) => {
  const outcome = await record(request.body);
  reply.code(outcome === undefined ? 400 : 202);
  return outcome === undefined ? { message: 'timestamp' } : { status: outcome };
});

const profileSchema = {
  type: 'object',
  properties: {
    user_id: { type: 'string' },
    number_pages_viewed_in_the_last_7_days: { type: 'integer' },
    time_spent_on_site_in_last_7_days: { type: 'integer' },
    number_of_days_active_in_last_7_days: { type: 'integer' },
    most_viewed_page_in_last_7_days: { type: ['string', 'null'] },
  },
};
app.get(
  '/v1/user/:user_id',
  { schema: { params: userSchema, response: { 200: profileSchema } } },
  (request) => profile(request.params.user_id),
);

await app.listen({ port: 0, host: '127.0.0.1' });
process.send({ port: app.server.address().port });
