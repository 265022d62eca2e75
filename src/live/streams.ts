// Those who listen to the figures, each over an answer that does not end (server-sent events).

import type { Socket } from 'node:net';
import type { Request, RequestHandler, Response } from 'express';
import { type Keyring, may } from '../http/keys.ts';
import { takeOut } from '../http/measure.ts';
import type { Overload } from '../http/overload.ts';
import { Problem } from '../http/problem.ts';
import { beginStream, NOT_STORED } from '../http/respond.ts';
import type { Figures, Sampler } from './sampler.ts';

export interface Streams {
  open: RequestHandler;
  /** How many there are. */
  count(): number;
  /** Ends all, and lets none begin. */
  end(): void;
}

export interface StreamsOptions {
  sampler: Sampler;
  keyring: Keyring;
  overload: Overload;
}

/** Of a process. */
const MOST = 100;
/** For how many beats one may leave what was sent unread. */
const PATIENCE = 30;
/** How long one that ends may take, ms. */
const LAST_WORDS = 1000;

/** A client that lost its stream comes again after so long, ms. */
const RETRY = 'retry: 2000\n\n';
/** Says nothing, and shows that the connection lives. */
const SILENCE = ':\n\n';

interface Stream {
  req: Request;
  res: Response;
  /** Beats since it took anything. */
  unread: number;
}

export function createStreams({ sampler, keyring, overload }: StreamsOptions): Streams {
  const streams = new Map<Socket, Stream>();
  let stop: (() => void) | undefined;
  let ended = false;
  let latest = '';

  /** One text for all of them. */
  function hear(figures: Figures | undefined): void {
    const text = figures ? `event: figures\ndata: ${JSON.stringify(figures)}\n\n` : SILENCE;
    latest = figures ? text : '';
    for (const stream of streams.values()) beat(stream, text);
  }

  function beat(stream: Stream, text: string): void {
    const { req, res } = stream;
    const shown = keyring.shownBy(req);
    if (!shown || !may(shown, 'metrics')) {
      endOne(stream); // the key was taken away meanwhile
    } else if (!res.writableNeedDrain) {
      stream.unread = 0;
      res.write(text);
    } else if (++stream.unread > PATIENCE) {
      res.destroy(); // what waits for it is bounded, its place is not
    }
  }

  function endOne({ req, res }: Stream): void {
    forget(req.socket);
    res.end();
    setTimeout(() => res.destroy(), LAST_WORDS).unref(); // of one who does not read, the end would wait behind the rest
  }

  function forget(socket: Socket): void {
    streams.delete(socket);
    if (streams.size > 0) return;
    stop?.();
    stop = undefined;
    latest = '';
  }

  return {
    open(req, res) {
      const { socket } = req;
      if (ended || streams.size >= MOST) {
        const detail = ended ? 'The service stops.' : 'Too many listen already.';
        throw new Problem('overloaded', detail, { headers: { 'Retry-After': '2' } });
      }
      res.shouldKeepAlive = false; // when it ends, the service may be waiting for the connection
      beginStream(res, 'text/event-stream', [...NOT_STORED, 'X-Accel-Buffering', 'no']);
      if (req.method === 'HEAD') {
        res.end();
        return;
      }
      takeOut(res, overload);
      if (socket.destroyed) return;
      streams.set(socket, { req, res, unread: 0 });
      socket.once('close', () => forget(socket)); // an answer that waits behind another never hears of it
      res.write(RETRY + (latest || SILENCE));
      stop ??= sampler.start(hear);
    },
    count: () => streams.size,
    end() {
      ended = true;
      for (const stream of streams.values()) endOne(stream);
    },
  };
}
