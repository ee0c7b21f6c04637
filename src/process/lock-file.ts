/**
 * A file that one living process holds at a time.
 *
 * Invariant: never two holders that live. It is made whole or not at all, and what a holder left that ended is taken over: renamed first,
 * and put back where it turns out to be somebody else's. Who lets go removes what is theirs alone.
 */
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { identify, isAlive, type ProcessIdentity } from './identity.ts';

const identity = z.object({ pid: z.number(), startTicks: z.number() });

/** Answers how to let go; `null`: somebody who lives holds it. Throws where the file can't be written. `mode`: who may see who holds it. */
export function takeLockFile(file: string, mode = 0o600): (() => void) | null {
  const own = `${file}.${process.pid}`;
  writeFileSync(own, JSON.stringify(identify(process.pid)), { mode });
  try {
    for (let attempt = 0; attempt < 2; attempt += 1) {
      if (linked(own, file)) return () => letGo(file);
      if (!takeAway(file, `${own}.left`)) return null;
    }
    return null;
  } finally {
    rmSync(own, { force: true });
  }
}

/** Somebody who took this process for dead, or a person, may have put another in its place. */
function letGo(file: string): void {
  if (lockHolder(file)?.pid === process.pid) rmSync(file, { force: true });
}

/** A link is made whole or not at all. */
function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** `null`: nobody, or one that lives no more. */
export function lockHolder(file: string): ProcessIdentity | null {
  try {
    return livingHolder(file);
  } catch {
    return null; // let go, or never taken
  }
}

function livingHolder(file: string): ProcessIdentity | null {
  const holder = identity.safeParse(json(readFileSync(file, 'utf8')));
  return holder.success && isAlive(holder.data) ? holder.data : null;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // judged by its schema
  }
}

/** What a dead holder left, or nothing: `true`. Renamed first, since somebody else may have put a lock of their own in its place. */
function takeAway(file: string, aside: string): boolean {
  try {
    if (livingHolder(file) !== null) return false;
    renameSync(file, aside);
  } catch {
    return true; // let go in this moment
  }
  const isOthers = livingHolder(aside) !== null;
  if (isOthers) linked(aside, file);
  rmSync(aside, { force: true });
  return !isOthers;
}
