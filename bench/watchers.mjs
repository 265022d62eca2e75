// Open tabs of the dashboard: each listens to the live figures and reads them as they come.

import { once } from 'node:events';
import { get } from 'node:http';

/** Lets as many listen as the server is to have; done when all of them hear something. Gives what ends it. */
export async function watch({ port, watchers = 0 }) {
  const requests = Array.from({ length: watchers }, () =>
    get({ port, path: '/v1/live', agent: false }).on('error', () => undefined),
  );
  await Promise.all(requests.map(hears));
  return () => {
    for (const request of requests) request.destroy();
  };
}

async function hears(request) {
  const [answer] = await once(request, 'response');
  if (answer.statusCode !== 200) throw new Error(`/v1/live answered ${answer.statusCode}`);
  answer.on('error', () => undefined).resume();
  await once(answer, 'data');
}
