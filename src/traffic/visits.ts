// Made-up people on two made-up sites. A day's events follow from the seed and the date alone, so they are the same
// whenever they are made.

import { DAY, HOUR, MINUTE, SECOND } from '../time.ts';

export interface Made {
  /** ms since 1970 */
  at: number;
  /** As an event of a batch. */
  body: Record<string, string> & { type: 'page' | 'event' | 'login' };
}

interface Page {
  name: string;
  url: string;
  path: string;
}

interface Site {
  id: string;
  /** Of the crowd, most wanted first. */
  pages: Page[];
  /** Where a visit may lead to, and what happens there. */
  goal: { page: Page; event: string };
}

const colours = 'blue white grey green red black yellow pink brown amber clear'.split(' ');
const goods =
  'teapot mug bowl plate vase lamp jug tray towel rug cushion blanket candle basket clock mirror stool bench shelf hook box kettle pan';
const openings =
  'A short history of|In praise of|How to care for|Notes on|The trouble with|A year of|Letters about';
const subjects =
  'tea|clay|linen|rain|bread|maps|ferries|gardens|bees|snow|night trains|paper|salt|bicycles|lighthouses|markets|wool|apples|radio';

/** Combines them all, mixed; the lengths have no common factor. */
function titles(heads: string[], tails: string[]): string[] {
  return Array.from(
    { length: heads.length * tails.length },
    (_, i) => `${heads[i % heads.length]} ${tails[i % tails.length]}`,
  );
}

function site(
  id: string,
  fixed: Record<string, string>,
  folder: string,
  names: string[],
  goal: string,
): Site {
  const page = (name: string, path: string): Page => ({ name, path, url: `https://${id}.example${path}` });
  const pathOf = (name: string) => `/${folder}/${name.toLowerCase().replaceAll(' ', '-')}`;
  const tail = names.map((name) => page(name[0]!.toUpperCase() + name.slice(1), pathOf(name)));
  const pages = [...Object.entries(fixed).map(([path, name]) => page(name, path)), ...tail];
  return { id, pages, goal: { event: goal, page: pages[2]! } };
}

export const SITES = [
  site(
    'shop',
    { '/': 'Shop: things for the house', '/sale': 'Shop: sale', '/cart': 'Shop: your cart' },
    'p',
    titles(colours, goods.split(' ')),
    'purchase',
  ),
  site(
    'magazine',
    { '/': 'Magazine: this week', '/archive': 'Magazine: all issues', '/subscribe': 'Magazine: subscribe' },
    'read',
    titles(openings.split('|'), subjects.split('|')),
    'signup',
  ),
] as const;

type Dice = () => number;

