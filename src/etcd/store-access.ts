/** Opens the store with what a node file says of it, as that node; and says where a cluster's keys lie. */
import { readFileSync } from 'node:fs';
import type { TlsPolicy } from '../core/tls-policy.ts';
import type { Clock } from '../ports/clock.ts';
import type { Store } from '../ports/store.ts';
import type { EtcdTls } from './gateway.ts';
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

/**
 * Reads the files at once, and connects when it is first asked; those of TLS are read again for each new connection, since they are
 * renewed, and so is the policy. Throws what reading a file throws.
 */
export function openStore(
  access: StoreAccess,
  cluster: string,
  clock: Clock,
  policy: () => TlsPolicy = () => 'compatible',
): Store {
  const { endpoints, ca, certificate, key, user, passwordFile } = access;
  return createEtcdStore({
    endpoints,
    prefix: clusterPrefix(cluster),
    tls: freshly({ ca, certificate, key }, policy),
    user: { name: user, password: readFileSync(passwordFile, 'utf8').trim() },
    clock,
  });
}

function freshly(paths: Pick<StoreAccess, 'ca' | 'certificate' | 'key'>, policy: () => TlsPolicy): () => EtcdTls {
  const read = (): EtcdTls => ({
    ca: readFileSync(paths.ca, 'utf8'),
    certificate: readFileSync(paths.certificate, 'utf8'),
    key: readFileSync(paths.key, 'utf8'),
  });
  let last = read();
  return () => {
    const now = { ...read(), policy: policy() };
    const isSame =
      now.ca === last.ca && now.certificate === last.certificate && now.key === last.key && now.policy === last.policy;
    if (!isSame) last = now;
    return last;
  };
}
