// Who sends: by network address, as the proxies that are trusted say.

import { BlockList, isIPv4, isIPv6, type Socket } from 'node:net';
import type { Request } from 'express';

/** A client as the limits know it; undefined where it has none. */
export type Client = string | undefined;

const CLIENT = Symbol('client');
type Known = Socket & { [CLIENT]?: { client: Client } };

/** Gives the client of a request. Without proxies that is the connection's, found once. */
export function clientsOf(trustProxy: number | string[], unlimited: string[]): (req: Request) => Client {
  const exempt = listOf(unlimited);
  const clientOf = (address: string): Client => (isIn(exempt, address) ? undefined : networkOf(address));
  if (trustProxy !== 0) return (req) => clientOf(plain(req.ip ?? ''));
  return ({ socket }) => {
    const known = (socket as Known)[CLIENT];
    if (known) return known.client;
    const client = clientOf(plain(socket.remoteAddress ?? ''));
    (socket as Known)[CLIENT] = { client };
    return client;
  };
}

function listOf(networks: string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', prefix] = network.split('/');
    const family = isIPv4(address) ? 'ipv4' : 'ipv6';
    list.addSubnet(address, Number(prefix ?? (family === 'ipv4' ? 32 : 128)), family);
  }
  return list;
}

function isIn(list: BlockList, address: string): boolean {
  if (isIPv4(address)) return list.check(address);
  return isIPv6(address) && list.check(address, 'ipv6');
}

/** Some proxies add the port: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
const WITH_PORT = /^(?:([\d.]+):\d+|\[(.*)\](?::\d+)?)$/;

/** `::ffff:192.0.2.1` is 192.0.2.1, and a port or a zone is no part of an address. */
function plain(address: string): string {
  const [, v4, v6] = WITH_PORT.exec(address) ?? [];
  const bare = (v4 ?? v6 ?? address).split('%')[0]!;
  const mapped = /^::ffff:([\d.]+)$/i.exec(bare)?.[1];
  return mapped ?? bare;
}

/**
 * An IPv4 address; of an IPv6 address its first 64 bits, which one household or host has for itself. Whatever else a
 * header holds is one client.
 */
function networkOf(address: string): string {
  if (!isIPv6(address)) return isIPv4(address) ? address : 'unknown';
  const [head = '', tail] = address.split('::');
  const groups = head.split(':').filter(Boolean);
  const rest = tail === undefined ? [] : tail.split(':').filter(Boolean);
  const zeros = tail === undefined ? 0 : 8 - groups.length - rest.length;
  const all = [...groups, ...new Array<string>(Math.max(0, zeros)).fill('0'), ...rest];
  return `${all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