/** Numbers from 0 up to 1, the same for the same seed (mulberry32 over an FNV hash). */
export function dice(seed: string): Dice {
  let state = 2_166_136_261;
  for (const c of seed) state = Math.imul(state ^ c.codePointAt(0)!, 16_777_619);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The n-th is chosen about 1 / n as often as the first. */
const zipf = <T>(things: readonly T[], roll: Dice): T =>
  things[Math.floor((things.length + 1) ** roll()) - 1]!;

const exponential = (mean: number, roll: Dice) => -mean * Math.log(1 - roll());

/** Most pages are left within a minute. */
const reading = (roll: Dice) => 2 * SECOND + exponential(35 * SECOND, roll);

interface Visitor {
  userId: string;
  /** Logs in as the visit begins. */
  logsIn: boolean;
  /** What the event_ids of the visit begin with. */
  id: string;
  start: number;
}

/** What one visit of a site brings. */
function visit({ userId, logsIn, id, start }: Visitor, roll: Dice): Made[] {
  const { id: site_id, pages, goal } = SITES[roll() < 0.6 ? 0 : 1];
  const made: Made[] = [];
  let at = Math.floor(start);
  const pass = (ms: number) => {
    at += Math.round(ms);
  };
  const add = (type: Made['body']['type'], fields: Record<string, string>, time = 'timestamp') => {
    made.push({ at, body: { type, user_id: userId, ...fields, [time]: new Date(at).toISOString() } });
  };
  const event_id = () => `${id}.${made.length}`;
  const open = ({ name, url }: Page) => add('page', { name, url, site_id, event_id: event_id() });
  const happen = (event_type: string, { path }: Page) =>
    add('event', { event_type, path, site_id, event_id: event_id() });

  if (logsIn) add('login', {}, 'login_time');
  const steps = 1 + Math.floor(exponential(3, roll));
  for (let i = 0; i < steps; i++) {
    const page = i === 0 && roll() < 0.4 ? pages[0]! : zipf(pages, roll);
    open(page);
    if (roll() < 0.3) {
      pass(SECOND + exponential(5 * SECOND, roll));
      happen('click', page);
    }
    pass(reading(roll));
  }
  if (steps > 2 && roll() < 0.15) {
    open(goal.page);
    pass(reading(roll));
    happen(goal.event, goal.page);
  }
  return made;
}

export interface Crowd {
  seed: number;
  /** Who come again and again; user 1 nearly every day, the last hardly ever. */
  users: number;
}

const inTime = (a: Made, b: Made) => a.at - b.at;

const RHYTHM = [3, 2, 1, 1, 1, 2, 4, 6, 8, 9, 9, 9, 10, 9, 9, 9, 9, 10, 11, 13, 14, 13, 10, 6]; // by hour

function hourOf(roll: Dice): number {
  for (;;) {
    const hour = Math.floor(24 * roll());
    if (roll() * 14 < RHYTHM[hour]!) return hour;
  }
}

/** Everything that begins on a day, in order of time. */
export function eventsOf(day: number, { seed, users }: Crowd): Made[] {
  const made: Made[] = [];
  const come = (userId: string, chance: number, mayLogIn: boolean) => {
    const roll = dice(`${seed} ${userId} ${day}`);
    if (roll() >= chance) return;
    const logsIn = mayLogIn && roll() < 0.5;
    for (let n = 0; n === 0 || roll() < 0.3; n++) {
      const start = day * DAY + (hourOf(roll) + roll()) * HOUR;
      const visitor = { userId, logsIn: logsIn && n === 0, id: `${seed}.${day}.${n}`, start };
      for (const event of visit(visitor, roll)) made.push(event);
    }
  };
  for (let i = 0; i < users; i++) come(`u${i + 1}`, 0.02 + 0.93 * (1 - i / users) ** 2, i % 2 === 0);
  // Newcomers: most are never seen again.
  for (let first = day - 6; first <= day; first++) {
    for (let i = 0; i < users / 25; i++) come(`n${first}-${i + 1}`, first === day ? 1 : 0.1, false);
  }
  return made.sort(inTime);
}

/** So long before live traffic begins, its first visits have begun. */
const BEFORE = 15 * MINUTE;

/** Live events at a rate a second: a function that gives, in order of time, those that became due. */
export function liveEvents({ seed, users }: Crowd, rate: number, from: number): (until: number) => Made[] {
  const roll = dice(`${seed} live ${from}`);
  let visits = 0;
  const next = (start: number) => {
    const isNew = roll() < 0.1;
    const id = `${seed}.${from.toString(36)}.${++visits}`;
    const userId = isNew ? `n${id}` : `u${1 + Math.floor(users * roll() ** 2)}`;
    return visit({ userId, logsIn: !isNew && roll() < 0.2, id, start }, roll);
  };
  let total = 0;
  for (let i = 0; i < 1000; i++) total += next(from).length;
  const apart = (total / visits / rate) * SECOND;
  let start = from - BEFORE;
  let waiting: Made[] = [];
  return (until) => {
    for (; start <= until; start += exponential(apart, roll)) {
      for (const event of next(start)) if (event.at >= from) waiting.push(event);
    }
    const due = waiting.filter(({ at }) => at <= until).sort(inTime);
    waiting = waiting.filter(({ at }) => at > until);
    return due;
  };
}
