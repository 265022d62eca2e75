// Where one is, after the # of the address: every place can be linked to, and "back" works.

export type Section = 'overview' | 'live' | 'site' | 'page' | 'logins' | 'user';

export interface Route {
  section: Section;
  /** Which site or user; empty if none was named. */
  id: string;
  query: URLSearchParams;
}

const SECTIONS = new Set<string>(['live', 'site', 'page', 'logins', 'user'] satisfies Section[]);
const WITH_ID = new Set<string>(['site', 'user'] satisfies Section[]);

/** Undefined where nothing is. */
export function readRoute(hash: string): Route | undefined {
  const [path = '', ...rest] = hash.replace(/^#?\/?/, '').split('?');
  const query = new URLSearchParams(rest.join('?'));
  const [section = '', id = '', ...more] = path.split('/');
  if (section === '') return { section: 'overview', id: '', query };
  if (!SECTIONS.has(section) || more.length > 0 || (id && !WITH_ID.has(section))) return undefined;
  try {
    return { section: section as Section, id: decodeURIComponent(id), query };
  } catch {
    return undefined; // such as %zz
  }
}

export type Query = Record<string, string | number | undefined>;

/** The address of a place, for a link. */
export function hashOf(section: Section, id = '', query: Query = {}): string {
  const given = Object.entries(query).flatMap(([name, value]) => (value ? [[name, `${value}`]] : []));
  const asked = given.length > 0 ? `?${new URLSearchParams(given)}` : '';
  const path = section === 'overview' ? '' : section;
  return `#/${path}${id && `/${encodeId(id)}`}${asked}`;
}

/** Half of a character that takes two can't be encoded; no id has one. */
export function encodeId(id: string): string {
  return encodeURIComponent(id.replace(/\p{Cs}/gu, '\uFFFD'));
}

/** Where a view by this path is looked up: a path is the url of a page, or its name where it has none. */
export function pageLink(path: string, site?: string): string {
  return hashOf('page', '', { [/^[a-z][a-z\d+.-]*:\/\//i.test(path) ? 'url' : 'name']: path, site });
}

/** A number of the query if it is one of these. */
export function oneOf(query: URLSearchParams, name: string, allowed: number[], fallback: number): number {
  const given = Number(query.get(name));
  return allowed.includes(given) ? given : fallback;
}
