/**
 * Who a certificate speaks for, written as its URI name: `understudy://<cluster>/<kind>/<name>`.
 *
 * Invariant: one identity has one spelling, and one spelling one identity; anything else is refused, so that two readers
 * can never disagree about a certificate. Names are percent-encoded, so that no name can contain a separator.
 */
import { UnderstudyError } from '../errors/understudy-error.ts';

const kinds = ['node', 'operator', 'viewer', 'store', 'store-client', 'sealer', 'recipient', 'own'] as const;

/**
 * An `operator` may order, a `viewer` only look (docs/api.md). `store` is a store's server, which calls nobody but its peers;
 * `store-client` is a node towards the store. `sealer` and `recipient` are sealing certificates, of database nodes and of
 * others (sealing-key.ts). `own` is a service of the user's own, which is nobody to the cluster.
 */
export type HolderKind = (typeof kinds)[number];

export interface CertificateHolder {
  readonly cluster: string;
  readonly kind: HolderKind;
  readonly name: string;
}

export const uriScheme = 'understudy://';

/** RFC 5280 allows 64 characters in a common name; longer ones are refused, never cut. */
const longestCommonName = 64;

/**
 * PostgreSQL maps a certificate to a role by its common name alone (documentation 21.12 "Certificate Authentication"),
 * so only a node's is its plain name: `:` can't stand in a node's name, and no operator can pass for one. etcd's gateway
 * refuses client certificates that have a common name at all: towards the store there is none. Sealing certificates need none,
 * since nobody but us reads them, and own certificates have none, so that they are no role of PostgreSQL's.
 */
export function commonNameOf(holder: Pick<CertificateHolder, 'kind' | 'name'>): string {
  switch (holder.kind) {
    case 'node':
      return holder.name;
    case 'operator':
    case 'viewer':
    case 'store':
      return `${holder.kind}:${holder.name}`;
    case 'store-client':
    case 'sealer':
    case 'recipient':
    case 'own':
      return '';
  }
}

/** Throws CONFIG_INVALID when a name can't stand in a certificate. */
export function uriOf(holder: CertificateHolder): string {
  const { cluster, kind, name } = holder;
  requireName('cluster', cluster);
  requireName(kind, name);
  if (kind === 'node' || kind === 'sealer' || kind === 'recipient') requireHostName('node', name);
  if (kind === 'own') requireHostName('certificate', name.replace(/^\*\.(?=.+\.)/, ''));
  const commonName = commonNameOf(holder);
  if ([...commonName].length > longestCommonName) {
    throw new UnderstudyError(
      'CONFIG_INVALID',
      `${kind} name ${name}: ${longestCommonName} characters are too few for it`,
    );
  }
  return `${uriScheme}${encodeURIComponent(cluster)}/${kind}/${encodeURIComponent(name)}`;
}

/** `null` unless the text is exactly what `uriOf` would write. */
export function parseUri(uri: string): CertificateHolder | null {
  const match = /^understudy:\/\/([^/]+)\/([a-z-]+)\/([^/]+)$/.exec(uri);
  if (match === null) return null;
  const [, encodedCluster = '', kindText = '', encodedName = ''] = match;
  const kind = kinds.find((one) => one === kindText);
  if (kind === undefined) return null;
  try {
    const holder = { cluster: decodeURIComponent(encodedCluster), kind, name: decodeURIComponent(encodedName) };
    return uriOf(holder) === uri ? holder : null;
  } catch {
    return null; // a broken percent sign, or a name that we would not have issued
  }
}

/** A DNS name, as it may stand in a certificate; no wildcards. Throws CONFIG_INVALID. */
export function requireHostName(what: string, name: string): void {
  const isHostName =
    name.length <= 253 &&
    name.split('.').every((label) => /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?$/.test(label));
  if (!isHostName) {
    throw new UnderstudyError('CONFIG_INVALID', `${what} ${JSON.stringify(name)} is no host name`, {
      hint: 'use letters, digits, hyphens and dots',
    });
  }
}

function requireName(what: string, name: string): void {
  const isPrintable = name.trim() === name && name !== '' && !/[\p{C}\u2028\u2029]/u.test(name);
  if (isPrintable && name !== '.' && name !== '..') return;
  throw new UnderstudyError('CONFIG_INVALID', `${what} name ${JSON.stringify(name)} can't stand in a certificate`);
}
