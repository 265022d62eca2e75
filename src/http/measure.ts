import type { Socket } from 'node:net';
import type { RequestHandler, Response } from 'express';
import type { Metrics } from '../metrics.ts';
import type { Overload } from './overload.ts';
import { send } from './respond.ts';

const START = Symbol('start');
type Timed = Response & { [START]: number };

/** How many requests of a connection are under way. */
const UNDER_WAY = Symbol('under way');
/** Whether the answer to one goes on and on. */
const ENDLESS = Symbol('endless');
type Counted = Socket & { [UNDER_WAY]?: number; [ENDLESS]?: true };

/** Who sends more than that behind one another, and reads none of the answers, fills this process with them. */
const MOST_BEHIND = 100;

/** Counts and times every request under its route's pattern; a path may name a person. */
export function measured(metrics: Metrics, overload: Overload): RequestHandler {
  // One listener for all: it hears on which response, or connection, it is called.
  function onClose(this: Timed): void {
    if (Number.isNaN(this[START])) return; // it was taken out
    const socket: Counted = this.req.socket;
    if (socket[UNDER_WAY]) {
      socket[UNDER_WAY]--;
      overload.end();
    }
    if (!this.writableFinished) return; // the client is gone
    metrics.request(
      this.req.route?.path ?? 'none',
      this.statusCode,
      (performance.now() - this[START]) / 1000,
    );
  }
  // Of requests sent behind one another, Node tells only the first that their connection is gone.
  function onConnectionClose(this: Counted): void {
    for (; this[UNDER_WAY]; this[UNDER_WAY]--) overload.end();
  }
  return (req, res, next) => {
    const socket: Counted = req.socket;
    if (socket.destroyed) return; // what Node had read of it already
    const before = socket[UNDER_WAY];
    if (before === undefined) socket.once('close', onConnectionClose);
    else if (before >= MOST_BEHIND || socket[ENDLESS]) {
      socket.destroy();
      return;
    }
    (res as Timed)[START] = performance.now();
    res.once('close', onClose);
    socket[UNDER_WAY] = (before ?? 0) + 1;
    overload.begin();
    next();
  };
}

/**
 * For an answer that goes on for as long as its client likes: from here on it is no request under way, and how long it
 * took is nobody's concern.
 */
export function takeOut(res: Response, overload: Overload): void {
  const socket: Counted = res.req.socket;
  if (socket[UNDER_WAY]) {
    socket[UNDER_WAY]--;
    overload.end();
  }
  socket[ENDLESS] = true; // nothing behind it would ever be answered
  (res as Timed)[START] = Number.NaN;
}

export function showMetrics(metrics: Metrics): RequestHandler {
  return async (_req, res) => {
    send(res, 200, metrics.contentType, await metrics.text());
  };
}
