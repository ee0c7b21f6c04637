/** The aliases of an app node's pooler: per application one for writes to the primary, and one for reads on standbys. */
import type { PoolerConfiguration } from '../pooler-configuration.ts';
import { readAlias, writeAlias } from '../spec.ts';
import type { PoolerMemory, PoolerView, Sighting } from './pooler-memory.ts';
import { chooseReaders, type Readers } from './readers.ts';
import { primarysOwn } from './sightings.ts';

/** The configuration for the primary in `memory`; the last one while there is nothing to make a new one from. */
export function configurationOf(
  view: PoolerView,
  memory: PoolerMemory,
  ranking: readonly Sighting[],
): { readonly configuration: PoolerConfiguration | null; readonly readers: Readers } {
  const { wanted } = view;
  const { primary } = memory;
  const standbys = (primarysOwn(ranking, view.nowMs) ?? ranking[0])?.topology.standbys ?? null;
  const readers = standbys === null ? memory.readers : chooseReaders(view.self, standbys, memory.readers, view.nowMs);
  if (wanted === null || primary === null) return { configuration: memory.configuration, readers };
  const { poolers } = wanted;
  // A node that became primary is no standby any more, whatever an older list says.
  const standing = readers.chosen.filter((reader) => reader.node !== primary.node);
  const configuration: PoolerConfiguration = {
    listenAddress: wanted.listenAddress,
    port: poolers.port,
    mode: poolers.mode,
    maxClients: poolers.maxClients,
    queryWaitTimeoutS: poolers.queryWaitTimeoutS,
    aliases: wanted.applications.flatMap((application) => {
      const common = {
        application: application.name,
        database: application.database,
        role: application.name,
        poolSize: application.poolSize ?? poolers.poolSize,
      };
      const toPrimary = { addresses: [primary.address], port: primary.port };
      const toStandbys = {
        addresses: standing.map((reader) => reader.address),
        port: standing[0]?.port ?? primary.port,
      };
      return [
        { ...common, ...toPrimary, name: writeAlias(application), writes: true },
        { ...common, ...(standing.length === 0 ? toPrimary : toStandbys), name: readAlias(application), writes: false },
      ];
    }),
  };
  return { configuration, readers };
}
