// `npm run inspect -- USER`: what Redis holds of one user, so that every number of the profile can be followed by eye.

import { runCommand } from '../command.ts';
import { report } from './report.ts';

await runCommand({
  usage: 'npm run inspect -- USER [--all]',
  flags: ['--all'],
  readOnly: true,
  run: ({ redis, config, userId, flags }) =>
    report(redis, config, { userId, now: Date.now(), all: flags.has('--all') }),
});
