/** One attempt of a workload before it is made: what it will send, and how it is written down when it has ended. */
import type { Attempt, CommitLevel, Ending } from '../history/attempt.ts';
import type { Session } from './session.ts';

export type Circumstances = Pick<Attempt, 'writer' | 'source' | 'commit' | 'beganMs' | 'endedMs'>;

export interface Task {
  /** Once. Never throws: how it went is the answer. */
  perform(session: Session, level: CommitLevel): Promise<Ending>;
  /** Also when it was never performed, because nobody let the writer in. */
  attempt(circumstances: Circumstances, ending: Ending): Attempt;
}

/** A number from 0 up to, and without, 1: `Math.random` in a real load. */
export type Draw = () => number;

export function drawBelow(draw: Draw, limit: number): number {
  return Math.min(limit - 1, Math.floor(draw() * limit));
}
