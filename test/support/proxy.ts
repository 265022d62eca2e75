// What stands between a client and Redis, and fails as networks do.

import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { steadyPort } from './topologies.ts';

/**
 * pass; delay: each piece comes `ms` later; holdReplies: Redis is asked, and nobody hears what it answered; swallow: a black
 * hole, connections stay; reset: connections break, new ones too; refuse: nothing listens, and connections break.
 */
export type Fault = 'pass' | 'delay' | 'holdReplies' | 'swallow' | 'reset' | 'refuse';

export interface Proxy {
  port: number;
  url: string;
  /** What happens from now on, to open connections too. Those that had something swallowed break when that is over. */
  set(fault: Fault, ms?: number): void;
  /** Breaks all open connections; what was kept back is gone. */
  cut(): void;
  /** Connections that clients have open. */
  open(): number;
  stop(): Promise<void>;
}

/** One direction of a connection. */
interface Lane {
  from: Socket;
  to: Socket;
  replies: boolean;
  /** Without a chunk: the end. */
  waiting: { chunk?: Buffer; due: number }[];
  timer?: NodeJS.Timeout;
}

interface Connection {
  client: Socket;
  upstream: Socket;
  lanes: Lane[];
  swallowed: boolean;
}

const BROKEN = new Set<Fault>(['reset', 'refuse']);

export async function startProxy(target: { port: number } | { path: string }): Promise<Proxy> {
  const port = await steadyPort();
  const connections = new Set<Connection>();
  let fault: Fault = 'pass';
  let ms = 0;

  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    client.on('error', () => undefined);
    if (BROKEN.has(fault)) client.resetAndDestroy();
    else open(client);
  });

  function open(client: Socket): void {
    const to = 'port' in target ? { ...target, host: '127.0.0.1', noDelay: true } : target;
    const upstream = connect({ ...to, allowHalfOpen: true }).on('error', () => undefined);
    const lanes: Lane[] = [
      { from: client, to: upstream, replies: false, waiting: [] },
      { from: upstream, to: client, replies: true, waiting: [] },
    ];
    const connection: Connection = { client, upstream, lanes, swallowed: false };
    connections.add(connection);
    for (const lane of lanes) {
      lane.from.on('data', (chunk) => take(connection, lane, chunk));
      lane.from.on('close', () => {
        take(connection, lane);
        if (client.destroyed && upstream.destroyed) connections.delete(connection);
      });
      lane.from.on('end', () => lane.from.destroySoon());
    }
  }

  function take(connection: Connection, lane: Lane, chunk?: Buffer): void {
    if (fault === 'swallow') {
      connection.swallowed = true;
      return;
    }
    lane.waiting.push({ ...(chunk && { chunk }), due: performance.now() + ms });
    forward(lane);
  }

  function forward(lane: Lane): void {
    clearTimeout(lane.timer);
    if (fault === 'holdReplies' && lane.replies) return;
    for (let next = lane.waiting[0]; next; next = lane.waiting[0]) {
      const early = next.due - performance.now();
      if (fault === 'delay' && early > 0) {
        lane.timer = setTimeout(forward, early, lane).unref();
        return;
      }
      lane.waiting.shift();
      if (next.chunk) lane.to.write(next.chunk);
      else lane.to.destroySoon();
    }
  }

  function swallow(connection: Connection): void {
    for (const lane of connection.lanes) {
      clearTimeout(lane.timer);
      if (lane.waiting.splice(0).length > 0) connection.swallowed = true;
    }
  }

  function sever(connection: Connection): void {
    connections.delete(connection);
    for (const lane of connection.lanes) {
      clearTimeout(lane.timer);
      lane.waiting = [];
    }
    connection.client.resetAndDestroy();
    connection.upstream.destroy();
  }

  const cut = () => connections.forEach(sever);

  function listen(): void {
    if (!server.listening) server.listen(port, '127.0.0.1');
  }

  listen();
  await once(server, 'listening');
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    set(wanted, delayMs = 0) {
      fault = wanted;
      ms = delayMs;
      if (fault === 'refuse') server.close();
      else listen();
      for (const connection of connections) {
        if (BROKEN.has(fault) || (fault !== 'swallow' && connection.swallowed)) sever(connection);
        else if (fault === 'swallow') swallow(connection);
        else connection.lanes.forEach(forward);
      }
    },
    cut,
    open: () => [...connections].filter(({ client }) => !client.destroyed).length,
    async stop() {
      cut();
      if (!server.listening) return;
      server.close();
      await once(server, 'close');
    },
  };
}
