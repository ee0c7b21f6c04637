/**
 * One `stage up` at a time in a directory: two would write each other's certificates and end each other's processes.
 *
 * Invariant: a claim names a process by id and start time, is there whole or not at all, and holds only while that process
 * lives. Refuses to wait for another: whoever comes second is told.
 */
import { mkdirSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import { isAlive, type ProcessIdentity } from '../process/identity.ts';
import { lockHolder, takeLockFile } from '../process/lock-file.ts';
import { sendSignal } from '../process/signal.ts';
import { stageDirectory } from './record.ts';

/** An interrupted `stage up` ends what it started, PostgreSQL last. */
const endsWithinMs = 30_000;
const killedWithinMs = 5_000;
const pollMs = 25;

/** Answers what gives it back. Throws STAGE_EXISTS while another living process has it, REFUSED where it can't be written. */
export function claimStage(directory: string): () => void {
  const release = takeClaim(directory);
  if (release === null) throw atWork(directory, lockHolder(claimFile(directory)));
  return () => {
    if (lockHolder(claimFile(directory))?.pid === process.pid) release();
    forgetEmpty(directory);
  };
}

function takeClaim(directory: string): (() => void) | null {
  try {
    mkdirSync(stageDirectory(directory), { recursive: true, mode: 0o755 });
    return takeLockFile(claimFile(directory), 0o644);
  } catch (cause) {
    throw noPlace(directory, cause);
  }
}

/** Ends the `stage up` that is at work in this directory; without one nothing happens. Throws STAGE_EXISTS when it may not. */
export async function endClaimant(directory: string, clock: Clock): Promise<void> {
  const other = lockHolder(claimFile(directory));
  if (other === null || other.pid === process.pid) return;
  for (const [signal, withinMs] of [
    ['SIGTERM', endsWithinMs],
    ['SIGKILL', killedWithinMs],
  ] as const) {
    if (sendSignal(other, signal) === 'denied') throw atWork(directory, other);
    const until = clock.boottimeMs() + withinMs;
    while (isAlive(other) && clock.boottimeMs() < until) await clock.sleep(pollMs);
  }
  rmSync(claimFile(directory), { force: true });
}

/** `null`: it has let go in this moment. */
function atWork(directory: string, other: ProcessIdentity | null): UnderstudyError {
  const who = other === null ? 'another process' : `process ${other.pid}`;
  return new UnderstudyError('STAGE_EXISTS', `${who} is bringing up a stage in ${directory}`);
}

function noPlace(directory: string, cause: unknown): UnderstudyError {
  const place = stageDirectory(directory);
  // Of one that is there mkdir(2) says nothing, when it is a directory.
  if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')
    return new UnderstudyError('REFUSED', `${place} is no directory, and a stage keeps its files there`, {
      hint: 'move it away, or start the stage in another directory',
    });
  return new UnderstudyError('REFUSED', `a stage keeps its files in ${place}, which can't be written`, {
    cause,
    hint: 'start it in a directory of your own',
  });
}

function claimFile(directory: string): string {
  return join(stageDirectory(directory), 'up.json');
}

/** What was refused leaves nothing behind. */
function forgetEmpty(directory: string): void {
  try {
    rmdirSync(stageDirectory(directory));
  } catch {
    // Something lies in it: the stage.
  }
}
