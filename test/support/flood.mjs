// A load: a process that sends requests as fast as it is told to, or as fast as they are answered, from addresses of its own,
// and times each answer. One request at a time on a connection. See flood.ts for what a job is.

import { connect } from 'node:net';

const DEADLINE = 10_000; // for an answer

const head = (line, job, more) => `${line} HTTP/1.1\r\nHost: x\r\nX-Api-Key: ${job.key}\r\n${more}\r\n`;

function post(path, job, json) {
  const headers = `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(json)}\r\n`;
  return head(`POST ${path}`, job, headers) + json;
}

const batch = (job, event) => `[${Array.from({ length: job.size }, (_, j) => event(j)).join(',')}]`;

/** The n-th request of a job, by its kind. */
const KINDS = {
  /** Views of users that come again and again. */
  views: (n, job) =>
    post(
      '/v1/page',
      job,
      `{"user_id":"${job.user}${n % job.users}","name":"${job.page} ${n % 53}","event_id":"${job.run}${n}"}`,
    ),
  /** Users and page names that nobody had before. */
  strangers: (n, job) =>
    post(
      '/v1/page',
      job,
      `{"user_id":"${job.user}${job.run}${n}","name":"${job.page} ${job.run}${n}","event_id":"${n}"}`,
    ),
  /** Page names that nobody had before, of users that are known. */
  names: (n, job) =>
    post(
      '/v1/page',
      job,
      `{"user_id":"${job.user}${n % job.users}","name":"${job.page} ${job.run}${n}","event_id":"${job.run}${n}"}`,
    ),
  /** Batches of one user's views, all of one page or each of its own. */
  batches: (n, job) =>
    post(
      '/v1/pages',
      job,
      batch(job, (j) => {
        const i = n * job.size + j;
        const page = job.pages ? `${i % job.pages}` : `${job.run}${i}`;
        return `{"user_id":"${job.user}","name":"${job.page} ${page}","event_id":"${job.run}${i}"}`;
      }),
    ),
  /** Batches of many users' views. */
  batchesOfAll: (n, job) =>
    post(
      '/v1/pages',
      job,
      batch(job, (j) => {
        const i = n * job.size + j;
        return `{"user_id":"${job.user}${i % job.users}","name":"${job.page} ${i % 53}","event_id":"${job.run}${i}"}`;
      }),
    ),
  profile: (n, job) => head(`GET /v1/user/${job.user}${job.users ? n % job.users : ''}`, job, ''),
  livez: (_n, job) => head('GET /livez', job, ''),
  /** Whatever the job says. */
  raw: (_n, job) => job.request,
};

/** Times of answers in microseconds, in buckets that grow by a hundredth. */
class Times {
  counts = new Uint32Array(2400);
  total = 0;
  most = 0;
  add(ms) {
    const bucket = Math.min(2399, Math.max(0, Math.floor(Math.log(ms * 1000) / Math.log(1.01))));
    this.counts[bucket]++;
    this.total++;
    if (ms > this.most) this.most = ms;
  }
  at(share) {
    let left = this.total * share;
    for (let bucket = 0; bucket < 2400; bucket++) {
      left -= this.counts[bucket];
      if (left < 0) return Math.min(this.most, 1.01 ** (bucket + 1) / 1000);
    }
    return this.most;
  }
  figures() {
    return { count: this.total, p50: this.at(0.5), p99: this.at(0.99), most: this.most };
  }
}

class Run {
  statuses = {};
  times = {}; // by status
  seconds = []; // per second of the run: { sent, 202: 17, … }
  lost = 0; // requests whose connection ended first
  late = 0; // requests not answered within the deadline
  notSent = 0; // there was no connection left to send them on
  idle = [];
  lines = new Set();
  dialled = 0;
  sent = 0;
  waiting = new Set();
  stopping = false;

  constructor(job) {
    this.job = job;
    this.make = KINDS[job.kind];
    this.sources = job.from ?? ['127.0.0.1'];
    this.start = performance.now();
  }

  second() {
    const i = Math.floor((performance.now() - this.start) / 1000);
    this.seconds[i] ??= { sent: 0 };
    return this.seconds[i];
  }

