/**
 * Has this node's standby hear what a dead primary wrote last (wal-hearing.ts), if it is one that can.
 *
 * Invariant: nothing is heard where this node's own position is not known; then it is 0 bytes, not an error.
 */
import type { WalPiece, WalRequest } from '../core/last-words.ts';
import type { Clock } from '../ports/clock.ts';
import { readControl } from './control-file.ts';
import type { Layout } from './layout.ts';
import type { Observer } from './observation.ts';
import type { Deadline } from './waiting.ts';
import { hearWal } from './wal-hearing.ts';

export interface LastWords {
  readonly layout: Layout;
  readonly clock: Clock;
  readonly observer: Pick<Observer, 'observe'>;
  ask(request: WalRequest): Promise<WalPiece | null>;
  /** Makes the server read its files. */
  reload(): void;
}

/** Answers how many bytes it went on by. Throws when the other's WAL is not a continuation of its own. */
export async function hearLastWords(
  { layout, clock, observer, ask, reload }: LastWords,
  deadline: Deadline,
): Promise<number> {
  const look = async () => await observer.observe(Math.max(1, deadline.leftMs()), 'brief');
  const seen = await look();
  const reading = readControl(layout.controlFile);
  if (seen.state !== 'standby' || seen.walEnd === null || reading.found !== 'control') return 0;
  const { walSegmentBytes: segmentBytes } = reading.control;
  const replay = async () => {
    const now = await look();
    const isStandby = now.state === 'standby';
    return { at: isStandby ? now.replayedLsn : null, isExhausted: isStandby && now.walEnd !== null };
  };
  const { timeline, walEnd: end } = seen;
  return await hearWal({ layout, clock, timeline, end, segmentBytes, ask, reload, replay }, deadline);
}
