/**
 * Chooses where a standby's base comes from: a copy of its primary, or the newest backup with the WAL after it (adr/0030).
 *
 * Invariant: the repository is taken only where it leads to the timeline that the primary writes, without a gap up to the end of the
 * archive; and by itself only where both ways were measured on this node and the repository is the quicker one. What is asked for is
 * not weighed, and yet not done where it would lead nowhere.
 */
import { ageText } from '../amounts.ts';
import type { RepositoryBackup } from '../repository.ts';
import { type ChoiceFacts, chooseBackup } from './choice.ts';

export type CloneSource = 'primary' | 'backups';

export interface ExpectedMs {
  /** `null`: no restore was measured here yet. */
  readonly backups: number | null;
  /** `null`: no copy of a primary was. */
  readonly primary: number | null;
}

export interface CloneBaseFacts extends Omit<ChoiceFacts, 'clockMarginMs'> {
  /** By a person; `null`: it is to be chosen. */
  readonly asked: CloneSource | null;
  /** Of the primary; `null`: not known. */
  readonly timeline: number | null;
  expectedMs(size: { readonly bytes: number; readonly walBytes: number | null }): ExpectedMs;
}

export type CloneBaseChoice =
  | { readonly backup: RepositoryBackup; readonly timeline: number; readonly walBytes: number | null }
  /** The primary is copied, in a few words why. */
  | { readonly because: string };

/** Quicker by less is not worth what a repository may do. */
const shareAtMost = 0.8;
const gainAtLeastMs = 10_000;

export function chooseCloneBase(facts: CloneBaseFacts): CloneBaseChoice {
  const { asked, path, timeline, window } = facts;
  if (asked === 'primary') return { because: 'the primary was asked for' };
  if (timeline === null) return { because: 'the timeline of the primary is not known' };
  const newest = path.at(-1)?.timeline;
  if (newest !== undefined && newest !== timeline) {
    return { because: `the primary writes timeline ${timeline}, and the newest that is archived is ${newest}` };
  }
  const choice = chooseBackup(facts, { type: 'latest' });
  if ('notPossible' in choice) return { because: choice.notPossible.text };
  const { backup, walBytes } = choice.chosen;
  if (backup.hasDamage) return { because: `${backup.label} has damaged pages` };
  if (newest === undefined && timelineOf(backup) !== timeline) {
    return { because: `${backup.label} is not of timeline ${timeline}, and no history is archived` };
  }
  if (window === null) return { because: 'the archive could not be looked through' };
  const stretch = window.stretches.find(({ backups }) => backups.includes(backup.label));
  if (stretch === undefined) return { because: `${backup.label} can't be recovered from` };
  if (stretch.end.because === 'wal-missing') return { because: `WAL is missing from ${stretch.end.segment} on` };
  const slow = asked === null ? notQuicker(facts.expectedMs({ bytes: backup.databaseBytes, walBytes })) : null;
  return slow === null ? { backup, timeline, walBytes } : { because: slow };
}

function timelineOf({ lastWal }: RepositoryBackup): number {
  return Number.parseInt(lastWal.slice(0, 8), 16);
}

/** `null`: both ways were. */
export function unmeasured({ backups, primary }: ExpectedMs): string | null {
  if (backups === null) return 'it is not known how quick a restore is here';
  return primary === null ? 'it is not known how quick a copy of the primary is here' : null;
}

/** `null`: the repository is quicker. */
function notQuicker(expected: ExpectedMs): string | null {
  const { backups, primary } = expected;
  if (backups === null || primary === null) return unmeasured(expected);
  if (backups <= shareAtMost * primary && backups + gainAtLeastMs <= primary) return null;
  return `a restore would take about ${ageText(backups)}, a copy of the primary ${ageText(primary)}`;
}
