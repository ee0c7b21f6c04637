/**
 * The declaration of a cluster in its complete form, as the agents see it.
 *
 * `config/` reads the user's short form and fills in every default; what is stored and decided on has no
 * optional behaviour left in it. Order matters in one place only: the first database node initialises.
 */
import type { DurabilitySpec, FailoverSpec } from './declared-durability.ts';

export type NodeName = string;
export type ApplicationName = string;
export type DatabaseName = string;

export type NodeRole = 'database' | 'app' | 'witness';

export interface NodeSpec {
  readonly name: NodeName;
  readonly address: string;
  readonly role: NodeRole;
  readonly datacenter: string | null;
  /** Higher is preferred among equals. */
  readonly priority: number;
  readonly failover: 'allowed' | 'never';
  readonly purpose: string | null;
  readonly contact: string | null;
}

export interface PostgresSpec {
  readonly major: number;
  readonly port: number;
  /** `null`: the directory named in the node file. */
  readonly dataDirectory: string | null;
  /** `null`: found on each node by the major version. */
  readonly binaryDirectory: string | null;
  readonly parameters: Readonly<Record<string, string>>;
  /** How much WAL one slot may hold back, in MiB (`max_slot_wal_keep_size`). */
  readonly walBudgetMb: number;
}

export interface StoreSpec {
  readonly kind: 'etcd';
  readonly endpoints: readonly string[];
  /** The CA that signed the store's certificates; `null`: the cluster's own. A path on every database node. */
  readonly caFile: string | null;
}

export type PoolMode = 'transaction' | 'session';

export interface PoolerSpec {
  readonly port: number;
  readonly mode: PoolMode;
  /** Server connections per application and alias. */
  readonly poolSize: number;
  readonly maxClients: number;
  /** How long a client may wait for a server connection before it gets an error, in seconds. */
  readonly queryWaitTimeoutS: number;
}

export interface DatabaseSpec {
  readonly name: DatabaseName;
  readonly owner: string;
}

export interface ApplicationSpec {
  readonly name: ApplicationName;
  readonly database: DatabaseName;
  readonly rights: 'rw' | 'ro';
  readonly nodes: readonly NodeName[];
  /** `null`: the poolers' default. */
  readonly poolSize: number | null;
  readonly outage: OutagePolicy;
}

/** What its writers get while nobody accepts writes: they wait, or they read from a standby and each write fails at once. */
export type OutagePolicy = 'hold' | 'read_only';

export interface SwitchoverSpec {
  /** How long the poolers may take to drain, in ms, before everything is undone. */
  readonly drainTimeoutMs: number;
  /** How long the primary may take to stop, in ms. */
  readonly stopTimeoutMs: number;
  /** How long the target may take to become writable, in ms. */
  readonly promoteTimeoutMs: number;
  /** A transaction older than this blocks the preflight, in ms. */
  readonly longTransactionMs: number;
  /** The target may be this far behind at the preflight, in bytes. */
  readonly maxLagBytes: number;
}

export interface LeaseSpec {
  /** How long a renewal is good for, in ms. */
  readonly ttlMs: number;
}

export interface Spec {
  readonly version: 1;
  readonly cluster: string;
  readonly domain: string;
  readonly contact: string | null;
  readonly datacenters: Readonly<Record<string, { readonly provider: string | null; readonly region: string | null }>>;
  readonly nodes: readonly NodeSpec[];
  readonly postgres: PostgresSpec;
  readonly store: StoreSpec;
  readonly poolers: PoolerSpec;
  readonly databases: readonly DatabaseSpec[];
  readonly applications: readonly ApplicationSpec[];
  readonly durability: DurabilitySpec;
  readonly failover: FailoverSpec;
  readonly switchover: SwitchoverSpec;
  readonly lease: LeaseSpec;
}

export function findNode(spec: Spec, name: NodeName): NodeSpec | undefined {
  return spec.nodes.find((node) => node.name === name);
}

export function nodesOfRole(spec: Spec, role: NodeRole): readonly NodeSpec[] {
  return spec.nodes.filter((node) => node.role === role);
}

/** The name by which a node's certificate is verified. */
export function hostName(spec: Spec, node: NodeName): string {
  return `${node}.${spec.domain}`;
}

/** The replication slot that keeps WAL for a node; slot names allow only lower case, digits and underscores. */
export function slotName(node: NodeName): string {
  return `understudy_${node.replace(/[^a-z0-9]/g, '_')}`;
}

/** The pooler's alias that reaches the primary. */
export function writeAlias(application: ApplicationSpec): string {
  return application.name;
}

/** The pooler's alias that reaches the standbys. */
export function readAlias(application: ApplicationSpec): string {
  return `${application.name}-ro`;
}
