// Which views there are.

import type { Right } from '../../answers.ts';
import type { Context } from './context.ts';
import { livePage } from './live.ts';
import { loginsPage } from './logins.ts';
import { overview } from './overview.ts';
import { pagePage } from './page.ts';
import type { Section } from './routes.ts';
import { sitePage } from './site.ts';
import { userPage } from './user.ts';

export interface View {
  title: string;
  /** Without it, it is not shown. */
  needs?: Right;
  show(context: Context): void;
}

export const VIEWS: Record<Section, View> = {
  overview: { title: 'Overview', show: overview },
  live: { title: 'Live', needs: 'metrics', show: livePage },
  site: { title: 'Site', needs: 'read', show: sitePage },
  page: { title: 'Page', needs: 'read', show: pagePage },
  logins: { title: 'Logins', needs: 'read', show: loginsPage },
  user: { title: 'User', needs: 'read', show: userPage },
};

/** What the key would have to be, in words. */
export const KEY_FOR: Record<Right, string> = {
  write: 'a write key',
  read: 'a read key',
  metrics: 'a metrics key',
  admin: 'an admin key',
};
