import request from 'supertest';
import { useRedis } from './support/redis.ts';
import { service } from './support/service.ts';

const server = useRedis();

test('a recorded view is in the next read', async () => {
  const { app, clock } = service(server.redis);
  const view = { user_id: '019mr8mf4r', name: 'Home', timestamp: new Date(clock()).toISOString() };
  await request(app).post('/v1/page').send(view).expect(202, { status: 'recorded' });
  const { body } = await request(app).get('/v1/user/019mr8mf4r').expect(200);
  expect(body).toEqual({
    user_id: '019mr8mf4r',
    number_pages_viewed_in_the_last_7_days: 1,
    time_spent_on_site_in_last_7_days: 0,
    number_of_days_active_in_last_7_days: 1,
    most_viewed_page_in_last_7_days: 'Home',
  });
});
