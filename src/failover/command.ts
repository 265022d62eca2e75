// `npm run failover`: another master, on purpose. In a cluster it needs to be told whose place is taken.

import { CannotStart } from '../cannotStart.ts';
import { misused, withSettings } from '../command.ts';
import { hostPort } from '../config.ts';
import { placeOf } from '../redis/place.ts';
import { failOverInCluster, failOverWatched } from './failover.ts';

const USAGE =
  'npm run failover (with REDIS_SENTINELS), or npm run failover -- HOST:PORT of a primary (with REDIS_CLUSTER)';

const say = (line: string) => process.stdout.write(`${line}\n`);

const args = process.argv.slice(2);
const primary = args[0] === undefined ? undefined : hostPort(args[0]);
if (args.length > 1 || (args.length === 1 && !primary)) {
  misused(USAGE);
} else {
  await withSettings(async (config) => {
    const place = placeOf(config);
    if (place && 'sentinels' in place && !primary) await failOverWatched(place, say);
    else if (place && 'nodes' in place && primary) await failOverInCluster(place, primary, say);
    else throw new CannotStart(`usage: ${USAGE}`);
  });
}
