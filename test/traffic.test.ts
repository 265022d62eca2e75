// `npm run traffic`: that what it makes is believable and the same again, and that it counts as the service does.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { batchEventOf } from '../src/events/bodies.ts';
import { DAY, dayOf, HOUR, MINUTE, SECOND } from '../src/time.ts';
import { eventsOf, liveEvents, type Made } from '../src/traffic/visits.ts';
import { type Service, until, useProcesses } from './support/process.ts';
import { NOON } from './support/service.ts';

const NOW = Date.parse(NOON);
const TODAY = dayOf(NOW);
const CROWD = { seed: 7, users: 300 };

const field = (events: Made[], name: string) => events.map(({ body }) => body[name]);
const kinds = (events: Made[], name: string) => new Set(field(events, name));

/** How often each is there, most often first. */
function frequencies(values: unknown[]): number[] {
  const counts = new Map<unknown, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts.values()].sort((a, b) => b - a);
}

describe('a day', () => {
  const events = eventsOf(TODAY, CROWD);
  const views = events.filter(({ body }) => body.type === 'page');

  test('follows from the seed and the date', () => {
    expect(eventsOf(TODAY, CROWD)).toEqual(events);
    expect(eventsOf(TODAY, { ...CROWD, seed: 8 })).not.toEqual(events);
    expect(field(eventsOf(TODAY + 1, CROWD), 'event_id')).not.toEqual(field(events, 'event_id'));
  });

  test('is of events that Footfall takes, each with an identity of its own', () => {
    const identities = events.map(({ body }) => `${body.user_id} ${body.type} ${body.event_id}`);
    expect(new Set(identities).size).toBe(events.length);
    for (const { at, body } of events) expect(batchEventOf(body, NOW + 2 * DAY).at).toBe(at);
  });

  test('has two sites, pages with names and urls, logins and other events', () => {
    expect(kinds(events, 'type')).toEqual(new Set(['page', 'event', 'login']));
    expect(kinds(views, 'site_id')).toEqual(new Set(['shop', 'magazine']));
    const others = events.filter(({ body }) => body.type === 'event');
    expect(kinds(others, 'event_type')).toEqual(new Set(['click', 'purchase', 'signup']));
    for (const { body } of views) expect(body.url).toMatch(`https://${body.site_id}.example/`);
    expect(kinds(views, 'name').size).toBe(kinds(views, 'url').size);
    const logins = field(events, 'user_id').filter((_, i) => events[i]!.body.type === 'login');
    expect(new Set(logins).size).toBe(logins.length); // a second one of the day would be no news
  });

  test('has a few hot pages and a long tail', () => {
    const counts = frequencies(field(views, 'url'));
    const top = counts.slice(0, 5).reduce((sum, n) => sum + n, 0);
    expect(top).toBeGreaterThan(views.length / 4);
    expect(counts.length).toBeGreaterThan(100);
    expect(counts.at(-1)).toBe(1);
  });

  test('has visits of several pages, as far apart as people read', () => {
    const visits = new Map<string, Made[]>();
    for (const view of views) {
      const id = `${view.body.user_id} ${view.body.event_id!.replace(/\.\d+$/, '')}`;
      visits.set(id, [...(visits.get(id) ?? []), view]);
    }
    expect(views.length / visits.size).toBeGreaterThan(2);
    const gaps = [...visits.values()].flatMap((visit) =>
      visit.slice(1).map(({ at }, i) => at - visit[i]!.at),
    );
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(SECOND);
    expect(gaps.filter((gap) => gap > 5 * MINUTE).length).toBeLessThan(gaps.length / 50);
  });

  test('is busier in the evening than at night', () => {
    const ofHours = (from: number, to: number) =>
      views.filter(({ at }) => at % DAY >= from * HOUR && at % DAY < to * HOUR).length;
    expect(ofHours(18, 22)).toBeGreaterThan(3 * ofHours(1, 5));
    expect(views.every(({ at }, i) => i === 0 || at >= views[i - 1]!.at)).toBe(true);
  });

  test('has people who come again, and new ones', () => {
    const week = [-3, -2, -1, 0].map((days) => kinds(eventsOf(TODAY + days, CROWD), 'user_id'));
    const today = [...week.pop()!];
    const back = today.filter((user) => week.some((users) => users.has(user)));
    expect(back.length).toBeGreaterThan(today.length / 3);
    expect(today.length - back.length).toBeGreaterThan(10);
  });
});

