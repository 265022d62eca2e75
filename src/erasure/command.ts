// `npm run erase -- USER`: an erasure whose look through the keyspace goes to the end, however long that takes.

import { openDatabase } from '../archive/database.ts';
import { runCommand } from '../command.ts';
import { createMetrics } from '../metrics.ts';
import { checkMeta, storedSettings } from '../redis/meta.ts';
import { createServices } from '../services.ts';

await runCommand({
  usage: 'npm run erase -- USER',
  async run({ redis, config, userId }) {
    const unbounded = { ...config, eraseScanMs: Number.POSITIVE_INFINITY };
    const database = openDatabase(config);
    try {
      const { keys, eraser } = createServices(redis, unbounded, Date.now, createMetrics(), { database });
      await checkMeta(redis, keys, storedSettings(config));
      return `${JSON.stringify(await eraser.erase(userId), null, 2)}\n`;
    } finally {
      await database?.end();
    }
  },
});
