/** What a database node answers about the backups. Nothing is decided here. */
import type { BackupAnswers, BackupStanding } from '../api/contract/backups.ts';
import { isBackup, stampOf } from '../core/backup-run.ts';
import type { NextAfter } from '../core/backups/calendar.ts';
import { nextTimes } from '../core/backups/due.ts';
import { recoverable } from '../core/backups/standing.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { cancelBackup } from './backup-cancelling.ts';
import { type BackupNodeOrderParts, orderBackupOfFit } from './backup-node-order.ts';
import { orderBackup } from './backup-order.ts';
import { archivingOffNow, recordsOf } from './backup-standing.ts';
import type { PrimaryPassages } from './primary-passages.ts';
import { orderProof, type ProofOrderParts } from './proof-order.ts';
import { hasRepositorySecret, orderRepositorySecret, type RepositoryOrderParts } from './repository-order.ts';

/** Who follows a run asks again and again: so it costs one question for each second, and the end is told at once. */
const holdMs = 1_000;
const lookEveryMs = 20;

export interface BackupAnswerParts extends RepositoryOrderParts, ProofOrderParts {
  /** Why this node can't reach the repository, in one line. */
  readonly trouble: () => string | null;
  readonly nextAfter: NextAfter;
  readonly passages: Pick<PrimaryPassages, 'open'>;
  readonly candidates: BackupNodeOrderParts['candidates'];
}

export function backupAnswers(parts: BackupAnswerParts): BackupAnswers {
  const { mirror } = parts;
  return {
    async standing(seen, signal) {
      await untilOther(parts, seen, signal);
      return standing(parts);
    },
    passage: (by, version) => parts.passages.open(by, version),
    cancel: ({ run }, by) => cancelBackup(parts, run, by),
    giveSecret: (request, by) => orderRepositorySecret(parts, request, by),
    async order({ moment = null, node = null, work }, by) {
      const { lease, spec } = mirror.image;
      if (spec === null || spec.value.spec.backups === null) throw undeclared();
      if (lease?.value.state !== 'held') {
        throw new UnderstudyError('REFUSED', 'there is no primary now', { hint: 'understudy status' });
      }
      const off = isBackup(work) ? archivingOffNow(mirror) : null;
      if (off !== null) throw new UnderstudyError('REFUSED', off.text, { hint: off.commands });
      const { holder } = lease.value;
      if (work === 'proof') return await orderProof(parts, { moment, node }, by);
      if (isBackup(work)) return await orderBackupOfFit(parts, work, holder, node, by);
      return await orderBackup(parts, work, holder, by);
    },
  };
}

/** Or `holdMs` later. */
async function untilOther(
  { clock, mirror }: BackupAnswerParts,
  seen: string | null,
  signal: AbortSignal,
): Promise<void> {
  const endMs = clock.boottimeMs() + holdMs;
  const isSame = (): boolean => seen !== null && stampOf(mirror.image.backupRun?.value ?? null) === seen;
  while (isSame() && clock.boottimeMs() < endMs && !signal.aborted) {
    await clock.sleep(lookEveryMs, signal).catch(() => undefined);
  }
}

function standing(parts: BackupAnswerParts): BackupStanding {
  const { clock, mirror, nextAfter } = parts;
  const { backups, ended, repository, run, timelines } = recordsOf(mirror);
  const off = archivingOffNow(mirror);
  return {
    declared: backups,
    hasSecret: hasRepositorySecret(parts),
    repository,
    window: recoverable({ repository, timelines }),
    next: backups === null ? null : nextTimes(backups, { nowMs: clock.wallClock().getTime(), nextAfter }),
    run,
    ended,
    trouble: parts.trouble(),
    waitsFor: off === null ? null : `${off.text}: ${off.commands}`,
  };
}

function undeclared(): UnderstudyError {
  return new UnderstudyError('REFUSED', 'no backups are declared', { hint: 'declare `backups` in the cluster file' });
}
