/** Of an agent's audit log. */

import { z } from 'zod';
import type { AuditPiece } from '../../audit/files.ts';
import type { AuditState } from '../../audit/log.ts';
import type { NodeAnchor } from '../../core/audit-anchor.ts';
import { count, name, positive, text } from '../../records/spec-schema.ts';
import { auditAnchor } from '../../records/status-schemas.ts';
import type { AuditAcceptance } from '../contract/audit.ts';

const acceptAudit = z.strictObject({
  node: name,
  sequence: positive,
  hash: z.string().regex(/^[0-9a-f]{64}$/),
}) satisfies z.ZodType<AuditAcceptance>;

/** Before the first line there is a head of number 0. */
const auditState = z.object({
  files: z.array(z.object({ file: text, bytes: count })),
  head: z.object({ sequence: count, hash: text }),
  waiting: count,
  missed: count,
  trouble: text.nullable(),
}) satisfies z.ZodType<AuditState>;

export const auditRequests = { acceptAudit } as const;

export const auditAnswers = {
  audit: auditState,
  auditAnchors: z.array(auditAnchor.extend({ node: name })) satisfies z.ZodType<readonly NodeAnchor[]>,
  auditFile: z.object({ text: z.string(), next: count.nullable() }) satisfies z.ZodType<AuditPiece>,
  acceptAudit: z.object({}),
} as const;
