/**
 * Says which roots a cluster trusts, signed by one of them; and judges what was said.
 *
 * Invariant: only who has the key of a root that the reader trusts already can add a root or drop one. A statement is for one
 * cluster, and each has a number, so that an older one can't be put back.
 */
import { createPrivateKey, sign, verify, X509Certificate } from 'node:crypto';
import { z } from 'zod';
import type { JudgedTrust, TrustRecord, TrustStatement } from '../core/trust-record.ts';
import type { Root } from './authority.ts';
import { readCertificates, type Trust } from './trust.ts';

const purpose = 'understudy roots 1';
const encoding = { dsaEncoding: 'ieee-p1363' } as const;

const schema = z.strictObject({
  purpose: z.literal(purpose),
  cluster: z.string(),
  number: z.int().positive(),
  roots: z.array(z.string().max(16_384)).min(1).max(2),
  issueFrom: z.string(),
});

export function stateTrust(by: Root, cluster: string, { issueFrom, number, rootsPem }: TrustStatement): TrustRecord {
  const roots = (readCertificates(rootsPem) ?? []).map((root) => root.toString());
  const document = JSON.stringify({ purpose, cluster, number, roots, issueFrom });
  const key = { key: createPrivateKey(by.keyPem), ...encoding };
  return { number, document, signature: sign('sha256', Buffer.from(document), key).toString('base64url') };
}

/** By the roots that are trusted so far. */
export function judgeTrust(record: TrustRecord, { cluster, rootsPem }: Trust): JudgedTrust {
  const refuse = (because: string) => ({ ok: false, because }) as const;
  const trusted = readCertificates(rootsPem) ?? [];
  const signature = Buffer.from(record.signature, 'base64url');
  const isSigned = trusted.some(({ publicKey }) =>
    verify('sha256', Buffer.from(record.document), { key: publicKey, ...encoding }, signature),
  );
  if (!isSigned) return refuse('no root that is trusted here has signed it');
  const parsed = schema.safeParse(JSON.parse(record.document));
  if (!parsed.success) return refuse('it is not a statement that this version knows');
  const { issueFrom, number, roots } = parsed.data;
  if (parsed.data.cluster !== cluster) return refuse(`it is of cluster ${parsed.data.cluster}`);
  if (number !== record.number) return refuse('its number is another one');
  const certificates = readCertificates(roots.join('\n'));
  if (certificates === null || certificates.length !== roots.length || !certificates.every(isRoot)) {
    return refuse('what it names are no roots');
  }
  if (!certificates.some(({ fingerprint256 }) => fingerprint256 === issueFrom)) {
    return refuse('the root to issue from is none of those to be trusted');
  }
  return { ok: true, statement: { number, rootsPem: joined(certificates), issueFrom } };
}

/** The SHA-256 of the root that a chain rests on; `null`: on none of these. */
export function rootOf(chainPem: string, rootsPem: string): string | null {
  const chain = readCertificates(chainPem) ?? [];
  const top = chain.at(-1);
  const root = readCertificates(rootsPem)?.find((one) => top?.checkIssued(one) === true && top.verify(one.publicKey));
  return root?.fingerprint256 ?? null;
}

/** The root that vouched for whoever sealed a text; `null`: none of these, or it is no sealed text. */
export function rootOfSealed(sealed: string, rootsPem: string): string | null {
  try {
    const { by } = z.object({ by: z.array(z.string()) }).parse(JSON.parse(sealed));
    const chain = by.map((der) => new X509Certificate(Buffer.from(der, 'base64url')).toString());
    return rootOf(chain.join('\n'), rootsPem);
  } catch {
    return null;
  }
}

export function fingerprintOf(certificatePem: string): string {
  return new X509Certificate(certificatePem).fingerprint256;
}

/** Each once. */
export function joinRoots(...pems: readonly string[]): string {
  const all = pems.flatMap((pem) => readCertificates(pem) ?? []);
  return joined([...new Map(all.map((one) => [one.fingerprint256, one])).values()]);
}

/** Are all certificates of the one text among those of the other? */
export function areAmong(pem: string, others: string): boolean {
  const known = new Set((readCertificates(others) ?? []).map(({ fingerprint256 }) => fingerprint256));
  const asked = readCertificates(pem);
  return asked?.every(({ fingerprint256 }) => known.has(fingerprint256)) ?? false;
}

function isRoot(certificate: X509Certificate): boolean {
  return certificate.ca && certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey);
}

function joined(certificates: readonly X509Certificate[]): string {
  return certificates.map((one) => one.toString()).join('');
}
