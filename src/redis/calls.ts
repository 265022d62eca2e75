import type { Metrics, Script } from '../metrics.ts';
import { failureOf, fromRedis } from './errors.ts';

/** A script's call, timed, its errors made ours. `size` is how many events or users it carries. */
export async function answerOf<T>(
  metrics: Metrics,
  script: Script,
  size: number,
  call: Promise<T>,
): Promise<T> {
  const start = performance.now();
  try {
    return await call;
  } catch (error) {
    const ours = fromRedis(error);
    metrics.failed(failureOf(ours));
    throw ours;
  } finally {
    metrics.call(script, (performance.now() - start) / 1000, size);
  }
}
