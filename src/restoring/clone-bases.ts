/**
 * A standby's base from the repository: chooses whether, restores the backup, and recovers it up to where the standby streams.
 *
 * Invariant: what it leaves has been replayed past the place where the upstream was when this node's old server had ended. So it lacks
 * nothing that this node had ever acknowledged, as a copy of the upstream would not; a base that was merely restored would, and an
 * election would count on it. Until then it is nobody's standby: it streams under a name that counts for no commit, and lets nobody in.
 */
import { rmSync } from 'node:fs';
import { type CloneSource, chooseCloneBase, unmeasured } from '../core/backups/clone-base.ts';
import { formatMoment } from '../core/backups/moments.ts';
import { usualSegmentBytes } from '../core/backups/segment-size.ts';
import { parseLsn } from '../core/lsn.ts';
import type { RepositoryBackup } from '../core/repository.ts';
import { describeError, isUnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { BaseWish, ChosenBase, CloneBase, CloneBases } from '../ports/clone-bases.ts';
import type { ActOptions, CloneProgress } from '../ports/postgres.ts';
import type { Repository } from '../ports/repository.ts';
import type { Binaries } from '../postgres/binaries.ts';
import { forgetRestore } from './forget-restore.ts';
import { startInstance } from './instance.ts';
import { endLeftovers } from './leftover.ts';
import {
  expectedCopyMs,
  expectedMs,
  readPastCopies,
  readPastRestores,
  rememberCopy,
  rememberRestore,
} from './rates.ts';
import { replayTitle, whileItReplays } from './stalled-replay.ts';
import { searchWindow } from './window-search.ts';

export interface CloneBasesParts {
  /** As this node reaches it; `because`: why it does not. */
  readonly repository: () => Repository | { readonly because: string };
  readonly binaries: () => Promise<Binaries>;
  readonly port: () => number;
  readonly clock: Clock;
  readonly stateDirectory: string;
  /** For the socket of the server that recovers; nothing else lies there. */
  readonly directory: string;
}

const lookWithinMs = 60_000;
/** Where nobody asked for it: this node does nothing else meanwhile, and may be wanted. */
const unaskedWithinMs = 10_000;
/** WAL is archived each minute; a restore of a segment that can't be had is tried for long. */
const stalledMs = 180_000;
const stopWithinMs = 120_000;

export function createCloneBases(parts: CloneBasesParts): CloneBases {
  const { clock, stateDirectory } = parts;
  return {
    choose: (wish, options) => choose(parts, wish, options),
    copied: ({ bytes, ms }) =>
      rememberCopy(stateDirectory, { at: formatMoment(clock.wallClock().getTime()), bytes, ms }),
  };
}

async function choose(
  parts: CloneBasesParts,
  { asked, timeline }: { readonly asked: CloneSource | null; readonly timeline: number | null },
  { signal, withinMs }: ActOptions,
): Promise<ChosenBase> {
  const repository = parts.repository();
  if ('because' in repository) return repository;
  const expected = expectation(parts.stateDirectory);
  // What can't be weighed needs no look at the repository.
  const early = asked === null ? unmeasured(expected({ bytes: 1, walBytes: null })) : null;
  if (asked === 'primary' || early !== null) return { because: early ?? 'the primary was asked for' };
  const atMostMs = asked === null ? unaskedWithinMs : lookWithinMs;
  const options = { ...(signal === undefined ? {} : { signal }), withinMs: Math.min(withinMs, atMostMs) };
  try {
    const contents = await repository.contents(options);
    const path = contents.state === 'ok' ? await repository.newestPath(options) : [];
    const found = await searchWindow(repository, { contents, path }, { ...options, usualSegmentBytes });
    const chosen = chooseCloneBase({ asked, timeline, contents, path, ...found, expectedMs: expected });
    return 'because' in chosen ? chosen : { base: baseOf(parts, repository, chosen) };
  } catch (error) {
    if (!isUnderstudyError(error) || signal?.aborted === true) throw error;
    return { because: describeError(error) };
  }
}

function expectation(stateDirectory: string) {
  const [restores, copies] = [readPastRestores(stateDirectory), readPastCopies(stateDirectory)];
  return (size: { readonly bytes: number; readonly walBytes: number | null }) => ({
    backups: expectedMs(restores, size),
    primary: expectedCopyMs(copies, size.bytes),
  });
}

interface Chosen {
  readonly backup: RepositoryBackup;
  readonly timeline: number;
}

function baseOf(parts: CloneBasesParts, repository: Repository, chosen: Chosen): CloneBase {
  return {
    label: chosen.backup.label,
    fill: (wish, onProgress, options) => fill(parts, repository, chosen, wish, onProgress, options),
  };
}

async function fill(
  { binaries, clock, directory, port, stateDirectory }: CloneBasesParts,
  repository: Repository,
  { backup, timeline }: Chosen,
  { conninfo, into, mark, slot }: BaseWish,
  onProgress: (progress: CloneProgress) => void,
  options: ActOptions,
): Promise<void> {
  await endLeftovers(into, directory, clock, options);
  const beganMs = clock.boottimeMs();
  const how = { delta: false, action: 'pause', archives: true, timeline: 'latest' } as const;
  const request = { set: backup.label, target: { type: 'standby' }, into, ...how } as const;
  await repository.restore(request, onProgress, options);
  const copiedMs = clock.boottimeMs();
  const upTo = { target: { type: 'lsn', value: mark }, hold: 'pause', timeline } as const;
  const restoreCommand = repository.restoreCommand(into);
  const settings = { restore_command: restoreCommand, primary_conninfo: conninfo, primary_slot_name: slot };
  const where = { data: into, directory, port: port(), binaries: await binaries() };
  let lsn = '';
  const moving = { clock, stalledMs, standing: () => `${replayTitle(into)} ${lsn}` };
  const instance = await whileItReplays(moving, options, (bounded) =>
    startInstance({ ...where, ...upTo, settings }, clock, bounded, (progress) => {
      lsn = progress.lsn;
    }),
  );
  const replayMs = clock.boottimeMs() - copiedMs;
  await instance.stop({ ...options, withinMs: stopWithinMs });
  forgetRestore(into);
  rmSync(directory, { recursive: true, force: true });
  const [from, to] = [parseLsn(backup.startLsn), parseLsn(instance.reached.lsn)];
  const walBytes = from === undefined || to === undefined || to < from ? null : Number(to - from);
  const at = formatMoment(clock.wallClock().getTime());
  const took = { copyMs: copiedMs - beganMs, walBytes, replayMs };
  rememberRestore(stateDirectory, { at, bytes: backup.databaseBytes, ...took });
}
