// A short run of the fuzz, the same each time; `npm run test:faults` has the long one, with another seed each time.

import { fuzzRun } from './support/fuzzRun.ts';
import { useProcesses } from './support/process.ts';

const processes = useProcesses();

test('whatever is sent is answered, and leaves nothing behind', async () => {
  await fuzzRun(processes, { count: 1500, seed: '20261121' });
});
