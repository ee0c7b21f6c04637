/**
 * The shape of a complete spec. Strict where one is applied: a key that this version doesn't know would be dropped
 * silently, and dropped from the cluster. Tolerant where one is read from the store (`storedSpec`): a newer agent has
 * checked it, and an older one, halfway through an upgrade, must go on with what it knows.
 *
 * Only shapes: whether the parts agree with each other is config's to judge.
 */
import { z } from 'zod';
import { type DurabilitySpec, defaultDurability, type FailoverSpec } from '../core/declared-durability.ts';
import {
  type AccessRule,
  type ApplicationFilesSpec,
  type ApplicationSpec,
  applicationFileModes,
  type DatabaseSpec,
  defaultApplicationFiles,
  defaultTls,
  type OwnCertificateSpec,
  type PoolerSpec,
  type Spec,
} from '../core/spec.ts';
import { type TlsException, type TlsRules, tlsPolicies, tlsServices } from '../core/tls-policy.ts';
import { backupsSpec } from './backups-schema.ts';

export const name = z.string().min(1).max(253);
export const text = z.string();
export const count = z.int().min(0);
export const positive = z.int().min(1);
/** Milliseconds, measured. */
export const duration = z.number().min(0);

export const poolerSpec = z.strictObject({
  port: z.int().min(1).max(65_535),
  mode: z.enum(['transaction', 'session']),
  poolSize: positive,
  maxClients: positive,
  queryWaitTimeoutS: count,
}) satisfies z.ZodType<PoolerSpec>;

export const applicationFilesSpec = z.strictObject({
  owner: name.nullable(),
  group: name.nullable(),
  mode: z.enum(applicationFileModes),
}) satisfies z.ZodType<ApplicationFilesSpec>;

export const applicationSpec = z.strictObject({
  name,
  database: name,
  rights: z.enum(['owner', 'rw', 'ro']),
  nodes: z.array(name),
  poolSize: positive.nullable(),
  // A spec of an earlier version has neither.
  outage: z.enum(['hold', 'read_only']).default('hold'),
  files: applicationFilesSpec.default(defaultApplicationFiles),
  rotateEveryMs: positive.nullable().default(null),
}) satisfies z.ZodType<ApplicationSpec>;

/** A spec of an earlier version says nothing but the owner. */
const databaseSpec = z.strictObject({
  name,
  owner: name,
  encoding: name.nullable().default(null),
  locale: name.nullable().default(null),
  extensions: z.array(name).default([]),
  connectionLimit: count.nullable().default(null),
  settings: z.record(name, text).default({}),
}) satisfies z.ZodType<DatabaseSpec>;

const accessRule = z.strictObject({
  user: name,
  database: name,
  from: name.nullable(),
  method: z.enum(['scram-sha-256', 'cert', 'peer']),
}) satisfies z.ZodType<AccessRule>;

export const ownCertificateSpec = z.strictObject({
  name,
  lifeMs: positive,
  roles: z.array(name),
  reload: z.union([z.array(text).min(1), text, z.null()]),
  files: applicationFilesSpec,
}) satisfies z.ZodType<OwnCertificateSpec>;

const durabilitySpec = z.strictObject({
  commit: z.enum(['local', 'sync']),
  k: positive,
  withoutStandby: z.enum(['wait', 'degrade']),
  acceptLossAfterMs: positive.nullable(),
}) satisfies z.ZodType<DurabilitySpec>;

const failoverSpec = z.strictObject({ lossLimitBytes: count.nullable() }) satisfies z.ZodType<FailoverSpec>;

export const tlsException = z.strictObject({
  service: z.enum(tlsServices),
  policy: z.enum(tlsPolicies),
  because: text,
}) satisfies z.ZodType<TlsException>;

export const tlsRules = z.strictObject({
  policy: z.enum(tlsPolicies),
  exceptions: z.array(tlsException),
}) satisfies z.ZodType<TlsRules>;

/** Of an earlier version: every service spoke TLS 1.2 as well. */
export const formerTlsRules = { policy: 'compatible' as const, exceptions: [] };

export const specSchema = z.strictObject({
  version: z.literal(1),
  cluster: name,
  domain: name,
  contact: text.nullable(),
  datacenters: z.record(name, z.strictObject({ provider: text.nullable(), region: text.nullable() })),
  nodes: z
    .array(
      z.strictObject({
        name,
        address: name,
        role: z.enum(['database', 'app', 'witness']),
        datacenter: text.nullable(),
        priority: z.int(),
        failover: z.enum(['allowed', 'never']),
        // A spec of an earlier version has none.
        applyDelayMs: positive.nullable().default(null),
        purpose: text.nullable(),
        contact: text.nullable(),
        roles: z.array(name).default([]),
      }),
    )
    .min(1),
  postgres: z.strictObject({
    major: positive,
    port: z.int().min(1).max(65_535),
    dataDirectory: text.nullable(),
    binaryDirectory: text.nullable(),
    parameters: z.record(name, text),
    walBudgetMb: count,
    hba: z.array(accessRule).default([]),
  }),
  store: z.strictObject({ kind: z.literal('etcd'), endpoints: z.array(text), caFile: text.nullable() }),
  poolers: poolerSpec,
  databases: z.array(databaseSpec),
  applications: z.array(applicationSpec),
  durability: durabilitySpec,
  failover: failoverSpec,
  switchover: z.strictObject({
    drainTimeoutMs: positive,
    stopTimeoutMs: positive,
    promoteTimeoutMs: positive,
    longTransactionMs: positive,
    maxLagBytes: count,
  }),
  lease: z.strictObject({ ttlMs: positive }),
  tls: z.strictObject({
    certificateLifeMs: positive,
    policy: tlsRules.shape.policy.default(formerTlsRules.policy),
    exceptions: tlsRules.shape.exceptions.default(formerTlsRules.exceptions),
  }),
  certificates: z.array(ownCertificateSpec).default([]),
  backups: backupsSpec.nullable().default(null),
}) satisfies z.ZodType<Spec>;

/** What an older version did not write into a spec yet, as it behaved. */
const former = {
  durability: defaultDurability,
  failover: { lossLimitBytes: null },
  tls: { certificateLifeMs: defaultTls.certificateLifeMs },
};

/** A spec from the store: keys that this version doesn't know are left out, and those that its writer didn't know added. */
export const storedSpec = z.preprocess((stored) => {
  const json = typeof stored === 'object' && stored !== null ? { ...former, ...stored } : stored;
  const parsed = specSchema.safeParse(json);
  if (parsed.success) return json;
  const unknown = parsed.error.issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key].join('\u0000')) : [],
  );
  return without(json, new Set(unknown), '');
}, specSchema);

/** A copy without the named places; a place is its keys from the top, joined by NUL. */
function without(json: unknown, places: ReadonlySet<string>, at: string): unknown {
  const place = (key: string | number) => (at === '' ? String(key) : `${at}\u0000${key}`);
  if (Array.isArray(json)) return json.map((value, index) => without(value, places, place(index)));
  if (typeof json !== 'object' || json === null) return json;
  const kept = Object.entries(json).filter(([key]) => !places.has(place(key)));
  return Object.fromEntries(kept.map(([key, value]) => [key, without(value, places, place(key))]));
}

/** The strict shape under the name that the API's schemas know it by. */
export { specSchema as spec };
