/**
 * The shapes of requests and answers, checked at both ends: the server checks what it is asked, the client what it is
 * answered.
 *
 * Invariant: orders are strict, so that none is half understood; news may say more than this version knows, since
 * versions are mixed while a cluster is upgraded. News are all answers and streams, and of the requests the report: it
 * orders nothing, and an app node that was upgraded first must not fall silent for it.
 */
import { parseTopology } from '@understudy/client';
import { z } from 'zod';
import type { AuditPiece } from '../audit/files.ts';
import type { AuditState } from '../audit/log.ts';
import type { DatabaseState } from '../core/applied.ts';
import type { NodeAnchor } from '../core/audit-anchor.ts';
import type { AuthorityState } from '../core/authority.ts';
import { purposes } from '../core/certificates.ts';
import { personForAtMostMs, secretPattern, tokenForAtMostMs } from '../core/enrolment.ts';
import { handsOffAtMostMs } from '../core/hands-off.ts';
import type { KnownCertificate, RevocationTarget } from '../core/revocation.ts';
import { defaultApplicationFiles } from '../core/spec.ts';
import type { TrustState } from '../core/trust-record.ts';
import { errorCatalogue } from '../errors/catalogue.ts';
import { type EventRecord, isEventName } from '../events/catalogue.ts';
import { certificate, registered, registeredName, revocation, trustRecord } from '../records/certificate-schema.ts';
import { lostReport } from '../records/lost-schema.ts';
import {
  applicationFilesSpec,
  applicationSpec,
  count,
  duration,
  formerTlsRules,
  name,
  ownCertificateSpec,
  poolerSpec,
  positive,
  spec,
  storedSpec,
  text,
  tlsException,
  tlsRules,
} from '../records/spec-schema.ts';
import {
  auditAnchor,
  authorityPart,
  clusterStatus,
  operation,
  poolerReport,
  prospect,
  receipt,
} from '../records/status-schemas.ts';
import type {
  ApplyRequest,
  AppNodeConfiguration,
  AuditAcceptance,
  AuthorityRenewalAnswer,
  AuthorityRenewalRequest,
  CredentialListing,
  DoctorFinding,
  DropAnswer,
  DropRequest,
  EnrolmentGrant,
  EnrolmentRequest,
  FailoverAnswer,
  FailoverRequest,
  HandsOffRequest,
  PersonAnswer,
  PersonRequest,
  Preflight,
  ReadOnlyRequest,
  RegistrationRequest,
  RevertRequest,
  RevocationAnswer,
  RevocationRequest,
  RotationRequest,
  SpecAnswer,
  SwitchoverAnswer,
  SwitchoverRequest,
  TokenAnswer,
  TokenRequest,
  TopologyMessage,
  WhyAnswer,
} from './contract.ts';

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

const oneLine = z
  .string()
  .min(1)
  .regex(/^\P{Cc}*$/u, 'one line without control characters');
const readOnly = z.strictObject({
  on: z.boolean(),
  // It is shown on other people's terminals, as part of one line.
  reason: oneLine.max(500).nullable(),
}) satisfies z.ZodType<ReadOnlyRequest>;
const handsOff = z.strictObject({
  forMs: positive.max(handsOffAtMostMs).nullable(),
}) satisfies z.ZodType<HandsOffRequest>;

/** A signing request of ours has 400 bytes. */
const certificateWish = z.strictObject({
  purpose: z.enum(purposes),
  request: z.string().max(16_384),
  name: name.optional(),
});
function isEachOnce(wishes: readonly z.infer<typeof certificateWish>[]): boolean {
  return new Set(wishes.map(({ purpose, name: own }) => `${purpose} ${own ?? ''}`)).size === wishes.length;
}

const rotateCredentials = z.strictObject({
  application: name.nullable(),
  node: name.nullable(),
}) satisfies z.ZodType<RotationRequest>;

const acceptAudit = z.strictObject({
  node: name,
  sequence: positive,
  hash: z.string().regex(/^[0-9a-f]{64}$/),
}) satisfies z.ZodType<AuditAcceptance>;

const revertDatabases = z.strictObject({ name: text.max(500).nullable() }) satisfies z.ZodType<RevertRequest>;
const dropDatabase = z.strictObject({ name }) satisfies z.ZodType<DropRequest>;

