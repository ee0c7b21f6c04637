/** What a database node's agent asks of whoever proves backups on this machine. */
import type { ProofResult, ProofStep } from '../core/backups/proof.ts';
import type { RecoverableWindow } from '../core/backups/window.ts';
import type { Repository, TransferProgress } from './repository.ts';

export interface ProofWish {
  readonly window: RecoverableWindow;
  readonly segmentBytes: number;
  /** ISO 8601; `null`: any moment of them. */
  readonly wanted: string | null;
}

export interface ProofReports {
  readonly onStep: (step: ProofStep) => void;
  readonly onProgress: (progress: TransferProgress) => void;
}

export interface Prover {
  /** Removes what one that was killed left, servers and files. Throws while that does not yield. */
  sweep(): Promise<void>;
  /**
   * What is wrong stands in the result. Throws what keeps it from being tried: REFUSED (no room, nothing to prove, a moment outside of the
   * window), REPOSITORY_UNREACHABLE, POSTGRES_TIMEOUT and TIMEOUT (a bound was exceeded, which says nothing of the backups),
   * PROCESS_FAILED when it was cancelled. Nothing is left, but what no sweep could remove for some minutes; the result stands all the same.
   */
  prove(
    repository: Pick<Repository, 'contents' | 'newestPath' | 'restore' | 'restoreCommand'>,
    wish: ProofWish,
    reports: ProofReports,
    signal: AbortSignal,
  ): Promise<ProofResult>;
}
