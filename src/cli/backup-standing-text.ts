/** How the backups read for people: what there is, how far back one can look, and whether the repository takes what comes. */
import type { BackupStanding } from '../api/contract/backups.ts';
import { type BackupRun, isEnded } from '../core/backup-run.ts';
import type { RepositoryBackup } from '../core/repository.ts';
import { ageText, bytesText, columns, countText } from './words.ts';

export function listLines(standing: BackupStanding, nowMs: number): readonly string[] {
  const { repository } = standing;
  const backups = repository?.contents.backups ?? [];
  const table =
    backups.length === 0
      ? ['There is no backup yet.']
      : columns([
          ['BACKUP', 'KIND', 'ENDED', 'TOOK', 'DATABASE', 'STORED', ''],
          ...backups.map((backup) => row(backup, nowMs)),
        ]);
  return [...table, ...standingLines(standing, nowMs)];
}

export function infoLines(standing: BackupStanding, nowMs: number): readonly string[] {
  const { ended, repository } = standing;
  const backups = repository?.contents.backups ?? [];
  const stored = backups.reduce((sum, { repositoryBytes }) => sum + repositoryBytes, 0);
  return [
    ...standingLines(standing, nowMs),
    `${countText(backups.length, 'backup')}, ${bytesText(stored)} stored`,
    ...ended.map((run) => `last ${run.work}: ${run.id} ${endText(run, nowMs)}`),
  ];
}

function row(backup: RepositoryBackup, nowMs: number): readonly string[] {
  const endedMs = Date.parse(backup.finishedAt);
  return [
    backup.label,
    backup.kind,
    `${ageText(nowMs - endedMs)} ago`,
    ageText(endedMs - Date.parse(backup.startedAt)),
    bytesText(backup.databaseBytes),
    bytesText(backup.repositoryBytes),
    backup.hasDamage ? 'DAMAGED PAGES' : '',
  ];
}

function standingLines(
  { hasSecret, isDeclared, repository, run, trouble }: BackupStanding,
  nowMs: number,
): readonly string[] {
  if (!isDeclared) return ['No backups are declared: `backups` in the cluster file.'];
  const lines: string[] = [];
  if (!hasSecret) lines.push('! the secret of the repository has not been given: understudy backup secret');
  if (trouble !== null) lines.push(`! ${trouble}`);
  const contents = repository?.contents;
  if (contents !== undefined && contents.trouble !== null)
    lines.push(`! the repository is ${contents.state}: ${contents.trouble}`);
  if (repository !== null) lines.push(safeText(repository.safeUntil, nowMs));
  if (run !== null && !isEnded(run)) lines.push(`${run.id}: ${run.work} on ${run.node} is under way${percent(run)}`);
  if (run !== null && run.state === 'failed') lines.push(`! ${run.id}: ${run.work} ${endText(run, nowMs)}`);
  return lines;
}

function safeText(safeUntil: string | null, nowMs: number): string {
  if (safeUntil === null) return 'No commit is known to be in the repository yet.';
  return `Commits up to ${ageText(nowMs - Date.parse(safeUntil))} ago are in the repository.`;
}

function percent({ progress }: BackupRun): string {
  if (progress === null || progress.bytesTotal === null || progress.bytesTotal === 0) return '';
  return `, ${Math.floor((100 * progress.bytesDone) / progress.bytesTotal)} %`;
}

function endText({ endedAt, outcome, state }: BackupRun, nowMs: number): string {
  const when = endedAt === null ? '' : ` ${ageText(nowMs - Date.parse(endedAt))} ago`;
  return `${state === 'done' ? 'ended' : 'failed'}${when}: ${outcome ?? ''}`;
}
