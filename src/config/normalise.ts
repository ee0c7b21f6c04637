/**
 * From the cluster file to the complete spec: short forms unfolded, defaults filled in.
 *
 * Invariant: the nodes' order is database, witness, app, each as written. Nothing is judged here; a name that leads
 * nowhere is kept as written, and `agreement.ts` refuses it.
 */
import {
  type DurabilitySpec,
  defaultDurability,
  defaultFailover,
  type FailoverSpec,
} from '../core/declared-durability.ts';
import {
  defaultLease,
  defaultPoolers,
  defaultSwitchover,
  plainApplication,
  plainNode,
  plainPostgres,
} from '../core/plain-spec.ts';
import {
  type AccessRule,
  type ApplicationFilesSpec,
  type ApplicationSpec,
  type DatabaseSpec,
  defaultApplicationFiles,
  defaultTls,
  type NodeRole,
  type NodeSpec,
  type OwnCertificateSpec,
  type PoolerSpec,
  type PostgresSpec,
  plainDatabase,
  type Spec,
  type StoreSpec,
  type SwitchoverSpec,
  type TlsSpec,
} from '../core/spec.ts';
import { tlsServices } from '../core/tls-policy.ts';
import { backupsOf } from './backup-keys.ts';
import type { ClusterFile } from './schema.ts';

const mebibyte = 1024 ** 2;
const storePort = 2379;

const defaultOwnDays = 7;

type WrittenAccessRule = NonNullable<Exclude<ClusterFile['postgres'], number>['hba']>[number];
type Written = Partial<Exclude<NonNullable<ClusterFile['nodes']['database']>[string], string>> & { address: string };

/** The part after the first dot, if it is a declared datacenter. */
export function impliedDatacenter(name: string, datacenters: Readonly<Record<string, unknown>>): string | null {
  const dot = name.indexOf('.');
  const suffix = dot < 0 ? '' : name.slice(dot + 1);
  return Object.hasOwn(datacenters, suffix) ? suffix : null;
}

function isPresent<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined;
}

function nodesOf(file: ClusterFile, role: NodeRole): readonly NodeSpec[] {
  const entries: [string, string | Written][] = Object.entries(file.nodes[role] ?? {});
  return entries.map(([name, value]) => {
    const node: Written = typeof value === 'string' ? { address: value } : value;
    const plain = plainNode(name, role, node.address);
    return {
      ...plain,
      datacenter: node.datacenter === undefined ? impliedDatacenter(name, file.datacenters ?? {}) : node.datacenter,
      priority: node.priority ?? plain.priority,
      failover: node.failover ?? (isPresent(node.delay) ? 'never' : plain.failover),
      applyDelayMs: node.delay ?? null,
      purpose: node.purpose ?? plain.purpose,
      contact: node.contact ?? plain.contact,
      roles: node.roles ?? plain.roles,
    };
  });
}

/** The nodes that a name may mean: the full name if there is one, else every node whose first part it is. */
export function nodesNamed(nodes: readonly NodeSpec[], name: string): readonly NodeSpec[] {
  const exact = nodes.filter((node) => node.name === name);
  return exact.length > 0 ? exact : nodes.filter((node) => node.name.startsWith(`${name}.`));
}

function fullName(nodes: readonly NodeSpec[], name: string): string {
  const [only, ...others] = nodesNamed(
    nodes.filter((node) => node.role === 'app'),
    name,
  );
  return only === undefined || others.length > 0 ? name : only.name;
}

function parameterText(value: string | number | boolean): string {
  return typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value);
}

function postgresOf(written: ClusterFile['postgres']): PostgresSpec {
  const postgres = typeof written === 'number' ? { version: written } : written;
  const parameters = Object.entries(postgres.parameters ?? {});
  const plain = plainPostgres(postgres.version);
  return {
    major: plain.major,
    port: postgres.port ?? plain.port,
    dataDirectory: postgres.data ?? plain.dataDirectory,
    binaryDirectory: postgres.binaries ?? plain.binaryDirectory,
    parameters: Object.fromEntries(parameters.map(([name, value]) => [name.toLowerCase(), parameterText(value)])),
    walBudgetMb: (postgres.wal_budget ?? plain.walBudgetMb * mebibyte) / mebibyte,
    hba: (postgres.hba ?? []).map(accessRuleOf),
  };
}

/** With its prefix: `10.0.9.7` is one host. */
function accessRuleOf({ user, database, from, method }: WrittenAccessRule): AccessRule {
  if (from === null || from === undefined) return { user, database, from: null, method: method ?? 'peer' };
  const prefixed = from.includes('/') ? from : `${from}/${from.includes(':') ? 128 : 32}`;
  return { user, database, from: prefixed, method: method ?? 'scram-sha-256' };
}

function storeOf(written: ClusterFile['store'], nodes: readonly NodeSpec[]): StoreSpec {
  const members = nodes.filter((node) => node.role !== 'app').slice(0, 3);
  const literal = (address: string) => (address.includes(':') ? `[${address}]` : address);
  return {
    kind: 'etcd',
    endpoints: written?.endpoints ?? members.map((node) => `https://${literal(node.address)}:${storePort}`),
    caFile: written?.ca ?? null,
  };
}

