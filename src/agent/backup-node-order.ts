/** Orders a backup of the node that is to make it (core/backups/backup-node.ts). */
import type { BackupRun } from '../core/backup-run.ts';
import { type BackupCandidate, chooseBackupNode } from '../core/backups/backup-node.ts';
import type { NodeName } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { RepositoryBackupKind } from '../ports/repository.ts';
import { orderBackup } from './backup-order.ts';
import type { StandingOrderParts } from './standing-order.ts';

export interface BackupNodeOrderParts extends StandingOrderParts {
  /** As this agent sees them now; `null`: it has not looked yet. */
  readonly candidates: () => readonly BackupCandidate[] | null;
}

/** `named`: `null`: whoever is fit. Throws REFUSED where that node can't, and as `orderBackup` does. */
export async function orderBackupOfFit(
  parts: BackupNodeOrderParts,
  kind: RepositoryBackupKind,
  primary: NodeName,
  named: NodeName | null,
  by: string,
): Promise<BackupRun> {
  const { endedRuns, repository, spec } = parts.mirror.image;
  const { node, contents } = repository?.value ?? {};
  const state = contents?.state;
  const chosen = chooseBackupNode(parts.candidates() ?? [], {
    ...{ primary, named, last: endedRuns.get(kind)?.value },
    from: spec?.value.spec.backups?.from ?? 'standby',
    isReady: node === primary && (state === 'ok' || state === 'empty'),
  });
  if ('refused' in chosen) throw new UnderstudyError('REFUSED', chosen.refused, { hint: 'understudy status' });
  return await orderBackup(parts, kind, chosen.node, by);
}
