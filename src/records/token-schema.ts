/** What is known of a token by which a node may enrol. */
import { z } from 'zod';
import type { EnrolmentToken } from '../core/enrolment.ts';
import { name, text } from './spec-schema.ts';

export const enrolmentToken = z.object({
  node: name,
  role: z.enum(['database', 'app', 'witness']),
  digest: z.string().regex(/^[0-9a-f]{64}$/),
  orderedBy: text,
  orderedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  usedAt: z.iso.datetime().nullable(),
}) satisfies z.ZodType<EnrolmentToken>;
