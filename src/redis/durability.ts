// What an answer promises beyond Redis's memory, by DURABILITY. For `local` and `disk` Redis itself does all of it before it
// replies; for `replica` it is asked whether one has what was written.

import type { Redis } from 'ioredis';
import type { Metrics } from '../metrics.ts';
import { failureOf, fromRedis, Unavailable } from './errors.ts';
import { clusterOf } from './nodes.ts';
import type { FootfallRedis } from './scripts.ts';

/** Resolves when what a reply tells of is safe; rejects if that is not known. Undefined where there is nothing to wait for. */
export type Confirm = ((reply: object) => Promise<void>) | undefined;

const REPLICAS = 1;

/**
 * Asks with WAIT, once for all that was written meanwhile. It must be asked on the connection that wrote, and holds that up,
 * so the client should be one that only writes. A connection of later would speak for another master perhaps, one that
 * never had the write.
 */
export function onReplica(redis: FootfallRedis, withinMs: number, metrics: Metrics): NonNullable<Confirm> {
  const asked = new Map<unknown, Promise<void>>(); // by connection

  async function ask(node: Redis, connection: unknown): Promise<void> {
    await new Promise(setImmediate); // for the others whose replies came together with ours
    asked.delete(connection);
    if (node.status !== 'ready' || connectionOf(node) !== connection)
      throw new Unavailable('The connection was lost');
    let replicas: number;
    try {
      replicas = await node.wait(REPLICAS, withinMs);
    } catch (error) {
      throw fromRedis(error);
    }
    if (replicas < REPLICAS) throw new Unavailable('No replica has it', 'no_replica');
  }

  // Where slots move, the client's map does not say where a call ran: one MOVED renames a whole range in it. So every reply
  // is noted with the connection that it came from.
  const givers = new WeakMap<object, { node: Redis; connection: unknown }>();
  const lastSentTo = new WeakMap<object, Redis>();
  function note(node: Redis): void {
    const send = node.sendCommand.bind(node);
    node.sendCommand = (command, ...more) => {
      lastSentTo.set(command, node);
      command.promise.then(
        (reply: unknown) => {
          if (!Array.isArray(reply) || lastSentTo.get(command) !== node) return;
          if (!givers.has(reply)) givers.set(reply, { node, connection: connectionOf(node) });
        },
        () => undefined,
      );
      return send(command, ...more);
    };
  }
  const cluster = clusterOf(redis);
  for (const node of cluster ? cluster.nodes() : [redis]) note(node);
  cluster?.on('+node', note);

  return async (reply) => {
    const { node, connection } = givers.get(reply) ?? {};
    if (!node || !connection) throw new Unavailable('The connection was lost');
    let answer = asked.get(connection);
    if (!answer) {
      answer = ask(node, connection);
      answer.catch((error) => metrics.failed(failureOf(error)));
      asked.set(connection, answer);
    }
    return answer;
  };
}

const connectionOf = (node: Redis): unknown => (node as unknown as { stream: unknown }).stream;
