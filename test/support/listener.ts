// Somebody who listens to the live figures.

import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';
import type { Figures } from '../../src/live/sampler.ts';

export interface Listener {
  status: number;
  headers: IncomingHttpHeaders;
  figures: Figures[];
  text(): string;
  /** How it ended: in order, or by a connection that broke. */
  ended: Promise<'ended' | 'cut off'>;
  leave(): void;
}

export async function listen(port: number, key?: string): Promise<Listener> {
  const req = request({
    ...{ host: '127.0.0.1', port, path: '/v1/live', agent: false },
    headers: key === undefined ? {} : { Authorization: `Bearer ${key}` },
  });
  req.on('error', () => undefined);
  req.end();
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  const figures: Figures[] = [];
  let text = '';
  res.setEncoding('utf8').on('data', (chunk) => {
    text += chunk;
    const found = text.matchAll(/^event: figures\ndata: (.*)\n\n/gm);
    figures.splice(0, figures.length, ...[...found].map(([, data]) => JSON.parse(data!)));
  });
  res.on('error', () => undefined);
  const closed = new Promise((resolve) => res.once('close', resolve));
  const ended = closed.then(() => (res.complete ? 'ended' : 'cut off') as 'ended' | 'cut off');
  return {
    status: res.statusCode!,
    headers: res.headers,
    figures,
    text: () => text,
    ended,
    leave: () => req.destroy(),
  };
}

/** What rates come to, over all figures but the first. */
export function added(figures: Figures[], rate: (one: Figures) => number): number {
  return figures.reduce((sum, one, i) => {
    const seconds = i === 0 ? 1 : (Date.parse(one.at) - Date.parse(figures[i - 1]!.at)) / 1000;
    return sum + seconds * rate(one);
  }, 0);
}
