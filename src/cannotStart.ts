/** The service cannot start as it is set up. The message is one line: what is wrong, and how to mend it. */
export class CannotStart extends Error {
  override name = 'CannotStart';
}
