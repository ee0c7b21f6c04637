/** Orders to the cluster as a whole, and what is said to them. */

import { z } from 'zod';
import { handsOffAtMostMs } from '../../core/hands-off.ts';
import { count, duration, name, positive, spec, text } from '../../records/spec-schema.ts';
import type {
  ApplyRequest,
  FailoverAnswer,
  FailoverRequest,
  HandsOffRequest,
  Preflight,
  ReadOnlyRequest,
  ReinitRequest,
  RestartRequest,
  SwitchoverAnswer,
  SwitchoverRequest,
} from '../contract/orders.ts';
import { oneLine } from './one-line.ts';
import { reason, refusal } from './reasons.ts';

const switchover = z.strictObject({
  to: name.nullable(),
  forceAfterMs: duration.nullable(),
  without: z.array(name),
  dryRun: z.boolean(),
  paceMs: duration.max(60_000),
}) satisfies z.ZodType<SwitchoverRequest>;

const apply = z.strictObject({ baseRevision: count, spec }) satisfies z.ZodType<ApplyRequest>;

const failover = z.strictObject({
  to: name.nullable(),
  accept: z
    .strictObject({ term: positive, counter: count, covers: z.enum(['unheard', 'all']), atLeastBytes: count })
    .nullable(),
}) satisfies z.ZodType<FailoverRequest>;

const readOnly = z.strictObject({
  on: z.boolean(),
  // It is shown on other people's terminals, as part of one line.
  reason: oneLine.max(500).nullable(),
}) satisfies z.ZodType<ReadOnlyRequest>;

const handsOff = z.strictObject({
  forMs: positive.max(handsOffAtMostMs).nullable(),
}) satisfies z.ZodType<HandsOffRequest>;

/** Nothing, or an empty object. */
export const nothing = z.union([z.undefined(), z.strictObject({})]);

/** Earlier versions send nothing. */
const reinit = z.union([
  z.undefined(),
  z.strictObject({ from: z.enum(['primary', 'backups']).optional() }),
]) satisfies z.ZodType<ReinitRequest | undefined>;

const restart = z.union([z.undefined(), z.strictObject({ stopsWrites: z.boolean().optional() })]) satisfies z.ZodType<
  RestartRequest | undefined
>;

const preflight = z.object({
  from: name,
  to: name.nullable(),
  poolers: z.array(name),
  blockers: z.array(refusal),
  warnings: z.array(reason),
}) satisfies z.ZodType<Preflight>;

const switchoverAnswer = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('refused'), preflight }),
  z.object({ outcome: z.literal('checked'), preflight }),
  z.object({ outcome: z.literal('started'), preflight, operation: name }),
]) satisfies z.ZodType<SwitchoverAnswer>;

const failoverAnswer = z.object({
  outcome: z.enum(['refused', 'checked', 'recorded']),
  plan: z.object({
    term: positive,
    counter: count,
    lastHolder: name,
    waitMs: z.number().nullable(),
    blockers: z.array(refusal),
    candidates: z.array(
      z.object({ node: name, because: text.nullable(), lacksBytes: count, byAcceptance: z.boolean() }),
    ),
    unheard: z.array(name),
    needed: count.nullable(),
    winner: name.nullable(),
    loss: z
      .object({
        node: name,
        covers: z.enum(['unheard', 'all']),
        atLeastBytes: count,
        unknownAfter: z.object({ timeline: positive, lsn: text }).nullable(),
      })
      .nullable(),
  }),
}) satisfies z.ZodType<FailoverAnswer>;

export const accepted = z.object({ accepted: z.boolean(), because: text });

export const orderRequests = {
  switchover,
  apply,
  failover,
  handsOff,
  readOnly,
  cancel: nothing,
  reinit,
  restart,
} as const;

export const orderAnswers = {
  switchover: switchoverAnswer,
  apply: z.object({ revision: count }),
  cancel: accepted,
  failover: failoverAnswer,
  handsOff: accepted,
  readOnly: accepted,
  reinit: accepted,
  restart: accepted,
} as const;
