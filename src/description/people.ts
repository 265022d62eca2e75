// The calls about what is held of a person.

import { userPath } from '../http/validate.ts';
import type { Call } from './call.ts';
import { ref } from './components.ts';

const erase: Call = {
  method: 'delete',
  path: '/v1/user/:user_id',
  operationId: 'eraseUser',
  tag: 'A person’s data',
  right: 'admin',
  summary: 'Erase a person',
  description: [
    'Their keys are dropped, and they are taken out of every count of people. What happened up to that moment is refused from then on (`erased`), however late it comes; what is newer starts a new profile.',
    'With an archive the receipt says whether that has forgotten, too, and by which `erasure_id` to ask later.',
  ],
  inPath: userPath,
  answers: [{ status: 200, description: 'A receipt.', schema: ref('Receipt'), headers: ['Cache-Control'] }],
  examples: [
    {
      name: 'erase',
      summary: 'Somebody with a page view and no more',
      inPath: { user_id: '019mr8mf4u' },
      status: 200,
      answer: {
        user_id: '019mr8mf4u',
        erased_at: '2026-11-21T12:00:00.000Z',
        ...{ keys_deleted: 3, counts_corrected: 1, scan: 'complete', residue: 0, archive: 'none' },
      },
    },
  ],
};

const { inPath: _none, ...eraseLogin } = erase;

export const PEOPLE: Call[] = [
  {
    method: 'get',
    path: '/v1/user/:user_id/export',
    operationId: 'exportUser',
    tag: 'A person’s data',
    right: 'admin',
    summary: 'Export all that is held of a person',
    description: [
      'JSON a line, out of Redis, of what waits for the archive, and of the archive. The last line says `end` and how many came before it; without it the answer was cut off.',
    ],
    inPath: userPath,
    answers: [
      {
        status: 200,
        description: 'The lines.',
        type: 'application/x-ndjson',
        schema: { type: 'string' },
        each: ref('ExportLine'),
        headers: ['Cache-Control'],
      },
    ],
    examples: [
      {
        name: 'unknown',
        summary: 'Of somebody unknown nothing is held, which is said, too',
        inPath: { user_id: 'nobody' },
        status: 200,
        answer:
          '{"from":"redis","is":"profile","user_id":"nobody","views":0,"seconds":0,"days":0,"most_viewed_page":null}\n{"is":"end","lines":1}\n',
      },
    ],
  },
  erase,
  {
    ...eraseLogin,
    path: '/v1/user/login',
    operationId: 'eraseUserLogin',
    summary: 'Erase a person named `login`',
    description: ['The same as of any other user. It is apart here since logins are sent to this path.'],
    examples: [
      {
        name: 'erase',
        summary: 'Nobody’s name so far',
        status: 200,
        answer: {
          user_id: 'login',
          erased_at: '2026-11-21T12:00:00.000Z',
          ...{ keys_deleted: 0, counts_corrected: 0, scan: 'complete', residue: 0, archive: 'none' },
        },
      },
    ],
  },
  {
    method: 'get',
    path: '/v1/erasures/:id',
    operationId: 'readErasure',
    tag: 'A person’s data',
    right: 'admin',
    summary: 'Ask whether the archive has forgotten',
    description: [
      'By the `erasure_id` of a receipt. A service without an archive gives none out, does not have this call, and answers 404 as it does for any other path.',
    ],
    inPath: { type: 'object', properties: { id: { type: 'string' } }, required: ['id'] },
    answers: [
      {
        status: 200,
        description: 'What became of it.',
        schema: ref('ErasureState'),
        headers: ['Cache-Control'],
      },
    ],
    problems: ['not_found'],
    examples: [
      { name: 'not_found', summary: 'Without an archive', inPath: { id: '0-1-0' }, status: 404 },
      {
        name: 'done',
        summary: 'With one',
        inPath: { id: '0-1795877715735-0' },
        status: 200,
        answer: {
          erasure_id: '0-1795877715735-0',
          archive: 'done',
          done_at: '2026-11-28T14:55:15.983Z',
          rows_deleted: 1,
        },
        varies: ['/erasure_id', '/done_at'],
        needs: 'archive',
      },
    ],
  },
];
