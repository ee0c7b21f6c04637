/**
 * What the applications of this host are told: the best topology that this node's agent has heard, and how its pooler stands.
 *
 * Invariant: never a topology of a lower term than the pooler was pointed by. Whether one is too old is for whoever is told:
 * it comes with the time since it was heard.
 */
import type { LocalTopology } from '@understudy/client/topology';
import type { LocalTopologySource } from '../api/contract/local-topology.ts';
import type { PoolerReport } from '../core/pooler-report.ts';
import type { Sighting } from '../core/rules/pooler-memory.ts';
import { primarysOwn, ranked } from '../core/rules/sightings.ts';
import { topologyKey } from './topology.ts';

export interface LocalFacts {
  readonly cluster: string;
  readonly nowMs: number;
  readonly sightings: readonly Sighting[];
  readonly report: Pick<PoolerReport, 'term' | 'state' | 'readOnly'>;
}

export class LocalTopologyView implements LocalTopologySource {
  readonly #facts: () => LocalFacts;
  readonly #listeners = new Set<() => void>();
  #told = '';

  constructor(facts: () => LocalFacts) {
    this.#facts = facts;
  }

  current(): LocalTopology {
    const facts = this.#facts();
    const { nowMs, report } = facts;
    const ranking = ranked(facts, report.term);
    const best = primarysOwn(ranking, nowMs) ?? ranking[0];
    return {
      version: 1,
      topology: best?.topology ?? null,
      heardAgoMs: best === undefined ? null : Math.max(0, Math.round(nowMs - best.atMs)),
      pooler: { state: report.state, readOnly: report.readOnly },
    };
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Something may have changed. */
  look(): void {
    if (this.#listeners.size === 0) return;
    const { pooler, topology } = this.current();
    const key = JSON.stringify([pooler, topology === null ? null : topologyKey(topology)]);
    if (key === this.#told) return;
    this.#told = key;
    for (const listener of this.#listeners) listener();
  }
}
