/** What a story is: a sequence of faults and commands that leads to one guard, with times drawn anew for every seed. */
import type { DurabilitySpec } from '../../core/declared-durability.ts';
import type { PlannedCommand, PlannedFault } from '../planned-fault.ts';
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

/** Longer than any lease of the simulated cluster. */
export const leaseIsOverMs = { least: 6_200, most: 12_000 };

/** A host or a way that is gone until an election is over. */
export const gone = { least: 15_000, most: 30_000 };
