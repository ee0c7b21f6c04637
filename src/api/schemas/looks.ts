/** What people read of the cluster. */

import { z } from 'zod';
import { type EventRecord, isEventName } from '../../events/catalogue.ts';
import { lostReport } from '../../records/lost-schema.ts';
import { count, name, storedSpec, text } from '../../records/spec-schema.ts';
import { clusterStatus, operation, prospect, receipt } from '../../records/status-schemas.ts';
import type { DoctorFinding, SpecAnswer, WhyAnswer } from '../contract/looks.ts';
import { reason, refusal } from './reasons.ts';

const eventRecord = z.object({
  sequence: count,
  at: text,
  node: name,
  name: z.string(),
  facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
});

/** `null`: an event that only a newer version knows. Throws `ZodError`. */
export function parseEvent(value: unknown): EventRecord | null {
  const event = eventRecord.parse(value);
  return isEventName(event.name) ? { ...event, name: event.name } : null;
}

const why = z.object({
  node: name,
  at: text,
  inputDigest: text,
  reasons: z.array(reason),
  refused: z.array(refusal),
  candidates: z.array(prospect).optional(),
  actions: z.array(z.object({ do: text, because: z.array(text) })),
}) satisfies z.ZodType<WhyAnswer>;

const doctor = z.array(
  z.object({ check: text, verdict: z.enum(['ok', 'warning', 'failure']), text, hint: text.nullable() }),
) satisfies z.ZodType<readonly DoctorFinding[]>;

const specAnswer = z.object({
  revision: count,
  spec: storedSpec,
  appliedAt: text,
  appliedBy: text,
}) satisfies z.ZodType<SpecAnswer>;

export const lookAnswers = {
  health: z.object({ node: name, version: text, term: count, storeAgeMs: z.number().nullable() }),
  status: clusterStatus,
  why,
  doctor,
  spec: specAnswer,
  operation: operation.nullable(),
  receipts: z.array(receipt),
  receipt,
  lost: z.array(lostReport),
} as const;
