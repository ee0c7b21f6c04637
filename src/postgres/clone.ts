/**
 * Copies another node's data directory with pg_basebackup (documentation "pg_basebackup") over verified TLS, or takes its base from
 * elsewhere, as it is given one.
 *
 * Built beside the data directory; the old one stays untouched until the copy is complete, synced and verified to be
 * of the expected system, and is then set aside, not removed. A failed attempt leaves nothing of itself.
 * Refuses a data directory that is not a cluster, or of another system, and a source with tablespaces. No server runs in it.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { CloneBase } from '../ports/clone-bases.ts';
import type { CloneProgress, Upstream } from '../ports/postgres.ts';
import type { Binaries } from './binaries.ts';
import { abandonConstruction, beginConstruction } from './construction.ts';
import { readControl } from './control-file.ts';
import { isDiskFull } from './disk-full.ts';
import { hasContent, pruneDiverged, readJournal, settleSwap, swap } from './journal.ts';
import type { Layout } from './layout.ts';
import { findServer } from './postmaster-file.ts';
import { runWithProgress } from './program-progress.ts';
import { askSource } from './source-query.ts';
import { refuseTablespaces } from './tablespaces.ts';
import { type Reach, upstreamConninfo, writeUpstream } from './upstream.ts';
import type { Deadline } from './waiting.ts';

async function refuseForeign(layout: Layout, systemIdentifier: string): Promise<void> {
  if (findServer(layout.data, layout.postmasterFile).alive !== 'nothing') {
    throw new UnderstudyError('CLONE_FAILED', `a server still runs in ${layout.data}`);
  }
  if (!hasContent(layout.data)) return;
  // An interrupted rewind may have left no control file that can be read; whose it was is known.
  if ((await readJournal(layout)).rewind?.systemIdentifier === systemIdentifier) return;
  const old = readControl(layout.controlFile);
  if (old.found !== 'control') {
    throw new UnderstudyError(
      'DATA_DIRECTORY_FOREIGN',
      `${layout.data} is not empty, and no cluster that can be recognised`,
    );
  }
  if (old.control.systemIdentifier !== systemIdentifier) {
    const message = `${layout.data} belongs to another cluster (system identifier ${old.control.systemIdentifier})`;
    throw new UnderstudyError('DATA_DIRECTORY_FOREIGN', message);
  }
}

/** Directories of nodes that diverged: the newest of them are worth their disk space. */
const divergedKept = 2;

async function copy(
  layout: Layout,
  binaries: Binaries,
  upstream: Upstream,
  slot: string,
  reach: Reach,
  onProgress: (progress: CloneProgress) => void,
  deadline: Deadline,
): Promise<void> {
  const source = sourceConninfo(upstream, reach);
  const args = ['-D', layout.incoming, '-d', source, '-X', 'stream', '-S', slot];
  args.push('-c', 'fast', '--progress', '--no-password', '--manifest-checksums=CRC32C');
  await runWithProgress({ binaries, program: 'pg_basebackup', args, directory: layout.incoming, onProgress }, deadline);
}

/** Under a name of its own: the WAL stream of an unfinished copy must never count as that of a standby. */
function sourceConninfo(upstream: Upstream, reach: Reach): string {
  return upstreamConninfo(upstream, { ...reach, node: `clone of ${reach.node}` });
}

const endOfWal = z.tuple([z.object({ lsn: z.string() })]);

/** No server of this node runs any more: whatever it had acknowledged lies before the mark. */
async function takeBase(
  { layout, reach }: { readonly layout: Layout; readonly reach: Reach },
  base: CloneBase,
  { upstream, slot }: { readonly upstream: Upstream; readonly slot: string },
  onProgress: (progress: CloneProgress) => void,
  deadline: Deadline,
): Promise<void> {
  const asked = await askSource(upstream, reach, 'select pg_current_wal_insert_lsn()::text as lsn', endOfWal);
  if (asked === null) throw new UnderstudyError('CLONE_FAILED', `${upstream.node} does not say where its WAL ends`);
  const [{ lsn: mark }] = asked;
  const wish = { into: layout.incoming, conninfo: sourceConninfo(upstream, reach), slot, mark };
  const { signal } = deadline;
  await base.fill(wish, onProgress, { withinMs: deadline.leftMs(), ...(signal === undefined ? {} : { signal }) });
}

export interface ExpectedClone {
  readonly systemIdentifier: string;
  readonly slot: string;
  readonly diverged: boolean;
  /** Left out: the upstream is copied. */
  readonly base?: CloneBase;
}

export async function clone(
  how: {
    readonly layout: Layout;
    readonly binaries: Binaries;
    readonly reach: Reach;
    readonly clock: Clock;
    /** Writes this node's own configuration over the copied one, before the copy is put in place. */
    readonly prepare: (directory: string) => Promise<void>;
  },
  upstream: Upstream,
  expected: ExpectedClone,
  onProgress: (progress: CloneProgress) => void,
  deadline: Deadline,
): Promise<void> {
  const { layout, binaries, reach, clock, prepare } = how;
  await settleSwap(layout);
  await refuseForeign(layout, expected.systemIdentifier);
  await refuseTablespaces(upstream, reach);
  try {
    await beginConstruction(layout, clock, deadline);
    const { base, slot } = expected;
    if (base === undefined) await copy(layout, binaries, upstream, slot, reach, onProgress, deadline);
    else await takeBase(how, base, { upstream, slot }, onProgress, deadline);
    const copied = readControl(join(layout.incoming, 'global', 'pg_control'));
    if (copied.found !== 'control' || copied.control.systemIdentifier !== expected.systemIdentifier) {
      const found = copied.found === 'control' ? copied.control.systemIdentifier : copied.found;
      throw new UnderstudyError(
        'CLONE_FAILED',
        `${upstream.node} is of another system: ${found}, expected ${expected.systemIdentifier}`,
      );
    }
    await prepare(layout.incoming);
    await writeUpstream(layout.incoming, { upstream, slot: expected.slot, restoreCommand: null }, reach);
    // Whoever starts it, it starts as a standby.
    await writeFile(join(layout.incoming, 'standby.signal'), '', { mode: 0o600 });
    await refuseForeign(layout, expected.systemIdentifier);
    await swap(layout, expected.diverged ? 'diverged' : 'plain');
    if (expected.diverged) await pruneDiverged(layout, divergedKept);
  } catch (cause) {
    await abandonConstruction(layout, clock, deadline);
    if (isDiskFull(cause)) {
      throw new UnderstudyError('DISK_FULL', `no space to clone ${upstream.node} beside ${layout.data}`, { cause });
    }
    throw cause instanceof UnderstudyError && cause.code !== 'PROCESS_FAILED'
      ? cause
      : new UnderstudyError('CLONE_FAILED', `cloning from ${expected.base?.label ?? upstream.node} failed`, { cause });
  }
}