describe('live events', () => {
  test('come at the rate that was asked for, from the first second on, each once and in time', () => {
    const due = liveEvents(CROWD, 20, NOW);
    const seconds = Array.from({ length: 60 }, (_, i) => due(NOW + (i + 1) * SECOND));
    for (const [i, events] of seconds.entries()) {
      for (const { at } of events) {
        expect(at).toBeGreaterThanOrEqual(NOW);
        expect(at).toBeGreaterThan(NOW + i * SECOND - (i === 0 ? 1 : 0));
        expect(at).toBeLessThanOrEqual(NOW + (i + 1) * SECOND);
      }
    }
    const halves = [seconds.slice(0, 30), seconds.slice(30)].map((half) => half.flat().length);
    for (const half of halves) {
      expect(half).toBeGreaterThan(600 * 0.7);
      expect(half).toBeLessThan(600 * 1.3);
    }
    const all = seconds.flat().map(({ body }) => `${body.user_id} ${body.type} ${body.event_id}`);
    const logins = seconds.flat().filter(({ body }) => body.type === 'login').length;
    expect(new Set(all.filter((id) => !id.endsWith('undefined'))).size).toBe(all.length - logins);
  });
});

describe('the command', () => {
  const processes = useProcesses();
  const command = (...args: string[]) => ({
    command: [process.execPath, join(__dirname, '../dist/traffic/command.js'), ...args],
  });
  const urlOf = ({ port }: { port: number }) => `http://127.0.0.1:${port}`;
  const run = (args: string[], env = {}) => processes.startToEnd(env, command(...args));

  /** What a line of the output says became of how many events. */
  function countsOf(out: string, of: 'history' | 'live'): Record<string, number> {
    const said = new RegExp(`^${of} +([\\d,]+) events in [\\d.]+ s: (.*)$`, 'm').exec(out);
    const count = (text: string) => Number(text.replaceAll(',', ''));
    const outcomes = [...said![2]!.matchAll(/(\d[\d,]*) (\w+)/g)].map(([, n, name]) => [name, count(n!)]);
    return { events: count(said![1]!), ...Object.fromEntries(outcomes) };
  }

  async function metric({ get }: Service, outcome: string): Promise<number> {
    const { text } = await get('/metrics');
    return Number(
      new RegExp(`^footfall_events_total{outcome="${outcome}"} (\\d+)`, 'm').exec(text)?.[1] ?? 0,
    );
  }

  test('counts as the service does; the same seed again adds nothing', async () => {
    const service = await processes.start();
    const args = ['--url', urlOf(service), '--users', '40', '--seed', '5'];
    const day = dayOf(Date.now());

    const { code, err, out } = await run([...args, '--for', '1', '--rate', '30']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const [history, live] = [countsOf(out, 'history'), countsOf(out, 'live')];
    expect(history).toEqual({ events: history.events, recorded: history.events });
    expect(history.events).toBeGreaterThan(200);
    expect(live.events).toBeGreaterThan(5);
    expect(await metric(service, 'recorded')).toBe(history.events! + live.recorded!);

    const again = countsOf((await run([...args, '--for', '0'])).out, 'history');
    if (dayOf(Date.now()) !== day) return; // midnight: it was another week
    const since = again.events! - history.events!; // what has become due meanwhile
    expect(since).toBeLessThan(10);
    expect(again).toEqual({
      events: again.events,
      duplicate: history.events,
      ...(since && { recorded: since }),
    });

    const { text } = await service.get('/v1/site/shop/report');
    expect(JSON.parse(text).days.map(({ views }: { views: number }) => views > 0)).toContain(true);
    expect(await service.viewsOf('u1')).toBeGreaterThan(0);
  });

  test('--days 0 sends no history; Ctrl-C ends it with what was sent', async () => {
    const service = await processes.start();
    const traffic = processes.begin({}, command('--url', urlOf(service), '--days', '0', '--rate', '100'));
    await until('events have come', async () => (await metric(service, 'recorded')) > 10);
    traffic.kill('SIGINT');
    expect((await traffic.ended).code).toBe(0);
    expect(traffic.err()).toBe('');
    expect(traffic.out()).not.toContain('history');
    expect(countsOf(traffic.out(), 'live').events).toBeGreaterThan(10);
  });

  /** A server that answers as it is told to, and what it was sent. */
  async function pretend(answer: (n: number, req: IncomingMessage, res: ServerResponse) => void) {
    const times: number[] = [];
    const server = createServer(async (req, res) => {
      req.resume();
      await once(req, 'end');
      answer(times.push(performance.now()), req, res);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    processes.atEnd(() => server.close());
    return { times, url: urlOf(server.address() as AddressInfo) };
  }
  const taken =
    '{"recorded":1,"duplicate":0,"erased":0,"expired":0,"capped":0,"rejected":[{"index":1,"code":"damaged"}]}';

  test.each([429, 503])('after a %d it waits as long as it is told to, and sends again', async (status) => {
    const keys = new Set<string | undefined>();
    const { times, url } = await pretend((n, req, res) => {
      keys.add(req.headers.authorization);
      if (n === 2) res.writeHead(status, { 'Retry-After': '1' }).end('{"detail":"later"}');
      else res.writeHead(202).end(taken);
    });
    const args = ['--url', `${url}/`, '--users', '20', '--days', '3', '--for', '0'];
    const { code, out } = await run(args, { FOOTFALL_KEY: 'k1' });
    expect(code).toBe(0);
    expect(countsOf(out, 'history')).toMatchObject({ recorded: times.length - 1, damaged: times.length - 1 });
    expect(times[2]! - times[1]!).toBeGreaterThanOrEqual(990);
    expect(keys).toEqual(new Set(['Bearer k1']));
  });

  test.each([
    [401, '{"detail":"a key is needed"}', '401 a key is needed'],
    [404, '<html>', '404'],
  ])('a %d ends it', async (status, body, said) => {
    const { url } = await pretend((_n, _req, res) => res.writeHead(status).end(body));
    const { code, err } = await run(['--url', url, '--users', '20']);
    expect({ code, err: err.trimEnd() }).toEqual({ code: 1, err: `${url}/v1/pages: ${said}` });
  });

  test('nobody listens', async () => {
    const { code, err } = await run(['--url', 'http://127.0.0.1:1', '--users', '20']);
    const said = 'http://127.0.0.1:1/v1/pages: no answer: start the service (npm start), or say --url\n';
    expect({ code, err }).toEqual({ code: 1, err: said });
  });

  test.each([
    [['--rate', '0'], '--rate must be a whole number from 1 to 2000, not "0"'],
    [['--days', 'x'], '--days must be a whole number from 0 to 7, not "x"'],
    [['--for=-1'], '--for must be a whole number from 0 to 1000000000, not "-1"'],
    [['--url', 'localhost:3000'], '--url must be like http://127.0.0.1:3000, not "localhost:3000"'],
    [['--speed', '9'], "Unknown option '--speed'"],
    [['fast'], "Unexpected argument 'fast'"],
  ])('%j is refused', async (args, said) => {
    const { code, out, err } = await run(args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err.trimEnd()).toMatch(new RegExp(`^${said.replaceAll(/[()]/g, '\\$&')}[^\\n]*$`));
  });

  test('--help tells every option', async () => {
    const { code, out } = await run(['--help']);
    expect(code).toBe(0);
    for (const name of ['url', 'rate', 'users', 'seed', 'days', 'for']) expect(out).toMatch(`  --${name} `);
  });
});
