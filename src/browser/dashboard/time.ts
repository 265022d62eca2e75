// How the time spent came about: every view in order of time, and which of the steps between them counted.

import type { Profile, UserVisits, Visit, VisitDay } from '../../answers.ts';
import { h } from './dom.ts';
import { clock, count, day, duration, plural } from './format.ts';
import { name, part, table } from './parts.ts';
import { session } from './session.ts';
import { term } from './term.ts';

/** So many may be shown before somebody asks. */
const FEW = 25;

export function timePart(profile: Profile, { days, session_gap_seconds: gap }: UserVisits): HTMLElement {
  const steps = days.flatMap(({ visits }) => visits);
  const counted = steps.filter(({ counted }) => counted);
  const tooLong = steps.filter(({ counted, step_seconds }) => !counted && step_seconds !== null).length;
  const leftOut = days.reduce((sum, { left_out }) => sum + left_out, 0);
  const seconds = days.reduce((sum, day) => sum + day.seconds, 0);
  const unit = session.service?.time_spent_unit ?? 'minutes';
  const total = profile.time_spent_on_site_in_last_7_days;
  return part(
    'How the time spent came about',
    h(
      'p',
      {},
      `${plural(counted.length, 'step')} between neighbouring views ${counted.length === 1 ? 'was' : 'were'} counted`,
      tooLong > 0 &&
        `; ${plural(tooLong, 'step')} longer than ${duration(gap)} ${tooLong === 1 ? 'was' : 'were'} not`,
      leftOut > 0 &&
        `; the steps of ${plural(leftOut, 'older view')} that are not listed are in the sum, too`,
      '. Together ',
      h('strong', { 'data-testid': 'sum' }, `${duration(leftOut > 0 ? seconds : sumOf(counted), 4)}`),
      unit === 'minutes' ? `, rounded to ${plural(total, 'minute')}.` : '.',
    ),
    days.some(({ visits }) => visits.some(({ page }) => page === null)) &&
      h(
        'p',
        { class: 'quiet' },
        'A view that came with an event_id, as the tag sends it, is kept by that and its time, not by its page.',
      ),
    [...days].reverse().map((one, i) => one.views > 0 && dayPart(one, gap, i === 0 && one.views <= FEW)),
  );
}

const sumOf = (steps: Visit[]) => steps.reduce((sum, { step_seconds }) => sum + (step_seconds ?? 0), 0);

function dayPart(
  { date, views, seconds, visits, left_out }: VisitDay,
  gap: number,
  open: boolean,
): HTMLElement {
  return h(
    'details',
    { class: 'day', open },
    h('summary', {}, h('strong', {}, day(date)), ` ${plural(views, 'view')}, ${duration(seconds)}`),
    left_out > 0 &&
      h(
        'p',
        { class: 'quiet' },
        `The newest ${count(visits.length)}; ${plural(left_out, 'older view')} not listed.`,
      ),
    table(
      [
        'time (UTC)',
        visits.some(({ page }) => page !== null) && 'page',
        term('since the view before', 'step'),
      ],
      visits.map((visit) => [
        h('time', { datetime: visit.at }, clock(visit.at)),
        visit.page === null ? '–' : name(visit.page, 90),
        stepOf(visit, gap),
      ]),
    ),
  );
}

function stepOf({ step_seconds: step, counted }: Visit, gap: number): HTMLElement {
  if (step === null) {
    return h('span', { class: 'quiet' }, 'the first view');
  }
  if (counted) return h('span', { class: 'counted' }, `+ ${duration(step)}`);
  return h('span', { class: 'quiet' }, `${duration(step)}: longer than ${duration(gap)}, not counted`);
}
