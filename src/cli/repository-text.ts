/** Whether the repository takes what comes, and what is done with it, for people: `backup list` and `backup info`. */
import type { BackupStanding } from '../api/contract/backups.ts';
import { type BackupRun, isBackup, isEnded } from '../core/backup-run.ts';
import { repositoryUrl } from '../core/backups-spec.ts';
import { type BackupListFacts, backupListText } from './backup-text.ts';
import { dateText, describeWindow } from './window-text.ts';
import { ageText, bytesText, countText } from './words.ts';

export interface Shown {
  readonly nowMs: number;
  /** Of the terminal. */
  readonly width: number;
}

const undeclared = 'No backups are declared: `backups` in the cluster file.';

/** `null`: nothing is declared, or nobody has looked yet. */
export function listFacts(standing: BackupStanding, shown: Shown): BackupListFacts | null {
  const { declared, next, repository, window } = standing;
  if (declared === null || repository === null) return null;
  return {
    ...{ backups: declared, contents: repository.contents, ...shown },
    window: window ?? { stretches: [], unusable: [] },
    next: next ?? { full: null, differential: null },
  };
}

export function listLines(standing: BackupStanding, shown: Shown): readonly string[] {
  const facts = listFacts(standing, shown);
  if (standing.declared === null) return [undeclared];
  const list = facts === null ? ['The repository has not been looked at yet.'] : backupListText(facts);
  return [...list, ...makers(standing), ...troubleLines(standing, shown.nowMs)];
}

/** Only the last of each kind is known. */
function makers({ ended }: BackupStanding): readonly string[] {
  const made = ended.filter(({ state, work }) => state === 'done' && isBackup(work));
  return made.length === 0
    ? []
    : [`made by: ${made.map(({ node, work }) => `the last ${work} one ${node}`).join(', ')}`];
}

export function infoLines(standing: BackupStanding, { nowMs }: Shown): readonly string[] {
  const { declared, ended, next, repository, window } = standing;
  if (declared === null) return [undeclared];
  const backups = repository?.contents.backups ?? [];
  const stored = backups.reduce((sum, { repositoryBytes }) => sum + repositoryBytes, 0);
  const times = (['full', 'differential'] as const).flatMap((kind) => {
    const atMs = next?.[kind] ?? null;
    return atMs === null ? [] : [`${kind} ${dateText(atMs, true)}`];
  });
  return [
    `${repositoryUrl(declared.to)}: ${countText(backups.length, 'backup')}, ${bytesText(stored)} stored`,
    ...(window === null ? [] : [describeWindow(window, nowMs)]),
    ...(repository === null ? ['The repository has not been looked at yet.'] : [safeText(repository.safeUntil, nowMs)]),
    ...troubleLines(standing, nowMs),
    ...(times.length === 0 ? [] : [`next: ${times.join(', ')}`]),
    ...ended.map((run) => `last ${run.work}: ${run.id} on ${run.node} ${endText(run, nowMs)}`),
  ];
}

function troubleLines(
  { hasSecret, repository, run, trouble, waitsFor = null }: BackupStanding,
  nowMs: number,
): readonly string[] {
  const contents = repository?.contents;
  const stalled = repository?.stalled ?? null;
  const isSaid = trouble === null || trouble === contents?.trouble || !hasSecret;
  return [
    ...(hasSecret ? [] : ['! the secret of the repository has not been given: understudy backup secret']),
    ...(isSaid ? [] : [`! ${trouble}`]),
    ...(waitsFor === null ? [] : [`! ${waitsFor}`]),
    ...(hasSecret && contents?.trouble != null ? [`! the repository is ${contents.state}: ${contents.trouble}`] : []),
    ...(stalled === null ? [] : [`! no WAL was archived for ${ageText(nowMs - Date.parse(stalled.since))}: it waits`]),
    ...(run !== null && !isEnded(run) ? [`${run.id}: ${run.work} on ${run.node} is under way${percent(run)}`] : []),
    ...(run?.state === 'failed' ? [`! ${run.id}: ${run.work} on ${run.node} ${endText(run, nowMs)}`] : []),
  ];
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
