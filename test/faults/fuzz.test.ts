// The long run of the fuzz; a short one is in `npm test`.

import { fuzzRun } from '../support/fuzzRun.ts';
import { useProcesses } from '../support/process.ts';
import { count, long, reportRow } from '../support/rows.ts';

const processes = useProcesses();

const GROWTH = 32; // MB

test('whatever is sent is answered, and leaves nothing behind', async () => {
  const run = await fuzzRun(processes, { count: long(30_000, 20_000) });
  const { seed, sent, answers, closed, hung, bad, keys, first, second, seconds } = run;
  const statuses = Object.entries(answers).map(([status, number]) => `${status}: ${count(number)}`);
  const unanswered = Object.values(closed).reduce((sum, number) => sum + number, 0);
  reportRow(
    'fuzz',
    `seed ${seed}`,
    {
      'no 500 and no other bad answer': bad.length === 0,
      'no hang': hung.length === 0,
      'memory is flat': second <= first + GROWTH,
    },
    `${count(sent)} requests in ${Math.round(seconds)} s: ${statuses.join(', ')}; ${count(unanswered)} broken ones were closed unanswered; ${count(keys)} keys, none without a TTL but ff:meta, none of another pattern; memory ${first} MB, then ${second} MB (may grow by ${GROWTH}); nothing left under way`,
  );
});
