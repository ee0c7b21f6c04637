/** What is decided about a pooler: actions in the order in which they must happen, and why. The rules are in pooler.ts. */
import type { Reason } from '../decision.ts';
import type { PoolerConfiguration, PoolerGate } from '../pooler-configuration.ts';
import type { PoolerMemory, PoolerView, Sighting } from './pooler-memory.ts';
import type { KnownPrimary } from './sightings.ts';

export type PoolerAction = { readonly because: readonly string[] } & (
  | { readonly do: 'configure'; readonly configuration: PoolerConfiguration; readonly gate: PoolerGate }
  | { readonly do: 'pause'; readonly operation: string; readonly term: number; readonly limitMs: number }
  /** Writers wait while nobody may write; nothing is drained, since what they would wait for may never answer. */
  | {
      readonly do: 'hold';
      readonly configuration: PoolerConfiguration;
      readonly term: number;
      readonly limitMs: number;
    }
  | { readonly do: 'resume'; readonly configuration: PoolerConfiguration }
);

/** An address that the agent is to knock at, and how old its last answer may become. */
export interface Knock {
  readonly address: string;
  readonly port: number;
  readonly everyMs: number;
}

export interface PoolerDecision {
  readonly actions: readonly PoolerAction[];
  readonly reasons: readonly Reason[];
  readonly memory: PoolerMemory;
  readonly lookAgainInMs: number;
  /** `null`: nobody is in doubt. */
  readonly knock: Knock | null;
}

/** What every rule about poolers starts from. */
export interface Draft {
  readonly view: PoolerView;
  readonly memory: PoolerMemory;
  readonly ranking: readonly Sighting[];
  readonly knock: Knock | null;
}

export const idleLookMs = 1_000;

export function decided(
  { knock }: Draft,
  memory: PoolerMemory,
  actions: readonly PoolerAction[],
  reason: Reason,
  lookAgainInMs = idleLookMs,
): PoolerDecision {
  return { actions, reasons: [reason], memory, lookAgainInMs, knock };
}

export function pointAt(memory: PoolerMemory, known: KnownPrimary | null): PoolerMemory {
  if (known === null) return memory;
  const { node, address, port } = known.primary;
  return { ...memory, term: Math.max(memory.term, known.term), primary: { node, address, port } };
}

/** The primary that the best of those heard name, confirmed or not. */
export function lastKnownPrimary(ranking: readonly Sighting[]): KnownPrimary | null {
  const best = ranking.find((sighting) => sighting.topology.primary !== null)?.topology;
  return best?.primary ? { term: best.term, primary: best.primary } : null;
}
