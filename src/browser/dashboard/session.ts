// What this tab knows: what the service is like, what the key may do, and which sites were looked at.

import type { Right, Service } from '../../answers.ts';

export const session: { service?: Service } = {};

export const may = (right: Right) => session.service?.may.includes(right) ?? false;

const SITES = 'footfall.sites';
const MOST = 6;

/** Sites, never users. Newest first. */
export function recentSites(): string[] {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(SITES) ?? '[]');
    return Array.isArray(kept) ? kept.filter((site) => typeof site === 'string').slice(0, MOST) : [];
  } catch {
    return [];
  }
}

export function rememberSite(site: string): void {
  const sites = [site, ...recentSites().filter((other) => other !== site)].slice(0, MOST);
  try {
    sessionStorage.setItem(SITES, JSON.stringify(sites));
  } catch {}
}
