/**
 * What the agent of an app node tells the applications of its own host, by a Unix socket: the topology as it has heard it,
 * and how its pooler stands.
 */
import type { Topology } from './topology.ts';

export const localPoolerStates = ['open', 'pausing', 'paused', 'held', 'down', 'unknown'] as const;

/** `held`: nobody accepts writes, and writers wait. */
export type LocalPoolerState = (typeof localPoolerStates)[number];

export interface LocalTopology {
  readonly version: 1;
  /** The best that this node's agent has heard; `null`: nothing yet. */
  readonly topology: Topology | null;
  /** How long ago it was heard, in ms when this was sent; `null` without one. */
  readonly heardAgoMs: number | null;
  readonly pooler: {
    readonly state: LocalPoolerState;
    /** Its writers are served by a standby, or refused: somebody ordered that nobody may write. */
    readonly readOnly: boolean;
  };
}
