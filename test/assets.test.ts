// What a browser gets from the service besides JSON.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib';
import { type Reply, useApi } from './support/http.ts';
import { useRedis } from './support/redis.ts';

const server = useRedis();
const keys = { writeKeys: ['a-write-key-of-a-page'] };
const api = useApi(server, keys);

const script = readFileSync(join(__dirname, '../dist/browser/tracker.js'));

describe('/tracker.js', () => {
  const ask = (headers: Record<string, string> = {}, method = 'GET') =>
    api.send({ method, path: '/tracker.js', headers });

  test('is under 1 kB, compressed as little as a browser may ask for', () => {
    expect(gzipSync(script, { level: 9 }).length).toBeLessThan(1024);
  });

  test('is for pages of any site, without a key', async () => {
    const { status, headers, text } = await ask({ Origin: 'https://shop.example' });
    expect(status).toBe(200);
    expect(text).toBe(script.toString());
    expect(headers).toMatchObject({
      'content-type': 'text/javascript; charset=utf-8',
      'cross-origin-resource-policy': 'cross-origin',
      'access-control-allow-origin': '*',
      'x-content-type-options': 'nosniff',
      'cache-control': 'public, max-age=3600, stale-while-revalidate=86400',
    });
    expect(headers).not.toHaveProperty('set-cookie');
  });

  test('has a tag by which it need not be sent again', async () => {
    const { etag } = (await ask()).headers;
    for (const known of [etag!, `W/${etag}`, `"other", ${etag}`, '*']) {
      const reply = await ask({ 'If-None-Match': known });
      expect(reply).toMatchObject({ status: 304, text: '', headers: { etag } });
      expect(reply.headers['cross-origin-resource-policy']).toBe('cross-origin');
    }
    expect((await ask({ 'If-None-Match': '"other"' })).status).toBe(200);
  });

  test('its head is as its answer', async () => {
    const [head, whole] = [await ask({}, 'HEAD'), await ask()];
    const lasting = ({ headers }: Reply) => ({ ...headers, date: '', 'x-request-id': '' });
    expect(head.text).toBe('');
    expect(lasting(head)).toEqual(lasting(whole));
  });

  test('takes no POST', async () => {
    expect(await ask({}, 'POST')).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD, OPTIONS' } });
  });

  test.each([
    ['br', 'gzip, deflate, br, zstd', brotliDecompressSync],
    ['gzip', 'gzip, deflate', gunzipSync],
  ])('is sent as %s to who takes that', async (encoding, accepted, inflate) => {
    const reply = await bytesOf(api.port, { 'Accept-Encoding': accepted });
    expect(reply.headers).toMatchObject({ 'content-encoding': encoding, vary: 'Accept-Encoding' });
    expect(reply.bytes.length).toBeLessThan(1024);
    expect(inflate(reply.bytes)).toEqual(script);
  });

  test.each([[{}], [{ 'Accept-Encoding': 'identity' }], [{ 'Accept-Encoding': 'br;q=0, zstd' }]])(
    'is sent plainly to who asks %j',
    async (headers) => {
      const reply = await ask(headers);
      expect(reply.headers).not.toHaveProperty('content-encoding');
      expect(reply.headers.vary).toBe('Accept-Encoding');
      expect(reply.text).toBe(script.toString());
    },
  );
});

async function bytesOf(port: number, headers: Record<string, string>) {
  const [answer] = await once(get({ port, path: '/tracker.js', headers, agent: false }), 'response');
  const chunks: Buffer[] = [];
  for await (const chunk of answer) chunks.push(chunk);
  return { headers: answer.headers, bytes: Buffer.concat(chunks) };
}
