// Whose request it is: the connection's, or what trusted proxies say. Nobody gets a second limit by what they write.

import { once } from 'node:events';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createApp } from '../src/app.ts';
import { type Config, type ConfigError, readConfig } from '../src/config.ts';
import { createFastServer } from '../src/http/fastServer.ts';
import { stopServer } from './support/http.ts';
import { useProcesses } from './support/process.ts';
import { useRedis } from './support/redis.ts';
import { service } from './support/service.ts';

const redis = useRedis();

/** From where a request comes, on this machine, and what it says of where it came from before. */
interface Sender {
  socket?: string;
  forwarded?: string;
}

const DIRECT = '127.0.0.1';

function statusOf(
  port: number,
  { socket = DIRECT, forwarded }: Sender,
  path = '/v1/user/ann',
): Promise<number> {
  const headers = forwarded === undefined ? {} : { 'X-Forwarded-For': forwarded };
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, headers, localAddress: socket, agent: false }, (res) => {
      res.resume().on('end', () => resolve(res.statusCode!));
    })
      .on('error', reject)
      .end();
  });
}

/** How many of so many requests at once are refused. */
async function refusedOf(port: number, count: number, sender: Sender): Promise<number> {
  const statuses = await Promise.all(Array.from({ length: count }, () => statusOf(port, sender)));
  expect(statuses.every((status) => status === 200 || status === 429)).toBe(true);
  return statuses.filter((status) => status === 429).length;
}

const FULL = 10; // what a bucket of 1 a second holds

/** Whether one sender is limited by what another has sent. */
async function areOneClient(
  config: Partial<Config>,
  a: Sender,
  b: Sender,
  host = '127.0.0.1',
): Promise<boolean> {
  const { app } = service(redis.redis, { unlimitedClients: [], limitAddress: 1, ...config });
  const server = createFastServer(app).listen(0, host);
  await once(server, 'listening');
  try {
    const { port } = server.address() as AddressInfo;
    expect(await refusedOf(port, 3 * FULL, a)).toBeGreaterThan(0);
    return (await refusedOf(port, FULL, b)) > 0;
  } finally {
    await stopServer(server);
  }
}

const proxied = (forwarded: string, socket = DIRECT): Sender => ({ socket, forwarded });

describe('TRUST_PROXY=0', () => {
  test('connections from one address are one client, from two addresses two', async () => {
    expect(await areOneClient({}, { socket: '127.0.0.2' }, { socket: '127.0.0.2' })).toBe(true);
    expect(await areOneClient({}, { socket: '127.0.0.2' }, { socket: '127.0.0.3' })).toBe(false);
  });

  test('a socket that takes IPv4 and IPv6 makes no difference', async () => {
    expect(await areOneClient({}, { socket: '127.0.0.2' }, { socket: '127.0.0.2' }, '::')).toBe(true);
    expect(await areOneClient({}, { socket: '127.0.0.2' }, { socket: '127.0.0.3' }, '::')).toBe(false);
  });

  test.each(['198.51.100.7', '127.0.0.1', '::1', '198.51.100.7, 198.51.100.8', 'unknown'])(
    'a forged X-Forwarded-For: %s passes no limit',
    async (forged) => {
      expect(await areOneClient({}, {}, proxied(forged))).toBe(true);
      expect(await areOneClient({}, proxied('198.51.100.1'), proxied(forged))).toBe(true);
      const config = { unlimitedClients: ['198.51.100.0/24', '::1/128'] };
      expect(await areOneClient(config, {}, proxied(forged))).toBe(true);
    },
  );
});

