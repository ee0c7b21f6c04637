/**
 * How old what a replica shows is. Pure but for what it remembers.
 *
 * Invariant: told from where the primary was at known moments, and not from the time of the last replayed transaction, which
 * grows on an idle primary though nothing is missing. Times are of one clock of this process.
 */
import { bytesBetween } from './lsn.ts';
import type { Position } from './position.ts';

interface Sample {
  readonly atMs: number;
  readonly position: Position;
}

const keptSamples = 600;

export class LagHistory {
  #samples: Sample[] = [];

  /** The primary was here. A sample of another timeline ends what was known. */
  primaryWas(position: Position, atMs: number): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && last.position.timeline !== position.timeline) this.#samples = [];
    // While nothing is written, the newest moment of this position is all that counts, and the first one of the next.
    else if (last !== undefined && last.position.lsn === position.lsn) this.#samples.pop();
    this.#samples.push({ atMs, position });
    if (this.#samples.length > keptSamples) this.#samples.splice(0, this.#samples.length - keptSamples);
  }

  /** Bytes that `replayed` lacks of the newest sample; `null` when there is none of its timeline to compare with. */
  lagBytes(replayed: Position): number | null {
    const newest = this.#samples.at(-1);
    if (newest === undefined || newest.position.timeline !== replayed.timeline) return null;
    return bytesBetween(replayed.lsn, newest.position.lsn);
  }

  /**
   * At most this old, in ms at `atMs`: since the last moment at which the primary was not beyond `replayed`. `null` when
   * that is longer ago than what is known, or on another timeline.
   */
  lagMs(replayed: Position, atMs: number): number | null {
    const newest = this.#samples.at(-1);
    if (newest === undefined || newest.position.timeline !== replayed.timeline) return null;
    if (newest.position.lsn <= replayed.lsn) return 0;
    const then = this.#samples.findLast(({ position }) => position.lsn <= replayed.lsn);
    return then === undefined ? null : Math.max(0, atMs - then.atMs);
  }
}
