// The private Redis: its data outlive every way of ending, one service has it at a time, and its own end is mended.

import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
} from 'node:fs';
import { join } from 'node:path';
import { isGone, type Service, until, useProcesses } from './support/process.ts';

const processes = useProcesses();

const data = (...path: string[]) => join(processes.dir, 'data', ...path);

async function recorded(service: Service, events: number): Promise<void> {
  for (let i = 0; i < events; i++) expect(await service.view('ann', `e${i}`)).toEqual([202, 'recorded']);
}

async function stopped(service: Service): Promise<void> {
  service.kill('SIGTERM');
  expect(await service.ended).toMatchObject({ code: 0 });
  expect(processes.redisPids()).toEqual([]);
}

async function killed(service: Service): Promise<void> {
  service.kill('SIGKILL');
  await service.ended;
}

const isReady = async (service: Service) => (await service.get('/readyz')).status === 200;

const onlyRedis = () => {
  const pids = processes.redisPids();
  expect(pids).toHaveLength(1);
  return pids[0]!;
};

test('data outlive a stop', async () => {
  const first = await processes.start();
  expect(await isReady(first)).toBe(true);
  await recorded(first, 3);
  await stopped(first);
  const second = await processes.start();
  expect(await second.viewsOf('ann')).toBe(3);
  expect(await second.view('ann', 'e0')).toEqual([202, 'duplicate']);
});

test('only this user can reach its files and its socket', async () => {
  await processes.start();
  const modes = execFileSync('stat', ['-c', '%a', data('redis'), data('redis', 'redis.sock')], {
    encoding: 'utf8',
  });
  expect(modes).toBe('700\n700\n');
});

test.each([
  ['long', 'x'.repeat(75)],
  ['full of odd letters', 'a b%41%zz \'q\' "d" #h ä日本 \\ {x} $y *'],
])('a DATA_DIR whose name is %s works, also after kill -9', async (_, name) => {
  const DATA_DIR = join(processes.dir, name, name.length > 70 ? name : '');
  const first = await processes.start({ DATA_DIR });
  await recorded(first, 2);
  expect(readdirSync(join(DATA_DIR, 'redis'))).toContain('appendonlydir');
  await killed(first);
  const second = await processes.start({ DATA_DIR });
  expect(second.said()[0]).toBe('stopped the private Redis that a killed service had left');
  expect(await second.viewsOf('ann')).toBe(2);
  onlyRedis();
});

describe('of two services on one DATA_DIR', () => {
  const inUse = (pid: number | string) =>
    new RegExp(
      `^DATA_DIR is in use by another Footfall \\(process ${pid}, .*/data/redis\\): stop it, or choose another DATA_DIR\n$`,
    );

  test('the second says who has it, and the first goes on', async () => {
    const first = await processes.start();
    const { code, err } = await processes.startToEnd();
    expect({ code, err }).toEqual({ code: 2, err: expect.stringMatching(inUse(first.pid)) });
    await recorded(first, 1);
    onlyRedis();
  });

  test('the second is refused under another name of the folder', async () => {
    const first = await processes.start();
    symlinkSync(data(), join(processes.dir, 'alias'));
    const { code, err } = await processes.startToEnd({ DATA_DIR: join(processes.dir, 'alias') });
    expect({ code, err }).toEqual({ code: 2, err: expect.stringMatching(inUse(first.pid)) });
  });

  test('the second is refused though the first stands still', async () => {
    const first = await processes.start();
    first.kill('SIGSTOP');
    const { code, err } = await processes.startToEnd();
    expect({ code, err }).toEqual({ code: 2, err: expect.stringMatching(inUse('that does not answer')) });
    first.kill('SIGCONT');
    await recorded(first, 1);
  });

  test('a start that was killed as it took over holds up no later one for long', async () => {
    const first = await processes.start();
    await killed(first);
    const turn = data('redis', 'lock.sock.turn');
    mkdirSync(turn);
    const { code, err } = await processes.startToEnd();
    expect({ code, err }).toEqual({ code: 2, err: expect.stringMatching(inUse('that starts now')) });
    const before = Date.now() / 1000 - 60;
    utimesSync(turn, before, before);
    await processes.start();
    expect(existsSync(turn)).toBe(false);
  });

  test('of many that start at once after a kill -9, one gets it', async () => {
    const first = await processes.start();
    await recorded(first, 2);
    await killed(first);
    const starts = await Promise.allSettled([1, 2, 3, 4, 5].map(() => processes.start()));
    const up = starts.flatMap((it) => (it.status === 'fulfilled' ? [it.value] : []));
    expect(up).toHaveLength(1);
    expect(await up[0]!.viewsOf('ann')).toBe(2);
    onlyRedis();
  });
});

