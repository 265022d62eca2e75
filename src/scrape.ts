// A scrape reaches one worker. It asks the primary; that asks all and adds up what they answer in time. Who shows live
// figures asks in the same way, and gets what each has counted.

import cluster, { type Worker } from 'node:cluster';
import {
  AggregatorRegistry,
  type MetricObjectWithValues,
  type MetricValue,
  type Registry,
} from 'prom-client';
import type { ArchiveChild } from './archive/child.ts';
import { type Totals, type TotalsOfAll, totalsOf } from './live/totals.ts';
import { SECOND } from './time.ts';

interface Message {
  footfall: 'scraped' | 'your metrics' | 'my metrics' | 'all metrics';
  scrape: number;
  /** The sums alone, not the metrics. */
  isLive?: boolean;
  metrics?: MetricObjectWithValues<MetricValue<string>>[];
  totals?: Totals;
  text?: string;
  all?: TotalsOfAll;
}

const IN_TIME = SECOND;

/** In the primary. */
export function addUpMetrics(archive: ArchiveChild | undefined): void {
  let asked = 0;
  const collecting = new Map<number, (from: Worker, message: Message) => void>();

  async function askAll(isLive: boolean): Promise<[worker: number, Message][]> {
    const scrape = ++asked;
    const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker?.isConnected());
    const answers: [number, Message][] = [];
    await new Promise<void>((resolve) => {
      const late = setTimeout(resolve, IN_TIME);
      collecting.set(scrape, (from, message) => {
        if (answers.push([from.id, message]) < workers.length) return;
        clearTimeout(late);
        resolve();
      });
      for (const worker of workers) {
        worker?.send({ footfall: 'your metrics', scrape, isLive } satisfies Message);
      }
    });
    collecting.delete(scrape);
    return answers;
  }

  cluster.on('message', async (asking, message: Message) => {
    if (message?.footfall === 'my metrics') collecting.get(message.scrape)?.(asking, message);
    if (message?.footfall !== 'scraped') return;
    const { scrape, isLive = false } = message;
    const answers = await askAll(isLive);
    const reply: Message = { footfall: 'all metrics', scrape };
    if (isLive) {
      reply.all = Object.fromEntries(
        answers.flatMap(([id, { totals }]) => (totals ? [[String(id), totals]] : [])),
      );
    } else {
      const all = AggregatorRegistry.aggregate(answers.map(([, { metrics = [] }]) => metrics));
      reply.text = (await all.metrics()) + ((await archive?.metrics()) ?? '');
    }
    if (asking.isConnected()) asking.send(reply);
  });
}

export interface SharedMetrics {
  text(): Promise<string>;
  totals(): Promise<TotalsOfAll>;
}

/** In a worker: gives the metrics of all workers together, and what each has counted. */
export function shareMetrics(registry: Registry): SharedMetrics {
  let scrapes = 0;
  const waiting = new Map<number, (message: Message) => void>();
  const tell = (message: Message) => process.send?.(message);
  process.on('message', async (message: Message) => {
    if (message?.footfall === 'all metrics') {
      waiting.get(message.scrape)?.(message);
      waiting.delete(message.scrape);
    } else if (message?.footfall === 'your metrics') {
      const { scrape, isLive } = message;
      const counted = isLive
        ? { totals: await totalsOf(registry) }
        : { metrics: await registry.getMetricsAsJSON() };
      if (process.connected) tell({ footfall: 'my metrics', scrape, ...counted });
    }
  });
  const ask = (isLive: boolean) =>
    new Promise<Message>((resolve) => {
      const scrape = ++scrapes;
      waiting.set(scrape, resolve);
      tell({ footfall: 'scraped', scrape, isLive });
    });
  return {
    text: async () => (await ask(false)).text ?? '',
    totals: async () => (await ask(true)).all ?? {},
  };
}
