/**
 * Issues the certificates of a cluster: for nodes, for operators, for a store's server and its clients.
 *
 * Invariant: the common name of a node's certificate is the node's name, and of no other kind's (see certificate-name.ts).
 * Nodes and store servers are both server and client: PostgreSQL standbys and etcd members call each other, and etcd's
 * gateway calls its own server with the server's certificate. An operator's or a store client's certificate serves nothing.
 */
import { isIP } from 'node:net';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { type Authority, sign, type Validity } from './authority.ts';
import { type CertificateHolder, commonNameOf, requireHostName, uriOf } from './certificate-name.ts';
import type { Credentials } from './credential-files.ts';
import {
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralName,
  SubjectAlternativeNameExtension,
} from './x509.ts';

interface Served {
  /** IPv4 or IPv6. */
  readonly addresses: readonly string[];
  /** Further host names to be verified by. */
  readonly extraNames?: readonly string[];
}

export type CertificateRequest = Validity & { readonly cluster: string } & (
    | (Served & {
        readonly kind: 'node';
        readonly role: 'database' | 'app' | 'witness';
        readonly node: string;
        readonly domain: string;
      })
    | (Served & { readonly kind: 'store-server'; readonly name: string })
    | { readonly kind: 'operator'; readonly name: string }
    | { readonly kind: 'store-client'; readonly name: string }
  );

/** Throws CONFIG_INVALID for a name or address that can't stand in a certificate, CERTIFICATE_REFUSED for the authority. */
export async function issue(authority: Authority, request: CertificateRequest): Promise<Credentials> {
  const holder = holderOf(request);
  const names: JsonGeneralName[] = [
    ...hostNamesOf(request).map((value) => ({ type: 'dns' as const, value })),
    ...addressesOf(request).map((value) => ({ type: 'ip' as const, value })),
    { type: 'url', value: uriOf(holder) },
  ];
  const usages =
    request.kind === 'operator' || request.kind === 'store-client'
      ? [ExtendedKeyUsage.clientAuth]
      : [ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth];
  const commonName = commonNameOf(holder);
  // Without a subject the alternative names are all there is (RFC 5280 section 4.2.1.6).
  const alternativeNames = new SubjectAlternativeNameExtension(names, commonName === '');
  const extensions = [alternativeNames, new ExtendedKeyUsageExtension(usages)];
  const signed = await sign(authority, { commonName, extensions }, request);
  return { ...signed, caPem: authority.certificatePem };
}

function holderOf(request: CertificateRequest): CertificateHolder {
  const { cluster } = request;
  switch (request.kind) {
    case 'node':
      return { cluster, kind: 'node', name: request.node };
    case 'operator':
    case 'store-client':
      return { cluster, kind: request.kind, name: request.name };
    case 'store-server':
      return { cluster, kind: 'store', name: request.name };
  }
}

function hostNamesOf(request: CertificateRequest): readonly string[] {
  if (request.kind === 'operator' || request.kind === 'store-client') return [];
  const extra = request.extraNames ?? [];
  const own = request.kind === 'node' ? nodeNames(request.node, request.domain, request.role) : [];
  const names = [...new Set([...own, ...extra])];
  for (const name of names) requireHostName('host name', name);
  return names;
}

/** `postgresql.<domain>` stands for whichever database node is meant. */
function nodeNames(node: string, domain: string, role: 'database' | 'app' | 'witness'): readonly string[] {
  return [node, `${node}.${domain}`, ...(role === 'database' ? [`postgresql.${domain}`] : [])];
}

function addressesOf(request: CertificateRequest): readonly string[] {
  if (request.kind === 'operator' || request.kind === 'store-client') return [];
  for (const address of request.addresses) {
    if (isIP(address) === 0) throw new UnderstudyError('CONFIG_INVALID', `${address} is no IP address`);
  }
  return [...new Set(request.addresses)];
}
