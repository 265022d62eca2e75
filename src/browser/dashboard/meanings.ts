// What each figure means, in the words of docs/design.md.

import type { Service } from '../../answers.ts';
import { duration } from './format.ts';

export const MEANINGS = {
  window: 'Today (UTC) and the six days before it: seven day buckets.',
  views: 'Counts views, repeated pages included. The same view sent again counts once.',
  siteViews:
    'Page views of this site in these days, repeated pages included. The same view sent again counts once.',
  viewsPerUser: 'Views divided by unique users.',
  uniqueUsers:
    'How many different people did something on the site: view a page, or any other event. A person is a user_id; who came on several days counts once.',
  exact:
    'Exact at any size. The unique users of one day always are, and of any days that lie in the last seven; with an archive, of older ones too.',
  estimate:
    'An estimate with a standard error of 0.81 %: not all of these days lie in the last seven, so a HyperLogLog of each day answers. It holds no id, so who was erased stays in it until the day goes. With an archive older days are exact, too, where it has all of them.',
  otherEvents: 'Events that are no page view. They are counted by type and are in no profile.',
  topPaths:
    'Page views by path. A path is the url of the view, or its name where it has none. Paths past the limit of a site’s day count under (other), which is not in this list.',
  eventTypes:
    'All events of the site by type. A page_view is a page view, and in the user’s profile as well.',
  visitors:
    'How many different people saw this page in the last so many days, which end today. Exact at any size, and no list of people is kept for it.',
  dailyLogins: 'How many people logged in on that day (UTC). A second login of a day is the same one.',
  monthlyLogins: 'How many people logged in at least once in that month (UTC).',
  timeSpent:
    'The user’s views of the window in order of time, and every step between neighbours that is not longer than {gap}, added up. In {unit}, rounded to the nearest. The order in which views arrived does not matter.',
  daysActive: 'Days with at least one view, of the seven.',
  mostViewed:
    'The page with the most views over the window; in a tie the name that sorts first, byte by byte. (other) never wins.',
  distinctPages: 'Different page names over the window.',
  dayTime:
    'The time spent on that day. A step across midnight is split there, so the days add up to the whole.',
  step: 'The time since the view before. It counts as time spent if it is not longer than {gap}.',
  eventsPerSecond:
    'Events taken in over the last second, of all kinds: page views, events of sites, logins; of all processes together.',
  outcomes:
    'recorded: it counts, and the next read sees it. duplicate: the same event was there before. erased: it happened before its user was erased. expired: it is older than the window. capped: its user passed the views of a day that are kept.',
  p99: '99 of 100 writes were answered within this time, over the last ten seconds.',
  lag: 'How long Redis takes to answer.',
  memory: 'What Redis holds in memory, and of how much it may (maxmemory) where that is set.',
  backlog:
    'Events that are recorded and wait to be carried into Postgres. When Postgres is away they wait here, up to the limit; then events are answered 503, since an accepted event is never dropped.',
  dead: 'Entries that could not be read or stored after five tries. They are put aside for seven days.',
  requests: 'Requests of any kind that were answered over the last second.',
  refused:
    'Answers that turned somebody away: 429 where a client sent too much, 503 where Redis did not answer in time or too much was under way. They may be sent again.',
  inFlight: 'Events that wait for Redis at this moment.',
  ready:
    'Whether the service can work, as /readyz says. Degraded: something can’t be done, while the rest can.',
  keysDeleted: 'Keys of this user that were dropped from Redis.',
  countsCorrected: 'Counts about everybody that lost this user: visitors of pages, users of sites, logins.',
  residue:
    'Keys that older versions had left. If the look through the keyspace did not come to its end, npm run erase -- USER does.',
  archiveForgot:
    'Whether the archive in Postgres has forgotten the user, too. It does so in order, behind what was on its way.',
} as const;

export type Meaning = keyof typeof MEANINGS;

/** With what is set differently from service to service. */
export function meaningOf(name: Meaning, service: Service | undefined): string {
  return MEANINGS[name]
    .replace('{gap}', duration(service?.session_gap_seconds ?? 1800))
    .replace('{unit}', `whole ${service?.time_spent_unit ?? 'minutes'}`);
}
