// Who may do what: keys of four kinds, kept as their SHA-256 and compared in constant time.

import { hash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Right } from '../answers.ts';
import { Problem } from './problem.ts';

/** What a call needs. */
export const RIGHTS: readonly Right[] = ['write', 'read', 'admin', 'metrics'];

/** What keys may do, as bits. */
const BIT = { write: 1, read: 2, metrics: 4, admin: 8 };
const EVERYTHING = BIT.write | BIT.read | BIT.metrics | BIT.admin;

export interface KeySettings {
  writeKeys?: string[] | undefined;
  readKeys?: string[] | undefined;
  adminKeys?: string[] | undefined;
  metricsKeys?: string[] | undefined;
}

interface Key {
  digest: Buffer;
  rights: number;
}

/** What a request showed. */
export interface Shown {
  rights: number;
  /** Names the key in the limits; a digest. Undefined where none is needed. */
  id: string | undefined;
}

const OPEN: Shown = { rights: EVERYTHING, id: undefined };

export interface Keyring {
  /** What a request may do by its keys; undefined where it has no good one. */
  shownBy(req: IncomingMessage): Shown | undefined;
  replace(settings: KeySettings): void;
}

/** Without any key, everybody may do everything. */
export function createKeyring(settings: KeySettings): Keyring {
  let keys = keysOf(settings);
  // Write keys are public, so nothing is given away by how fast one is found here.
  let known = new Map<string, Shown>();

  function shownByText(text: string): Shown | undefined {
    const before = known.get(text);
    if (before) return before;
    const digest = sha256(text);
    let rights = 0;
    for (const key of keys) if (timingSafeEqual(key.digest, digest)) rights |= key.rights;
    if (rights === 0) return undefined;
    const shown = { rights, id: digest.toString('base64url') };
    if (rights === BIT.write) known.set(text, shown);
    return shown;
  }

  return {
    shownBy(req) {
      if (keys.length === 0) return OPEN;
      return together(presented(req).map(shownByText), fromUrl(req, shownByText));
    },
    replace(next) {
      keys = keysOf(next);
      known = new Map();
    },
  };
}

/** Throws a problem where no good key was shown, or none with this right; `any` asks for a good key alone. */
export function needs(
  req: IncomingMessage,
  shown: Shown | undefined,
  right: Right | 'any',
): asserts shown is Shown {
  if (!shown) throw unauthorized(req);
  if (right !== 'any' && !may(shown, right)) throw forbidden(right);
}

export function may({ rights }: Shown, right: Right): boolean {
  return (rights & BIT[right]) !== 0;
}

function keysOf({ writeKeys, readKeys, adminKeys, metricsKeys }: KeySettings): Key[] {
  const of = (texts: string[] | undefined, rights: number) =>
    (texts ?? []).map((text) => ({ digest: sha256(text), rights }));
  return [
    ...of(writeKeys, BIT.write),
    ...of(readKeys, BIT.read),
    ...of(metricsKeys, BIT.metrics),
    ...of(adminKeys, EVERYTHING),
  ];
}

const sha256 = (text: string) => hash('sha256', text, 'buffer');

const BEARER = /^bearer +(\S+)$/i;

function presented({ headers }: IncomingMessage): string[] {
  const bearer = headers.authorization && BEARER.exec(headers.authorization)?.[1];
  const own = headers['x-api-key'];
  return [bearer, own].filter((key): key is string => typeof key === 'string' && key !== '');
}

const IN_URL = /[?&]key=([^&]*)/;

/** A beacon has no headers, so a write key may stand in the URL; what else stands there is not taken for a key. */
function fromUrl(
  { url = '' }: IncomingMessage,
  shownBy: (text: string) => Shown | undefined,
): Shown | undefined {
  const text = IN_URL.exec(url)?.[1];
  const shown = text === undefined ? undefined : shownBy(decoded(text));
  return shown?.rights === BIT.write ? shown : undefined;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return '';
  }
}

/** Who shows several keys may do what any of them may. */
function together(inHeaders: (Shown | undefined)[], inUrl: Shown | undefined): Shown | undefined {
  let all = inUrl;
  for (const shown of inHeaders) {
    if (shown) all = all ? { rights: all.rights | shown.rights, id: shown.id } : shown;
  }
  return all;
}

function unauthorized(req: IncomingMessage): Problem {
  const detail = IN_URL.test(req.url ?? '')
    ? 'It needs a good key. In a URL only a write key is taken.'
    : 'It needs a key, as Authorization: Bearer … or X-Api-Key.';
  return new Problem('unauthorized', detail, { headers: { 'WWW-Authenticate': 'Bearer realm="footfall"' } });
}

function forbidden(right: Right): Problem {
  return new Problem('forbidden', `This key may not do that: it needs ${KIND[right]}.`, {
    headers: { 'WWW-Authenticate': 'Bearer realm="footfall", error="insufficient_scope"' },
  });
}

const KIND = {
  write: 'a write key',
  read: 'a read key',
  admin: 'an admin key',
  metrics: 'a metrics key',
};
