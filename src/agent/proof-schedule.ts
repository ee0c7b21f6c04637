/** Orders a proof when it is owed. Called while no other work is under way and no backup is owed. */
import { failuresOf } from '../core/backup-run.ts';
import type { NextAfter } from '../core/backups/calendar.ts';
import { proofDue } from '../core/backups/due.ts';
import { provableSince } from '../core/backups/proof-health.ts';
import type { BackupsSpec } from '../core/backups-spec.ts';
import type { RepositoryContents } from '../core/repository.ts';
import { orderProof, type ProofOrderParts } from './proof-order.ts';

export interface ProofScheduleParts extends ProofOrderParts {
  readonly nextAfter: NextAfter;
}

/** Throws as `orderProof` does: REFUSED while no node is fit, and it stays owed. */
export async function scheduleProof(
  parts: ProofScheduleParts,
  backups: BackupsSpec,
  contents: RepositoryContents,
): Promise<void> {
  const { clock, mirror, nextAfter } = parts;
  if (contents.state !== 'ok') return;
  const last = mirror.image.endedRuns.get('proof')?.value;
  const times = failuresOf(last);
  const owed = proofDue(backups, {
    ...{ nowMs: clock.wallClock().getTime(), nextAfter, sinceMs: provableSince(contents.backups) },
    lastMs: last === undefined ? null : Date.parse(last.orderedAt),
    failed: last === undefined || times === 0 ? null : { times, lastAtMs: Date.parse(last.endedAt ?? last.orderedAt) },
  });
  if (owed !== null) await orderProof(parts, { node: null, moment: null }, 'schedule');
}
