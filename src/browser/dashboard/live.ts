// What the service is doing right now.

import type { Context } from './context.ts';
import { type Child, fill, h } from './dom.ts';
import { bytes, count, duration, ms, percent, rate } from './format.ts';
import { barCell, figure, figures, part, setBar, table } from './parts.ts';
import { hearSamples, recentChart, type Sample } from './samples.ts';
import { term } from './term.ts';

const WORDS = { ready: 'Ready', degraded: 'Degraded', unready: 'Not ready' };

/** What most want to know, in one row. */
export function strip(): { element: HTMLElement; set(sample: Sample): void } {
  const all = {
    events: figure('Events per second', 'eventsPerSecond'),
    p99: figure('p99 of writes', 'p99'),
    lag: figure('Redis answers in', 'lag'),
    memory: figure('Redis memory', 'memory'),
    ready: figure('Service', 'ready'),
  };
  return {
    element: figures(...Object.values(all)),
    set({ events, p99_ms, redis, ready, reason }) {
      all.events.set(rate(events.recorded ?? 0), 'recorded');
      all.p99.set(ms(p99_ms), p99_ms === null && 'no writes');
      all.lag.set(redis.up ? ms(redis.lag_ms) : 'away');
      const { memory_bytes: held, maxmemory_bytes: most } = redis;
      const share = held !== null && most && `${percent(held / most)} of ${bytes(most)}`;
      all.memory.set(held === null ? '–' : bytes(held), share || '');
      all.ready.set(h('span', { class: ready }, WORDS[ready]), reason);
    },
  };
}

/** How many events there were, those that counted and those that did not. */
export function eventsChart(signal: AbortSignal, height?: number) {
  return recentChart(
    'Events per second',
    [
      { label: 'recorded', colour: '--accent', write: rate, read: ({ events }) => events.recorded ?? 0 },
      { label: 'not counted', colour: '--warn', write: rate, read: notCounted },
    ],
    signal,
    height,
  );
}

const notCounted = ({ events }: Sample) =>
  Object.entries(events).reduce((sum, [outcome, n]) => (outcome === 'recorded' ? sum : sum + n), 0);

export function livePage(context: Context): void {
  const { root, signal } = context;
  const first = strip();
  const outcomes = outcomesTable();
  const requests = requestsRow();
  const archive = archivePart();
  const events = eventsChart(signal);
  const times = recentChart(
    'p99 of writes and the time Redis takes to answer',
    [
      { label: 'p99 of writes', colour: '--accent', write: ms, read: ({ p99_ms }) => p99_ms },
      { label: 'Redis', colour: '--ink', write: ms, read: ({ redis }) => redis.lag_ms },
    ],
    signal,
  );
  const columns = (...children: Child[]) => h('div', { class: 'columns' }, ...children);
  fill(
    root,
    h('p', { class: 'lede' }, 'The last three minutes, of all processes together; a new figure each second.'),
    first.element,
    columns(part('Events per second', events.element), part('Milliseconds', times.element)),
    columns(
      part('Outcomes', outcomes.element),
      h('div', {}, part('Requests', requests.element), archive.element),
    ),
  );
  hearSamples(context, (sample) => {
    for (const { set } of [first, outcomes, requests, archive]) set(sample);
    events.draw();
    times.draw();
  });
}

/** Made once, so that what is pointed at in it does not go with each second. */
function outcomesTable() {
  const names = ['recorded', 'duplicate', 'erased', 'expired', 'capped'];
  const cells = names.map(() => barCell('–', 0, 0));
  return {
    element: table(
      [term('outcome', 'outcomes'), 'per second'],
      names.map((name, i) => [name, cells[i]!]),
    ),
    set({ events }: Sample) {
      const values = names.map((name) => events[name] ?? 0);
      for (const [i, value] of values.entries()) setBar(cells[i]!, rate(value), value, Math.max(...values));
    },
  };
}

function requestsRow() {
  const requests = figure('Requests per second', 'requests');
  const refused = figure('Refused per second', 'refused');
  const inFlight = figure('Events in flight', 'inFlight');
  return {
    element: figures(requests, refused, inFlight),
    set({ requests_per_second, refused_per_second, events_in_flight }: Sample) {
      const turnedAway = Object.entries(refused_per_second);
      requests.set(rate(requests_per_second));
      refused.set(
        rate(turnedAway.reduce((sum, [, n]) => sum + n, 0)),
        turnedAway.map(([status, n]) => `${status}: ${rate(n)}`).join(', '),
      );
      inFlight.set(count(events_in_flight));
    },
  };
}

/** Where there is one. */
function archivePart() {
  const waiting = figure('Archive backlog', 'backlog');
  const dead = figure('Put aside', 'dead');
  const element = part('Archive', figures(waiting, dead));
  element.hidden = true;
  return {
    element,
    set({ backlog }: Sample) {
      element.hidden = !backlog;
      if (!backlog) return;
      const { entries, bytes: held, limit_bytes: most, age_seconds: age } = backlog;
      const oldest = entries > 0 ? `, the oldest ${duration(age)} old` : '';
      waiting.set(count(entries), `${bytes(held)} of ${bytes(most)}${oldest}`);
      dead.set(count(backlog.dead));
    },
  };
}
