// An example as one types it.

import type { Operation, Sendable } from './reading.ts';

export const HOST = 'localhost:3000';

/** The settings that hold keys, as `npm run key` writes them. */
const VARIABLES: Record<string, string> = {
  write: 'WRITE_KEYS',
  read: 'READ_KEYS',
  admin: 'ADMIN_KEYS',
  metrics: 'METRICS_KEYS',
};

/** A key goes along where one may be needed; where its variable is empty curl sends no such header. */
export function curlOf({ method, path, headers, body }: Sendable, { security }: Operation): string {
  const right = security[0] && Object.values(security[0])[0]?.[0];
  const isPlain = method === (body === undefined ? 'GET' : 'POST');
  return [
    'curl -s',
    ...(isPlain ? [] : [`-X ${method}`]),
    quoted(HOST + path),
    ...(right ? [`-H "X-Api-Key: $${VARIABLES[right]}"`] : []),
    ...Object.entries(headers).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`),
    ...(body === undefined ? [] : [`-d ${quoted(body)}`]),
  ].join(' ');
}

/** As a shell takes it for one word. */
const quoted = (text: string) => (/^[\w:/.@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
