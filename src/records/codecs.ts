/**
 * The store's values as text: written as JSON, schema-checked when read.
 *
 * Fields that this version doesn't know are dropped when read, so that agents of neighbouring versions can share a
 * store; a field of a wrong type makes the value unreadable, which is unknown and never a default.
 */
import { z } from 'zod';
import type { AcceptedLoss } from '../core/accepted-loss.ts';
import type { AuditAnchor } from '../core/audit-anchor.ts';
import type { AuthorityRecord } from '../core/authority.ts';
import type { BackupRun, RepositoryRecord } from '../core/backup-run.ts';
import type { Ballot } from '../core/ballot.ts';
import type { CertificateRecord } from '../core/certificates.ts';
import type { ClusterRecord, MemberStatus, ReadOnlyOrder, SpecRecord } from '../core/cluster-view.ts';
import type { CredentialRecord } from '../core/credential.ts';
import type { DurabilityRecord } from '../core/durability.ts';
import type { EnrolmentToken } from '../core/enrolment.ts';
import type { HandsOff } from '../core/hands-off.ts';
import type { Lease, Renewal } from '../core/lease.ts';
import type { Operation } from '../core/operation.ts';
import type { PoolerReport } from '../core/pooler-report.ts';
import type { Receipt } from '../core/receipt.ts';
import type { RegisteredCertificate } from '../core/registered.ts';
import type { RevocationListRecord, RevocationRecord } from '../core/revocation.ts';
import type { SealingRecord } from '../core/sealing-record.ts';
import type { NodeName } from '../core/spec.ts';
import type { TimelineRecord } from '../core/timelines.ts';
import type { TrustRecord } from '../core/trust-record.ts';
import { type EventRecord, eventNames } from '../events/catalogue.ts';
import { backupRun, repositoryRecord } from './backup-schemas.ts';
import { certificate, registered, revocation, revocationList, trustRecord } from './certificate-schema.ts';
import { count, name, positive, storedSpec, text } from './spec-schema.ts';
import { auditAnchor, memberPostgres, operation, pendingRestart, poolerReport, receipt } from './status-schemas.ts';
import { enrolmentToken } from './token-schema.ts';

export interface Records {
  readonly spec: SpecRecord;
  readonly cluster: ClusterRecord;
  readonly lease: Lease;
  readonly renewal: Renewal;
  readonly operation: Operation;
  readonly durability: DurabilityRecord;
  readonly handsOff: HandsOff;
  readonly readOnly: ReadOnlyOrder;
  readonly 'accepted-loss': AcceptedLoss;
  readonly ballot: Ballot;
  readonly timeline: TimelineRecord;
  readonly member: MemberStatus;
  readonly pooler: PoolerReport;
  readonly event: EventRecord;
  readonly receipt: Receipt;
  readonly audit: AuditAnchor;
  readonly sealing: SealingRecord;
  readonly certificate: CertificateRecord;
  readonly revocation: RevocationRecord;
  readonly 'revocation-list': RevocationListRecord;
  readonly credential: CredentialRecord;
  readonly authority: AuthorityRecord;
  readonly trust: TrustRecord;
  readonly trusting: { readonly node: NodeName; readonly number: number };
  readonly registered: RegisteredCertificate;
  readonly token: EnrolmentToken;
  readonly 'backup-run': BackupRun;
  readonly repository: RepositoryRecord;
}

export type RecordKind = keyof Records;
export type Decoded<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly because: string };

const specRecord = z.object({ revision: positive, spec: storedSpec, appliedAt: text, appliedBy: text });
const clusterRecord = z.object({ systemIdentifier: z.string().regex(/^\d+$/), postgresMajor: positive });
const lease = z.discriminatedUnion('state', [
  z.object({ state: z.literal('held'), term: positive, holder: name, ttlMs: positive }),
  z.object({ state: z.literal('released'), term: positive, by: name, to: name.nullable(), ttlMs: positive }),
]);
const lsn = z.string().regex(/^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/);
const durability = z.object({
  term: positive,
  standbys: z.array(name),
  k: count,
  degraded: z.boolean().optional(),
});
const readOnly = z.object({ by: text, at: text, reason: text.nullable() });
const handsOff = z.object({ by: text, at: text, forMs: positive, leftMs: count });
const acceptedLoss = z.object({
  term: positive,
  counter: count,
  to: name.nullable(),
  covers: z.enum(['unheard', 'all']),
  by: text,
  at: text,
});
const ballot = z.object({
  node: name,
  term: positive,
  timeline: positive,
  lsn,
  bootId: name,
  priority: z.int(),
  unfit: text.nullable(),
});
const timeline = z.object({
  term: positive,
  timeline: positive,
  parent: positive.nullable(),
  forkLsn: lsn,
  acceptedLoss: z.object({ by: text, lacksBytes: count }).optional(),
});
const renewal = z.object({
  term: positive,
  counter: count,
  candidates: z.array(name).optional(),
  written: z.object({ timeline: positive, lsn }).optional(),
  boots: z.record(name, name).optional(),
});
const member = z.object({
  node: name,
  counter: count,
  term: count,
  cutTerm: count.default(0),
  postgres: memberPostgres,
  serverVersion: text.nullable(),
  specRevision: count,
  unconverged: z.array(text),
  pendingRestart: z.array(pendingRestart),
  standbyMinimums: z.record(name, z.number()),
  diskFreeBytes: z.number().nullable(),
  bootId: name.optional(),
  unfit: text.nullable().optional(),
  agentVersion: text,
  trouble: text.nullable(),
});
/** Two certificates in PEM have about 1.5 kB. */
const sealing = z.object({ node: name, chainPem: z.string().max(16_384) });
const credential = z.object({
  application: name,
  node: name,
  generation: positive,
  wanted: positive,
  verifierDigest: z.string().regex(/^[0-9a-f]{64}$/),
  /** Two certificates as DER make the most of it. */
  sealed: z.string().max(16_384),
  issuedAtMs: count,
  issuedBy: name,
  // Of an earlier version.
  clientPassword: positive.default(1),
});
const authority = z.object({ certificatePem: z.string().max(16_384), at: text, by: text });
const fact = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const eventName = z.enum(eventNames, 'an event that this version does not know');
const event = z.object({
  sequence: positive,
  at: text,
  node: name,
  name: eventName,
  facts: z.record(z.string(), fact),
});

const schemas: { readonly [K in RecordKind]: z.ZodType<Records[K]> } = {
  spec: specRecord,
  cluster: clusterRecord,
  lease,
  renewal,
  operation,
  durability,
  handsOff,
  readOnly,
  'accepted-loss': acceptedLoss,
  ballot,
  timeline,
  member,
  pooler: poolerReport,
  event,
  receipt,
  audit: auditAnchor,
  sealing,
  certificate,
  revocation,
  'revocation-list': revocationList,
  credential,
  authority,
  trust: trustRecord,
  trusting: z.object({ node: name, number: positive }),
  registered,
  token: enrolmentToken,
  'backup-run': backupRun,
  repository: repositoryRecord,
};

export function encodeRecord<K extends RecordKind>(_kind: K, value: Records[K]): string {
  return JSON.stringify(value);
}

export function decodeRecord<K extends RecordKind>(kind: K, value: string): Decoded<Records[K]> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(value);
  } catch {
    return { ok: false, because: 'it is not JSON' };
  }
  const result = schemas[kind].safeParse(parsed);
  if (result.success) return { ok: true, value: result.data };
  const [issue] = result.error.issues;
  return { ok: false, because: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'wrong shape'}` };
}
