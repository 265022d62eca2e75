// One line that says what is being done; where there is no terminal, nothing.

const { stdout } = process;
const start = performance.now();

export function say(what) {
  if (!stdout.isTTY) return;
  const seconds = Math.round((performance.now() - start) / 1000);
  stdout.write(`\r\x1b[K${`${seconds} s  ${what}`.slice(0, (stdout.columns ?? 80) - 1)}`);
}

/** Prints what stays. */
export function print(text) {
  stdout.write(`${stdout.isTTY ? '\r\x1b[K' : ''}${text}\n\n`);
}
