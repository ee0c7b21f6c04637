/**
 * What several database agents say, put in order: whom to believe first, and what follows from all of it.
 *
 * Invariant: nothing of a term below the asked one, and nothing of another cluster, is ever returned.
 */
import type { TopologyPrimary } from '@understudy/client/topology';
import { heardForMs, type PoolerMemory, type PoolerView, type Sighting } from './pooler-memory.ts';

/** How old what it says is: the age of the store's answer behind it, and the time since it came. */
function ageMs(sighting: Sighting, nowMs: number): number {
  return (sighting.topology.ageMs ?? Number.POSITIVE_INFINITY) + (nowMs - sighting.atMs);
}

/** Those that may be acted on, best first: highest term, then freshest, then by name so that it never depends on order. */
export function ranked(view: Pick<PoolerView, 'cluster' | 'nowMs' | 'sightings'>, term: number): readonly Sighting[] {
  return view.sightings
    .filter((sighting) => sighting.topology.cluster === view.cluster && sighting.topology.term >= term)
    .toSorted(
      (a, b) =>
        b.topology.term - a.topology.term ||
        compare(ageMs(a, view.nowMs), ageMs(b, view.nowMs)) ||
        (a.agent < b.agent ? -1 : 1),
    );
}

/** Also for infinities, whose difference is no number. */
function compare(a: number, b: number): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

export interface KnownPrimary {
  readonly term: number;
  readonly primary: TopologyPrimary;
}

export function isHeard(sighting: Sighting, nowMs: number): boolean {
  return nowMs - sighting.atMs < heardForMs;
}

/** The agent of the best term's primary itself, while it is heard: the others repeat what it says, a little later. */
export function primarysOwn(ranking: readonly Sighting[], nowMs: number): Sighting | undefined {
  const term = ranking[0]?.topology.term;
  return ranking.find(
    (sighting) =>
      sighting.topology.term === term && sighting.agent === sighting.topology.primary?.node && isHeard(sighting, nowMs),
  );
}

/** The primary of the highest term, if an agent that is heard confirms it as writable and it doesn't deny that itself. */
export function writablePrimary(ranking: readonly Sighting[], atLeastTerm: number, nowMs: number): KnownPrimary | null {
  const term = ranking[0]?.topology.term;
  if (term === undefined || term < atLeastTerm) return null;
  const confirming = ranking.find(
    (sighting) =>
      sighting.topology.term === term && sighting.topology.primary?.writable === true && isHeard(sighting, nowMs),
  );
  const primary = (primarysOwn(ranking, nowMs) ?? confirming)?.topology.primary;
  return primary?.writable === true ? { term, primary } : null;
}

/** Has somebody declared that nobody may write? `null`: nobody is heard who could say. */
export function isReadOnlyDeclared(ranking: readonly Sighting[], nowMs: number): boolean | null {
  const heard = primarysOwn(ranking, nowMs) ?? ranking.find((sighting) => isHeard(sighting, nowMs));
  return heard === undefined ? null : heard.topology.readOnly;
}

/** Why the operation of a pause is over, by a positive sign; `null`: by nobody's word. */
export function isOver(
  gate: { readonly operation: string; readonly term: number },
  memory: PoolerMemory,
  view: PoolerView,
) {
  for (const { agent, topology } of view.sightings) {
    if (topology.cluster !== view.cluster) continue;
    if (topology.ended === gate.operation) return 'operation-ended';
    if (topology.term < gate.term) continue;
    if (topology.term > gate.term && topology.primary?.writable === true) return 'higher-term-is-writable';
    if (memory.shownBy.includes(agent) && topology.pause?.operation !== gate.operation) return 'pause-withdrawn';
  }
  return null;
}