const revocationTarget = z.discriminatedUnion('of', [
  z.strictObject({ of: z.literal('serial'), serial: certificate.shape.serial }),
  z.strictObject({ of: z.literal('node'), name }),
  z.strictObject({ of: z.enum(['operator', 'viewer']), name }),
]) satisfies z.ZodType<RevocationTarget>;
const revokeCertificates = z.strictObject({
  target: revocationTarget,
  lastWayIn: z.boolean(),
}) satisfies z.ZodType<RevocationRequest>;

const nodeRole = z.enum(['database', 'app', 'witness']);
const token = z.strictObject({
  node: name,
  role: nodeRole.nullable(),
  forMs: positive.max(tokenForAtMostMs),
  digest: z.string().regex(/^[0-9a-f]{64}$/, 'SHA-256 in hex'),
}) satisfies z.ZodType<TokenRequest>;
const person = z.strictObject({
  role: z.enum(['operator', 'viewer']),
  name: name.max(50),
  lifeMs: positive.max(personForAtMostMs),
  request: z.string().max(4_096),
}) satisfies z.ZodType<PersonRequest>;
/** An own certificate is asked for later, by whoever has a certificate of his own. */
const enrolmentWish = z.strictObject({
  purpose: z.enum(['node', 'store-client', 'store-server', 'sealing']),
  request: z.string().max(4_096),
});
const enrol = z.strictObject({
  node: name,
  secret: z.string().regex(secretPattern, 'must be the secret of a token'),
  wishes: z.array(enrolmentWish).min(1).max(4),
}) satisfies z.ZodType<EnrolmentRequest>;

/** Nothing, or an empty object. */
const nothing = z.union([z.undefined(), z.strictObject({})]);

export const requests = {
  switchover,
  apply,
  failover,
  handsOff,
  readOnly,
  rotateCredentials,
  revertDatabases,
  dropDatabase,
  revokeCertificates,
  acceptAudit,
  report: poolerReport,
  cancel: nothing,
  checkpoint: nothing,
  promise: z.strictObject({ term: positive, round: positive, forMs: positive }),
  lastWords: z.strictObject({ file: z.string().regex(/^[0-9A-F]{24}$/), offset: count }),
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
  token,
  person,
  enrol,
  certificate: z.strictObject({
    wishes: z.array(certificateWish).min(1).max(purposes.length).refine(isEachOnce, 'a certificate is asked for twice'),
  }),
  reinit: nothing,
  restart: nothing,
} as const;

const flag = z.enum(['true', 'false']).transform((value) => value === 'true');

const wholeNumber = z
  .string()
  .regex(/^\d{1,15}$/, 'must be a whole number')
  .transform(Number);

/** Of `GET /v1/events`; values come as text. */
export const eventsQuery = z.strictObject({ after: wholeNumber.optional(), follow: flag.optional() });

/** Of `GET /v1/audit/files/:file`. */
export const auditQuery = z.strictObject({ offset: wholeNumber.optional() });

/** The same keys as in a declaration, where an unknown one is an error; here a newer agent has sent it. */
export const configuration = z.object({
  specRevision: count,
  trust: trustRecord.optional(),
  certificateLifeMs: positive.optional(),
  poolers: z.object(poolerSpec.shape),
  applications: z.array(
    z.object({
      ...applicationSpec.shape,
      files: z.object(applicationFilesSpec.shape).default(defaultApplicationFiles),
    }),
  ),
  tls: z.object({ ...tlsRules.shape, exceptions: z.array(z.object(tlsException.shape)) }).default(formerTlsRules),
  certificates: z
    .array(z.object({ ...ownCertificateSpec.shape, files: z.object(applicationFilesSpec.shape) }))
    .optional(),
  revoked: z.array(revocation.pick({ serial: true, kind: true, at: true, expiresAt: true })).optional(),
  // An agent of an earlier version sends none.
  credentials: z.array(z.object({ application: name, generation: positive, sealed: text })).default([]),
  databaseAgents: z.array(z.object({ node: name, address: name, hostName: name })),
}) satisfies z.ZodType<AppNodeConfiguration>;

const topologyEnvelope = z.object({ topology: z.unknown(), configuration: configuration.optional() });

/** Throws `TopologyError` or `ZodError`. */
export function parseTopologyMessage(value: unknown): TopologyMessage {
  const envelope = topologyEnvelope.parse(value);
  const topology = parseTopology(envelope.topology);
  return envelope.configuration === undefined ? { topology } : { topology, configuration: envelope.configuration };
}

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

