/** A restore for people: what would be done, how far it is, and what there is now. */
import { possibleText } from '../core/backups/choice.ts';
import { targetText } from '../core/backups/target.ts';
import type { Recovered } from '../restoring/recover.ts';
import type { RestoredDirectory, RestorePlan } from '../restoring/restore-directory.ts';
import { bytesText, spanText } from './words.ts';

export function planText(plan: RestorePlan): readonly string[] {
  const { backup, bytes, continues, destination, expectedMs, kept, target, walBytes } = plan;
  const free = destination.freeBytes;
  const wal = walBytes === null ? 'WAL of unknown size' : `about ${bytesText(walBytes)} of WAL`;
  const expected = expectedMs === null ? 'not known: nothing was restored here yet' : `about ${spanText(expectedMs)}`;
  const keeps = kept === null ? [] : [`kept      what ${continues === null ? 'is' : 'was'} in it, as ${kept}`];
  return [
    `target    ${target.type === 'latest' ? 'the end of the archive' : targetText(target)}`,
    ...windowLines(plan),
    `backup    ${backup.label}, ${backup.kind}, ended ${backup.finishedAt}`,
    `volume    ${bytesText(bytes)}, then ${wal}${free === null ? '' : `; ${bytesText(free)} are free`}`,
    `into      ${destination.into}${destination.found === 'nothing' || kept !== null ? '' : ', over what is there'}`,
    ...(continues === null ? [] : [`goes on   ${continuesText(continues)}`]),
    ...keeps,
    `duration  ${expected}`,
  ];
}

function continuesText(continues: NonNullable<RestorePlan['continues']>): string {
  return continues === 'copying'
    ? 'with a restore that was cut off: what is there already and the same is not copied again'
    : 'with a restore that was cut off while it recovered: its server is ended if it runs, and replays on';
}

function windowLines({ backup, target, window }: RestorePlan): readonly string[] {
  if (window === null)
    return ['possible  not known: the archive could not be looked through, so that WAL may be missing'];
  const stretch = window.stretches.find(({ backups }) => backups.includes(backup.label));
  const gap = target.type !== 'time' && stretch?.end.because === 'wal-missing' ? stretch.end.segment : null;
  return [
    `possible  ${possibleText(window)}`,
    ...(gap === null ? [] : [`missing   WAL from ${gap} on: it is recovered as far as that`]),
  ];
}

export function planJson(plan: RestorePlan) {
  const { backup, bytes, continues, destination, expectedMs, kept, target, walBytes, window } = plan;
  const { freeBytes, into, obstacles } = destination;
  const chosen = { target, set: backup.label, possible: possibleText(window), bytes, walBytes };
  return { ...chosen, into, freeBytes, kept, continues, expectedMs, obstacles };
}

export function outcomeText(restored: RestoredDirectory, recovered: Recovered | null): readonly string[] {
  const { copyMs, into, kept } = restored;
  const first = `${into}: ${copyMs === null ? 'copied before' : `restored in ${spanText(copyMs)}`}`;
  const rest = kept === null ? [] : [`What was there is ${kept}.`];
  if (recovered === null) return [`${first}, not recovered yet.`, ...rest];
  const since = copyMs === null ? 'since it was cut off' : 'after the backup';
  const last = recovered.lastCommitAt === null ? `no commit ${since}` : `last commit ${recovered.lastCommitAt}`;
  return [
    `${first}, recovered in ${spanText(recovered.replayMs)}: timeline ${recovered.timeline}, ${recovered.lsn}, ${last}.`,
    ...rest,
  ];
}