describe('TRUST_PROXY=1', () => {
  const trustProxy = 1;

  test.each<[a: string, b: string, same: boolean]>([
    ['198.51.100.7', '198.51.100.7', true],
    ['198.51.100.7', '198.51.100.8', false],
    // The proxy adds the last; what stands before it came from the client.
    ['198.51.100.7', '203.0.113.1, 198.51.100.7', true],
    ['203.0.113.1, 198.51.100.7', '203.0.113.2, 198.51.100.7', true],
    ['203.0.113.1, 198.51.100.7', '203.0.113.1, 198.51.100.8', false],
    ['198.51.100.7', '127.0.0.1, 198.51.100.7', true],
    // Some proxies add the port, which is another with each connection.
    ['198.51.100.7:1234', '198.51.100.7:1235', true],
    ['198.51.100.7:1234', '198.51.100.8:1234', false],
    ['[2001:db8::1]:1234', '2001:db8::2', true],
    ['[2001:db8::1]:1234', '[2001:db8:0:1::1]:1234', false],
    // Of an IPv6 address 64 bits count, however it is written.
    ['2001:db8:a:b:1:2:3:4', '2001:DB8:A:B::', true],
    ['2001:db8::b:0:0:1:1', '2001:db8::1', false],
    ['2001:0db8:000a::1', '2001:db8:a:0:ffff::', true],
    ['fe80::1%eth0', 'fe80::2%eth1', true],
    ['::ffff:198.51.100.7', '198.51.100.7', true],
    ['::ffff:198.51.100.7', '::ffff:198.51.100.8', false],
    // What is no address is nobody in particular.
    ['unknown', 'x'.repeat(5000), true],
    ['unknown', '198.51.100.7', false],
  ])('%s and %s are one client: %s', async (a, b, same) => {
    expect(await areOneClient({ trustProxy }, proxied(a), proxied(b))).toBe(same);
  });

  test('without the header it is the connection', async () => {
    expect(await areOneClient({ trustProxy }, {}, proxied(DIRECT))).toBe(true);
    expect(await areOneClient({ trustProxy }, {}, proxied('198.51.100.7'))).toBe(false);
  });

  test('who writes an unlimited address before their own is limited', async () => {
    const config = { trustProxy, unlimitedClients: ['192.0.2.0/24'] };
    expect(await areOneClient(config, proxied('192.0.2.1, 198.51.100.7'), proxied('198.51.100.7'))).toBe(
      true,
    );
  });
});

test('TRUST_PROXY=2 takes the last but one', async () => {
  const config = { trustProxy: 2 };
  const through = (forged: string, client: string, proxy: string) =>
    proxied(`${forged}, ${client}, ${proxy}`);
  const [a, b] = ['198.51.100.7', '198.51.100.8'];
  expect(
    await areOneClient(config, through('6.6.6.6', a, '10.0.0.1'), through('7.7.7.7', a, '10.0.0.2')),
  ).toBe(true);
  expect(
    await areOneClient(config, through('6.6.6.6', a, '10.0.0.1'), through('6.6.6.6', b, '10.0.0.1')),
  ).toBe(false);
});

describe('TRUST_PROXY=127.0.0.2,10.0.0.0/8', () => {
  const trustProxy = ['127.0.0.2', '10.0.0.0/8'];
  const PROXY = '127.0.0.2';
  const STRANGER = '127.0.0.3';

  test('what a proxy says is believed', async () => {
    const from = (forwarded: string) => proxied(forwarded, PROXY);
    expect(await areOneClient({ trustProxy }, from('198.51.100.7'), from('198.51.100.8'))).toBe(false);
    expect(await areOneClient({ trustProxy }, from('198.51.100.7'), from('6.6.6.6, 198.51.100.7'))).toBe(
      true,
    );
  });

  test('through proxies of these networks, to the first that is none', async () => {
    const from = (forwarded: string) => proxied(forwarded, PROXY);
    const a = from('6.6.6.6, 198.51.100.7, 10.1.2.3, 10.3.2.1');
    expect(await areOneClient({ trustProxy }, a, from('7.7.7.7, 198.51.100.7, 10.9.9.9'))).toBe(true);
    expect(await areOneClient({ trustProxy }, a, from('6.6.6.6, 198.51.100.8, 10.1.2.3'))).toBe(false);
  });

  test('what anybody else says is not', async () => {
    const from = (forwarded: string) => proxied(forwarded, STRANGER);
    expect(await areOneClient({ trustProxy }, from('198.51.100.7'), from('198.51.100.8'))).toBe(true);
    expect(await areOneClient({ trustProxy }, from('198.51.100.7'), { socket: STRANGER })).toBe(true);
  });

  test('on a socket for IPv4 and IPv6 alike', async () => {
    const from = (forwarded: string, socket: string) => proxied(forwarded, socket);
    const [a, b] = ['198.51.100.7', '198.51.100.8'];
    expect(await areOneClient({ trustProxy }, from(a, PROXY), from(b, PROXY), '::')).toBe(false);
    expect(await areOneClient({ trustProxy }, from(a, STRANGER), from(b, STRANGER), '::')).toBe(true);
  });
});

