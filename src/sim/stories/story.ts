/**
 * What a story is: a sequence of faults and commands that leads to one guard, with times drawn anew for every seed.
 *
 * The words that stories are told in stand here too; they draw nothing but what they are given, in the order in which it
 * is written, since that order is part of what a seed means.
 */
import type { DurabilitySpec } from '../../core/declared-durability.ts';
import type { NodeName } from '../../core/spec.ts';
import type { FaultKind } from '../faults/catalogue.ts';
import type { PlannedCommand, PlannedFault, Victim, When } from '../planned-fault.ts';
import type { Random } from '../world/random.ts';

export interface Story {
  readonly name: string;
  readonly databases: readonly number[];
  /** What it needs to be declared; the rest is as usual. */
  readonly durability?: Partial<DurabilitySpec>;
  readonly lossLimitBytes?: number;
  /** How long it takes at the least, in ms. */
  readonly troubleMs?: number;
  /** Nothing else may go wrong beside it, and nobody asks for anything else. */
  readonly isAlone?: true;
  /** `fromMs`: when the cluster has settled. */
  faults(random: Random, fromMs: number): readonly PlannedFault[];
  commands?(random: Random, fromMs: number): readonly PlannedCommand[];
}

/** `least`: longer than any lease of the simulated cluster. */
export const leaseIsOverMs = { least: 6_200, most: 12_000 };

/** How long, in ms, so that a lease is over meanwhile; `moreMs`: and that much more at the least. */
export function pastTheLease(random: Random, moreMs = 0): number {
  return random.between(leaseIsOverMs.least + moreMs, leaseIsOverMs.most);
}

/** How long, in ms, so that an election is over meanwhile. */
export function pastTheElection(random: Random): number {
  return random.between(15_000, 30_000);
}

/** In ms from the cluster's beginning on, which `fromMs` counts from as well. */
export function at(atMs: number): When {
  return { atMs };
}

/** So long after that was told: the first time, and whenever that is, if `which` does not say otherwise (`When`). */
export function after(event: string, delayMs: number, which: { readonly nth?: number; readonly fromMs?: number } = {}) {
  return { event, nth: 1, delayMs, ...which } satisfies When;
}

/** `other`: the other end, for a fault that has one; db2 if nothing else is said. */
export function fault(kind: FaultKind, node: Victim, when: When, forMs: number, other: NodeName = 'db2'): PlannedFault {
  return { kind, node, other, when, forMs };
}

/** It does not heal, and nobody may have to wait for that node. */
export function lossOf(node: Victim, kind: FaultKind, when: When): PlannedFault {
  return { ...fault(kind, node, when, 1), forEver: true };
}

export function switchover(when: When, how: { readonly to?: NodeName; readonly paceMs?: number } = {}): PlannedCommand {
  return { what: 'switchover', node: 'db1', when, ...how };
}
