/**
 * Issues the certificates of a cluster: for nodes, for people, for a store's server and its clients, for sealing.
 *
 * Invariant: the common name of a node's certificate is the node's name, and of no other kind's (see certificate-name.ts).
 * Of a signing request nothing is taken but its key (signing-request.ts): names and usages are decided here.
 * Nodes and store servers are both server and client: PostgreSQL standbys and etcd members call each other, and etcd's
 * gateway calls its own server with the server's certificate. A person's or a store client's certificate serves nothing, and
 * with an own certificate nobody can call anybody of the cluster.
 */
import type { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { type Authority, exportKey, newKeys, signLeaf, type Validity } from './authority.ts';
import { type CertificateHolder, commonNameOf, requireHostName, uriOf } from './certificate-name.ts';
import type { Credentials } from './credential-files.ts';
import {
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralName,
  KeyUsageFlags,
  SubjectAlternativeNameExtension,
} from './x509.ts';

interface Served {
  /** IPv4 or IPv6. */
  readonly addresses: readonly string[];
  /** Further host names to be verified by. */
  readonly extraNames?: readonly string[];
}

type NodeRole = 'database' | 'app' | 'witness';

export type CertificateRequest = Validity & { readonly cluster: string } & (
    | (Served & {
        readonly kind: 'node';
        readonly role: NodeRole;
        readonly node: string;
        readonly domain: string;
      })
    | (Served & { readonly kind: 'store-server'; readonly name: string })
    | { readonly kind: 'operator' | 'viewer' | 'store-client'; readonly name: string }
    | { readonly kind: 'own'; readonly name: string }
    | { readonly kind: 'sealing'; readonly node: string; readonly role: NodeRole }
  );

/** A new key and its chain. Throws CONFIG_INVALID for a name or address that can't stand in a certificate, CERTIFICATE_REFUSED. */
export async function issue(authority: Authority, request: CertificateRequest): Promise<Credentials> {
  const keys = await newKeys();
  const certificatePem = await issueFor(authority, request, keys.publicKey);
  return { certificatePem, keyPem: await exportKey(keys.privateKey), caPem: authority.rootsPem };
}

/** The chain for a key that is elsewhere. Throws as `issue` does. */
export async function issueFor(
  authority: Authority,
  request: CertificateRequest,
  publicKey: webcrypto.CryptoKey,
): Promise<string> {
  const holder = holderOf(request);
  const names: JsonGeneralName[] = [
    ...hostNamesOf(request).map((value) => ({ type: 'dns' as const, value })),
    ...addressesOf(request).map((value) => ({ type: 'ip' as const, value })),
    { type: 'url', value: uriOf(holder) },
  ];
  const commonName = commonNameOf(holder);
  // Without a subject the alternative names are all there is (RFC 5280 section 4.2.1.6).
  const alternativeNames = new SubjectAlternativeNameExtension(names, commonName === '');
  const extensions = [alternativeNames, new ExtendedKeyUsageExtension([...purposesOf(request)])];
  const usages =
    request.kind === 'sealing'
      ? KeyUsageFlags.digitalSignature | KeyUsageFlags.keyAgreement
      : KeyUsageFlags.digitalSignature;
  return await signLeaf(authority, { commonName, usages, extensions }, publicKey, request);
}

/** RFC 9336: for signed documents, and so for no TLS connection. */
const documentSigning = '1.3.6.1.5.5.7.3.36';

function purposesOf({ kind }: CertificateRequest): readonly string[] {
  switch (kind) {
    case 'operator':
    case 'viewer':
    case 'store-client':
      return [ExtendedKeyUsage.clientAuth];
    case 'node':
    case 'store-server':
      return [ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth];
    case 'own':
      return [ExtendedKeyUsage.serverAuth];
    case 'sealing':
      return [documentSigning];
  }
}

function holderOf(request: CertificateRequest): CertificateHolder {
  const { cluster } = request;
  switch (request.kind) {
    case 'node':
      return { cluster, kind: 'node', name: request.node };
    case 'operator':
    case 'viewer':
    case 'store-client':
    case 'own':
      return { cluster, kind: request.kind, name: request.name };
    case 'store-server':
      return { cluster, kind: 'store', name: request.name };
    case 'sealing':
      return { cluster, kind: request.role === 'database' ? 'sealer' : 'recipient', name: request.node };
  }
}

function hostNamesOf(request: CertificateRequest): readonly string[] {
  // Looked at with its holder: it may be a wildcard.
  if (request.kind === 'own') return [request.name];
  if (!('addresses' in request)) return [];
  const extra = request.extraNames ?? [];
  const own = request.kind === 'node' ? nodeNames(request.node, request.domain, request.role) : [];
  const names = [...new Set([...own, ...extra])];
  for (const name of names) requireHostName('host name', name);
  return names;
}

/** `postgresql.<domain>` stands for whichever database node is meant. */
function nodeNames(node: string, domain: string, role: NodeRole): readonly string[] {
  return [node, `${node}.${domain}`, ...(role === 'database' ? [`postgresql.${domain}`] : [])];
}

function addressesOf(request: CertificateRequest): readonly string[] {
  if (!('addresses' in request)) return [];
  for (const address of request.addresses) {
    if (isIP(address) === 0) throw new UnderstudyError('CONFIG_INVALID', `${address} is no IP address`);
  }
  return [...new Set(request.addresses)];
}
