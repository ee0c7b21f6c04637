/**
 * The cluster's own certificate authority: makes it, and signs with it.
 *
 * Invariant: whatever it signs is verifiable by its certificate alone, ends no later than that certificate, and can issue
 * nothing itself (path length 0). It gives no names: see issue.ts. Costs 13 MB of memory, so agents at rest don't load it.
 */
import { createPrivateKey, randomBytes, webcrypto } from 'node:crypto';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { uriOf } from './certificate-name.ts';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  cryptoProvider,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
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

export type Authority = CertificateAndKey;

export interface AuthorityRequest {
  readonly cluster: string;
  /** `<cluster> authority` unless given. */
  readonly commonName?: string;
  readonly days: number;
}

export interface Validity {
  readonly days: number;
  /** A few minutes ago unless given: clocks of other nodes may be behind. */
  readonly notBefore?: Date;
}

const backdateMs = 5 * 60_000;
const dayMs = 24 * 60 * 60_000;
const curve = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const signature = { name: 'ECDSA', hash: 'SHA-256' } as const;

/** Throws CONFIG_INVALID when a name can't stand in a certificate. */
export async function createAuthority(request: AuthorityRequest): Promise<Authority> {
  uriOf({ cluster: request.cluster, kind: 'store', name: 'x' }); // for its check of the cluster's name
  const keys = await newKeys();
  const name = nameOf(request.commonName ?? `${request.cluster} authority`);
  const certificate = await X509CertificateGenerator.create({
    subject: name,
    issuer: name,
    publicKey: keys.publicKey,
    signingKey: keys.privateKey,
    serialNumber: newSerial(),
    signingAlgorithm: signature,
    ...span(request, null),
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { certificatePem: pemOf(certificate), keyPem: await exportKey(keys.privateKey) };
}

/** A new key and its certificate. Throws CERTIFICATE_REFUSED when the authority can't sign (any more). */
export async function sign(
  authority: Authority,
  subject: { readonly commonName: string; readonly extensions: readonly Extension[] },
  validity: Validity,
): Promise<CertificateAndKey> {
  const issuer = readAuthority(authority);
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.create({
    subject: nameOf(subject.commonName),
    issuer: issuer.subjectName,
    publicKey: keys.publicKey,
    signingKey: await importKey(authority.keyPem),
    serialNumber: newSerial(),
    signingAlgorithm: signature,
    ...span(validity, issuer),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ...subject.extensions,
    ],
  });
  return { certificatePem: pemOf(certificate), keyPem: await exportKey(keys.privateKey) };
}

function readAuthority(authority: Authority): X509Certificate {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(authority.certificatePem);
  } catch (cause) {
    throw new UnderstudyError('CERTIFICATE_REFUSED', "the authority's certificate can't be read", { cause });
  }
  if (certificate.getExtension(BasicConstraintsExtension)?.ca !== true) {
    throw new UnderstudyError('CERTIFICATE_REFUSED', `${certificate.subject} is no authority`);
  }
  return certificate;
}

function span(validity: Validity, issuer: X509Certificate | null): { notBefore: Date; notAfter: Date } {
  if (!(validity.days > 0) || validity.days > 36_500) {
    throw new UnderstudyError('CONFIG_INVALID', `a certificate can't be good for ${validity.days} days`);
  }
  const nowMs = Date.now();
  const wantedMs = (validity.notBefore?.getTime() ?? nowMs) + validity.days * dayMs;
  const notBefore = validity.notBefore ?? new Date(nowMs - backdateMs);
  const notAfter = new Date(Math.min(wantedMs, issuer?.notAfter.getTime() ?? wantedMs));
  if (issuer !== null && issuer.notAfter.getTime() <= nowMs) {
    throw new UnderstudyError('CERTIFICATE_REFUSED', `the authority ${issuer.subject} has expired`);
  }
  return { notBefore, notAfter };
}

/** As a typed string: in plain ones the library reads `#` and backslashes as syntax. */
function nameOf(commonName: string): Name {
  return new Name(commonName === '' ? [] : [{ CN: [{ utf8String: commonName }] }]);
}

/** 127 random bits; positive, and never shortened by leading zeros. */
function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toString('hex');
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(curve, true, ['sign', 'verify']);
}

function importKey(keyPem: string): Promise<webcrypto.CryptoKey> {
  let der: Buffer;
  try {
    der = createPrivateKey(keyPem).export({ format: 'der', type: 'pkcs8' });
  } catch (cause) {
    throw new UnderstudyError('CERTIFICATE_REFUSED', "the authority's key can't be read", { cause });
  }
  return webcrypto.subtle.importKey('pkcs8', der, curve, false, ['sign']);
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return `${PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')}\n`;
}

function pemOf(certificate: X509Certificate): string {
  return `${certificate.toString('pem')}\n`;
}
