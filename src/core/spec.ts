/**
 * The declaration of a cluster in its complete form, as the agents see it.
 *
 * `config/` reads the user's short form and fills in every default; what is stored and decided on has no
 * optional behaviour left in it. Order matters in one place only: the first database node initialises.
 */
import type { BackupsSpec } from './backups-spec.ts';
import type { DurabilitySpec, FailoverSpec } from './declared-durability.ts';
import { defaultTlsRules, type TlsRules } from './tls-policy.ts';

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
  /** It replays each commit so much later than it was made, in ms; `null`: at once. Such a node is never primary. */
  readonly applyDelayMs: number | null;
  readonly purpose: string | null;
  readonly contact: string | null;
  /** What it serves as, for own certificates. */
  readonly roles: readonly string[];
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
  /** Who else may connect: after the cluster's own lines in pg_hba.conf. */
  readonly hba: readonly AccessRule[];
}

/** A role that somebody made by hand, and where it comes from. */
export interface AccessRule {
  readonly user: string;
  /** `all`: every database. */
  readonly database: string;
  /** Addresses with their prefix, over TLS; `null`: the socket of the server's own account. */
  readonly from: string | null;
  readonly method: 'scram-sha-256' | 'cert' | 'peer';
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
  /** Both are for good; `null`: the server's own. */
  readonly encoding: string | null;
  readonly locale: string | null;
  readonly extensions: readonly string[];
  /** `null`: no limit of its own. */
  readonly connectionLimit: number | null;
  /** What its sessions begin with (`ALTER DATABASE ... SET`). */
  readonly settings: Readonly<Record<string, string>>;
}

/** One about which nothing is said but its owner. */
export function plainDatabase(name: DatabaseName, owner: string): DatabaseSpec {
  return { name, owner, encoding: null, locale: null, extensions: [], connectionLimit: null, settings: {} };
}

/** `owner`: changes the schema as the database's owner; `rw`: reads and writes, and makes things of its own; `ro`: reads. */
export type Rights = 'owner' | 'rw' | 'ro';

export interface ApplicationSpec {
  readonly name: ApplicationName;
  readonly database: DatabaseName;
  readonly rights: Rights;
  readonly nodes: readonly NodeName[];
  /** `null`: the poolers' default. */
  readonly poolSize: number | null;
  readonly outage: OutagePolicy;
  readonly files: ApplicationFilesSpec;
  /** Its credentials are replaced when they are this old, in ms; `null`: when somebody orders it. */
  readonly rotateEveryMs: number | null;
}

/** Of the files by which an application on a node reaches its pooler. Never for everybody: they hold its password. */
export interface ApplicationFilesSpec {
  /** A user and a group of the node; `null`: the agent's own. */
  readonly owner: string | null;
  readonly group: string | null;
  readonly mode: ApplicationFileMode;
}

export const applicationFileModes = ['0400', '0440', '0600', '0640'] as const;
export type ApplicationFileMode = (typeof applicationFileModes)[number];

export const defaultApplicationFiles: ApplicationFilesSpec = { owner: null, group: null, mode: '0600' };

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

export interface TlsSpec extends TlsRules {
  /** How long the certificates of nodes are good for, in ms; renewed after two thirds of it. */
  readonly certificateLifeMs: number;
}

/** Seven days: a revocation that nobody hears of is over in a week, and a weekend is slept through. */
export const defaultTls: TlsSpec = { certificateLifeMs: 7 * 24 * 60 * 60_000, ...defaultTlsRules };

/** A certificate that the nodes of some roles have for services of their own. */
export interface OwnCertificateSpec {
  /** A host name, or a wildcard for the hosts of one domain. */
  readonly name: string;
  readonly lifeMs: number;
  readonly roles: readonly string[];
  readonly reload: ReloadHook;
  /** Of the files with the key. */
  readonly files: ApplicationFilesSpec;
}

/** What takes up a new certificate: a program with its arguments, the path of a local one, or nobody. Never a shell's text. */
export type ReloadHook = readonly string[] | string | null;

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
  readonly tls: TlsSpec;
  readonly certificates: readonly OwnCertificateSpec[];
  /** `null`: none are made. */
  readonly backups: BackupsSpec | null;
}

export function findNode(spec: Spec, name: NodeName): NodeSpec | undefined {
  return spec.nodes.find((node) => node.name === name);
}

export function nodesOfRole(spec: Spec, role: NodeRole): readonly NodeSpec[] {
  return spec.nodes.filter((node) => node.role === role);
}

/** Its commits are of the past: it serves no reads, and no commit waits for it. */
export function isDelayed(node: Pick<NodeSpec, 'applyDelayMs'>): boolean {
  return node.applyDelayMs !== null;
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

/** The pooler's alias that reaches one database node, whatever its role. No application has a dot in its name. */
export function nodeAlias(application: Pick<ApplicationSpec, 'name'>, node: NodeName): string {
  return `${application.name}.${node}`;
}

/** So long may the name of an alias be (MAX_DBNAME in pgbouncer's source). */
export const longestAlias = 63;

/** An earlier version let some be too long, for which pgbouncer would refuse all of its file. */
export function hasNodeAlias(application: Pick<ApplicationSpec, 'name'>, node: NodeName): boolean {
  return nodeAlias(application, node).length <= longestAlias;
}
