/**
 * The aliases of an app node's pooler: per application one for writes to the primary, one for reads on standbys, and one for
 * each database node.
 *
 * Invariant: an alias of one node changes with the declaration alone, never with roles.
 */
import type { TopologyStandby } from '@understudy/client/topology';
import { loginRole } from '../application-roles.ts';
import type { PoolerConfiguration } from '../pooler-configuration.ts';
import { hasNodeAlias, nodeAlias, readAlias, writeAlias } from '../spec.ts';
import { tlsPolicyOf } from '../tls-policy.ts';
import type { PoolerMemory, PoolerView, Sighting } from './pooler-memory.ts';
import { chooseReaders, type Readers } from './readers.ts';
import { primarysOwn } from './sightings.ts';

/**
 * The configuration for the primary in `memory`; the last one while there is nothing to make a new one from. `isLost`:
 * nobody accepts writes.
 */
export function configurationOf(
  view: PoolerView,
  memory: PoolerMemory,
  ranking: readonly Sighting[],
  isLost = false,
): { readonly configuration: PoolerConfiguration | null; readonly readers: Readers } {
  const { wanted } = view;
  const { primary } = memory;
  const standbys = (primarysOwn(ranking, view.nowMs) ?? ranking[0])?.topology.standbys ?? null;
  const judged = standbys === null || !isLost ? standbys : withoutPrimary(standbys);
  const readers = judged === null ? memory.readers : chooseReaders(view.self, judged, memory.readers, view.nowMs);
  if (wanted === null || primary === null) return { configuration: memory.configuration, readers };
  const { poolers } = wanted;
  // A node that became primary is no standby any more, whatever an older list says.
  const standing = readers.chosen.filter((reader) => reader.node !== primary.node);
  const toPrimary = { addresses: [primary.address], port: primary.port };
  const toReaders =
    standing.length === 0
      ? toPrimary
      : { addresses: standing.map((reader) => reader.address), port: standing[0]?.port ?? primary.port };
  // On the primary only the session keeps from writing, and a session pool forgets that with each client.
  const canStandIn = standing.length > 0 || (!isLost && poolers.mode === 'transaction');
  const configuration: PoolerConfiguration = {
    listenAddress: wanted.listenAddress,
    port: poolers.port,
    mode: poolers.mode,
    maxClients: poolers.maxClients,
    queryWaitTimeoutS: poolers.queryWaitTimeoutS,
    tls: { clients: tlsPolicyOf(wanted.tls, 'pooler'), servers: tlsPolicyOf(wanted.tls, 'postgresql') },
    aliases: wanted.applications.flatMap((application) => {
      // Without a password nobody could be served; it comes within a second of the declaration.
      const credential = wanted.credentials.find((each) => each.application === application.name);
      if (credential === undefined) return [];
      const { generation, clientPassword } = credential;
      const common = {
        application: application.name,
        database: application.database,
        role: loginRole(application.name, view.self, generation),
        generation,
        clientPassword,
        poolSize: application.poolSize ?? poolers.poolSize,
      };
      const standsIn = canStandIn && (memory.readOnly || (isLost && application.outage === 'read_only'));
      const toWrite = standsIn ? toReaders : toPrimary;
      return [
        { ...common, ...toWrite, name: writeAlias(application), writes: true, standsIn, ofOneNode: false },
        {
          ...common,
          ...toReaders,
          name: readAlias(application),
          writes: false,
          standsIn: false,
          ofOneNode: false,
        },
        ...wanted.databaseAgents
          .filter(({ node }) => hasNodeAlias(application, node))
          .map(({ node, address }) => ({
            ...common,
            name: nodeAlias(application, node),
            addresses: [address],
            // One port for all PostgreSQLs is declared.
            port: primary.port,
            writes: false,
            standsIn: false,
            ofOneNode: true,
          })),
      ];
    }),
  };
  return { configuration, readers };
}

/** With nobody to stream from, and nobody to be behind, every standby that is named is as good as it can be. */
function withoutPrimary(standbys: readonly TopologyStandby[]): readonly TopologyStandby[] {
  return standbys.map((standby) => ({ ...standby, streaming: true, lagBytes: standby.lagBytes ?? 0 }));
}
