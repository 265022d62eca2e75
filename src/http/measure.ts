import type { Socket } from 'node:net';
import type { RequestHandler, Response } from 'express';
import type { Metrics } from '../metrics.ts';
import type { Overload } from './overload.ts';
import { send } from './respond.ts';

const START = Symbol('start');
/** Whether it is work under way, as a guard said. */
const WORK = Symbol('work');
type Timed = Response & { [START]: number; [WORK]?: true };

/** How many answers of a connection have not gone out. */
const BEHIND = Symbol('behind');
/** How many of them are work. */
const WORKS = Symbol('works');
/** Whether the answer to one goes on and on. */
const ENDLESS = Symbol('endless');
type Counted = Socket & { [BEHIND]?: number; [WORKS]?: number; [ENDLESS]?: true };

/** Who sends more than that behind one another, and reads none of the answers, fills this process with them. */
const MOST_BEHIND = 100;
/** No file behind so many: they are large and need no key, and no browser sends one behind another. */
const MOST_BEFORE_FILE = 10;

/** Counts and times every request under its route's pattern; a path may name a person. */
export function measured(metrics: Metrics, overload: Overload): RequestHandler {
  // One listener for all: it hears on which response, or connection, it is called.
  function onClose(this: Timed): void {
    if (Number.isNaN(this[START])) return; // it was taken out
    forget(this, overload);
    if (!this.writableFinished) return; // the client is gone
    metrics.request(
      this.req.route?.path ?? 'none',
      this.statusCode,
      (performance.now() - this[START]) / 1000,
    );
  }
  // Of requests sent behind one another, Node tells only the first that their connection is gone.
  function onConnectionClose(this: Counted): void {
    this[BEHIND] = 0;
    for (; this[WORKS]; this[WORKS]--) overload.end();
  }
  return (req, res, next) => {
    const socket: Counted = req.socket;
    if (socket.destroyed) return; // what Node had read of it already
    const before = socket[BEHIND];
    if (before === undefined) socket.once('close', onConnectionClose);
    else if (before >= MOST_BEHIND || socket[ENDLESS]) {
      socket.destroy();
      return;
    }
    (res as Timed)[START] = performance.now();
    res.once('close', onClose);
    socket[BEHIND] = (before ?? 0) + 1;
    next();
  };
}

/** From here on a request is work. A file never is: answers that nobody reads would shut out those who record. */
export function beginWork(res: Response, overload: Overload): void {
  const socket: Counted = res.req.socket;
  socket[WORKS] = (socket[WORKS] ?? 0) + 1;
  (res as Timed)[WORK] = true;
  overload.begin();
}

function forget(res: Timed, overload: Overload): void {
  const socket: Counted = res.req.socket;
  if (socket[BEHIND]) socket[BEHIND]--;
  if (!res[WORK] || !socket[WORKS]) return;
  socket[WORKS]--;
  overload.end();
}

/** Whether a file is one too many behind others. */
export const isPiledUp = ({ socket }: { socket: Counted }) => (socket[BEHIND] ?? 0) > MOST_BEFORE_FILE;

/**
 * For an answer that goes on for as long as its client likes: from here on it is no request under way, and how long it
 * took is nobody's concern.
 */
export function takeOut(res: Response, overload: Overload): void {
  forget(res as Timed, overload);
  (res.req.socket as Counted)[ENDLESS] = true; // nothing behind it would ever be answered
  (res as Timed)[START] = Number.NaN;
}

export function showMetrics(metrics: Metrics): RequestHandler {
  return async (_req, res) => {
    send(res, 200, metrics.contentType, await metrics.text());
  };
}
