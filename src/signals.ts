import { SECOND } from './time.ts';

/**
 * Under `npm start` a Ctrl-C arrives twice: from the terminal, and passed on by npm. The same signal again within this
 * time is that echo; after it, somebody is impatient.
 */
const ECHO = SECOND;

export function onStopSignals(first: (signal: string) => void, second: (signal: string) => void): void {
  let heard: { signal: string; at: number } | undefined;
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.on(signal, () => {
      const now = performance.now();
      if (!heard) {
        heard = { signal, at: now };
        first(signal);
      } else if (signal !== heard.signal || now - heard.at > ECHO) {
        second(signal);
      }
    });
  }
}
