// One measurement, and the median of many.

/** The CPU that some work took, in µs of each process. */
export async function cpuOf(processes, work) {
  const used = () => Promise.all(Object.values(processes).map((one) => one.cpu()));
  const before = await used();
  const result = await work();
  const after = await used();
  return { result, cpu: Object.keys(processes).map((name, i) => [name, after[i] - before[i]]) };
}

/** Drives a server with a job. `units` is how many events or profiles a request stands for. */
export async function drive({ server, redis, load }, job) {
  const units = job.count * (job.size ?? 1);
  const key = server.apiKeys?.[job.kind === 'profile' ? 'read' : 'write'];
  await load.ask({ job: { ...job, port: server.port, key } }, 'prepared');
  const { result, cpu } = await cpuOf({ node: server, redis, load }, () => load.ask({ go: true }, 'figures'));
  const figures = { rate: units / result.seconds, p50: result.p50, p99: result.p99, had: result.had };
  for (const [name, used] of cpu) figures[name] = used / units;
  return figures;
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Rounds of the same measurement as one: the median of each figure. */
export function medians(rounds) {
  return Object.fromEntries(
    Object.keys(rounds[0]).map((name) => [name, median(rounds.map((round) => round[name]))]),
  );
}
