/** A fault that a plan has in store: what, to whom, when and for how long. Data, so that it can be printed and left out. */
import type { NodeName } from '../core/spec.ts';
import type { FaultKind } from './faults.ts';

export type When =
  | { readonly atMs: number }
  | { readonly event: string; readonly nth: number; readonly delayMs: number };

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
}
