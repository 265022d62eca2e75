// Requests that nobody would send on purpose, and the ones in between. Each is made of the seed and its number alone, so one
// that does harm can be sent again: `FUZZ_SEED=… npm run test:faults -- fuzz`.

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type Case, caseOf } from './fuzzCases.ts';
import { MARK } from './marks.ts';

export interface FuzzOptions {
  port: number;
  seed: number;
  count: number;
  /** Requests at once. */
  lanes?: number;
  /** Within which each is answered, or its connection closed, ms. */
  deadline: number;
  /** Hears after each how many are done. */
  onProgress?(done: number): void;
}

export interface FuzzReport {
  answers: Record<string, number>;
  /** Requests whose connection was closed without an answer, by what was wrong with them. */
  closed: Record<string, number>;
  /** Requests that met no answer and no end. */
  hung: string[];
  /** What an answer must not be. */
  bad: string[];
}

export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const { port, seed, count, lanes = 24, deadline, onProgress } = options;
  const report: FuzzReport = { answers: {}, closed: {}, hung: [], bad: [] };
  let next = 0;
  let done = 0;

  async function lane(): Promise<void> {
    let kept: Line | undefined; // tidy requests share a connection, as a browser's do
    while (next < count) {
      const number = next++;
      const one = caseOf(seed, number);
      const name = `#${number} ${one.what}`;
      if (kept && (one.ends !== 'keep' || kept.isOver)) {
        kept.socket.destroy();
        kept = undefined;
      }
      const line: Line = kept ?? (await dial(port));
      const { answers, over } = await exchange(line, one, deadline);
      // What was answered may leave its connection open, whatever was wrong with it.
      if (over === 'late' && answers.length === 0) report.hung.push(name);
      if (answers.length === 0 && over === 'closed') {
        add(report.closed, one.what.split(' ')[0]!);
        if (one.ends === 'keep') report.bad.push(`${name}: its connection was closed without an answer`);
      }
      for (const answer of answers) {
        add(report.answers, String(answer.status));
        const fault = faultOf(answer);
        if (fault)
          report.bad.push(`${name}: ${fault}: ${answer.head.slice(0, 300)} ${answer.body.slice(0, 300)}`);
      }
      if (one.ends === 'keep' && over === undefined && !line.isOver) kept = line;
      else line.socket.destroy();
      onProgress?.(++done);
    }
    kept?.socket.destroy();
  }

  await Promise.all(Array.from({ length: lanes }, lane));
  return report;
}

function add(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

interface Answer {
  status: number;
  head: string;
  body: string;
}

function faultOf({ status, head, body }: Answer): string | undefined {
  if (status >= 500 && status !== 503) return `a ${status}`;
  if (status === 503 && !/^retry-after: \d+/im.test(head)) return 'a 503 without Retry-After';
  if (head.includes(MARK.key) || body.includes(MARK.key)) return 'it repeats a key';
  if (!/^content-type: application\/(problem\+)?json/im.test(head) || body === '') return undefined;
  if (/^content-encoding:/im.test(head)) return undefined; // the description, to those who take it so
  try {
    const value = JSON.parse(body);
    if (status >= 400 && (value.status !== status || typeof value.code !== 'string')) {
      return value.reason === undefined ? 'a problem that is none' : undefined;
    }
  } catch {
    return 'it says JSON and is none';
  }
  return undefined;
}

/** A connection, and what came over it that no answer has taken. */
interface Line {
  socket: Socket;
  held: string;
  isOver: boolean;
  /** Is told when there is more. */
  wake(): void;
}

async function dial(port: number): Promise<Line> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
  const line: Line = { socket, held: '', isOver: false, wake: () => undefined };
  socket.setEncoding('latin1').on('data', (text: unknown) => {
    line.held += text;
    line.wake();
  });
  const over = () => {
    line.isOver = true;
    line.wake();
  };
  socket.on('end', over).on('close', over);
  await once(socket, 'connect');
  socket.on('error', over);
  return line;
}

async function exchange(
  line: Line,
  { bytes, methods, ends, pieces }: Case,
  deadline: number,
): Promise<{ answers: Answer[]; over: 'closed' | 'late' | undefined }> {
  const { socket } = line;
  const answers: Answer[] = [];
  let late = false;
  const woken = () =>
    new Promise<void>((resolve) => {
      line.wake = resolve;
    });
  const timer = setTimeout(() => {
    late = true;
    line.wake();
  }, deadline);
  for (const piece of cut(bytes, pieces)) {
    if (line.isOver) break;
    const more = woken();
    socket.write(piece);
    if (pieces > 1) await Promise.race([more, new Promise(setImmediate)]);
  }
  if (ends === 'cut') socket.destroy();
  else if (ends === 'half-close' && !line.isOver) socket.end();
  for (;;) {
    const more = woken();
    let answer = takeAnswer(line, methods[answers.length]);
    while (answer) {
      if (answer.status !== 100) answers.push(answer);
      answer = takeAnswer(line, methods[answers.length]);
    }
    const isDone = ends === 'keep' && answers.length >= methods.length;
    if (isDone || line.isOver || late) break;
    await more;
  }
  clearTimeout(timer);
  const isDone = ends === 'keep' && answers.length >= methods.length;
  if (answers.some(({ head }) => /^connection: close/im.test(head))) line.isOver = true;
  return { answers, over: isDone ? undefined : line.isOver ? 'closed' : 'late' };
}

function cut(bytes: Buffer, pieces: number): Buffer[] {
  const size = Math.max(1, Math.ceil(bytes.length / pieces));
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
    bytes.subarray(i * size, (i + 1) * size),
  );
}

/** Takes the next whole answer off a line, if there is one. */
function takeAnswer(line: Line, method: string | undefined): Answer | undefined {
  const end = line.held.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = line.held.slice(0, end);
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]);
  const hasNoBody = method === 'HEAD' || status === 204 || status === 304 || status < 200;
  if (!hasNoBody && /^transfer-encoding: chunked/im.test(head))
    return takeChunks(line, { status, head }, end + 4);
  const length = hasNoBody ? 0 : Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? Number.NaN);
  if (Number.isNaN(length)) {
    if (!line.isOver) return undefined; // it ends with the connection
    const body = line.held.slice(end + 4);
    line.held = '';
    return { status, head, body };
  }
  if (line.held.length < end + 4 + length) return undefined;
  const body = line.held.slice(end + 4, end + 4 + length);
  line.held = line.held.slice(end + 4 + length);
  return { status, head, body: Buffer.from(body, 'latin1').toString() };
}

/** The same of one whose length nobody knew before. */
function takeChunks(line: Line, answer: Omit<Answer, 'body'>, from: number): Answer | undefined {
  let body = '';
  for (let at = from; ; ) {
    const end = line.held.indexOf('\r\n', at);
    if (end < 0) return undefined;
    const length = Number.parseInt(line.held.slice(at, end), 16);
    at = end + 2 + length + 2;
    if (line.held.length < at) return undefined;
    body += line.held.slice(end + 2, end + 2 + length);
    if (length > 0) continue;
    line.held = line.held.slice(at);
    return { ...answer, body: Buffer.from(body, 'latin1').toString() };
  }
}
