/** What a fresh stage declares: a small cluster with one database and one application, to be edited at will. */
import { defaultDurability, defaultFailover } from '../core/declared-durability.ts';
import type { NodeSpec, Spec } from '../core/spec.ts';
import { stagePorts } from './network.ts';
import type { StageNode, StageRecord } from './record.ts';

export function demonstrationSpec(record: StageRecord, postgresMajor: number): Spec {
  const apps = record.nodes.filter((node) => node.role === 'app').map((node) => node.name);
  const members = record.nodes.filter((node) => record.storeMembers.includes(node.name));
  return {
    version: 1,
    cluster: record.cluster,
    domain: record.domain,
    contact: null,
    datacenters: {},
    nodes: record.nodes.map(nodeSpec),
    postgres: {
      major: postgresMajor,
      port: stagePorts.postgres,
      dataDirectory: null,
      binaryDirectory: null,
      // Several servers share one machine here.
      parameters: { shared_buffers: '128MB', max_wal_size: '1GB' },
      walBudgetMb: 1024,
    },
    store: {
      kind: 'etcd',
      endpoints: members.map((node) => `https://${node.address}:${stagePorts.storeClient}`),
      caFile: null,
    },
    poolers: { port: stagePorts.pooler, mode: 'transaction', poolSize: 20, maxClients: 200, queryWaitTimeoutS: 120 },
    databases: [{ name: 'shop', owner: 'shop_owner' }],
    applications:
      apps.length === 0 ? [] : [{ name: 'shop', database: 'shop', rights: 'rw', nodes: apps, poolSize: null }],
    switchover: {
      drainTimeoutMs: 10_000,
      stopTimeoutMs: 10_000,
      promoteTimeoutMs: 10_000,
      longTransactionMs: 5_000,
      maxLagBytes: 16 * 1024 * 1024,
    },
    durability: defaultDurability,
    failover: defaultFailover('local'),
    lease: { ttlMs: 6_000 },
  };
}

function nodeSpec({ name, role, address }: StageNode): NodeSpec {
  return { name, role, address, datacenter: null, priority: 100, failover: 'allowed', purpose: null, contact: null };
}
