/**
 * Brings a data directory that diverged back to another node's history with pg_rewind (documentation "pg_rewind") over
 * verified TLS, in place.
 *
 * Invariant: from its first change to its last the journal says `begun`, and a directory with that entry is never started:
 * an interrupted rewind removes WAL that a second one would have to read, so what is left is good for a clone only. What
 * can fail is tried before: crash recovery, then the whole rewind as a dry run, which changes nothing.
 *
 * Refuses a directory of another system, and one in which a server runs. The caller has kept the WAL past the fork, and has
 * seen to a checkpoint on the source: before it, versions up to 15 see no fork at all and call it done.
 */
import { readdirSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloneProgress, Upstream } from '../ports/postgres.ts';
import type { RunResult } from '../process/run.ts';
import type { Binaries } from './binaries.ts';
import { abandonConstruction } from './construction.ts';
import { readControl } from './control-file.ts';
import { recoverFromCrash } from './crash-recovery.ts';
import { readOptional, syncDirectory } from './durable-files.ts';
import { readJournal, settleSwap, writeJournal } from './journal.ts';
import { type Layout, rewindRole } from './layout.ts';
import { findServer } from './postmaster-file.ts';
import { runWithProgress } from './program-progress.ts';
import { type Reach, upstreamConninfo, writeUpstream } from './upstream.ts';
import type { Deadline } from './waiting.ts';

export interface RewindContext {
  readonly layout: Layout;
  readonly binaries: Binaries;
  readonly reach: Reach;
  readonly clock: Clock;
  /** Writes this node's own configuration over the source's. */
  readonly prepare: (directory: string) => Promise<void>;
}

function failed(text: string, cause?: unknown): UnderstudyError {
  return new UnderstudyError('REWIND_FAILED', text, cause === undefined ? {} : { cause });
}

function requireOwn(layout: Layout, systemIdentifier: string): void {
  if (findServer(layout.data, layout.postmasterFile).alive !== 'nothing') {
    throw failed(`a server still runs in ${layout.data}`);
  }
  const reading = readControl(layout.controlFile);
  if (reading.found !== 'control') throw failed(`the control file of ${layout.data} is ${reading.found}`);
  if (reading.control.systemIdentifier === systemIdentifier) return;
  const message = `${layout.data} belongs to another cluster (system identifier ${reading.control.systemIdentifier})`;
  throw new UnderstudyError('DATA_DIRECTORY_FOREIGN', message);
}

function isClean(layout: Layout): boolean {
  const reading = readControl(layout.controlFile);
  return reading.found === 'control' && /^shut-down(-in-recovery)?$/.test(reading.control.state);
}

/**
 * Replay begins at the last checkpoint before the fork, and a rewind keeps only the WAL that the source still has: without
 * its beginning the server would ask for it for ever.
 */
async function requireBeginning(layout: Layout): Promise<void> {
  const label = (await readOptional(layout.backupLabel)) ?? '';
  const segment = /^START WAL LOCATION: \S+ \(file [0-9A-F]{8}([0-9A-F]{16})\)/m.exec(label)?.[1];
  if (segment === undefined) throw failed('pg_rewind left no backup label');
  // The same stretch may be in a later timeline's file.
  const isThere = readdirSync(join(layout.data, 'pg_wal')).some((name) => name.length === 24 && name.endsWith(segment));
  if (!isThere) throw failed(`the source has no longer got the WAL from ${segment} on`);
}

async function pgRewind(
  { layout, binaries, reach }: RewindContext,
  upstream: Upstream,
  more: readonly string[],
  onProgress: (progress: CloneProgress) => void,
  deadline: Deadline,
): Promise<RunResult> {
  const source = upstreamConninfo(
    upstream,
    { ...reach, node: `rewind of ${reach.node}` },
    { user: rewindRole, dbname: 'postgres' },
  );
  const args = ['-D', layout.data, `--source-server=${source}`, '--no-ensure-shutdown', '--progress', ...more];
  return await runWithProgress({ binaries, program: 'pg_rewind', args, directory: layout.data, onProgress }, deadline);
}

export async function rewind(
  context: RewindContext,
  upstream: Upstream,
  expected: { readonly systemIdentifier: string; readonly slot: string },
  onProgress: (progress: CloneProgress) => void,
  deadline: Deadline,
): Promise<void> {
  const { layout, binaries, reach, clock, prepare } = context;
  await settleSwap(layout);
  await abandonConstruction(layout, clock, deadline);
  requireOwn(layout, expected.systemIdentifier);
  const journal = await readJournal(layout);
  if (journal.rewind !== null) throw failed('an earlier rewind was interrupted');
  try {
    if (!isClean(layout)) await recoverFromCrash(layout, binaries, deadline);
    const rehearsed = await pgRewind(context, upstream, ['--dry-run'], () => undefined, deadline);
    if (/no rewind required/.test(rehearsed.stderr + rehearsed.stdout)) {
      throw failed(`${upstream.node} shows no fork yet`);
    }
    await writeJournal(layout, { ...journal, rewind: { step: 'begun', systemIdentifier: expected.systemIdentifier } });
    await pgRewind(context, upstream, [], onProgress, deadline);
    await requireBeginning(layout);
    await prepare(layout.data);
    await writeUpstream(layout.data, { upstream, slot: expected.slot, restoreCommand: null }, reach);
    await rm(join(layout.data, 'recovery.signal'), { force: true });
    await writeFile(layout.standbySignal, '', { mode: 0o600 });
    await syncDirectory(layout.data);
    await writeJournal(layout, { ...journal, rewind: { step: 'done', systemIdentifier: expected.systemIdentifier } });
  } catch (cause) {
    if (cause instanceof UnderstudyError && cause.code === 'REWIND_FAILED') throw cause;
    throw failed(`rewinding to ${upstream.node} failed`, cause);
  }
}