describe('after a kill -9 of the service', () => {
  test('the Redis that it left is stopped, and every acknowledged event is there', async () => {
    const first = await processes.start();
    let acknowledged = 0;
    let sent = 0;
    const clients = Array.from({ length: 8 }, async () => {
      for (;;) {
        const [status] = await first.view('ann', `e${sent++}`);
        expect(status).toBe(202);
        acknowledged++;
      }
    });
    await until('events under way', () => acknowledged > 200);
    const left = onlyRedis();
    await killed(first);
    await Promise.allSettled(clients);
    expect(sent).toBeGreaterThan(acknowledged);
    expect(isGone(left)).toBe(false);
    expect(existsSync(data('redis', 'lock.sock'))).toBe(true);

    const second = await processes.start();
    expect(isGone(left)).toBe(true);
    onlyRedis();
    const stored = await second.viewsOf('ann');
    expect(stored).toBeGreaterThanOrEqual(acknowledged);
    expect(stored).toBeLessThanOrEqual(sent);
  });

  test.each([
    ['stands still', (pid: number) => process.kill(pid, 'SIGSTOP')],
    ['was killed too', (pid: number) => process.kill(pid, 'SIGKILL')],
  ])('the next start is quick though the Redis that it left %s', async (_, harm) => {
    const first = await processes.start();
    await recorded(first, 3);
    const left = onlyRedis();
    await killed(first);
    harm(left);
    const since = performance.now();
    const second = await processes.start();
    expect(performance.now() - since).toBeLessThan(10_000); // what it would wait for one that is well
    expect(await second.viewsOf('ann')).toBe(3);
    expect(onlyRedis()).not.toBe(left);
  });

  test('a last line that was only half written is cut off', async () => {
    const first = await processes.start();
    await recorded(first, 3);
    const left = onlyRedis();
    await killed(first);
    process.kill(left, 'SIGKILL');
    await until('Redis has ended', () => isGone(left));
    const folder = data('redis', 'appendonlydir');
    const name = readdirSync(folder).find((it) => it.endsWith('.incr.aof'))!;
    appendFileSync(join(folder, name), '*3\r\n$3\r\nSET\r\n$5\r\nhal');
    const second = await processes.start();
    expect(await second.viewsOf('ann')).toBe(3);
    await recorded2(second);
    await stopped(second);
    expect(readFileSync(join(folder, name), 'latin1')).not.toContain('\r\nhal');
  });

  const recorded2 = async (service: Service) =>
    expect(await service.view('ann', 'later')).toEqual([202, 'recorded']);
});

describe('a private Redis that ends on its own', () => {
  test('is said, started again, and has its data', async () => {
    const service = await processes.start();
    await recorded(service, 3);
    for (const [round, pause] of [100, 200].entries()) {
      const pid = onlyRedis();
      process.kill(pid, 'SIGKILL');
      const back = () => service.said().filter((message) => message === 'the private Redis is back').length;
      await until('it is back', () => back() > round);
      expect(service.said()).toContainEqual(
        expect.stringMatching(
          new RegExp(`^the private Redis ended with SIGKILL.*; it is started again in ${pause} ms$`),
        ),
      );
      await until('the service is ready', () => isReady(service));
      expect(await service.viewsOf('ann')).toBe(3);
      expect(onlyRedis()).not.toBe(pid);
    }
    expect(await service.view('ann', 'later')).toEqual([202, 'recorded']);
    await stopped(service);
    expect(service.err()).toBe('');
  });

  test('does not hold up a stop while it is down', async () => {
    const service = await processes.start();
    process.kill(onlyRedis(), 'SIGKILL');
    await until('it is said', () => service.said().some((message) => message.includes('SIGKILL')));
    await stopped(service);
  });
});
