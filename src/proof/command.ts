// `npm run prove-erased -- USER`: whether anything of a person is left, and where. It ends with 0 only if everything was looked
// at and nothing found; with 1 if something was, or a place could not be looked at.

import { runCommand } from '../command.ts';
import { prove } from './prove.ts';
import { isProven, show } from './show.ts';

await runCommand({
  usage: 'npm run prove-erased -- USER',
  async run({ redis, config, userId }) {
    const places = await prove(redis, config, userId);
    if (!isProven(places)) process.exitCode = 1;
    return show(userId, Date.now(), places);
  },
});
