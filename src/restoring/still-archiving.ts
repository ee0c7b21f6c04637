/**
 * Whether somebody still archives into a repository: a cluster that lives puts a segment there each minute (archive_timeout, and the
 * heartbeat that gives it something to archive).
 *
 * Invariant: `rests` is only said of an archive that got nothing for longer than that, by this machine's own clock where the newest
 * segment is young. It says nothing of a cluster that lives and does not reach the repository.
 */
import type { ActOptions } from '../ports/postgres.ts';
import type { SearchedRepository } from './window-search.ts';

export interface ArchiveRest {
  /** `null`: nothing is archived. */
  readonly newest: string | null;
  /** When it was put there, ISO 8601; `null`: nobody knows. */
  readonly at: string | null;
  /** `young`: it was not waited for whether it moves. */
  readonly found: 'rests' | 'moves' | 'young';
}

/** The archive_timeout of each cluster (core/rules/settings.ts), and time to send what it ended. */
const quietMs = 75_000;
/** By the repository's clock, which may differ from ours: older than this is at rest. */
const oldMs = 180_000;
const lookEveryMs = 15_000;

export interface Watching {
  readonly segmentBytes: number;
  /** Else it is looked once. */
  readonly waits: boolean;
  nowMs(): number;
  sleep(ms: number): Promise<void>;
  /** It has to be looked at for that long. */
  onWait(rest: ArchiveRest, ms: number): void;
}

/** Throws what listing the archive throws, and the reason of the signal. */
export async function watchArchive(
  repository: SearchedRepository,
  { nowMs, onWait, segmentBytes, sleep, waits }: Watching,
  options: ActOptions,
): Promise<ArchiveRest> {
  const look = async (): Promise<readonly string[]> =>
    (await repository.archivedRanges(segmentBytes, options)).map(({ last }) => last).toSorted();
  const known = new Set(await look());
  const newest = [...known].at(-1) ?? null;
  if (newest === null) return { newest, at: null, found: 'rests' };
  const at = await repository.archivedAt(newest, options);
  const ageMs = at === null ? 0 : nowMs() - Date.parse(at);
  if (ageMs >= oldMs) return { newest, at, found: 'rests' };
  const young: ArchiveRest = { newest, at, found: 'young' };
  if (!waits) return young;
  const waitMs = Math.min(quietMs, oldMs - ageMs);
  onWait(young, waitMs);
  for (let leftMs = waitMs; leftMs > 0; leftMs -= lookEveryMs) {
    await sleep(Math.min(leftMs, lookEveryMs));
    options.signal?.throwIfAborted();
    const other = (await look()).findLast((name) => !known.has(name));
    if (other !== undefined) return { newest: other, at: await repository.archivedAt(other, options), found: 'moves' };
  }
  return { newest, at, found: 'rests' };
}
