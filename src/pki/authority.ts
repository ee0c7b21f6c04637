/**
 * The cluster's own certificate authority, of two parts (docs/adr/0026): a root, which signs issuing authorities and nothing
 * else, and an issuing authority, which signs leaves.
 *
 * Invariant: whatever is signed ends no later than its issuer, and has a path length one less: the root's is 1, an issuing
 * authority's 0, and leaves issue nothing. It gives no names: see issue.ts. Costs 13 MB of memory, so agents at rest don't
 * load it.
 */
import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { type AuthoritySubject, authorityName, nameOf } from './authority-subject.ts';
import { uriOf } from './certificate-name.ts';
import { backdateMs } from './life.ts';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  cryptoProvider,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from './x509.ts';

cryptoProvider.set(webcrypto);

export interface CertificateAndKey {
  readonly certificatePem: string;
  /** PKCS#8, not encrypted. */
  readonly keyPem: string;
}

export type Root = CertificateAndKey;

/** An issuing authority. */
export interface Authority extends CertificateAndKey {
  /** What everyone trusts who is to trust what it signs. */
  readonly rootsPem: string;
}

export interface Validity {
  readonly lifeMs: number;
  /** Wall clock. */
  readonly nowMs: number;
}

export interface RootRequest extends Validity {
  readonly cluster: string;
  readonly subject?: AuthoritySubject;
}

const longestLifeMs = 36_500 * 24 * 60 * 60_000;
export const curve = { name: 'ECDSA', namedCurve: 'P-256' } as const;
export const signature = { name: 'ECDSA', hash: 'SHA-256' } as const;

/** Throws CONFIG_INVALID when a name can't stand in a certificate. */
export async function createRoot(request: RootRequest): Promise<Root> {
  uriOf({ cluster: request.cluster, kind: 'store', name: 'x' }); // for its check of the cluster's name
  const keys = await newKeys();
  const subject = authorityName(request.subject ?? { commonName: `${request.cluster} root` });
  const certificate = await X509CertificateGenerator.create({
    ...span(request, null),
    ...{ subject, issuer: subject, publicKey: keys.publicKey, signingKey: keys.privateKey },
    ...{ serialNumber: newSerial(), signingAlgorithm: signature },
    extensions: [...authorityExtensions(1), ...(await identifiers(keys.publicKey, keys.publicKey))],
  });
  return { certificatePem: pemOf(certificate), keyPem: await exportKey(keys.privateKey) };
}

/** Its name tells it from its predecessors: lists and `openssl` show no more of an issuer. */
export async function createIssuing(root: Root, request: Validity & { readonly cluster: string }): Promise<Authority> {
  const issuer = readAuthority(root);
  const keys = await newKeys();
  const day = new Date(request.nowMs).toISOString().slice(0, 10);
  const certificate = await X509CertificateGenerator.create({
    ...span(request, issuer),
    ...{ subject: nameOf(`${request.cluster} issuing authority ${day}`), issuer: issuer.subjectName },
    ...{ publicKey: keys.publicKey, signingKey: await importKey(root.keyPem) },
    ...{ serialNumber: newSerial(), signingAlgorithm: signature },
    extensions: [...authorityExtensions(0), ...(await identifiers(keys.publicKey, issuer.publicKey))],
  });
  return {
    certificatePem: pemOf(certificate),
    keyPem: await exportKey(keys.privateKey),
    rootsPem: root.certificatePem,
  };
}

export interface LeafSubject {
  readonly commonName: string;
  readonly usages: KeyUsageFlags;
  readonly extensions: readonly Extension[];
}

/** The chain, leaf first. Throws CERTIFICATE_REFUSED when the authority can't sign (any more). */
export async function signLeaf(
  authority: Authority,
  subject: LeafSubject,
  publicKey: webcrypto.CryptoKey,
  validity: Validity,
): Promise<string> {
  const issuer = readAuthority(authority);
  if (issuer.getExtension(BasicConstraintsExtension)?.pathLength !== 0) {
    throw new UnderstudyError('CERTIFICATE_REFUSED', `${issuer.subject} is a root: it signs no leaves`);
  }
  const certificate = await X509CertificateGenerator.create({
    ...span(validity, issuer),
    ...{ subject: nameOf(subject.commonName), issuer: issuer.subjectName },
    ...{ publicKey, signingKey: await importKey(authority.keyPem) },
    ...{ serialNumber: newSerial(), signingAlgorithm: signature },
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(subject.usages, true),
      ...(await identifiers(publicKey, issuer.publicKey)),
      ...subject.extensions,
    ],
  });
  return `${pemOf(certificate)}${pemOf(issuer)}`;
}

function authorityExtensions(pathLength: 0 | 1): readonly Extension[] {
  return [
    new BasicConstraintsExtension(true, pathLength, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
  ];
}

async function identifiers(
  own: webcrypto.CryptoKey,
  issuer: webcrypto.CryptoKey | X509Certificate['publicKey'],
): Promise<readonly Extension[]> {
  return [await SubjectKeyIdentifierExtension.create(own), await AuthorityKeyIdentifierExtension.create(issuer)];
}

/** Throws CERTIFICATE_REFUSED. */
export function readAuthority({ certificatePem }: Pick<CertificateAndKey, 'certificatePem'>): X509Certificate {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(certificatePem);
  } catch (cause) {
    throw new UnderstudyError('CERTIFICATE_REFUSED', "the authority's certificate can't be read", { cause });
  }
  if (certificate.getExtension(BasicConstraintsExtension)?.ca !== true) {
    throw new UnderstudyError('CERTIFICATE_REFUSED', `${certificate.subject} is no authority`);
  }
  return certificate;
}

function span({ lifeMs, nowMs }: Validity, issuer: X509Certificate | null): { notBefore: Date; notAfter: Date } {
  if (!(lifeMs > 0) || lifeMs > longestLifeMs) {
    throw new UnderstudyError('CONFIG_INVALID', `a certificate can't be good for ${lifeMs} ms`);
  }
  if (issuer !== null && issuer.notAfter.getTime() <= nowMs) {
    throw new UnderstudyError('CERTIFICATE_REFUSED', `the authority ${issuer.subject} has expired`);
  }
  const wantedMs = nowMs + lifeMs;
  return {
    notBefore: new Date(nowMs - backdateMs),
    notAfter: new Date(Math.min(wantedMs, issuer?.notAfter.getTime() ?? wantedMs)),
  };
}

/** 127 random bits; positive, and never shortened by leading zeros. */
function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

export function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(curve, true, ['sign', 'verify']);
}

/** Throws CERTIFICATE_REFUSED. */
export function importKey(keyPem: string): Promise<webcrypto.CryptoKey> {
  let der: Buffer;
  try {
    der = createPrivateKey(keyPem).export({ format: 'der', type: 'pkcs8' });
  } catch (cause) {
    throw new UnderstudyError('CERTIFICATE_REFUSED', "the authority's key can't be read", { cause });
  }
  return webcrypto.subtle.importKey('pkcs8', der, curve, false, ['sign']);
}

export async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return `${PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`;
}

function pemOf(certificate: X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}
