/** Follows a piece of work on the repository to its end, as agents tell of it. */
import type { BackupStanding } from '../api/contract/backups.ts';
import { type BackupRun, isEnded, isLaterRun, stampOf } from '../core/backup-run.ts';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import type { Call } from './call.ts';
import type { ClusterAccess } from './cluster-access.ts';
import { bytesText, spanText } from './words.ts';

/** From one question to the next, at least. */
const pollMs = 200;
/** An agent holds its answer for a second. */
const heldWithinMs = 2_500;
const impatientMs = 1_500;

/** What a run is followed with. */
export interface Following extends Pick<Call, 'signal' | 'sleep'> {
  readonly terminal: Pick<Call['terminal'], 'columns' | 'live' | 'paint' | 'raw'>;
  /** As an agent tells of it; `seen`: the stamp of what is known, after which there is no hurry. */
  readonly ask: (seen: string | undefined) => Promise<Pick<BackupStanding, 'ended' | 'run'>>;
}

/** What became of it. Throws BACKUP_FAILED, and TIMEOUT when the caller has had enough. */
export async function followRun(call: Call, access: ClusterAccess, ordered: BackupRun): Promise<BackupRun> {
  const run = await followToEnd(call, access, ordered);
  if (run.state === 'done') return run;
  throw new UnderstudyError(
    'BACKUP_FAILED',
    `${run.id} (${run.work} on ${run.node}): ${run.outcome ?? 'no reason given'}`,
  );
}

/**
 * Whatever became of it. Throws TIMEOUT when the caller has had enough, and when nobody knows of it any more, since later work of its
 * kind took its place.
 */
export async function followToEnd(call: Call, access: ClusterAccess, ordered: BackupRun): Promise<BackupRun> {
  const { signal, terminal } = call;
  const ask = (seen: string | undefined): Promise<BackupStanding> =>
    access.ask((client, asking) => client.backups(asking, seen), heldWithinMs, impatientMs);
  return await follow({ ask, signal, terminal, sleep: (ms) => call.sleep(ms) }, ordered);
}

/** As `followToEnd`. */
export async function follow(following: Following, ordered: BackupRun): Promise<BackupRun> {
  const begunAtMs = performance.now();
  const { terminal } = following;
  let seen: string | null = null;
  for (;;) {
    const askedAtMs = performance.now();
    const run = await lookAt(following, ordered, seen ?? undefined);
    seen = stampOf(run);
    if (run !== null && isEnded(run)) {
      if (terminal.live) terminal.raw('\r\u001b[K');
      return run;
    }
    if (following.signal.aborted) {
      throw new UnderstudyError('TIMEOUT', `${ordered.id} is not at its end yet; it goes on`, {
        hint: 'understudy backup list',
      });
    }
    if (terminal.live && run !== null) {
      const text = progressText(run, performance.now() - begunAtMs);
      terminal.raw(`\r\u001b[K${terminal.paint('dim', `… ${text.slice(0, Math.max(0, terminal.columns - 3))}`)}`);
    }
    await following.sleep(Math.max(0, pollMs - (performance.now() - askedAtMs)));
  }
}

/** `null`: nobody tells now. Throws TIMEOUT where nobody will. */
async function lookAt({ ask }: Following, ordered: BackupRun, seen: string | undefined): Promise<BackupRun | null> {
  let standing: Pick<BackupStanding, 'ended' | 'run'>;
  try {
    standing = await ask(seen);
  } catch (error) {
    if (!isUnderstudyError(error) || error.retry === 'never') throw error;
    return null;
  }
  const known = [standing.run, ...standing.ended].filter((run) => run !== null);
  const run = known.find(({ id }) => id === ordered.id) ?? null;
  // Whoever does not know it yet knows no later one either.
  if (run === null && known.some((one) => isLaterRun(one, ordered))) {
    throw new UnderstudyError('TIMEOUT', `${ordered.id} is not known any more: later work took its place`, {
      hint: 'understudy backup list',
    });
  }
  return run;
}

/** How far it is, how quick, and how long still. */
export function progressText({ node, progress, proof, state, work }: BackupRun, sinceMs: number): string {
  if (state === 'ordered') return `${work} waits for ${node}`;
  const step = proof?.step ?? null;
  // What is restored is told in bytes, and what comes after it is not.
  if (step !== null && step !== 'restore') return `${work} on ${node}: ${step}, ${spanText(sinceMs)}`;
  if (progress === null || progress.bytesDone === 0) return `${work} on ${node}, ${spanText(sinceMs)}`;
  const { bytesDone, bytesTotal } = progress;
  const rate = bytesDone / (sinceMs / 1_000);
  const done = `${work} on ${node}: ${bytesText(bytesDone)}`;
  if (bytesTotal === null || bytesTotal < bytesDone) return `${done}, ${bytesText(rate)}/s`;
  const left = rate > 0 ? `, ${spanText(((bytesTotal - bytesDone) / rate) * 1_000)} left` : '';
  return `${done} of ${bytesText(bytesTotal)} (${Math.floor((100 * bytesDone) / bytesTotal)} %), ${bytesText(rate)}/s${left}`;
}
