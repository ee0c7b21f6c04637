/** What a fresh stage declares: a small cluster with one database and one application, to be edited at will. */

import { defaultPoolers, plainApplication, plainNode, plainPostgres, plainSpec } from '../core/plain-spec.ts';
import { plainDatabase, type Spec } from '../core/spec.ts';
import { stagePorts } from './network.ts';
import { type StageRecord, storeHosts } from './record.ts';

export function demonstrationSpec(record: StageRecord, postgresMajor: number): Spec {
  // On a small disk a clone needs room beside the WAL, and so does the directory that it replaces.
  const walMb = record.diskMb === null ? 1_024 : Math.max(64, Math.floor(record.diskMb / 8));
  const apps = record.nodes.filter((node) => node.role === 'app').map((node) => node.name);
  const { cluster, domain } = record;
  const nodes = record.nodes.map(({ name, role, address }) => plainNode(name, role, address));
  const storeEndpoints = storeHosts(record).map((node) => `https://${node.address}:${stagePorts.storeClient}`);
  return {
    ...plainSpec({ cluster, domain, nodes, postgresMajor, storeEndpoints }),
    postgres: {
      ...plainPostgres(postgresMajor),
      port: stagePorts.postgres,
      // Several servers share one machine here.
      parameters: { shared_buffers: '128MB', max_wal_size: `${walMb}MB` },
      walBudgetMb: walMb,
    },
    poolers: { ...defaultPoolers, port: stagePorts.pooler },
    databases: [plainDatabase('shop', 'shop_owner')],
    applications: apps.length === 0 ? [] : [plainApplication('shop', apps)],
  };
}