describe('the settings', () => {
  const faultOf = (env: Record<string, string>) => {
    try {
      readConfig(env);
      return undefined;
    } catch (error) {
      return (error as ConfigError).faults.join();
    }
  };

  test.each<[text: string, value: Config['trustProxy']]>([
    ['0', 0],
    ['1', 1],
    ['10.0.0.0/8', ['10.0.0.0/8']],
    ['10.0.0.0/8, 2001:db8::/32 ,192.0.2.1', ['10.0.0.0/8', '2001:db8::/32', '192.0.2.1']],
  ])('TRUST_PROXY=%s is taken, and so by Express', (text, trustProxy) => {
    const config = readConfig({ TRUST_PROXY: text });
    expect(config.trustProxy).toEqual(trustProxy);
    const { settings: _, ...options } = service(redis.redis, config);
    expect(() =>
      createApp({ ...options, log: undefined as never, unreadyBecause: () => undefined }),
    ).not.toThrow();
  });

  test.each([
    'true',
    'TRUE',
    'yes',
    'all',
    '-1',
    '1.5',
    '100',
    'loopback',
    '10.0.0.0/33',
    '::1/129',
    '10.0.0/8',
    '10.0.0.0/8,',
    '10.0.0.0/8/8',
    '0.0.0.0/0', // the same as true
    '::/0',
  ])('TRUST_PROXY=%s is a fault', (text) => {
    expect(faultOf({ TRUST_PROXY: text })).toMatch(
      /^TRUST_PROXY must be a number of proxies, or their networks/,
    );
  });

  test.each(['true', '1', '*', 'localhost', '10.0.0.0/33'])('UNLIMITED_CLIENTS=%s is a fault', (text) => {
    expect(faultOf({ UNLIMITED_CLIENTS: text })).toMatch(/^UNLIMITED_CLIENTS must be networks/);
  });

  test('UNLIMITED_CLIENTS is loopback unless it is set, and may be none', () => {
    expect(readConfig({}).unlimitedClients).toEqual(['127.0.0.0/8', '::1']);
    expect(readConfig({ UNLIMITED_CLIENTS: 'none' }).unlimitedClients).toEqual([]);
  });
});

describe('the process', () => {
  const processes = useProcesses();
  const WARNING = /X-Forwarded-For.*set TRUST_PROXY/;

  test('says once that a proxy speaks to it and it does not listen', async () => {
    const service = await processes.start({ UNLIMITED_CLIENTS: 'none', LIMIT_ADDRESS: '1' });
    await statusOf(service.port, {});
    expect(service.said().filter((line) => WARNING.test(line))).toEqual([]);
    const forged = Array.from({ length: 3 * FULL }, (_, i) => proxied(`198.51.100.${i}`));
    const statuses = await Promise.all(forged.map((sender) => statusOf(service.port, sender)));
    expect(statuses).toContain(429);
    expect(service.said().filter((line) => WARNING.test(line))).toHaveLength(1);
    expect(service.out()).not.toContain('198.51.100');
  });

  test('says nothing where it listens to them', async () => {
    const service = await processes.start({
      UNLIMITED_CLIENTS: 'none',
      LIMIT_ADDRESS: '1',
      TRUST_PROXY: '1',
    });
    const senders = Array.from({ length: 3 * FULL }, (_, i) => proxied(`6.6.6.6, 198.51.100.${i}`));
    const statuses = await Promise.all(senders.map((sender) => statusOf(service.port, sender)));
    expect(statuses).not.toContain(429);
    expect(service.said().filter((line) => WARNING.test(line))).toEqual([]);
  });

  test('does not start with TRUST_PROXY=true', async () => {
    const { code, err } = await processes.startToEnd({ TRUST_PROXY: 'true' });
    expect(code).toBe(2);
    expect(err).toMatch(/^TRUST_PROXY must be a number[^\n]*not "true"\n$/);
  });
});
