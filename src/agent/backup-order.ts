/**
 * Orders a piece of work on the repository: the record by which the node that is to do it begins.
 *
 * Invariant: one at a time. The record that is replaced has ended, and is compared.
 */
import { type BackupRun, type BackupWork, endedOrNone, failuresBeforeNext, nextRunId } from '../core/backup-run.ts';
import type { ProofPart } from '../core/backups/proof.ts';
import type { NodeName } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { encodeRecord } from '../records/codecs.ts';
import { keys } from '../records/keys.ts';
import type { StandingOrderParts } from './standing-order.ts';

const writeWithinMs = 2_000;

/** Throws REFUSED while another one is under way, CONFLICT when somebody else was quicker, STORE_UNREACHABLE. */
export async function orderBackup(
  { clock, emit, mirror, signal }: StandingOrderParts,
  work: BackupWork,
  node: NodeName,
  by: string,
  proof: ProofPart | null = null,
): Promise<BackupRun> {
  const last = mirror.image.backupRun;
  if (!endedOrNone(last)) {
    throw new UnderstudyError(
      'REFUSED',
      `${last?.value.id} (${last?.value.work} on ${last?.value.node}) is under way`,
      {
        hint: 'wait for it to end: understudy backup list',
      },
    );
  }
  const run: BackupRun = {
    id: nextRunId(last),
    work,
    node,
    by,
    orderedAt: clock.wallClock().toISOString(),
    state: 'ordered',
    counter: 0,
    progress: null,
    endedAt: null,
    failuresBefore: failuresBeforeNext(mirror.image.endedRuns.get(work)?.value),
    outcome: null,
    ...(proof === null ? {} : { proof }),
  };
  const result = await mirror.transact(
    [{ key: keys.backupRun, revision: last?.revision ?? 'absent' }],
    [{ key: keys.backupRun, value: encodeRecord('backup-run', run) }],
    { withinMs: writeWithinMs, signal },
  );
  if (!result.committed) throw new UnderstudyError('CONFLICT', 'somebody else ordered something at the same time');
  emit('backup.ordered', { run: run.id, work, node, by });
  return run;
}
