/** The work of a proof, as a run of this node: its steps are shown, and what came of it is kept. Nothing is decided here. */
import type { BackupRun } from '../core/backup-run.ts';
import type { ProofPart } from '../core/backups/proof.ts';
import { recoverable } from '../core/backups/standing.ts';
import type { NodeName } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { Prover } from '../ports/prover.ts';
import type { Repository, TransferProgress } from '../ports/repository.ts';
import type { RunShown } from './backup-life.ts';
import { recordsOf } from './backup-standing.ts';
import { PromotionWatch } from './promotion-watch.ts';
import type { StoreMirror } from './store-mirror.ts';

export interface ProofWorkParts {
  readonly self: NodeName;
  readonly mirror: Pick<StoreMirror, 'image'>;
  readonly clock: Clock;
  readonly prover: Prover;
  readonly signal: AbortSignal;
}

/**
 * Answers what was proven, in one line. Throws PROOF_FAILED with what is wrong, REFUSED on a node that serves writes, or does so
 * before the end, and what `Prover.prove` throws.
 */
export async function performProof(
  { clock, mirror, prover, self, signal }: ProofWorkParts,
  repository: Repository,
  { proof }: BackupRun,
  shows: (shown: RunShown) => void,
): Promise<string> {
  let part: ProofPart = { wanted: null, provenBefore: null, ...proof, step: null, result: null };
  const show = (change: Partial<ProofPart>): void => {
    part = { ...part, ...change };
    shows({ proof: part });
  };
  const records = recordsOf(mirror);
  const [window, archive] = [recoverable(records), records.repository?.archive ?? null];
  if (window === null || archive === null) {
    throw new UnderstudyError('REFUSED', 'it is not known yet what can be recovered to', {
      hint: 'understudy backup list',
    });
  }
  const reports = {
    onStep: (step: ProofPart['step']): void => show({ step }),
    onProgress: (progress: TransferProgress): void => shows({ progress }),
  };
  const wish = { window, segmentBytes: archive.segmentBytes, wanted: part.wanted };
  const promotion = new PromotionWatch({ clock, mirror, self, signal });
  const result = await promotion.during((either) => prover.prove(repository, wish, reports, either));
  show({ step: null, result });
  if (result.findings.length > 0) throw new UnderstudyError('PROOF_FAILED', result.findings.join('; '));
  return `${result.moment} from ${result.label} in ${(result.tookMs / 1_000).toFixed(1)} s`;
}
