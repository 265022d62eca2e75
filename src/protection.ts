// What stands between the network and the calls: keys, limits, refusing what is too much.

import type { Request } from 'express';
import type { Config } from './config.ts';
import { type CheckSignature, signaturesBy } from './events/signatures.ts';
import { clientsOf } from './http/clients.ts';
import { createGuard, type Guard } from './http/guard.ts';
import { createKeyring, type Keyring } from './http/keys.ts';
import { createLimits, type Limits } from './http/limits.ts';
import { createOverload, type Overload } from './http/overload.ts';
import type { Metrics } from './metrics.ts';

export interface Protection {
  keyring: Keyring;
  limits: Limits;
  overload: Overload;
  guard: Guard;
  checkSignature: CheckSignature | undefined;
  trustProxy: number | string[];
}

export interface ProtectionOptions {
  config: Config;
  metrics: Metrics;
  redisIsAway(): boolean;
  eventsPileUp(): boolean;
  nothingIsKept?(): boolean;
  isForeign?(): boolean;
  /** Whether other processes serve the same port. */
  isShared: boolean;
  /** Hears once that a proxy speaks of its clients, and nobody listens. */
  onUnheardProxy?(): void;
}

export function createProtection(options: ProtectionOptions): Protection {
  const { config, metrics, isShared, onUnheardProxy } = options;
  const keyring = createKeyring(config);
  const limits = createLimits(config, metrics, isShared);
  const overload = createOverload({ ...options, maxRequests: config.maxRequests });
  const clientOf = clientsOf(config.trustProxy, config.unlimitedClients);
  let said = config.trustProxy !== 0 || !onUnheardProxy;
  const heedingProxies = (req: Request) => {
    if (!said && req.headers['x-forwarded-for'] !== undefined) {
      said = true;
      onUnheardProxy?.();
    }
    return clientOf(req);
  };
  return {
    keyring,
    limits,
    overload,
    guard: createGuard({ keyring, limits, overload, clientOf: heedingProxies }),
    checkSignature: signaturesBy(config.userSigningSecret),
    trustProxy: config.trustProxy,
  };
}