  dial() {
    const line = new Line(this, this.sources[this.dialled++ % this.sources.length]);
    this.lines.add(line);
    return line;
  }

  answered(line, status, ms) {
    const code = String(status);
    this.statuses[code] = (this.statuses[code] ?? 0) + 1;
    this.times[code] ??= new Times();
    this.times[code].add(ms);
    const second = this.second();
    second[code] = (second[code] ?? 0) + 1;
    if (this.stopping) return;
    if (this.job.rate === undefined) line.send();
    else this.idle.push(line);
  }

  /** Sends one on a connection that is free, or on a new one. */
  issue() {
    let line = this.idle.pop();
    while (line?.isOver) line = this.idle.pop();
    if (line) line.send();
    else if (this.lines.size < this.job.connections) this.dial().send();
    else this.notSent++;
  }

  async go() {
    const { rate, seconds, connections } = this.job;
    const end = this.start + seconds * 1000;
    const before = process.cpuUsage();
    if (rate === undefined) {
      for (let i = 0; i < connections; i++) this.dial().send();
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    } else {
      let issued = 0;
      for (let now = performance.now(); now < end; now = performance.now()) {
        const due = Math.floor(((now - this.start) / 1000) * rate);
        if (due - issued > rate) issued = due - rate; // this process itself was away: what is past is past
        for (let burst = 0; issued < due && burst < 500; issued++, burst++) this.issue();
        await new Promise((resolve) => (issued < due ? setImmediate(resolve) : setTimeout(resolve, 1)));
      }
    }
    const elapsed = (performance.now() - this.start) / 1000;
    this.stopping = true;
    const until = performance.now() + DEADLINE;
    while (this.waiting.size > 0 && performance.now() < until)
      await new Promise((resolve) => setTimeout(resolve, 5));
    this.late = this.waiting.size;
    const open = this.lines.size;
    for (const line of this.lines) line.socket.destroy();
    const { user, system } = process.cpuUsage(before);
    return {
      seconds: elapsed,
      sent: this.sent,
      statuses: this.statuses,
      times: Object.fromEntries(Object.entries(this.times).map(([code, times]) => [code, times.figures()])),
      bySecond: Array.from(this.seconds, (second) => second ?? { sent: 0 }),
      lost: this.lost,
      late: this.late,
      notSent: this.notSent,
      connections: open,
      cpu: (user + system) / 1e6 / elapsed,
    };
  }
}

class Line {
  held = '';
  sentAt = 0;
  isOver = false;

  constructor(run, localAddress) {
    this.run = run;
    const buffer = Buffer.allocUnsafe(16 * 1024);
    const callback = (size) => {
      this.read(buffer.latin1Slice(0, size));
      return true;
    };
    const { port } = run.job;
    this.socket = connect({
      port,
      host: '127.0.0.1',
      localAddress,
      noDelay: true,
      onread: { buffer, callback },
    });
    const over = () => {
      if (this.isOver) return;
      this.isOver = true;
      run.lines.delete(this);
      if (run.waiting.delete(this) && !run.stopping) {
        run.lost++;
        if (run.job.rate === undefined) setTimeout(() => run.stopping || run.dial().send(), 10);
      }
    };
    this.socket
      .on('error', over)
      .on('close', over)
      .on('end', () => this.socket.destroy());
  }

  send() {
    const { run } = this;
    const request = run.make(run.sent++, run.job);
    run.second().sent++;
    run.waiting.add(this);
    this.sentAt = performance.now();
    this.socket.write(request, 'latin1');
  }

  read(text) {
    this.held += text;
    const end = this.held.indexOf('\r\n\r\n');
    if (end < 0) return;
    const length = Number(/\r\ncontent-length: *(\d+)/i.exec(this.held)?.[1] ?? 0);
    if (this.held.length < end + 4 + length) return;
    const status = this.held.slice(9, 12);
    this.held = '';
    if (!this.run.waiting.delete(this)) return; // nobody asked: the service closes the connection
    this.run.answered(this, status, performance.now() - this.sentAt);
  }
}

process.on('message', async (job) => {
  const figures = await new Run(job).go();
  process.send({ id: job.id, figures });
});
process.send('ready');
