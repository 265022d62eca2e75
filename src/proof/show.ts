// What was looked at and found, told to a person at a terminal.

import { quoted } from '../inspect/show.ts';
import type { Place } from './place.ts';

/** Of which no program can say anything from here. */
const NEVER_LOOKED_AT = [
  'values of other keys: by their layout they hold no id; a page, a path or an event_id may, by its site',
  'backups, and snapshots that were copied away',
  "bytes of Postgres's files that VACUUM has freed and nobody has used again, its write-ahead log, its replicas",
  'logs: SLOWLOG, of Redis, of Postgres, of a proxy',
];

export function show(userId: string, now: number, places: Place[]): string {
  const width = Math.max(...places.map(({ what }) => what.length));
  const servers = [...new Set(places.map(({ at }) => at))];
  return `${[
    `${quoted(userId)}: where it was looked for at ${new Date(now).toISOString()}`,
    ...servers.flatMap((server) => [
      '',
      server,
      ...places.filter(({ at }) => at === server).flatMap((place) => linesOf(place, width)),
    ]),
    '',
    'Not looked at, here or anywhere',
    ...NEVER_LOOKED_AT.map((what) => `  ${what}`),
    '',
    verdict(places),
  ].join('\n')}\n`;
}

function linesOf({ what, size, found, mayBe, fault, note, mend }: Place, width: number): string[] {
  const isLookedThrough = fault === undefined && (size !== undefined || note === undefined);
  const among = size === undefined ? '' : ` in ${size}`;
  const told = [
    ...(fault === undefined ? [] : [`not looked at: ${fault}`]),
    ...(found > 0 ? [`FOUND ${times(found)}${among}`] : isLookedThrough ? [`not found${among}`] : []),
    ...(mayBe > 0 ? [`${times(mayBe)} where it may be another's`] : []),
    ...(note === undefined ? [] : [note]),
  ];
  const mended = mend === undefined ? [] : [`${' '.repeat(width + 4)}-> ${mend}`];
  return [`  ${what.padEnd(width)}  ${told.join('; ')}`, ...mended];
}

const times = (count: number) => (count === 1 ? 'once' : `${count} times`);

function verdict(places: Place[]): string {
  const found = places.filter((place) => place.found > 0).length;
  const missed = places.filter((place) => place.fault !== undefined).length;
  if (found === 0 && missed === 0) return 'Found nowhere.';
  return [
    found === 0 ? 'Found nowhere that was looked at' : `Found in ${count(found)}`,
    ...(missed === 0 ? [] : [`${count(missed)} could not be looked at, which proves nothing`]),
  ]
    .join('; ')
    .concat('.');
}

const count = (places: number) => `${places} ${places === 1 ? 'place' : 'places'}`;

/** Whether it is proven. */
export const isProven = (places: Place[]): boolean =>
  places.every(({ found, fault }) => found === 0 && fault === undefined);
