import type { NextFunction, RequestHandler, Response } from 'express';
import { JSON_TYPES, parseJson, readText, refuseMaze } from '../http/body.ts';
import { callerOf } from '../http/guard.ts';
import { asProblem, Problem, type ProblemCode } from '../http/problem.ts';
import { sendJson } from '../http/respond.ts';
import type { Waiter } from '../redis/grouping.ts';
import type { Outcome } from '../redis/recorder.ts';
import { batchEventOf, inFuture, timeField } from './bodies.ts';
import type { Event } from './event.ts';
import type { Intake } from './intake.ts';

const MOST_EVENTS = 1000;
const LIMIT = 1024 * 1024;
const LINE_TYPES = ['application/x-ndjson', 'application/ndjson'];
const LINES = /^\s*application\/(x-)?ndjson\s*(;|$)/i;
const TYPES = [...JSON_TYPES, ...LINE_TYPES];

/** A batch: a JSON array, or one JSON text a line. Its good events count even where others are rejected. */
export function recordPages(intake: Intake): RequestHandler {
  return (req, res, next) => {
    readText(req, LIMIT, TYPES, (error, text) => {
      if (error) return next(error);
      try {
        if (LINES.test(req.headers['content-type'] ?? '')) record(linesOf(text), parseLine);
        else record(arrayOf(text), itself);
      } catch (problem) {
        next(problem);
      }
    });

    function record<T>(items: T[], read: (item: T) => unknown): void {
      if (items.length > MOST_EVENTS) {
        throw new Problem('payload_too_large', `A batch may hold ${MOST_EVENTS} events at most.`);
      }
      const { client, shown } = callerOf(req);
      if (items.length > 1) intake.spend(client, shown.id, items.length - 1, 1);
      const now = intake.now();
      const batch = new BatchAnswer(res, next);
      const events: [index: number, event: Event][] = [];
      for (let index = 0; index < items.length; index++) {
        try {
          events.push([index, intake.read(read(items[index]!), batchEventOf, now, client)]);
        } catch (problem) {
          batch.reject(index, problem);
        }
      }
      if (events.length === 0) throw batch.nothingGood();
      batch.waitFor(events.length);
      for (const [index, event] of events) {
        intake.record(event, new EventOfBatch(batch, index, event));
      }
    }
  };
}

const itself = (value: unknown) => value;

function arrayOf(text: string): unknown[] {
  const values = parseJson(text);
  if (Array.isArray(values)) return values;
  throw new Problem('invalid_body', 'It must be an array', {
    faults: [{ pointer: '', detail: 'must be an array' }],
  });
}

/** The lines that are not blank; past the most, only one more. */
function linesOf(text: string): string[] {
  const lines: string[] = [];
  const visible = /\S|\ufeff/g; // a byte order mark in the middle is a fault, not a blank
  for (let found = visible.exec(text); found && lines.length <= MOST_EVENTS; found = visible.exec(text)) {
    const end = text.indexOf('\n', found.index);
    lines.push(text.slice(found.index, end < 0 ? undefined : end));
    visible.lastIndex = end < 0 ? text.length : end;
  }
  refuseMaze(lines);
  return lines;
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new Problem('invalid_json', 'is not JSON');
  }
}

/** What fails one event and no other. */
const ITS_OWN = new Set<ProblemCode>(['damaged', 'too_many_new_users', 'store_full']);

/** What is good later: a batch with nothing but that, or with what is never good beside it, is to be sent again. */
const LATER = new Set<ProblemCode>(['too_many_requests', 'too_many_new_users', 'store_full']);

interface Rejection {
  index: number;
  code: string;
  detail: string;
  pointer: string;
}

class BatchAnswer {
  private readonly counts = { recorded: 0, duplicate: 0, erased: 0, expired: 0, capped: 0 };
  private readonly rejected: Rejection[] = [];
  private readonly res: Response;
  private readonly next: NextFunction;
  private waiting = 0;
  private open: unknown; // why Redis left an event open
  private later: Problem | undefined; // why an event is not taken now, and may be later

  constructor(res: Response, next: NextFunction) {
    this.res = res;
    this.next = next;
  }

  reject(index: number, error: unknown): void {
    const problem = asProblem(error);
    const { code, faults, message } = problem;
    if (LATER.has(code)) this.later = problem;
    const [fault = { pointer: '', detail: message }] = faults ?? [];
    this.rejected.push({ index, code, detail: fault.detail, pointer: fault.pointer });
  }

  nothingGood(): Problem {
    if (this.later) return this.later;
    if (this.rejected.length === 0) return new Problem('invalid_body', 'It holds no event');
    const unsigned = this.rejected.every(({ code }) => code === 'bad_signature');
    return new Problem(unsigned ? 'bad_signature' : 'invalid_body', 'None of the events is good', {
      faults: this.rejected.map(({ index, pointer, detail }) => ({ pointer: `/${index}${pointer}`, detail })),
    });
  }

  waitFor(events: number): void {
    this.waiting = events;
  }

  settled(index: number, event: Event, outcome: Outcome): void {
    if (outcome === 'future') this.reject(index, inFuture(timeField(event)));
    else this.counts[outcome]++;
    this.answerAfterLast();
  }

  failed(index: number, error: unknown): void {
    const problem = asProblem(error);
    if (ITS_OWN.has(problem.code)) this.reject(index, problem);
    else this.open ??= error;
    this.answerAfterLast();
  }

  private answerAfterLast(): void {
    if (--this.waiting > 0) return;
    if (this.open !== undefined) {
      this.next(this.open);
    } else if (this.later && Object.values(this.counts).every((count) => count === 0)) {
      this.next(this.later);
    } else {
      this.rejected.sort((a, b) => a.index - b.index);
      sendJson(this.res, 202, { ...this.counts, rejected: this.rejected });
    }
  }
}

class EventOfBatch implements Waiter<Outcome> {
  private readonly batch: BatchAnswer;
  private readonly index: number;
  private readonly event: Event;
  constructor(batch: BatchAnswer, index: number, event: Event) {
    this.batch = batch;
    this.index = index;
    this.event = event;
  }
  done(outcome: Outcome): void {
    this.batch.settled(this.index, this.event, outcome);
  }
  failed(error: unknown): void {
    this.batch.failed(this.index, error);
  }
}
