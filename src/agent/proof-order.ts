/**
 * Orders a proof of the backups: of which node, and of which moment.
 *
 * Invariant: a moment that could not be restored is the next to be tried, until it can be or has left the window; unless a person
 * names another.
 */
import { type BackupRun, lastProven } from '../core/backup-run.ts';
import { parseMoment } from '../core/backups/moments.ts';
import { isProvable, momentAgain } from '../core/backups/proof.ts';
import { chooseProofNode, type ProofCandidate } from '../core/backups/proof-node.ts';
import { recoverable } from '../core/backups/standing.ts';
import type { NodeName } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { orderBackup } from './backup-order.ts';
import { recordsOf } from './backup-standing.ts';
import type { StandingOrderParts } from './standing-order.ts';

export interface ProofOrderParts extends StandingOrderParts {
  /** As this agent sees them now; `null`: it has not looked yet. */
  readonly candidates: () => readonly ProofCandidate[] | null;
}

export interface ProofOrder {
  /** `null`: whoever is fit. */
  readonly node: NodeName | null;
  /** ISO 8601; `null`: any, or what failed before. */
  readonly moment: string | null;
}

/** Throws REFUSED where no node can do it, and as `orderBackup` does. */
export async function orderProof(
  parts: ProofOrderParts,
  { moment, node: named }: ProofOrder,
  by: string,
): Promise<BackupRun> {
  const { image } = parts.mirror;
  const primary = image.lease?.value.state === 'held' ? image.lease.value.holder : null;
  const chosen = chooseProofNode(parts.candidates() ?? [], { primary, named });
  if ('refused' in chosen) throw new UnderstudyError('REFUSED', chosen.refused, { hint: 'understudy status' });
  const window = recoverable(recordsOf(parts.mirror));
  if ((window?.stretches.length ?? 0) === 0) {
    throw new UnderstudyError('REFUSED', 'there is nothing to prove yet: no backup that can be recovered is known', {
      hint: 'understudy backup list',
    });
  }
  const last = image.endedRuns.get('proof')?.value;
  const wanted = moment ?? momentNow(parts, last?.proof == null ? null : momentAgain(last.proof));
  const proof = { wanted, step: null, result: null, provenBefore: lastProven(last) };
  return await orderBackup(parts, 'proof', chosen.node, by, proof);
}

/** `null`: it has left the window. */
function momentNow({ mirror }: ProofOrderParts, again: string | null): string | null {
  const atMs = again === null ? undefined : parseMoment(again);
  const window = recoverable(recordsOf(mirror));
  return atMs !== undefined && isProvable(window?.stretches ?? [], atMs) ? again : null;
}
