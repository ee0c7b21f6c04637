/**
 * Where the past of this machine is made: on one database node, by the user whose PostgreSQL it is (adr/0028).
 *
 * Invariant: root becomes that user before anything is made, and stays it to the end of the process: what root made PostgreSQL could not
 * read, and what it started PostgreSQL refuses. What only root may read is read before.
 */
import { join } from 'node:path';
import type { NotPossible } from '../core/backups/choice.ts';
import { usualSegmentBytes } from '../core/backups/segment-size.ts';
import type { Target } from '../core/backups/target.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { PastParts } from '../past/parts.ts';
import type { PastTarget } from '../past/scratch.ts';
import type { Repository } from '../ports/repository.ts';
import type { Source, SourceParts } from '../restoring/source.ts';
import type { Call } from './call.ts';

export interface PastPlace {
  readonly parts: PastParts;
  readonly repository: Repository;
  /** Looked for once: `past when` opens many moments one after another. */
  readonly windowOf: SourceParts['windowOf'];
}

const lookWithinMs = 60_000;

/** What was asked for is later than what is archived. */
export class NotArchivedError extends UnderstudyError {
  /** In ms; `null`: nobody knows how far the archive goes. */
  readonly archivedToMs: number | null;

  constructor(
    message: string,
    archivedToMs: number | null,
    options: { readonly hint: string; readonly cause?: unknown },
  ) {
    super('REFUSED', message, options);
    this.archivedToMs = archivedToMs;
  }
}

/** Throws NOT_FOUND where there is no database node, or not the one that was named. */
export async function pastPlace(call: Call, node?: string): Promise<PastPlace> {
  const [
    { findPlace, dataDirectory },
    { createRepository },
    { openScratch },
    { createLinuxClock },
    { findBinaries },
    { searchedWindow },
    { becomeAccount },
  ] = await Promise.all([
    import('../by-hand/place.ts'),
    import('../pgbackrest/repository.ts'),
    import('../past/scratch.ts'),
    import('../timing/linux-clock.ts'),
    import('../postgres/binaries.ts'),
    import('../restoring/source.ts'),
    import('../process/account.ts'),
  ]);
  const place = await findPlace(call.io.cwd);
  const files = place.here.filter(({ role }) => role === 'database');
  const file = files.find((one) => one.node === node) ?? (node === undefined ? files[0] : undefined);
  if (file === undefined) {
    throw new UnderstudyError('NOT_FOUND', `${node ?? 'a database node'} is not on this machine`, {
      hint: files.length === 0 ? 'call it on a database node' : `here: ${files.map((one) => one.node).join(', ')}`,
    });
  }
  const { directories } = file;
  const { major, port } = place.spec.spec.postgres;
  const binaries = await findBinaries(major, place.binaries);
  if (place.account !== null && process.getuid?.() === 0) {
    // Where the user may not look, programs would not start.
    process.chdir('/');
    becomeAccount(place.account);
  }
  const repository = createRepository({
    ...{ cluster: file.cluster, major, stateDirectory: directories.state, isKeptByOther: true },
    server: { dataDirectory: dataDirectory(place, file), socketDirectory: directories.run, port },
  });
  const parts: PastParts = {
    ...{ node: file.node, repository, binaries, run: directories.run, clock: createLinuxClock() },
    scratch: openScratch(join(directories.state, 'past')),
  };
  const search = searchedWindow(repository, usualSegmentBytes);
  let known: ReturnType<typeof search> | null = null;
  const windowOf: PastPlace['windowOf'] = (found, options) => {
    known ??= search(found, options);
    return known;
  };
  return { parts, repository, windowOf };
}

/** Throws REQUEST_INVALID for what is no moment. */
export async function readTarget(text: string): Promise<PastTarget> {
  const [{ parseTarget }, { momentsOf }] = await Promise.all([
    import('../core/backups/target.ts'),
    import('../timing/local-time.ts'),
  ]);
  const parsed = parseTarget(text, { nowMs: Date.now(), momentsOf });
  if ('refused' in parsed) throw new UnderstudyError('REQUEST_INVALID', parsed.refused);
  if (parsed.target.type === 'latest') {
    throw new UnderstudyError('REQUEST_INVALID', 'the latest is no past: ask the database itself', {
      hint: 'a standby has it, too: understudy uri --help',
    });
  }
  return parsed.target;
}

/** What is nearest before it. Throws REFUSED with what would be possible, and what the repository's state says. */
export async function sourceFor(place: PastPlace, target: Target, signal: AbortSignal): Promise<Source> {
  const { findSource } = await import('../restoring/source.ts');
  const found = await findSource(place, target, { withinMs: lookWithinMs, signal });
  if ('notPossible' in found) throw await outside(found.notPossible);
  return found.source;
}

async function outside(notPossible: NotPossible): Promise<UnderstudyError> {
  const { windowHint } = await import('./restore-run.ts');
  const possible = windowHint(notPossible);
  const hint = possible === null ? 'make one: understudy backup now' : `${possible}: understudy backup list`;
  const { because, newest, text } = notPossible;
  if (because !== 'too-late') return new UnderstudyError('REFUSED', text, { hint });
  const later = `${hint}; what is newer may be archived within a minute`;
  return new NotArchivedError(text, newest === null ? null : Date.parse(newest), { hint: later });
}

/** Recovery came to the end of the archive: as a refusal, with what it found there. */
export function asRefusal(error: unknown): unknown {
  if (!(error instanceof UnderstudyError) || error.code !== 'RESTORE_FAILED') return error;
  if (!error.message.includes('recovery ended before configured recovery target was reached')) return error;
  const last = /last completed transaction was at log time ([^\n]+)/.exec(error.message)?.[1];
  const known = last === undefined ? '' : `; the newest commit in it is of ${last}`;
  // `log_timezone` is UTC there. A target is reached only where a later commit is replayed.
  const lastMs = Date.parse(`${last?.replace(' ', 'T')}:00`) - 1;
  return new NotArchivedError(`the archive ends before that moment${known}`, Number.isNaN(lastMs) ? null : lastMs, {
    hint: 'name an earlier one; what is newer may be archived within a minute: understudy backup list',
  });
}
