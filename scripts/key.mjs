// `npm run key`: one new key of each kind, as lines for .env. Nothing is stored.

import { randomBytes } from 'node:crypto';

const make = (kind) => `ff${kind}_${randomBytes(24).toString('base64url')}`;

process.stdout.write(`WRITE_KEYS=${make('w')}
READ_KEYS=${make('r')}
ADMIN_KEYS=${make('a')}
METRICS_KEYS=${make('m')}
`);
