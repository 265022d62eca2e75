// What is described of a service with an archive.

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createFastServer } from '../src/http/fastServer.ts';
import { useArchives } from './support/archive.ts';
import { DESCRIBED, examplesOf, nameOf, strayIn } from './support/description.ts';
import { JSON_TYPE, sendRequest, stopServer } from './support/http.ts';
import { usePostgres } from './support/postgres.ts';
import { useRedis } from './support/redis.ts';

const server = useRedis();
const postgres = usePostgres();
const open = useArchives();

const call = (name: string) => DESCRIBED.find((one) => nameOf(one) === name)!;

test('an erasure, before and after the archive has forgotten, and the rest that it changes', async () => {
  const { app, work, carried } = open(server.redis, await postgres.freshDatabase());
  const listening = createFastServer(app).listen(0, '127.0.0.1');
  await once(listening, 'listening');
  try {
    const { port } = listening.address() as AddressInfo;
    const ask = async (name: string, path: string, body?: object) => {
      const [method] = name.split(' ');
      const sent = body && { headers: JSON_TYPE, body: JSON.stringify(body) };
      const reply = await sendRequest(port, { method: method!, path, ...sent });
      expect([name, reply.status, strayIn(call(name), reply)]).toEqual([name, body ? 202 : 200, []]);
      return reply;
    };
    const view = { user_id: 'ann', name: 'Home', site_id: 'shop', timestamp: '2026-11-21T11:00:00Z' };
    await ask('POST /v1/page', '/v1/page', { ...view, timestamp: '2026-09-01T11:00:00Z' });
    const { worker } = work();
    await carried();
    await worker.stop();
    await ask('POST /v1/page', '/v1/page', view);
    const { text } = await ask('GET /v1/user/{user_id}/export', '/v1/user/ann/export');
    for (const from of ['redis', 'outbox', 'archive']) expect(text).toContain(`"from":"${from}"`);
    await ask('GET /v1/site/{site_id}/report', '/v1/site/shop/report?from=2026-09-01');

    const { body: receipt } = await ask('DELETE /v1/user/{user_id}', '/v1/user/ann');
    expect(receipt).toMatchObject({ archive: 'pending', erasure_id: expect.any(String) });
    const { erasure_id } = receipt as { erasure_id: string };
    const state = () => ask('GET /v1/erasures/{id}', `/v1/erasures/${erasure_id}`);
    expect((await state()).body).toEqual({
      erasure_id,
      archive: 'pending',
      done_at: null,
      rows_deleted: null,
    });
    work();
    await carried();
    const [example] = examplesOf(call('GET /v1/erasures/{id}')).filter(({ needs }) => needs);
    const answer = example!.answer as Record<string, unknown>;
    const { body } = (await state()) as { body: Record<string, unknown> };
    for (const pointer of example!.varies) {
      const field = pointer.slice(1);
      expect(body[field]).not.toBe(answer[field]);
      body[field] = answer[field];
    }
    expect(body).toEqual({ ...answer, rows_deleted: 2 });
  } finally {
    await stopServer(listening);
  }
});
