// What an erasure did, for people and for the files.

import type { ErasureState, Receipt } from '../../answers.ts';
import { api } from './api.ts';
import type { Context } from './context.ts';
import { after, fill, h } from './dom.ts';
import { count, moment, plural } from './format.ts';
import { copyable, figure, figures, part } from './parts.ts';
import { hashOf } from './routes.ts';
import { load } from './trouble.ts';

const BETWEEN = 2000; // ms

/** Its links lead to other places: `leave` comes before. */
export function receiptPart(
  receipt: Receipt,
  context: Context,
  leave: () => void = () => undefined,
): HTMLElement {
  const { user_id, erased_at, keys_deleted, counts_corrected, scan, residue, archive, erasure_id } = receipt;
  const archived = figure('Archive', 'archiveForgot', STATES[archive], archive === 'none' && 'there is none');
  const isComplete = scan === 'complete';
  const json = h('div', {}, copyable(JSON.stringify(receipt, null, 2), 'the receipt'));
  const waiting = h('div', { class: 'said' });
  const look = h(
    'a',
    {
      href: hashOf('user', user_id),
      onclick: () => {
        leave();
        // Where the address is the same, nothing would happen by itself.
        if (look.hash === location.hash) dispatchEvent(new HashChangeEvent('hashchange'));
      },
    },
    'Look at the profile as it is now',
  );
  const element = h(
    'div',
    {},
    h(
      'p',
      { class: 'lede' },
      `On ${moment(erased_at)}. Everything of this user up to then is gone and stays gone.`,
    ),
    figures(
      figure('Keys dropped', 'keysDeleted', count(keys_deleted)),
      figure('Counts corrected', 'countsCorrected', count(counts_corrected)),
      figure(
        'Left by older versions',
        'residue',
        residue === null ? 'not known' : count(residue),
        isComplete ? 'all was looked through' : 'not all was looked through',
      ),
      archived,
    ),
    !isComplete &&
      h(
        'p',
        { class: 'said' },
        'The look through the keyspace ran out of time. ',
        h('code', {}, 'npm run erase -- USER'),
        ' walks to its end.',
      ),
    waiting,
    part('Receipt', json),
    h('p', {}, look, ', or ', h('a', { href: hashOf('user'), onclick: leave }, 'at another user'), '.'),
  );

  if (archive === 'pending' && erasure_id) {
    fill(waiting, h('p', {}, 'The archive has not forgotten yet; this page asks until it has.'));
    load(
      context,
      waiting,
      (signal) => untilDone(erasure_id, signal),
      (done) => {
        const rows = done.rows_deleted === null ? '' : plural(done.rows_deleted, 'row');
        archived.set(STATES.done, rows);
        fill(
          waiting,
          h('p', { role: 'status' }, 'The archive has forgotten, too', rows && ` (${rows})`, '.'),
        );
        fill(json, copyable(JSON.stringify({ ...receipt, ...done }, null, 2), 'the receipt'));
      },
    );
  }
  return element;
}

const STATES = { none: '–', pending: 'pending', done: 'done' };

async function untilDone(id: string, signal: AbortSignal): Promise<ErasureState> {
  for (;;) {
    const state = await api.erasure(id, signal);
    if (state.archive === 'done') return state;
    await after(BETWEEN, signal);
  }
}
