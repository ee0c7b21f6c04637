/**
 * What a declaration means that says no more than it must: the defaults, in one place. Pure.
 *
 * Invariant: `config/normalise.ts` fills in these values and no others, so that a stage, a simulated cluster and a test begin with
 * what a user begins with.
 */
import { defaultDurability, defaultFailover } from './declared-durability.ts';
import {
  type ApplicationName,
  type ApplicationSpec,
  defaultApplicationFiles,
  defaultTls,
  type LeaseSpec,
  type NodeName,
  type NodeRole,
  type NodeSpec,
  type PoolerSpec,
  type PostgresSpec,
  type Spec,
  type SwitchoverSpec,
} from './spec.ts';

export const defaultPriority = 100;

export const defaultPoolers: PoolerSpec = {
  port: 6432,
  mode: 'transaction',
  poolSize: 20,
  maxClients: 200,
  queryWaitTimeoutS: 120,
};

export const defaultSwitchover: SwitchoverSpec = {
  drainTimeoutMs: 10_000,
  stopTimeoutMs: 10_000,
  promoteTimeoutMs: 10_000,
  longTransactionMs: 5_000,
  maxLagBytes: 16 * 1024 * 1024,
};

export const defaultLease: LeaseSpec = { ttlMs: 6_000 };

export function plainNode(name: NodeName, role: NodeRole, address: string): NodeSpec {
  return {
    name,
    address,
    role,
    datacenter: null,
    priority: defaultPriority,
    failover: 'allowed',
    applyDelayMs: null,
    purpose: null,
    contact: null,
    roles: [],
  };
}

/** In the database of its own name. */
export function plainApplication(name: ApplicationName, nodes: readonly NodeName[]): ApplicationSpec {
  return {
    name,
    database: name,
    rights: 'rw',
    nodes,
    poolSize: null,
    outage: 'hold',
    files: defaultApplicationFiles,
    rotateEveryMs: null,
  };
}

export function plainPostgres(major: number): PostgresSpec {
  return {
    major,
    port: 5432,
    dataDirectory: null,
    binaryDirectory: null,
    parameters: {},
    walBudgetMb: 8 * 1024,
    hba: [],
  };
}

/** What has no default. */
export interface Essentials extends Pick<Spec, 'cluster' | 'domain' | 'nodes'> {
  readonly postgresMajor: number;
  readonly storeEndpoints: readonly string[];
}

/** Without a database or an application. */
export function plainSpec({ cluster, domain, nodes, postgresMajor, storeEndpoints }: Essentials): Spec {
  return {
    version: 1,
    cluster,
    domain,
    contact: null,
    datacenters: {},
    nodes,
    postgres: plainPostgres(postgresMajor),
    store: { kind: 'etcd', endpoints: storeEndpoints, caFile: null },
    poolers: defaultPoolers,
    databases: [],
    applications: [],
    durability: defaultDurability,
    failover: defaultFailover(defaultDurability.commit),
    switchover: defaultSwitchover,
    lease: defaultLease,
    tls: defaultTls,
    certificates: [],
    backups: null,
  };
}
