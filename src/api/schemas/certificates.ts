/** Certificates once they are there: revocation, the authority, the roots that are trusted, and those of others. */

import { z } from 'zod';
import type { AuthorityState } from '../../core/authority.ts';
import type { KnownCertificate, RevocationTarget } from '../../core/revocation.ts';
import type { TrustState } from '../../core/trust-record.ts';
import { certificate, registered, registeredName, revocation, trustRecord } from '../../records/certificate-schema.ts';
import { count, name, text } from '../../records/spec-schema.ts';
import { authorityPart } from '../../records/status-schemas.ts';
import type {
  AuthorityRenewalAnswer,
  AuthorityRenewalRequest,
  RegistrationRequest,
  RevocationAnswer,
  RevocationRequest,
} from '../contract/certificates.ts';
import { oneLine } from './one-line.ts';
import { accepted } from './orders.ts';

const revocationTarget = z.discriminatedUnion('of', [
  z.strictObject({ of: z.literal('serial'), serial: certificate.shape.serial }),
  z.strictObject({ of: z.literal('node'), name }),
  z.strictObject({ of: z.enum(['operator', 'viewer']), name }),
]) satisfies z.ZodType<RevocationTarget>;

const revokeCertificates = z.strictObject({
  target: revocationTarget,
  lastWayIn: z.boolean(),
}) satisfies z.ZodType<RevocationRequest>;

const knownCertificate = z.object({
  ...certificate.shape,
  revoked: revocation.pick({ at: true, by: true }).optional(),
}) satisfies z.ZodType<KnownCertificate>;

export const certificateRequests = {
  revokeCertificates,
  stateTrust: z.strictObject(trustRecord.shape),
  registerCertificate: z.strictObject({
    // One certificate and nothing else: no key can come this way.
    certificatePem: z
      .string()
      .max(16_384)
      .regex(/^-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*$/, 'one certificate in PEM'),
    name: registeredName.nullable(),
    where: oneLine.max(200).nullable(),
  }) satisfies z.ZodType<RegistrationRequest>,
  forgetCertificate: z.strictObject({ name: registeredName }),
  renewAuthority: z.strictObject({
    sealed: z
      .array(z.strictObject({ node: name, sealed: z.string().max(65_536) }))
      .min(1)
      .max(64),
  }) satisfies z.ZodType<AuthorityRenewalRequest>,
} as const;

export const certificateAnswers = {
  certificates: z.array(knownCertificate),
  revokeCertificates: z.object({
    revoked: z.array(knownCertificate),
    newly: count,
  }) satisfies z.ZodType<RevocationAnswer>,
  trust: z.object({
    record: trustRecord.nullable(),
    nodes: z.array(z.object({ node: name, number: count.nullable() })),
    resting: z.array(text),
  }) satisfies z.ZodType<TrustState>,
  stateTrust: accepted,
  registered: z.array(registered),
  registerCertificate: registered,
  forgetCertificate: accepted,
  authority: z.object({
    parts: z.array(authorityPart),
    sealing: z.array(z.object({ node: name, chainPem: z.string() })),
  }) satisfies z.ZodType<AuthorityState>,
  renewAuthority: z.object({ endsAt: text, sealedTo: z.array(name) }) satisfies z.ZodType<AuthorityRenewalAnswer>,
} as const;
