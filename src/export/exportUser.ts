import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { RequestHandler } from 'express';
import type { Logger } from 'pino';
import { placesIn } from '../http/problem.ts';
import { beginStream, NOT_STORED, requestId } from '../http/respond.ts';
import { checkUserPath } from '../http/validate.ts';
import type { Exporter } from './export.ts';

const CHUNK = 64 * 1024; // characters, about

/** All that is held of a person, sent as it is read, and read no faster than it is taken. */
export function exportUser(exporter: Exporter, log: Logger): RequestHandler {
  return async (req, res) => {
    const { user_id } = checkUserPath(req.params);
    const lines = exporter.of(user_id);
    let next = await lines.next(); // what fails here can still be said
    beginStream(res, 'application/x-ndjson', NOT_STORED);
    if (req.method === 'HEAD') {
      await lines.return(undefined);
      res.end();
      return;
    }
    let fault: Error | undefined;

    async function* chunks(): AsyncGenerator<string> {
      let chunk = '';
      try {
        for (; !next.done; next = await lines.next().catch(note)) {
          chunk += `${JSON.stringify(next.value)}\n`;
          if (chunk.length < CHUNK) continue;
          yield chunk;
          chunk = '';
        }
        yield chunk;
      } finally {
        await lines.return(undefined); // of a client that has gone, nothing more is asked
      }
    }

    function note(error: Error): never {
      fault = error;
      throw error;
    }

    // What fails now cuts the connection: an answer that ended well would pass for all there is.
    await pipeline(Readable.from(chunks(), { highWaterMark: 1 }), res).catch(() => undefined);
    if (!fault) return;
    const { name } = fault;
    log.error({ request: requestId(res), route: req.route?.path, name, stack: placesIn(fault) }, 'cut off');
  };
}
