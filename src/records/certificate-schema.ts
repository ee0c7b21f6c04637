/** What is remembered of a certificate that was issued. */
import { z } from 'zod';
import type { CertificateRecord } from '../core/certificates.ts';
import { name, text } from './spec-schema.ts';

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
}) satisfies z.ZodType<CertificateRecord>;
