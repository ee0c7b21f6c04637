/** The shapes of what agents say of the cluster's state. Fields that this version doesn't know are dropped. */
import { z } from 'zod';
import type { AuditAnchor } from '../core/audit-anchor.ts';
import type { AuthorityPartStatus } from '../core/authority.ts';
import type { MemberPostgres } from '../core/cluster-view.ts';
import type { Forecast, Prospect } from '../core/forecast.ts';
import type { Operation } from '../core/operation.ts';
import type { PoolerReport } from '../core/pooler-report.ts';
import type { Receipt } from '../core/receipt.ts';
import type { ClusterStatus } from '../core/status.ts';
import { proven, recoverableWindow } from './backup-schemas.ts';
import { count, duration, name, text } from './spec-schema.ts';

const reachable = z.enum(['yes', 'no', 'unknown']);
const applicationFigures = z.object({ name, delayed: count, worstMs: duration, failed: count });

/** SHA-256 in hexadecimal. */
const auditHead = z.object({ sequence: z.int().min(1), hash: z.string().regex(/^[0-9a-f]{64}$/) });

export const auditAnchor = auditHead.extend({
  told: count,
  at: text,
  unmet: z.array(auditHead),
}) satisfies z.ZodType<AuditAnchor>;

export const poolerReport = z.object({
  node: name,
  counter: count,
  state: z.enum(['open', 'pausing', 'paused', 'held', 'down', 'unknown']),
  operation: name.nullable(),
  term: count,
  primary: name.nullable(),
  clients: count,
  waiting: count,
  specRevision: count,
  // An agent of an earlier version says nothing of it.
  readOnly: z.boolean().default(false),
  blockers: z.array(z.object({ alias: name, serverPid: z.int(), client: text, ageMs: duration })),
  poolerVersion: text.nullable(),
  lastPause: z
    .object({ operation: name, drainMs: duration, pausedMs: duration, applications: z.array(applicationFigures) })
    .nullable(),
  trust: count.optional(),
  trouble: text.nullable(),
  audit: auditHead.extend({ told: count }).optional(),
  credentials: z.record(name, count).optional(),
  clientPasswords: z.record(name, z.object({ told: count, former: count })).optional(),
}) satisfies z.ZodType<PoolerReport>;

const timeline = count;

export const pendingRestart = z.object({ name, current: text, wanted: text });

const restingStates = ['absent', 'stopped', 'starting', 'stopping', 'unknown', 'foreign'] as const;
const fillingStates = ['cloning', 'rewinding'] as const;

export const memberPostgres = z.discriminatedUnion('state', [
  z.object({ state: z.enum(restingStates) }),
  z.object({ state: z.enum(fillingStates), bytesDone: count, bytesTotal: count.nullable() }),
  z.object({
    state: z.literal('primary'),
    timeline,
    lsn: text,
    flushed: z.record(name, text).optional(),
    archivedTo: text.optional(),
    archiveTrouble: z.object({ segment: text, at: text, waiting: count }).optional(),
  }),
  z.object({
    state: z.literal('standby'),
    timeline,
    receivedLsn: text.nullable(),
    replayedLsn: text,
    streamingFrom: name.nullable(),
    lagS: z.number().nullable(),
  }),
]) satisfies z.ZodType<MemberPostgres>;

const undoReason = z.enum([
  'drain-timeout',
  'stop-timeout',
  'handover-timeout',
  'target-lost',
  'promote-timeout',
  'agent-restarted',
  'cancelled',
  'primary-failed',
  'lease-lost',
]);

const phaseTiming = z.object({
  phase: z.enum(['preflight', 'checkpoint', 'pause', 'stop', 'handover', 'promote', 'resume']),
  ms: duration,
});

const plan = z.object({
  id: name,
  kind: z.literal('switchover'),
  from: name,
  to: name,
  term: count,
  poolers: z.array(name),
  without: z.array(name),
  forceAfterMs: duration.nullable(),
  paceMs: duration,
  drainTimeoutMs: duration,
  stopTimeoutMs: duration,
  promoteTimeoutMs: duration,
  startedAt: text,
  requestedBy: text,
  timings: z.array(phaseTiming),
});

