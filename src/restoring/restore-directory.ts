/**
 * Restores a data directory from the repository: first a plan, with everything that speaks against it; then the act.
 *
 * Invariant: the plan touches nothing, and nothing is touched against it: what lies there is looked at again before. What was in the directory is kept beside it under another
 * name until somebody removes it, and comes back when the copy fails; with `delta` it is written over. A restore that was killed is gone on
 * with by the next one for the same directory: replayed on where it is of the same backup to the same target, else copied over.
 * Starts no server: what is restored recovers when it is started (instance.ts).
 */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Chosen, NotPossible } from '../core/backups/choice.ts';
import { restoredBytes } from '../core/backups/room.ts';
import { type Target, targetText } from '../core/backups/target.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { ActOptions } from '../ports/postgres.ts';
import type {
  Repository,
  RepositoryProgram,
  RestoreRequest,
  RestoreTarget,
  TransferProgress,
} from '../ports/repository.ts';
import { identify } from '../process/identity.ts';
import { type Destination, examineDestination } from './destination.ts';
import { clearUnlessBegun, endLeftovers, isInRecovery } from './leftover.ts';
import { type RestoreMark, readMark, removeMark, writeMark } from './mark.ts';
import { expectedMs, readPastRestores } from './rates.ts';
import { findSource, type Source, searchedWindow } from './source.ts';
import { moveTablespaceLinks, tablespacesOf } from './tablespace-links.ts';

export interface RestoringParts {
  readonly repository: Repository;
  readonly clock: Clock;
  /** Where it is remembered how quick restores were. */
  readonly stateDirectory: string;
  /** The data directories of nodes on this machine. */
  readonly live: readonly string[];
  /** Where the server that recovers a directory has its socket and its record: the same for each attempt. */
  instanceOf(into: string): string;
  /** Root makes what is missing on the way to the directory, before anything is restored; left out: who restores does. */
  readonly parentsByRoot?: boolean;
}

export interface RestoreWish {
  readonly target: Target;
  readonly into: string;
  readonly delta: boolean;
  readonly action: RestoreRequest['action'];
  /** Whether the directory becomes a node of the cluster, which archives. */
  readonly archives: boolean;
  /** Where the backups don't tell. */
  readonly usualSegmentBytes: number;
  readonly processes?: number;
  /** Of the backup that it is to be restored from; left out: the nearest. */
  readonly label?: string | undefined;
}

/** As it was when it was looked at. */
interface Place {
  readonly destination: Destination;
  /** Under which name what is there is kept, or what was there lies already; `null`: nothing is. */
  readonly kept: string | null;
  /** Where one that was killed is gone on with; `null`: none was. */
  readonly continues: 'copying' | 'recovering' | null;
}

export interface RestorePlan extends Source, Place {
  readonly wish: RestoreWish;
  readonly program: RepositoryProgram;
  /** Of the data directory. */
  readonly bytes: number;
  /** From restores of the past; `null`: there were none. */
  readonly expectedMs: number | null;
}

export type Planned = { readonly plan: RestorePlan } | { readonly notPossible: NotPossible };

/** Throws REPOSITORY_BINARIES_MISSING, REPOSITORY_UNCONFIGURED, and what the repository's state says. */
export async function planRestore(parts: RestoringParts, wish: RestoreWish, options: ActOptions): Promise<Planned> {
  const { repository, stateDirectory } = parts;
  const program = await repository.program();
  const windowOf = searchedWindow(repository, wish.usualSegmentBytes);
  const found = await findSource({ repository, windowOf, label: wish.label }, wish.target, options);
  if ('notPossible' in found) return found;
  const { source } = found;
  const bytes = source.backup.databaseBytes;
  const place = await lookAt(parts, wish, source, options.signal);
  const expected = expectedMs(readPastRestores(stateDirectory), { bytes, walBytes: source.walBytes });
  return { plan: { ...source, ...place, wish, program, bytes, expectedMs: expected } };
}

