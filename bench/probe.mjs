// Loaded into every Node process that is measured: says how much CPU it has used, in µs, all threads, and ends it if the
// bench is gone. It reads nothing else and costs nothing in between.

if (process.send) {
  process.on('message', (message) => {
    if (message !== 'cpu') return;
    const { user, system } = process.cpuUsage();
    process.send({ cpu: user + system });
  });
  process.on('disconnect', () => process.exit());
  process.channel.unref();
}