export const operation = z.discriminatedUnion('phase', [
  plan.extend({ phase: z.literal('pausing') }),
  plan.extend({ phase: z.literal('stopped'), shutdownLsn: text, timeline }),
  plan.extend({ phase: z.literal('handed-over'), shutdownLsn: text, timeline }),
  plan.extend({ phase: z.literal('finished'), receipt: name }),
  plan.extend({ phase: z.literal('undone'), reason: undoReason, detail: text }),
]) satisfies z.ZodType<Operation>;

export const receipt = z.object({
  id: name,
  kind: z.literal('switchover'),
  outcome: z.enum(['finished', 'undone']),
  undoReason: undoReason.nullable(),
  detail: text.nullable(),
  from: name,
  to: name,
  termBefore: count,
  termAfter: count,
  timelineBefore: timeline,
  timelineAfter: timeline,
  shutdownLsn: text.nullable(),
  startedAt: text,
  pauseMs: duration.nullable(),
  phases: z.array(phaseTiming),
  poolers: z.array(z.object({ node: name, drainMs: duration, pausedMs: duration })),
  without: z.array(name),
  applications: z.array(applicationFigures),
  unreported: z.array(name),
  undo: text.nullable(),
  requestedBy: text,
}) satisfies z.ZodType<Receipt>;

const nodeStatus = z.object({
  node: name,
  role: z.enum(['database', 'app', 'witness']),
  address: name,
  datacenter: text.nullable(),
  priority: z.int(),
  failover: z.enum(['allowed', 'never']),
  applyDelayMs: z.number().nullish(),
  reachable,
  postgres: memberPostgres.nullable(),
  lastSeenAs: z.enum([...restingStates, ...fillingStates, 'primary', 'standby']).nullish(),
  serverVersion: text.nullable(),
  lagBytes: z.number().nullable(),
  lagS: z.number().nullable(),
  slot: z.object({ name, active: z.boolean(), walStatus: text, heldBytes: z.number().nullable() }).nullable(),
  pendingRestart: z.array(pendingRestart),
  specRevision: count.nullable(),
  unconverged: z.array(text),
  agentVersion: text.nullable(),
  trouble: text.nullable(),
});

const bytes = count;

export const prospect = z.object({
  node: name,
  standing: z.enum(['first', 'able', 'refused', 'unheard']),
  text,
  lacksBytes: bytes.nullable(),
}) satisfies z.ZodType<Prospect>;

const forecast = z.object({
  primary: name,
  takesOver: name.nullable(),
  withinMs: duration.nullable(),
  atRiskBytes: bytes.nullable(),
  byAcceptance: z.boolean(),
  because: text.nullable(),
  candidates: z.array(prospect),
}) satisfies z.ZodType<Forecast>;

const durability = z.object({
  commit: z.enum(['local', 'sync']),
  declaredK: count,
  k: count,
  standbys: z.array(name),
  degraded: z.boolean(),
});

export const authorityPart = z.object({
  part: z.enum(['root', 'issuing']),
  subject: text,
  fingerprint256: text,
  endsAt: z.iso.datetime(),
}) satisfies z.ZodType<AuthorityPartStatus>;

export const clusterStatus = z.object({
  cluster: name,
  verdict: z.enum(['HEALTHY', 'DEGRADED', 'DOWN', 'STARTING']),
  because: z.array(text),
  from: name,
  term: count.nullable(),
  timeline: timeline.nullable(),
  primary: name.nullable(),
  specRevision: count.nullable(),
  storeAgeMs: z.number().nullable(),
  nodes: z.array(nodeStatus),
  poolers: z.array(z.object({ node: name, reachable, report: poolerReport.nullable() })),
  operation: operation.nullable(),
  handsOff: z.object({ by: text, at: text, leftMs: duration }).nullable().default(null),
  readOnly: z.object({ by: text, at: text, reason: text.nullable() }).nullable().default(null),
  lastReceipt: name.nullable(),
  durability: durability.nullish(),
  ifPrimaryDied: forecast.nullish(),
  acceptedLoss: z.object({ by: text, lacksBytes: bytes, afterLsn: text }).nullish(),
  backups: z
    .object({
      ...{ window: recoverableWindow.nullable(), safeUntil: text.nullable(), proven: proven.nullish() },
      ...{ troubles: z.array(text), todo: z.array(text) },
    })
    .nullish(),
  authority: z.array(authorityPart).optional(),
  registered: z
    .array(z.object({ name, where: text.nullable(), issuedAt: z.iso.datetime(), expiresAt: z.iso.datetime() }))
    .optional(),
}) satisfies z.ZodType<ClusterStatus>;