const reason = z.object({ code: text, text });
const refusal = z.object({ what: text, blockedBy: text, text });

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

/** Before the first line there is a head of number 0. */
const auditState = z.object({
  files: z.array(z.object({ file: text, bytes: count })),
  head: z.object({ sequence: count, hash: text }),
  waiting: count,
  missed: count,
  trouble: text.nullable(),
}) satisfies z.ZodType<AuditState>;

const credentialListing = z.object({
  application: name,
  node: name,
  generation: positive.nullable(),
  wanted: positive.nullable(),
  inUse: count.nullable(),
  issuedAt: text.nullable(),
  issuedBy: name.nullable(),
  isSealable: z.boolean(),
}) satisfies z.ZodType<CredentialListing>;

const knownCertificate = z.object({
  ...certificate.shape,
  revoked: revocation.pick({ at: true, by: true }).optional(),
}) satisfies z.ZodType<KnownCertificate>;

const chain = z.string().max(65_536);
const issued = z.array(z.object({ purpose: z.enum(purposes), chain }));
const enrolment = z.object({
  issued,
  caPem: chain,
  address: name,
  apiPort: z.int().min(1).max(65_535),
  databaseAgents: z.array(z.object({ node: name, address: name })),
  storeEndpoints: z.array(text),
  storeCaFile: text.nullable(),
  dataDirectory: text.nullable(),
}) satisfies z.ZodType<EnrolmentGrant>;
const tokenAnswer = z.object({
  node: name,
  role: nodeRole,
  expiresAt: text,
  addresses: z.array(text),
}) satisfies z.ZodType<TokenAnswer>;

const accepted = z.object({ accepted: z.boolean(), because: text });

const databases = z.object({
  drift: z.array(
    z.object({
      name: text,
      kind: z.enum(['changed', 'given', 'kept', 'fixed']),
      actual: text.nullable(),
      declared: text.nullable(),
    }),
  ),
  retired: z.array(text),
  // An agent of an earlier version has no word for it.
  troubles: z.array(text).default([]),
}) satisfies z.ZodType<DatabaseState>;
const dropAnswer = z.object({
  database: text,
  roles: z.array(text),
  kept: z.array(text),
}) satisfies z.ZodType<DropAnswer>;

export const answers = {
  health: z.object({ node: name, version: text, term: count, storeAgeMs: z.number().nullable() }),
  status: clusterStatus,
  why,
  doctor,
  spec: specAnswer,
  apply: z.object({ revision: count }),
  switchover: switchoverAnswer,
  operation: operation.nullable(),
  cancel: accepted,
  failover: failoverAnswer,
  handsOff: accepted,
  readOnly: accepted,
  credentials: z.array(credentialListing),
  rotateCredentials: z.object({ ordered: z.array(z.object({ application: name, node: name, generation: positive })) }),
  databases,
  revertDatabases: accepted,
  dropDatabase: dropAnswer,
  receipts: z.array(receipt),
  receipt,
  lost: z.array(lostReport),
  certificate: z.object({ issued }),
  token: tokenAnswer,
  person: z.object({ chain, caPem: chain }) satisfies z.ZodType<PersonAnswer>,
  enrolment,
  enrolmentAuthority: z.object({ cluster: name, caPem: chain }),
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
  audit: auditState,
  auditAnchors: z.array(auditAnchor.extend({ node: name })) satisfies z.ZodType<readonly NodeAnchor[]>,
  auditFile: z.object({ text: z.string(), next: count.nullable() }) satisfies z.ZodType<AuditPiece>,
  acceptAudit: z.object({}),
  reinit: accepted,
  restart: accepted,
  done: z.object({}),
  // An older version does not say which round it gave.
  promise: z.object({ given: z.boolean(), round: count.default(0) }),
  lastWords: z.object({ piece: z.object({ data: z.base64(), isEnd: z.boolean() }).nullable() }),
} as const;

/** What stands in the body of every answer that is no success. */
export const errorAnswer = z.object({
  code: z.string(),
  message: z.string(),
  hint: z.string(),
  retry: z.enum(['never', 'later', 'operator']),
});

export type ErrorAnswer = z.infer<typeof errorAnswer>;

export const isErrorCode = (code: string): code is keyof typeof errorCatalogue => Object.hasOwn(errorCatalogue, code);
