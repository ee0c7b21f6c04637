/** Opens the store with what a node file says of it, as that node; and says where a cluster's keys lie. */
import { readFileSync } from 'node:fs';
import type { Clock } from '../ports/clock.ts';
import type { Store } from '../ports/store.ts';
import { createEtcdStore } from './store.ts';

/** Files are named by their paths; the password's may end with a line break. */
export interface StoreAccess {
  readonly endpoints: readonly string[];
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
  readonly user: string;
  readonly passwordFile: string;
}

export function clusterPrefix(cluster: string): string {
  return `/understudy/${cluster}/`;
}

/** Reads the files at once, and connects when it is first asked. Throws what reading a file throws. */
export function openStore(access: StoreAccess, cluster: string, clock: Clock): Store {
  const { endpoints, ca, certificate, key, user, passwordFile } = access;
  return createEtcdStore({
    endpoints,
    prefix: clusterPrefix(cluster),
    tls: {
      ca: readFileSync(ca, 'utf8'),
      certificate: readFileSync(certificate, 'utf8'),
      key: readFileSync(key, 'utf8'),
    },
    user: { name: user, password: readFileSync(passwordFile, 'utf8').trim() },
    clock,
  });
}
