/** What is remembered of a certificate that was issued, and of one that was revoked. */
import { z } from 'zod';
import type { CertificateRecord } from '../core/certificates.ts';
import type { RegisteredCertificate } from '../core/registered.ts';
import type { RevocationListRecord, RevocationRecord } from '../core/revocation.ts';
import type { TrustRecord } from '../core/trust-record.ts';
import { name, positive, text } from './spec-schema.ts';

export const certificate = z.object({
  serial: z.string().regex(/^[0-9A-F]{1,40}$/),
  kind: z.enum(['node', 'operator', 'viewer', 'store', 'store-client', 'sealer', 'recipient', 'own']),
  name,
  hostNames: z.array(text),
  addresses: z.array(text),
  issuer: text,
  keyType: text,
  issuedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  where: name.nullable(),
  requestedBy: text,
  issuedBy: name.nullable(),
  root: text.optional(),
}) satisfies z.ZodType<CertificateRecord>;

/** A host name, a wildcard, or what somebody calls it; it becomes part of a key, and of lines on terminals. */
export const registeredName = z
  .string()
  .regex(/^[A-Za-z0-9*_][A-Za-z0-9*_.@:-]{0,127}$/, 'letters, digits, and . _ - @ : *');

export const registered = z.object({
  name: registeredName,
  where: z.string().max(200).nullable(),
  subject: text,
  issuer: text,
  serial: z.string().regex(/^[0-9A-F]{1,64}$/),
  hostNames: z.array(text),
  addresses: z.array(text),
  keyType: text,
  fingerprint256: text,
  issuedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  certificatePem: z.string().max(16_384),
  registeredAt: z.iso.datetime(),
  by: text,
}) satisfies z.ZodType<RegisteredCertificate>;
export const revocation = z.object({
  ...certificate.pick({ serial: true, kind: true, name: true, expiresAt: true }).shape,
  at: z.iso.datetime(),
  by: text,
}) satisfies z.ZodType<RevocationRecord>;

/** An entry has 40 bytes. */
export const revocationList = z.object({
  authority: z.string().max(16_384),
  list: z.string().max(1_048_576),
}) satisfies z.ZodType<RevocationListRecord>;

/** Two roots in PEM have about 1.5 kB. */
export const trustRecord = z.object({
  number: positive,
  document: z.string().max(65_536),
  signature: z.string().max(200),
}) satisfies z.ZodType<TrustRecord>;
