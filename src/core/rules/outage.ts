/**
 * Is there nobody to write to, as far as an app node can tell?
 *
 * Invariant: silence alone is no loss. An agent that is silent or restarts says nothing of its PostgreSQL, and the others
 * go on calling a dead primary writable for seconds. So a loss is what the primary's own agent says, a higher term whose
 * primary accepts no writes yet, or a primary that was knocked at and does not open.
 * Refuses to judge when no agent is heard at all: then everything stays as it is.
 */
import type { Reason } from '../decision.ts';
import type { Knock } from './pooler-decision.ts';
import type { PoolerMemory, PoolerView, Reach, Sighting } from './pooler-memory.ts';
import { isHeard, primarysOwn, writablePrimary } from './sightings.ts';

/** Agents send each second: after this the primary's own one is late, and its server is knocked at. */
const lateAfterMs = 1_500;
/** An answer to a knock is good for this long. */
const knockGoodForMs = 1_500;
const knockEveryMs = 250;
/** While clients wait for exactly this answer. */
export const knockWhileHeldMs = 100;

/** The last answer of that address, if it is fresh enough to rest on. */
export function reachOf(view: PoolerView, at: { readonly address: string; readonly port: number }): Reach | null {
  const { reach, nowMs } = view;
  if (reach === null || reach.address !== at.address || reach.port !== at.port) return null;
  return nowMs - reach.atMs < knockGoodForMs ? reach : null;
}

/** `null`: somebody accepts writes, or nobody can say otherwise. */
export function whyNobodyWrites(view: PoolerView, memory: PoolerMemory, ranking: readonly Sighting[]): Reason | null {
  const heard = ranking.filter((sighting) => isHeard(sighting, view.nowMs));
  const best = heard[0]?.topology;
  if (best === undefined || memory.primary === null) return null;
  const known = writablePrimary(heard, memory.term, view.nowMs);
  if (best.term > memory.term) {
    const text = `nobody accepts writes in term ${best.term} yet`;
    return known === null ? { code: 'new-term-not-writable', text } : null;
  }
  // One agent alone may not have read the lease yet.
  const named = heard.find(({ topology }) => topology.term === best.term && topology.primary !== null);
  const primary = named?.topology.primary ?? null;
  if (primary === null) return { code: 'lease-released', text: `nobody holds the lease of term ${best.term} any more` };
  const own = primarysOwn(heard, view.nowMs);
  if (own?.topology.primary?.writable === false) {
    return { code: 'primary-accepts-no-writes', text: `${own.agent} itself says that it accepts no writes` };
  }
  const answer = reachOf(view, primary)?.answer ?? null;
  if (answer === 'refused') return { code: 'primary-refuses', text: `${primary.node} refuses connections` };
  if (answer === 'silent' && (own === undefined || isLate(own, view.nowMs))) {
    return { code: 'primary-silent', text: `neither ${primary.node} nor its agent answers` };
  }
  return null;
}

function isLate(own: Sighting, nowMs: number): boolean {
  return nowMs - own.atMs >= lateAfterMs;
}

/** Is the primary known to be there, by its own agent or by an answer of its own? */
export function isThere(view: PoolerView, ranking: readonly Sighting[]): boolean {
  const known = writablePrimary(ranking, 0, view.nowMs);
  if (known === null) return false;
  const answer = reachOf(view, known.primary)?.answer;
  const own = primarysOwn(ranking, view.nowMs);
  return answer === 'answers' || (answer === undefined && own !== undefined && !isLate(own, view.nowMs));
}

/**
 * Whom to knock at while the pooler is open: the primary whose agent is late, or of whom the pooler has just complained.
 * The second entry: when the agent will be late if nothing more comes of it, in ms from now.
 */
export function knockWhileOpen(
  view: PoolerView,
  ranking: readonly Sighting[],
): readonly [Knock | null, lateInMs: number | null] {
  const heard = ranking.filter((sighting) => isHeard(sighting, view.nowMs));
  const primary = heard[0]?.topology.primary ?? null;
  if (primary === null) return [null, null];
  const { address, port } = primary;
  const own = primarysOwn(heard, view.nowMs);
  if (own === undefined || isLate(own, view.nowMs)) return [{ address, port, everyMs: knockEveryMs }, null];
  const lateInMs = own.atMs + lateAfterMs - view.nowMs;
  const { stirredAtMs, reach } = view;
  if (stirredAtMs === null || view.nowMs - stirredAtMs >= knockGoodForMs) return [null, lateInMs];
  const isAnswered = reach !== null && reach.address === address && reach.port === port && reach.atMs >= stirredAtMs;
  return [isAnswered ? null : { address, port, everyMs: 0 }, lateInMs];
}