async function lookAt(
  { instanceOf, live, parentsByRoot = false }: RestoringParts,
  wish: RestoreWish,
  source: Source,
  signal: AbortSignal | undefined,
): Promise<Place> {
  const { delta, into } = wish;
  const neededBytes = restoredBytes(source.backup.databaseBytes, source.walBytes);
  const destination = await examineDestination({ into, delta, neededBytes, parentsByRoot, live, instanceOf, signal });
  const isKept = destination.found === 'data-directory' && !delta;
  const left = destination.found === 'half-restored' ? readMark(destination.into) : null;
  return {
    destination,
    kept: isKept ? freeName(destination.into) : (left?.kept ?? null),
    continues: left === null ? null : goesOnReplaying(left, wish, source) ? 'recovering' : 'copying',
  };
}

/** Somebody thought about the plan meanwhile. */
async function lookAgain(parts: RestoringParts, plan: RestorePlan, signal: AbortSignal | undefined): Promise<void> {
  const now = await lookAt(parts, plan.wish, plan, signal);
  const { into, obstacles } = now.destination;
  if (obstacles.length > 0) throw new UnderstudyError('REFUSED', obstacles.join('; '));
  const shown = ({ continues, destination: { found }, kept }: Place): string =>
    JSON.stringify([found, kept, continues]);
  if (shown(now) === shown(plan)) return;
  throw new UnderstudyError('REFUSED', `${into} is not as it was when this was planned`, {
    hint: 'call it again, and read the new plan',
  });
}

function goesOnReplaying(left: RestoreMark, wish: RestoreWish, { backup, target }: Chosen): boolean {
  const isSame = left.set === backup.label && left.target === targetText(target);
  return left.state === 'recovering' && isSame && !wish.delta;
}

function freeName(into: string): string {
  for (let number = 1; ; number += 1) {
    const name = `${into}.kept-${number}`;
    if (!existsSync(name) && !existsSync(tablespacesOf(name))) return name;
  }
}

export interface RestoredDirectory {
  readonly into: string;
  readonly kept: string | null;
  /** `null`: everything was copied already. */
  readonly copyMs: number | null;
}

export function portTarget(target: Target): RestoreTarget {
  return target.type === 'latest' ? { type: 'default' } : { type: target.type, value: target.value };
}

/** Throws REFUSED with what speaks against it, or where it is not as it was planned any more, and what `restore` of the port throws. */
export async function restoreDirectory(
  parts: RestoringParts,
  plan: RestorePlan,
  onProgress: (progress: TransferProgress) => void,
  options: ActOptions,
): Promise<RestoredDirectory> {
  const { clock, repository } = parts;
  const { backup, continues, destination, kept, target, wish } = plan;
  const { into } = destination;
  await lookAgain(parts, plan, options.signal);
  const mark = { set: backup.label, target: targetText(target), owner: identify(process.pid), kept };
  if (continues !== null) await endLeftovers(into, parts.instanceOf(into), clock, options);
  if (continues === 'recovering' && isInRecovery(into)) {
    writeMark(into, { ...mark, state: 'recovering' });
    return { into, kept, copyMs: null };
  }
  const beganMs = clock.boottimeMs();
  mkdirSync(dirname(into), { recursive: true, mode: 0o700 });
  writeMark(into, { ...mark, state: 'restoring' });
  if (kept !== null && continues === null) moveDirectory(into, kept);
  const request: RestoreRequest = {
    set: backup.label,
    target: portTarget(target),
    into,
    // One that was left half restored has what was restored until then.
    delta: continues === null ? wish.delta : clearUnlessBegun(into),
    action: wish.action,
    archives: wish.archives,
    timeline: plan.timeline,
    ...(wish.processes === undefined ? {} : { processes: wish.processes }),
  };
  try {
    await repository.restore(request, onProgress, options);
  } catch (error) {
    if (kept !== null) putBack(into, kept);
    throw error;
  }
  writeMark(into, { ...mark, state: 'recovering' });
  return { into, kept, copyMs: clock.boottimeMs() - beganMs };
}

/** With its tablespaces, as far as they came with a restore. The directory itself is renamed last: then everything has been. */
function moveDirectory(from: string, to: string): void {
  if (existsSync(tablespacesOf(from))) {
    renameSync(tablespacesOf(from), tablespacesOf(to));
    moveTablespaceLinks(from, tablespacesOf(from), tablespacesOf(to), { keepOthers: true });
  }
  renameSync(from, to);
}

function putBack(into: string, kept: string): void {
  for (const each of [into, tablespacesOf(into)]) rmSync(each, { recursive: true, force: true });
  moveDirectory(kept, into);
  removeMark(into);
}
