import { readFileSync } from 'node:fs';
import { type Service, sendTo, until, useProcesses, viewOf } from './support/process.ts';

const processes = useProcesses();

/** The pids of the workers of a service. */
const workersOf = (service: Service) =>
  processes
    .pids()
    .filter((pid) => !processes.redisPids().includes(pid))
    .filter((pid) => parentOf(pid) === service.pid);

function parentOf(pid: number): number | undefined {
  try {
    return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  } catch {
    return undefined; // it has just ended
  }
}

/** Each on a connection of its own, so that all workers get some. */
const send = (service: Service, events: string[]) =>
  Promise.all(events.map((event) => sendTo(service.port, 'POST', '/v1/page', viewOf('ann', event))));

const ids = (prefix: string, count: number) => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

async function sumOf(service: Service, metric: string): Promise<number> {
  const { text } = await service.get('/metrics');
  const line = text.split('\n').find((candidate) => candidate.startsWith(metric));
  return Number(line?.split(' ').at(-1));
}

test('workers share the port, one private Redis, and their metrics are added up', async () => {
  const service = await processes.start({ WORKERS: '3' });
  await until('all serve', () => workersOf(service).length === 3);
  const answers = await send(service, ids('e', 60));
  expect(answers.every(({ status }) => status === 202)).toBe(true);
  expect(await service.viewsOf('ann')).toBe(60);
  expect(processes.redisPids()).toHaveLength(1);
  expect(await sumOf(service, 'footfall_events_total{outcome="recorded"}')).toBe(60);
  expect(await sumOf(service, 'footfall_http_requests_total{route="/v1/page",status="202"}')).toBe(60);
  expect(await sumOf(service, 'footfall_redis_up')).toBe(1);
});

test('a worker that dies is replaced, and the others go on', async () => {
  const service = await processes.start({ WORKERS: '2' });
  await until('both serve', () => workersOf(service).length === 2);
  const before = workersOf(service);
  process.kill(before[0]!, 'SIGKILL');
  await until('another serves', () => {
    const now = workersOf(service);
    return now.length === 2 && !now.includes(before[0]!);
  });
  expect(service.said().join('\n')).toMatch(/a worker ended with SIGKILL; another is started in \d+ ms/);
  await until('it answers', async () =>
    (await send(service, ids('e', 20))).every(({ status }) => status === 202),
  );
  expect(await service.viewsOf('ann')).toBe(20);
});

test.each(['SIGTERM', 'SIGINT'] as const)('%s stops all of them in order', async (signal) => {
  const service = await processes.start({ WORKERS: '2' });
  await until('both serve', () => workersOf(service).length === 2);
  await send(service, ids('e', 10));
  for (const pid of workersOf(service)) if (signal === 'SIGINT') process.kill(pid, signal); // as a terminal does
  service.kill(signal);
  expect(await service.ended).toMatchObject({ code: 0 });
  expect(processes.pids()).toEqual([]);
  expect(service.err()).toBe('');
  expect(service.said().slice(1)).toEqual([`${signal}: stopping`]);
  const again = await processes.start();
  expect(await again.viewsOf('ann')).toBe(10);
});

test('no acknowledged view is lost when it stops under load', async () => {
  const service = await processes.start({ WORKERS: '2' });
  let acknowledged = 0;
  let stopped = false;
  const sender = async (name: string) => {
    for (let i = 0; !stopped; i++) {
      const answer = await sendTo(service.port, 'POST', '/v1/page', viewOf('ann', `${name}${i}`)).catch(
        () => undefined,
      );
      if (answer?.status === 202) acknowledged++;
      else if (answer === undefined) return; // nobody listens any more
    }
  };
  const senders = ids('s', 8).map(sender);
  await until('there is load', () => acknowledged > 200);
  service.kill('SIGTERM');
  expect(await service.ended).toMatchObject({ code: 0 });
  stopped = true;
  await Promise.all(senders);
  const again = await processes.start();
  expect(await again.viewsOf('ann')).toBe(acknowledged);
});

test('a primary that is killed takes its workers along', async () => {
  const service = await processes.start({ WORKERS: '2' });
  await until('both serve', () => workersOf(service).length === 2);
  service.kill('SIGKILL');
  await until('only its Redis is left', () => processes.pids().length === processes.redisPids().length);
});

test('what is wrong with the settings is said once', async () => {
  const taken = await processes.start();
  const { code, err } = await processes.startToEnd({
    WORKERS: '3',
    PORT: String(taken.port),
    DATA_DIR: `${processes.dir}/other`,
  });
  expect(code).toBe(2);
  expect(err.trim().split('\n')).toEqual([expect.stringContaining('is in use')]);
});
