/** What the repository holds, for people: `backup list` and `backup info`. The verdict first; times are of UTC. */
import type { NextTimes } from '../core/backups/due.ts';
import { fullOf, retention } from '../core/backups/retention.ts';
import type { RecoverableWindow } from '../core/backups/window.ts';
import { type BackupsSpec, repositoryUrl } from '../core/backups-spec.ts';
import type { RepositoryBackup, RepositoryContents } from '../core/repository.ts';
import { dateText, describeWindow, drawWindow, type WindowMark } from './window-text.ts';
import { bytesText, columns, countText, spanText } from './words.ts';

export interface BackupListFacts {
  readonly backups: BackupsSpec;
  readonly contents: RepositoryContents;
  readonly window: RecoverableWindow;
  readonly next: NextTimes;
  readonly nowMs: number;
  /** Of the terminal. */
  readonly width: number;
}

const widest = 100;
const letters = { full: 'F', differential: 'd', incremental: 'i' } as const;

function tookMs({ startedAt, finishedAt }: RepositoryBackup): number {
  return Math.max(0, Date.parse(finishedAt) - Date.parse(startedAt));
}

function verdict({ backups, contents }: BackupListFacts): string {
  const where = repositoryUrl(backups.to);
  const trouble = contents.trouble === null ? '' : `: ${contents.trouble}`;
  switch (contents.state) {
    case 'unreachable':
      return `${where} can't be reached${trouble}`;
    case 'foreign':
      return `${where} is another cluster's, or encrypted with another passphrase${trouble}`;
    case 'empty':
      return `nothing is in ${where} yet`;
    case 'ok':
      return `${countText(contents.backups.length, 'backup')} in ${where}`;
  }
}

function nextText({ next }: BackupListFacts): readonly string[] {
  const parts = (['full', 'differential'] as const).flatMap((kind) => {
    const atMs = next[kind];
    return atMs === null ? [] : [`${kind} ${dateText(atMs, true)}`];
  });
  return [`next: ${parts.length === 0 ? 'none by itself' : parts.join(', ')}`];
}

function note(backup: RepositoryBackup, { window }: BackupListFacts): string {
  const unusable = window.unusable.find(({ label }) => label === backup.label);
  const reasons = {
    'other-timeline': "of a former primary's timeline",
    'wal-missing': 'WAL that it needs is missing',
    'prior-missing': 'what it builds on is missing',
  } as const;
  const parts = [
    ...(unusable === undefined ? [] : [`can't be restored: ${reasons[unusable.because]}`]),
    ...(backup.hasDamage ? ['damaged pages'] : []),
  ];
  return parts.join(', ');
}

function rows(facts: BackupListFacts): readonly string[] {
  const { backups, contents } = facts;
  if (contents.backups.length === 0) return [];
  const kept = retention(backups, contents.backups);
  const listed = contents.backups.map((backup) => {
    const keptUntil = kept.get(backup.label) ?? null;
    return [
      backup.label,
      backup.kind,
      dateText(Date.parse(backup.startedAt), true),
      spanText(tookMs(backup)),
      bytesText(backup.databaseBytes),
      bytesText(backup.repositoryBytes),
      keptUntil === null ? 'next full' : dateText(keptUntil),
      note(backup, facts),
    ];
  });
  return columns([['backup', 'kind', 'began', 'took', 'data', 'stored', 'kept until', ''], ...listed]);
}

export function backupListText(facts: BackupListFacts): readonly string[] {
  const { contents, window, nowMs, width } = facts;
  const marks = contents.backups.map(
    ({ kind, finishedAt }): WindowMark => ({ atMs: Date.parse(finishedAt), letter: letters[kind] }),
  );
  const isKnown = contents.state === 'ok' || contents.state === 'empty';
  return [
    verdict(facts),
    ...(isKnown || window.stretches.length > 0 ? [describeWindow(window, nowMs)] : []),
    ...drawWindow(window, marks, nowMs, Math.min(width, widest)),
    ...nextText(facts),
    ...rows(facts),
  ];
}

/** One backup; `null`: there is none of that label. */
export function backupInfoText(facts: BackupListFacts, label: string): readonly string[] | null {
  const { backups, contents } = facts;
  const backup = contents.backups.find((each) => each.label === label);
  if (backup === undefined) return null;
  const full = fullOf(contents.backups, backup);
  const upon = contents.backups.filter(({ prior }) => prior === label).map((each) => each.label);
  const keptUntil = retention(backups, contents.backups).get(label) ?? null;
  const trouble = note(backup, facts);
  return columns([
    ['backup', `${label} (${backup.kind})`],
    ...(trouble === '' ? [] : [['trouble', trouble]]),
    ['recoverable from', dateText(Date.parse(backup.finishedAt), true)],
    ['began', `${dateText(Date.parse(backup.startedAt), true)}, took ${spanText(tookMs(backup))}`],
    ['size', `${bytesText(backup.databaseBytes)} of data, ${bytesText(backup.repositoryBytes)} stored`],
    ['WAL', `${backup.firstWal} to ${backup.lastWal} (${backup.startLsn} to ${backup.stopLsn})`],
    ...(full === label ? [] : [['builds on', `${backup.prior ?? ''}${backup.prior === full ? '' : `, ${full}`}`]]),
    ...(upon.length === 0 ? [] : [['needed by', upon.join(', ')]]),
    ['kept until', keptUntil === null ? 'there is another full backup, at least' : dateText(keptUntil)],
  ]);
}
