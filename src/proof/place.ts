/** A place where a person's id may stand, and what a look at it came to. */
export interface Place {
  /** A server, `Redis 127.0.0.1:6379`. */
  at: string;
  what: string;
  /** How much was looked at: `13 keys`. */
  size?: string | undefined;
  /** What is the person's, beyond doubt. */
  found: number;
  /** The id, where it may stand for something else. */
  mayBe: number;
  /** Why it could not be looked at, or not to the end. */
  fault?: string | undefined;
  /** What an operator should know. */
  note?: string | undefined;
  /** The command that mends it. */
  mend?: string | undefined;
}

/** Not finding and not looking are two things. */
export const notLookedAt = (at: string, what: string, fault: string, mend?: string): Place => ({
  ...{ at, what, found: 0, mayBe: 0, fault, mend },
});

/** The kind of an error, without what it was about. */
export function wordOf(error: unknown): string {
  const { code, message, name } = error as Error & { code?: string };
  if (/timed? ?out/i.test(message)) return 'it does not answer';
  return code ?? /^[A-Z]{3,}\b/.exec(message)?.[0] ?? name;
}
