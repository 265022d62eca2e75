// The load: a process that keeps a number of connections busy, each with one request at a time, and times each of them.
//
// autocannon was tried: it spends 26 µs on such a request where this spends 15, and on a small machine takes that from the
// servers and from Redis; and it knows latencies in whole milliseconds only. Here requests are made before the clock
// starts, and replies are hardly looked at.

import { connect } from 'node:net';
import { body, event, userId } from './events.mjs';

const DEADLINE = 120_000;

const head = (line, { key }, headers = '') =>
  `${line} HTTP/1.1\r\nHost: 127.0.0.1\r\n${key ? `X-Api-Key: ${key}\r\n` : ''}${headers}\r\n`;

function post(path, job, json) {
  const headers = `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(json)}\r\n`;
  return head(`POST ${path}`, job, headers) + json;
}

/** What a kind of request looks like, and how many events or profiles a reply says were had. */
const KINDS = {
  page: {
    request: (i, job) => post('/v1/page', job, JSON.stringify(body(event(job.first + i, job.today)))),
    had: (text) => (text.endsWith('\r\n\r\n{"status":"recorded"}') ? 1 : 0),
  },
  profile: {
    request: (i, job) => head(`GET /v1/user/${userId((i * 7919) % job.users)}`, job),
    had: (text, { views }) => (text.includes(`"number_pages_viewed_in_the_last_7_days":${views},`) ? 1 : 0),
  },
  batch: {
    request(i, job) {
      const { today, first, size } = job;
      const events = Array.from({ length: size }, (_, j) => body(event(first + i * size + j, today)));
      return post('/v1/pages', job, JSON.stringify(events));
    },
    had: (text) => JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)).recorded,
  },
};

let built = { key: '' };

/** The requests of a job; the next server gets the same, so they are kept. */
function build(job) {
  const { kind, count, today, first, size, users, key: apiKey } = job;
  const key = JSON.stringify([kind, count, today, first, size, users, apiKey]);
  if (built.key !== key) {
    built = {
      key,
      requests: Array.from({ length: count }, (_, i) => Buffer.from(KINDS[kind].request(i, job))),
    };
  }
  return built.requests;
}

async function open(job, run) {
  const buffer = Buffer.allocUnsafe(64 * 1024);
  let held = '';
  let sentAt = 0;
  const callback = (size) => {
    const text = held + buffer.latin1Slice(0, size);
    if (!isWhole(text)) {
      held = text;
      return true;
    }
    held = '';
    run.answered(performance.now() - sentAt, text);
    send();
    return true;
  };
  const socket = connect({ port: job.port, host: '127.0.0.1', noDelay: true, onread: { buffer, callback } });
  await new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  socket.on('error', run.fail);
  socket.on('close', () => run.fail(new Error('a connection was closed')));
  function send() {
    const request = run.next();
    if (request === undefined) return;
    sentAt = performance.now();
    socket.write(request);
  }
  return { socket, send };
}

function isWhole(text) {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const length = /\r\ncontent-length: *(\d+)\r/i.exec(text)?.[1];
  if (length === undefined) throw new Error(`no Content-Length in: ${text.slice(0, 200)}`);
  return text.length >= end + 4 + Number(length);
}

function prepare(job) {
  const requests = build(job);
  const { had } = KINDS[job.kind];
  const times = new Float64Array(requests.length);
  let sent = 0;
  let answers = 0;
  let total = 0;
  let finish;
  const done = new Promise((resolve, reject) => {
    finish = { resolve, reject };
  });
  done.catch(() => undefined); // heard when it is waited for
  return {
    done,
    fail: (error) => finish.reject(error),
    next: () => requests[sent++],
    answered(ms, text) {
      const refused = text.charCodeAt(9) !== 50; // 2xx
      if (refused) return finish.reject(new Error(`was answered ${text.slice(0, 1000)}`));
      total += had(text, job);
      times[answers++] = ms;
      if (answers === requests.length) finish.resolve();
    },
    figures(seconds) {
      times.sort();
      const at = (share) => times[Math.min(answers - 1, Math.floor(answers * share))];
      return { requests: answers, had: total, seconds, p50: at(0.5), p99: at(0.99) };
    },
  };
}

let current;

process.on('message', async (message) => {
  try {
    if (message.job) {
      const run = prepare(message.job);
      const opened = Array.from({ length: message.job.connections }, () => open(message.job, run));
      current = { run, connections: await Promise.all(opened) };
      process.send({ prepared: true });
    } else if (message.go) {
      const { run, connections } = current;
      const deadline = setTimeout(() => run.fail(new Error('it took too long')), DEADLINE);
      const start = performance.now();
      for (const { send } of connections) send();
      await run.done;
      const seconds = (performance.now() - start) / 1000;
      clearTimeout(deadline);
      for (const { socket } of connections) socket.removeAllListeners('close').destroy();
      process.send({ figures: run.figures(seconds) });
    }
  } catch (error) {
    process.stderr.write(`load: ${error.message}\n`, () => process.exit(1));
  }
});
process.channel.ref(); // the probe has let go of it
process.send({ ready: true });
