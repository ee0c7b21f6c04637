/**
 * Reads what an app node's agent tells on its own host, by hand, as parse-topology.ts does.
 *
 * Invariant: what it returns holds exactly the fields of `LocalTopology`. Fields it doesn't know are dropped, and a state of
 * the pooler that it doesn't know is `unknown`, so that a newer agent may say more. Refuses other versions.
 */
import { type LocalPoolerState, type LocalTopology, localPoolerStates } from './local-topology.ts';
import { fields, figureOrNull, parseTopology, TopologyError, text, truth } from './parse-topology.ts';

function state(value: unknown): LocalPoolerState {
  const told = text(value, 'pooler.state');
  return localPoolerStates.find((known) => known === told) ?? 'unknown';
}

/**
 * The value of one line, parsed from JSON. Ages are in ms. Throws `TopologyError`, which names the field, as
 * `parseTopology` does for those of the topology in it.
 */
export function parseLocalTopology(value: unknown): LocalTopology {
  const from = fields(value, '');
  if (from.version !== 1) throw new TopologyError('version', '1');
  const topology = from.topology === null ? null : parseTopology(from.topology);
  const heardAgoMs = figureOrNull(from.heardAgoMs, 'heardAgoMs');
  if ((topology === null) !== (heardAgoMs === null)) throw new TopologyError('heardAgoMs', 'there with a topology');
  const pooler = fields(from.pooler, 'pooler');
  return {
    version: 1,
    topology,
    heardAgoMs,
    pooler: { state: state(pooler.state), readOnly: truth(pooler.readOnly, 'pooler.readOnly') },
  };
}
