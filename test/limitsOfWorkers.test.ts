// A limit is one, however many processes serve. Each run prints what passed, and what should have.

import { Agent, type OutgoingHttpHeaders, request } from 'node:http';
import { type Service, until, useProcesses, viewOf } from './support/process.ts';

const processes = useProcesses();

const AT_ONCE = 10; // seconds' worth
const PER_SECOND = 60; // a slow machine must be able to send twice that
const SECONDS = 2;
const ENOUGH = 100; // refused, or it was no load
const NEW_USERS = 1500; // a minute
/** Of two: they tell each other five times a second what was spent. If they said nothing it would come to 2. */
const MOST = 1.7;
const SENDERS = 8;

interface Sending {
  agent: Agent;
  body?: string;
  headers?: OutgoingHttpHeaders;
}

function statusOf({ port }: Service, { agent, body, headers = {} }: Sending): Promise<number> {
  const type = body === undefined ? {} : { 'Content-Type': 'application/json' };
  const method = body === undefined ? 'GET' : 'POST';
  const path = body === undefined ? '/v1/user/ann' : '/v1/page';
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, method, path, headers: { ...type, ...headers }, agent }, (res) => {
      res.resume().on('end', () => resolve(res.statusCode!));
    })
      .on('error', reject)
      .end(body);
  });
}

/** Sends as fast as it can for some seconds, and until it was too much; the share of what should have passed that did pass. */
async function share(service: Service, what: string, sending: Sending): Promise<number> {
  const start = performance.now();
  const counts: Record<number, number> = {};
  const elapsed = () => (performance.now() - start) / 1000;
  const refusedSoFar = () => counts[429] ?? 0;
  const send = async () => {
    while (elapsed() < SECONDS || (refusedSoFar() < ENOUGH && elapsed() < 20)) {
      const status = await statusOf(service, sending);
      counts[status] = (counts[status] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, send));
  sending.agent.destroy();
  const { 429: refused = 0, 200: read = 0, 202: recorded = 0, ...others } = counts;
  expect(others).toEqual({});
  expect(refused).toBeGreaterThanOrEqual(ENOUGH);
  const due = PER_SECOND * (AT_ONCE + elapsed());
  process.stdout.write(
    `${what}: ${read + recorded} passed, ${Math.round(due)} were due, ${refused} were refused\n`,
  );
  return (read + recorded) / due;
}

const CONNECTIONS: [what: string, agent: () => Agent][] = [
  ['one connection', () => new Agent({ keepAlive: true, maxSockets: 1 })],
  ['a connection each', () => new Agent({ keepAlive: true, maxSockets: SENDERS })],
  ['a new connection each time', () => new Agent({ keepAlive: false })],
];

describe.each(['1', '2'])('with WORKERS=%s', (workers) => {
  const most = workers === '1' ? 1.25 : MOST;
  const start = (settings: Record<string, string>) =>
    processes.start({
      ...{ WORKERS: workers, UNLIMITED_CLIENTS: 'none', LIMIT_ADDRESS: '0', LIMIT_USER: '0' },
      ...settings,
    });

  test.each(CONNECTIONS)('an address gets what it may over %s', async (what, agent) => {
    const service = await start({ LIMIT_ADDRESS: String(PER_SECOND) });
    const got = await share(service, `WORKERS=${workers}, an address, ${what}`, { agent: agent() });
    expect(got).toBeGreaterThan(0.75);
    expect(got).toBeLessThan(most);
  });

  test('a user gets what they may, from everywhere', async () => {
    const service = await start({ LIMIT_USER: String(PER_SECOND) });
    const body = viewOf('ann', 'e');
    const got = await share(service, `WORKERS=${workers}, a user`, { agent: CONNECTIONS[2]![1](), body });
    expect(got).toBeGreaterThan(0.75);
    expect(got).toBeLessThan(most);
  });

  test('a key gets what it may, from everywhere', async () => {
    const key = 'a-key-of-a-scoring-service';
    const service = await start({ LIMIT_KEY: String(PER_SECOND), READ_KEYS: key });
    const headers = { 'X-Api-Key': key };
    const got = await share(service, `WORKERS=${workers}, a key`, { agent: CONNECTIONS[2]![1](), headers });
    expect(got).toBeGreaterThan(0.75);
    expect(got).toBeLessThan(most);
  });

  test('a client brings as many new users as it may', async () => {
    const service = await start({ LIMIT_NEW_USERS: String(NEW_USERS) });
    const agent = new Agent({ keepAlive: false });
    let users = 0;
    let passed = 0;
    let refused = 0;
    const startedAt = performance.now();
    const bring = async () => {
      while (refused < 100) {
        const body = viewOf(`user${++users}`, 'e');
        const status = await statusOf(service, { agent, body });
        expect([202, 429]).toContain(status);
        if (status === 202) passed++;
        else refused++;
      }
    };
    await Promise.all(Array.from({ length: SENDERS }, bring));
    const due = NEW_USERS + (NEW_USERS / 60) * ((performance.now() - startedAt) / 1000);
    process.stdout.write(`WORKERS=${workers}, new users: ${passed} passed, ${Math.round(due)} were due\n`);
    expect(passed / due).toBeGreaterThan(0.75);
    expect(passed / due).toBeLessThan(most);
  });
});

test('workers tell each other of no name in the log', async () => {
  const service = await processes.start({
    ...{ WORKERS: '2', UNLIMITED_CLIENTS: 'none', LIMIT_USER: '10', LOG_LEVEL: 'debug' },
  });
  const agent = new Agent({ keepAlive: false });
  const body = viewOf('zx81-user', 'e');
  await until('it is too much', async () => (await statusOf(service, { agent, body })) === 429);
  expect(service.out() + service.err()).not.toContain('zx81');
});
