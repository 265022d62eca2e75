// Log lines: readable on a terminal, JSON elsewhere. Nothing of a person is ever in one.

import { type DestinationStream, type Logger, pino } from 'pino';

const LEVELS: Record<number, string> = { 20: 'debug', 30: '', 40: 'warning', 50: 'error', 60: 'fatal' };

/** Writes a pino line as a person would: the message, then what belongs to it. */
function forTerminals(out: NodeJS.WriteStream): DestinationStream {
  return {
    write(line) {
      const { level, time, msg, ...rest } = JSON.parse(line);
      const label = LEVELS[level] ? `${LEVELS[level]}: ` : '';
      const more = Object.entries(rest).map(([name, value]) => `  ${name}=${JSON.stringify(value)}`);
      out.write(`${new Date(time).toISOString().slice(11, 19)}  ${label}${msg}${more.join('')}\n`);
    },
  };
}

export function createLog(level: string, out: NodeJS.WriteStream = process.stdout): Logger {
  const options = { level, base: null };
  return out.isTTY ? pino(options, forTerminals(out)) : pino(options);
}
