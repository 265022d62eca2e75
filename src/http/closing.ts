// Stopping a server without dropping a request.

import { once } from 'node:events';
import type { Server } from 'node:http';
import { type Socket, Server as TcpServer } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import type { Express } from 'express';

/** How long a connection without a request stays open while stopping: a request may be on its way. */
const LAST_CALL = 200;

/** How long new connections may keep it listening while stopping, and a turn with nothing else to do at most takes; ms. */
const LAST_ENTRY = 1000;
const SHORT_TURN = 0.2;

/**
 * Gives what stops a server. Node's own `close` cuts every connection that is between two requests, though the next may be
 * on its way, and those that it has yet to accept; it keeps those that were never used, and lets requests under way end with
 * their connection kept alive.
 */
export function closing(server: Server, app: Express): () => Promise<void> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  server.on('connection', (socket: Socket) => {
    accepted++;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });

  /**
   * The kernel resets what nobody has accepted when listening ends, and Node accepts one connection a turn. What comes
   * while a turn works on something else is not seen before the next one: so the last one must be a short one.
   */
  async function acceptWaiting(): Promise<void> {
    const deadline = performance.now() + LAST_ENTRY;
    let isQuiet = false;
    await turn(); // the one under way may have accepted before it heard the signal
    while (!isQuiet && performance.now() < deadline) {
      const [before, since] = [accepted, performance.now()];
      await turn();
      isQuiet = accepted === before && performance.now() - since < SHORT_TURN;
    }
  }

  return async () => {
    await acceptWaiting();
    app.locals.stopping = true; // each answer from now on closes its connection
    const closed = once(server, 'close');
    TcpServer.prototype.close.call(server);
    const sweep = setInterval(() => {
      server.closeIdleConnections();
      for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
    }, LAST_CALL);
    await closed;
    clearInterval(sweep);
  };
}
