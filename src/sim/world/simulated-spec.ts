/** The declaration of a simulated cluster. Addresses are names only: nothing listens anywhere. */

import { type DurabilitySpec, defaultFailover, type FailoverSpec } from '../../core/declared-durability.ts';
import { defaultApplicationFiles, defaultTls, type NodeSpec, plainDatabase, type Spec } from '../../core/spec.ts';

export function simulatedSpec(
  databases: number,
  apps: number,
  durability: DurabilitySpec,
  failover: FailoverSpec = defaultFailover('local'),
): Spec {
  const common = {
    datacenter: null,
    priority: 100,
    failover: 'allowed',
    purpose: null,
    contact: null,
    roles: [],
  } as const;
  const named = (prefix: string, role: 'database' | 'app', count: number): NodeSpec[] =>
    Array.from({ length: count }, (_, index) => {
      const name = `${prefix}${index + 1}`;
      return { ...common, name, role, address: `${name}.sim` };
    });
  const appNodes = named('app', 'app', apps);
  return {
    version: 1,
    cluster: 'sim',
    domain: 'sim.example',
    contact: null,
    datacenters: {},
    nodes: [...named('db', 'database', databases), ...appNodes],
    postgres: {
      major: 17,
      port: 5432,
      dataDirectory: null,
      binaryDirectory: null,
      parameters: {},
      walBudgetMb: 8192,
      hba: [],
    },
    store: { kind: 'etcd', endpoints: ['https://store.sim:2379'], caFile: null },
    poolers: { port: 6432, mode: 'transaction', poolSize: 20, maxClients: 200, queryWaitTimeoutS: 120 },
    databases: [plainDatabase('shop', 'shop')],
    applications: [
      {
        name: 'shop',
        database: 'shop',
        rights: 'rw',
        nodes: appNodes.map(({ name }) => name),
        poolSize: null,
        outage: 'hold',
        files: defaultApplicationFiles,
        rotateEveryMs: null,
      },
    ],
    switchover: {
      drainTimeoutMs: 5_000,
      stopTimeoutMs: 10_000,
      promoteTimeoutMs: 10_000,
      longTransactionMs: 5_000,
      maxLagBytes: 16 * 1024 * 1024,
    },
    durability,
    failover,
    lease: { ttlMs: 6_000 },
    tls: defaultTls,
    certificates: [],
  };
}
