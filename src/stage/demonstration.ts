/** What a fresh stage declares: a small cluster with one database and one application, to be edited at will. */

import { defaultDurability, defaultFailover } from '../core/declared-durability.ts';
import { defaultApplicationFiles, defaultTls, type NodeSpec, plainDatabase, type Spec } from '../core/spec.ts';
import { stagePorts } from './network.ts';
import { type StageNode, type StageRecord, storeHosts } from './record.ts';

export function demonstrationSpec(record: StageRecord, postgresMajor: number): Spec {
  // On a small disk a clone needs room beside the WAL, and so does the directory that it replaces.
  const walMb = record.diskMb === null ? 1_024 : Math.max(64, Math.floor(record.diskMb / 8));
  const apps = record.nodes.filter((node) => node.role === 'app').map((node) => node.name);
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
      parameters: { shared_buffers: '128MB', max_wal_size: `${walMb}MB` },
      walBudgetMb: walMb,
      hba: [],
    },
    store: {
      kind: 'etcd',
      endpoints: storeHosts(record).map((node) => `https://${node.address}:${stagePorts.storeClient}`),
      caFile: null,
    },
    poolers: { port: stagePorts.pooler, mode: 'transaction', poolSize: 20, maxClients: 200, queryWaitTimeoutS: 120 },
    databases: [plainDatabase('shop', 'shop_owner')],
    applications:
      apps.length === 0
        ? []
        : [
            {
              name: 'shop',
              database: 'shop',
              rights: 'rw',
              nodes: apps,
              poolSize: null,
              outage: 'hold',
              files: defaultApplicationFiles,
              rotateEveryMs: null,
            },
          ],
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
    tls: defaultTls,
    certificates: [],
  };
}

function nodeSpec({ name, role, address }: StageNode): NodeSpec {
  return {
    name,
    role,
    address,
    datacenter: null,
    priority: 100,
    failover: 'allowed',
    purpose: null,
    contact: null,
    roles: [],
  };
}
