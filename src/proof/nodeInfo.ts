import type { Redis } from 'ioredis';

export interface NodeOptions {
  node: Redis;
  /** What it is called. */
  at: string;
  prefix: string;
  userId: string;
  /** Where its files are, if that is known without asking it. */
  folder?: string | undefined;
  isReplica?: boolean;
}

export async function infoOf(node: Redis, section = 'persistence'): Promise<Record<string, string>> {
  const lines = (await node.info(section)).split('\r\n').filter((line) => line.includes(':'));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  );
}
