// One request to a service that wants keys, on a connection of its own, from any address of this machine.

import { request } from 'node:http';
import { KEYS } from './marks.ts';
import type { Answer } from './process.ts';

export interface Asked {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
  key?: string;
  /** From which address. */
  from?: string;
}

export function ask(port: number, path: string, asked: Asked = {}): Promise<Answer> {
  const { body, method = body === undefined ? 'GET' : 'POST', key = KEYS.admin, from, headers } = asked;
  return new Promise((resolve, reject) => {
    const req = request(
      {
        host: '127.0.0.1',
        port,
        method,
        path,
        agent: false,
        ...(from !== undefined && { localAddress: from }),
        headers: {
          'X-Api-Key': key,
          ...(body !== undefined && { 'Content-Type': 'application/json' }),
          ...headers,
        },
      },
      (res) => {
        const chunks: Buffer[] = [];
        res.on('data', (chunk) => chunks.push(chunk));
        res.on('error', reject);
        res.on('end', () =>
          resolve({ status: res.statusCode!, headers: res.headers, text: Buffer.concat(chunks).toString() }),
        );
      },
    );
    req.on('error', reject);
    req.end(body);
  });
}

/** One figure of /metrics, by its whole name: labels, too. */
export function figure(metrics: string, name: string): number {
  const line = metrics.split('\n').find((candidate) => candidate.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1) ?? 0);
}

export async function metricsOf(port: number): Promise<string> {
  return (await ask(port, '/metrics', { key: KEYS.metrics })).text;
}
