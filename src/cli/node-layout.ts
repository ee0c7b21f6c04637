/**
 * How the files of a new node lie on a server, and the node file that says so. Pure.
 *
 * What agents renew lies in the state directory, which is theirs: they put new files beside the old ones first.
 */
import { join } from 'node:path';
import type { NodeFile } from '../config/node-file.ts';

export interface NodePlaces {
  readonly nodeFile: string;
  readonly state: string;
  readonly run: string;
  readonly log: string;
  /** Files for applications; only app nodes have any. */
  readonly apps: string;
  /** `null`: as declared, otherwise in the state directory. */
  readonly data: string | null;
  /** Where the pooler of an app node listens. */
  readonly pooler: string;
}

export const usualPlaces: NodePlaces = {
  nodeFile: '/etc/understudy/node.yaml',
  state: '/var/lib/understudy',
  run: '/run/understudy',
  log: '/var/log/understudy',
  apps: '/etc/understudy/apps',
  data: null,
  pooler: '127.0.0.1',
};

export interface NewNode {
  readonly cluster: string;
  readonly domain: string;
  readonly node: string;
  readonly role: NodeFile['role'];
  readonly address: string;
  readonly apiPort: number;
  readonly databaseAgents: NodeFile['databaseAgents'];
  readonly storeEndpoints: readonly string[];
  readonly storeCaFile: string | null;
  /** A member of the store is declared on its host. */
  readonly hasMember: boolean;
  readonly dataDirectory: string | null;
}

export function nodeFileFor(about: NewNode, places: NodePlaces): NodeFile {
  const { address, apiPort, cluster, databaseAgents, dataDirectory, domain, node, role } = about;
  const { apps, data, log, pooler, run, state } = places;
  const inTls = (name: string) => join(state, 'tls', name);
  const both = (name: string) => ({ certificate: inTls(name), key: inTls(name) });
  const ca = inTls('ca.crt');
  return {
    ...{ cluster, domain, node, role },
    api: { address, port: apiPort },
    directories: {
      ...{ data: data ?? dataDirectory ?? join(state, 'data'), run, log, state },
      ...(role === 'app' ? { apps } : {}),
    },
    tls: { ca, ...both('node.pem'), sealing: { certificate: inTls('sealing.crt'), key: inTls('sealing.key') } },
    store:
      role === 'app'
        ? null
        : {
            ...{ endpoints: about.storeEndpoints, ca: about.storeCaFile ?? ca, ...both('store.pem') },
            ...{ user: storeUserOf(cluster, node), passwordFile: inTls('store-password') },
            ...(about.hasMember ? { server: both('etcd.pem') } : {}),
          },
    databaseAgents,
    binaries: { postgres: null, pgbouncer: null },
    pooler: { listenAddress: pooler },
    watchdog: null,
    divergedWal: null,
  };
}

/** As which its agent logs in at the store. */
export function storeUserOf(cluster: string, node: string): string {
  return `${cluster}-${node}`;
}
