// What a view is given.

import type { Route } from './routes.ts';

export interface Context extends Route {
  /** Where it draws, under its heading. */
  root: HTMLElement;
  heading: HTMLElement;
  /** Given when one goes on to another view: whatever still runs for this one ends. */
  signal: AbortSignal;
  /** The key is no longer good: another one is asked for. */
  wrongKey(): void;
}