function databasesOf(written: ClusterFile['databases']): readonly DatabaseSpec[] {
  return Object.entries(written ?? {}).map(([name, value]) => {
    if (typeof value === 'string' || value === null) return plainDatabase(name, value ?? name);
    const settings = Object.entries(value.settings ?? {});
    return {
      name,
      owner: value.owner ?? name,
      encoding: value.encoding ?? null,
      locale: value.locale ?? null,
      extensions: value.extensions ?? [],
      connectionLimit: value.connection_limit ?? null,
      settings: Object.fromEntries(settings.map(([key, each]) => [key.toLowerCase(), parameterText(each)])),
    };
  });
}

type WrittenFiles = NonNullable<ClusterFile['applications']>[string]['files'];

function filesOf(written: WrittenFiles): ApplicationFilesSpec {
  return {
    owner: written?.owner ?? defaultApplicationFiles.owner,
    group: written?.group ?? defaultApplicationFiles.group,
    mode: written?.mode ?? defaultApplicationFiles.mode,
  };
}

function applicationsOf(written: ClusterFile['applications'], nodes: readonly NodeSpec[]): readonly ApplicationSpec[] {
  return Object.entries(written ?? {}).map(([name, application]) => {
    const plain = plainApplication(
      name,
      application.nodes.map((node) => fullName(nodes, node)),
    );
    return {
      ...plain,
      database: application.database ?? plain.database,
      rights: application.rights ?? plain.rights,
      poolSize: application.pool_size ?? plain.poolSize,
      outage: application.outage ?? plain.outage,
      files: filesOf(application.files),
      rotateEveryMs: application.rotate ?? plain.rotateEveryMs,
    };
  });
}

function durabilityOf(written: ClusterFile['durability']): DurabilitySpec {
  const durability = typeof written === 'string' ? { commit: written } : written;
  const unheard = durability?.unheard;
  return {
    commit: durability?.commit ?? defaultDurability.commit,
    k: durability?.k ?? defaultDurability.k,
    withoutStandby: durability?.without_standby ?? defaultDurability.withoutStandby,
    acceptLossAfterMs: typeof unheard === 'object' && unheard !== null ? unheard.accept_loss_after : null,
  };
}

function failoverOf(written: ClusterFile['failover'], commit: DurabilitySpec['commit']): FailoverSpec {
  const limit = written?.loss_limit;
  if (limit === null || limit === undefined) return defaultFailover(commit);
  return { lossLimitBytes: limit === 'unlimited' ? null : limit };
}

function tlsOf(written: ClusterFile['tls']): TlsSpec {
  return {
    certificateLifeMs: written?.life ?? defaultTls.certificateLifeMs,
    policy: written?.policy ?? defaultTls.policy,
    exceptions: tlsServices.flatMap((service) => {
      const exception = written?.exceptions?.[service];
      return exception === undefined ? [] : [{ service, ...exception }];
    }),
  };
}

const dayMs = 24 * 60 * 60_000;

function certificatesOf(written: ClusterFile['certificates']): readonly OwnCertificateSpec[] {
  return Object.entries(written ?? {}).map(([name, { days, life, roles, reload, files }]) => ({
    name,
    lifeMs: life ?? (days ?? defaultOwnDays) * dayMs,
    roles,
    reload: reload ?? null,
    files: filesOf(files),
  }));
}

function poolersOf(written: ClusterFile['poolers']): PoolerSpec {
  const waitMs = written?.query_wait_timeout ?? defaultPoolers.queryWaitTimeoutS * 1_000;
  return {
    port: written?.port ?? defaultPoolers.port,
    mode: written?.mode ?? defaultPoolers.mode,
    poolSize: written?.pool_size ?? defaultPoolers.poolSize,
    maxClients: written?.max_clients ?? defaultPoolers.maxClients,
    queryWaitTimeoutS: waitMs / 1_000,
  };
}

function switchoverOf(written: ClusterFile['switchover']): SwitchoverSpec {
  return {
    drainTimeoutMs: written?.drain_timeout ?? defaultSwitchover.drainTimeoutMs,
    stopTimeoutMs: written?.stop_timeout ?? defaultSwitchover.stopTimeoutMs,
    promoteTimeoutMs: written?.promote_timeout ?? defaultSwitchover.promoteTimeoutMs,
    longTransactionMs: written?.long_transaction ?? defaultSwitchover.longTransactionMs,
    maxLagBytes: written?.max_lag ?? defaultSwitchover.maxLagBytes,
  };
}

export function normalise(file: ClusterFile): Spec {
  const nodes = [...nodesOf(file, 'database'), ...nodesOf(file, 'witness'), ...nodesOf(file, 'app')];
  const datacenters = Object.entries(file.datacenters ?? {}).map(
    ([name, value]) => [name, { provider: value?.provider ?? null, region: value?.region ?? null }] as const,
  );
  const durability = durabilityOf(file.durability);
  return {
    version: 1,
    cluster: file.cluster,
    domain: file.domain,
    contact: file.contact ?? null,
    datacenters: Object.fromEntries(datacenters),
    nodes,
    postgres: postgresOf(file.postgres),
    store: storeOf(file.store, nodes),
    poolers: poolersOf(file.poolers),
    databases: databasesOf(file.databases),
    applications: applicationsOf(file.applications, nodes),
    durability,
    failover: failoverOf(file.failover, durability.commit),
    switchover: switchoverOf(file.switchover),
    lease: { ttlMs: file.lease?.ttl ?? defaultLease.ttlMs },
    tls: tlsOf(file.tls),
    certificates: certificatesOf(file.certificates),
    backups: backupsOf(file.backups),
  };
}
