import type { NextFunction, RequestHandler, Response } from 'express';
import { JSON_TYPES, parseJson, readText } from '../http/body.ts';
import { asProblem, Problem } from '../http/problem.ts';
import { sendJson } from '../http/respond.ts';
import type { Waiter } from '../redis/grouping.ts';
import type { Outcome, Recorder } from '../redis/recorder.ts';
import type { Clock } from '../time.ts';
import { inFuture, pageViewOf } from './pageBody.ts';
import type { PageView } from './pageView.ts';

const MOST_EVENTS = 1000;
const LIMIT = 1024 * 1024;
const LINE_TYPES = ['application/x-ndjson', 'application/ndjson'];
const LINES = /^\s*application\/(x-)?ndjson\s*(;|$)/i;
const TYPES = [...JSON_TYPES, ...LINE_TYPES];

/** A batch: a JSON array, or one JSON text a line. Its good events count even where others are rejected. */
export function recordPages(recorder: Recorder, clock: Clock): RequestHandler {
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
      const now = clock();
      const batch = new BatchAnswer(res, next);
      const views: [index: number, view: PageView][] = [];
      for (let index = 0; index < items.length; index++) {
        try {
          views.push([index, pageViewOf(read(items[index]!), now)]);
        } catch (problem) {
          batch.reject(index, problem);
        }
      }
      if (views.length === 0) throw batch.nothingGood();
      batch.waitFor(views.length);
      for (const [index, view] of views) recorder.recordFor(view, new EventOfBatch(batch, index));
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

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line.trim() !== '');

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new Problem('invalid_json', 'is not JSON');
  }
}

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

  constructor(res: Response, next: NextFunction) {
    this.res = res;
    this.next = next;
  }

  reject(index: number, error: unknown): void {
    const { code, faults, message } = asProblem(error);
    const [fault = { pointer: '', detail: message }] = faults ?? [];
    this.rejected.push({ index, code, detail: fault.detail, pointer: fault.pointer });
  }

  nothingGood(): Problem {
    if (this.rejected.length === 0) return new Problem('invalid_body', 'It holds no event');
    return new Problem('invalid_body', 'None of the events is good', {
      faults: this.rejected.map(({ index, pointer, detail }) => ({ pointer: `/${index}${pointer}`, detail })),
    });
  }

  waitFor(events: number): void {
    this.waiting = events;
  }

  settled(index: number, outcome: Outcome): void {
    if (outcome === 'future') this.reject(index, inFuture());
    else this.counts[outcome]++;
    this.answerAfterLast();
  }

  failed(index: number, error: unknown): void {
    const problem = asProblem(error);
    if (problem.code === 'damaged') this.reject(index, problem);
    else this.open ??= error;
    this.answerAfterLast();
  }

  private answerAfterLast(): void {
    if (--this.waiting > 0) return;
    if (this.open !== undefined) {
      this.next(this.open);
    } else {
      this.rejected.sort((a, b) => a.index - b.index);
      sendJson(this.res, 202, { ...this.counts, rejected: this.rejected });
    }
  }
}

class EventOfBatch implements Waiter<Outcome> {
  private readonly batch: BatchAnswer;
  private readonly index: number;
  constructor(batch: BatchAnswer, index: number) {
    this.batch = batch;
    this.index = index;
  }
  done(outcome: Outcome): void {
    this.batch.settled(this.index, outcome);
  }
  failed(error: unknown): void {
    this.batch.failed(this.index, error);
  }
}
