/**
 * Notices when the primary's archiver stands still, and when it goes on.
 *
 * Invariant: each is told once in the whole cluster, over a change of the primary, too: what was told stands in the store.
 */
import type { StalledArchive } from '../core/backup-run.ts';
import type { ArchiverFacts } from '../core/local-postgres.ts';
import type { Lsn } from '../core/lsn.ts';
import type { NodeName } from '../core/spec.ts';
import type { Clock } from '../ports/clock.ts';
import type { ExecutionContext } from './execution-context.ts';

export interface ArchivingServer {
  readonly pid: number;
  readonly insertLsn: Lsn;
  readonly archiver: ArchiverFacts;
}

/** An archiver tries three times, and rests for a minute then (pgarch.c). */
const stalledAfterMs = 60_000;
const rateEveryMs = 30_000;

export class ArchiverWatch {
  readonly #self: NodeName;
  readonly #clock: Clock;
  readonly #emit: ExecutionContext['emit'];
  #failing: { readonly pid: number; readonly sinceMs: number; readonly at: string; readonly lsn: Lsn } | null = null;
  #ratedAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: { readonly self: NodeName; readonly clock: Clock; readonly emit: ExecutionContext['emit'] }) {
    [this.#self, this.#clock, this.#emit] = [parts.self, parts.clock, parts.emit];
  }

  /** What is to stand in the store, where `told` does. */
  look({ archiver, insertLsn, pid }: ArchivingServer, told: StalledArchive | null): StalledArchive | null {
    const nowMs = this.#clock.boottimeMs();
    if (archiver.failing === null) {
      this.#failing = null;
      // A server that has archived nothing yet says nothing.
      if (told === null || archiver.archivedTo === null) return told;
      this.#emit('archive.resumed', { node: this.#self, since: told.since });
      return null;
    }
    if (this.#failing?.pid !== pid) {
      this.#failing = { pid, sinceMs: nowMs, at: this.#clock.wallClock().toISOString(), lsn: insertLsn };
    }
    const { at, lsn, sinceMs } = this.#failing;
    const lastedMs = nowMs - sinceMs;
    if (told === null) {
      if (lastedMs < stalledAfterMs) return null;
      const { segment } = archiver.failing;
      this.#emit('archive.stalled', { node: this.#self, segment, waiting: archiver.waiting });
    } else if (lastedMs < rateEveryMs || nowMs - this.#ratedAtMs < rateEveryMs) return told;
    this.#ratedAtMs = nowMs;
    return { since: told?.since ?? at, bytesPerS: Math.round((1_000 * Number(insertLsn - lsn)) / lastedMs) };
  }
}
