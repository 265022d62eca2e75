import { SECOND } from './time.ts';

/**
 * Under `npm start` a Ctrl-C arrives twice: from the terminal, and passed on by npm. The same signal again within this
 * time is that echo; after it, somebody is impatient.
 */
const ECHO = SECOND;

export function onStopSignals(
  signals: readonly NodeJS.Signals[],
  first: (signal: string) => void,
  second: (signal: string) => void,
): void {
  let heard: { signal: string; at: number } | undefined;
  for (const signal of signals) {
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

/** A worker stops when its primary says so, or is no more. A Ctrl-C, which reaches it too, is the primary's business. */
export function onStopOfPrimary(stop: (reason: string) => void): void {
  let stopping = false;
  const once = (reason: string) => () => {
    if (!stopping) stop(reason);
    stopping = true;
  };
  process.on('SIGTERM', once('SIGTERM'));
  const gone = once('the primary is gone');
  process.on('disconnect', gone);
  if (!process.connected) gone(); // it went before we listened
  for (const signal of ['SIGINT', 'SIGHUP']) process.on(signal, () => undefined);
}
