/**
 * Brings a restored directory to its target and leaves it at rest: recovered, promoted on a timeline of its own, stopped in order.
 *
 * Invariant: what becomes a node's directory has nothing left of the restore in it that would be in force later, and the history of
 * its timeline waits to be archived first: without it nobody could recover across the fork.
 */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatMoment } from '../core/backups/moments.ts';
import { parseLsn } from '../core/lsn.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { ActOptions } from '../ports/postgres.ts';
import type { Binaries } from '../postgres/binaries.ts';
import { forgetRestore } from './forget-restore.ts';
import { type Reached, type ReplayProgress, startInstance } from './instance.ts';
import { rememberRestore } from './rates.ts';
import { portTarget, type RestoredDirectory, type RestorePlan } from './restore-directory.ts';

export interface RecoverParts {
  readonly clock: Clock;
  readonly binaries: Binaries;
  readonly stateDirectory: string;
  /** For its socket while it runs. */
  readonly directory: string;
  readonly port: number;
}

export interface Recovered extends Reached {
  readonly replayMs: number;
}

export async function recoverDirectory(
  parts: RecoverParts,
  plan: RestorePlan,
  restored: RestoredDirectory,
  onProgress: (progress: ReplayProgress) => void,
  options: ActOptions,
): Promise<Recovered> {
  const { binaries, clock, directory, port, stateDirectory } = parts;
  const beganMs = clock.boottimeMs();
  const instance = await startInstance(
    {
      ...{ data: restored.into, directory, port, binaries, hold: 'promote' as const },
      target: portTarget(plan.target),
      timeline: plan.timeline,
    },
    clock,
    options,
    onProgress,
  );
  const replayMs = clock.boottimeMs() - beganMs;
  await instance.stop(options);
  requireAll(plan, instance.reached.lsn);
  const at = formatMoment(clock.wallClock().getTime());
  const walBytes = replayedBytes(plan, instance.reached.lsn);
  const { copyMs } = restored;
  // What was gone on with says nothing of how quick a whole one is.
  if (copyMs !== null) rememberRestore(stateDirectory, { at, bytes: plan.bytes, copyMs, walBytes, replayMs });
  return { ...instance.reached, replayMs };
}

/** Recovery ends wherever it finds no more WAL, and says nothing of what lies behind. Throws RESTORE_FAILED. */
function requireAll({ target, window, wish }: RestorePlan, reached: string): void {
  const endLsn = window?.stretches.at(-1)?.endLsn ?? '';
  const [lsn, end] = [parseLsn(reached), parseLsn(endLsn)];
  if (target.type !== 'latest' || lsn === undefined || end === undefined) return;
  // The last segment may be filled in part.
  if (lsn + BigInt(wish.usualSegmentBytes) >= end) return;
  throw new UnderstudyError('RESTORE_FAILED', `replay ended at ${reached}, and the archive goes on to ${endLsn}`, {
    hint: 'the same command restores it again; the log of the server says what it could not read',
  });
}

function replayedBytes({ backup }: RestorePlan, lsn: string): number | null {
  const [from, to] = [parseLsn(backup.startLsn), parseLsn(lsn)];
  return from === undefined || to === undefined || to < from ? null : Number(to - from);
}

/** Of one that is stopped. */
export function makeNodeDirectory(data: string): void {
  forgetRestore(data);
  const wal = join(data, 'pg_wal');
  // It was promoted without archiving: PostgreSQL has noted nothing to be archived.
  const histories = readdirSync(wal).filter((name) => /^[0-9A-F]{8}\.history$/.test(name));
  const newest = histories.toSorted().at(-1);
  if (newest === undefined) return;
  const status = join(wal, 'archive_status', newest);
  if (!readdirSync(join(wal, 'archive_status')).includes(`${newest}.done`)) {
    writeFileSync(`${status}.ready`, '', { mode: 0o600 });
  }
}
