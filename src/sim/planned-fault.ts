/** What a plan has in store: faults and commands, to whom, when and for how long. Data, so that it can be printed and left out. */
import type { NodeName } from '../core/spec.ts';
import type { FaultKind } from './faults/catalogue.ts';

export type When =
  | { readonly atMs: number }
  /** `fromMs`: what is told before then does not count. */
  | { readonly event: string; readonly nth: number; readonly delayMs: number; readonly fromMs?: number };

/** Who holds the lease. */
export const holder = '*holder';
/** Whoever just told what the fault waits for; where it waits for nothing, the holder. */
export const speaker = '*speaker';

/** A node, by name or by what it is in that moment. */
export type Victim = NodeName | typeof holder | typeof speaker;

export interface PlannedFault {
  readonly kind: FaultKind;
  readonly node: Victim;
  /** The other end, where there is one. */
  readonly other: NodeName;
  readonly when: When;
  readonly forMs: number;
  /** It is not healed in the end either, and nobody may have to wait for this node. */
  readonly forEver?: true;
}

export interface PlannedCommand {
  readonly what: 'switchover' | 'cancel' | 'reinit' | 'restart';
  readonly node: NodeName;
  readonly when: When;
  /** Of a switchover; left out: whoever fits best. */
  readonly to?: NodeName;
  /** Of a switchover: a wait at the start of each phase, in ms. */
  readonly paceMs?: number;
}
