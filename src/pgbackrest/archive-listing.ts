/**
 * What WAL lies in a repository, by the names that it has there: `archive/STANZA/15-1/0000000100000000/` and, in such a folder of
 * 4 GiB, the segments, each with its checksum and its compression.
 *
 * Invariant: what is said to be there was listed there within the last hour, or within the last round. Weeks of WAL are tens of thousands
 * of names: so once an hour everything is listed, and in between the folders that can have changed alone: new ones, the last two of the
 * newest timelines, and those that were so at the look before, since the next folder may begin while the one before it is still
 * filled. An archive that takes too long for that is listed folder by folder, some at each look, those first that are unknown or were
 * listed longest ago: what was listed stays, whatever becomes of the rest.
 */
import { joinedRanges, rangesOf } from '../core/backups/window.ts';
import type { ArchivedRange } from '../core/repository.ts';
import { isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';

/**
 * Calls back for each name below a folder of the repository; those in subfolders only with `deep`, and with their folders. Throws TIMEOUT
 * after `withinMs`, or sooner.
 */
export type ListFolder = (
  path: string,
  how: { readonly deep: boolean; readonly withinMs?: number },
  onName: (name: string) => void,
) => Promise<void>;

const flat = { deep: false };

const everythingEveryMs = 3_600_000;
/** Of everything at once; beyond it is done folder by folder, for as long as the second says at each look. */
const everythingWithinMs = 60_000;
const foldersForMs = 30_000;
/** A timeline's last segments may come after the first ones of the next. */
const growingTimelines = 2;
/** Segments are sent side by side: the last ones of a folder may come after the first ones of the next. */
const growingFolders = 2;
const folderName = /^[0-9A-F]{16}$/;
const segmentFile = /^([0-9A-F]{24})-[0-9a-f]{40}/;

/** Of the server's history in the repository, such as `15-1`: a repository that was moved to another cluster has several. */
export async function newestRoot(stanza: string, list: ListFolder): Promise<string | null> {
  const found: { readonly name: string; readonly id: number }[] = [];
  await list(`archive/${stanza}`, flat, (name) => {
    const [, id] = /^\d+(?:\.\d+)?-(\d+)$/.exec(name) ?? [];
    if (id !== undefined) found.push({ name, id: Number(id) });
  });
  const newest = found.toSorted((a, b) => a.id - b.id).at(-1);
  return newest === undefined ? null : `archive/${stanza}/${newest.name}`;
}

/** The history of the newest timeline that has one; those in between may be missing. `null`: none has. */
export async function newestHistory(
  stanza: string,
  list: ListFolder,
): Promise<{ readonly timeline: number; readonly path: string } | null> {
  const root = await newestRoot(stanza, list);
  if (root === null) return null;
  let newest = '';
  await list(root, flat, (name) => {
    if (/^[0-9A-F]{8}\.history$/.test(name) && name > newest) newest = name;
  });
  return newest === '' ? null : { timeline: Number.parseInt(newest, 16), path: `${root}/${newest}` };
}

interface ListedFolder {
  readonly ranges: readonly ArchivedRange[];
  readonly atMs: number;
}

/** Of one stanza. Bound to one repository: another one needs another listing. */
export class ArchiveListing {
  readonly #stanza: string;
  readonly #list: ListFolder;
  readonly #nowMs: () => number;
  #root: string | null = null;
  #folders = new Map<string, ListedFolder>();
  /** That could still grow at the last look. */
  #growing: readonly string[] = [];
  /** Everything at once took too long. */
  #isLarge = false;
  #everythingAtMs = Number.NEGATIVE_INFINITY;

  constructor(stanza: string, list: ListFolder, nowMs: () => number) {
    this.#stanza = stanza;
    this.#list = list;
    this.#nowMs = nowMs;
  }

  /** Throws what `list` throws, and TIMEOUT while folders are unknown; what was listed by then is known the next time. */
  async ranges(segmentBytes: number): Promise<readonly ArchivedRange[]> {
    this.#root ??= await newestRoot(this.#stanza, this.#list);
    if (this.#root === null) return [];
    const isOld = this.#nowMs() - this.#everythingAtMs >= everythingEveryMs;
    const isListed = isOld && !this.#isLarge && (await this.#everything(this.#root, segmentBytes));
    if (!isListed) await this.#changes(this.#root, segmentBytes);
    return joinedRanges(
      [...this.#folders.values()].flatMap(({ ranges }) => ranges),
      segmentBytes,
    );
  }

  /** Answers whether it was done in time. */
  async #everything(root: string, segmentBytes: number): Promise<boolean> {
    const names = new Map<string, string[]>();
    const onName = (name: string): void => {
      const [folder = '', file = ''] = name.split('/');
      if (!folderName.test(folder)) return;
      const known = names.get(folder) ?? [];
      names.set(folder, known);
      const segment = segmentFile.exec(file)?.[1];
      if (segment !== undefined) known.push(segment);
    };
    const atMs = this.#nowMs();
    try {
      await this.#list(root, { deep: true, withinMs: everythingWithinMs }, onName);
    } catch (error) {
      if (!isUnderstudyError(error, 'TIMEOUT')) throw error;
      this.#isLarge = true;
      return false;
    }
    this.#folders = new Map(
      [...names].map(([folder, segments]) => [folder, { ranges: rangesOf(segments, segmentBytes), atMs }]),
    );
    this.#growing = growing([...names.keys()]);
    this.#everythingAtMs = atMs;
    return true;
  }

  async #changes(root: string, segmentBytes: number): Promise<void> {
    const present: string[] = [];
    await this.#list(root, flat, (name) => {
      if (folderName.test(name)) present.push(name);
    });
    const there = new Set(present);
    this.#folders = new Map([...this.#folders].filter(([folder]) => there.has(folder)));
    const now = growing(present);
    const mayHaveGrown = new Set([...now, ...this.#growing.filter((folder) => there.has(folder))]);
    for (const folder of mayHaveGrown) await this.#listFolder(root, folder, segmentBytes);
    this.#growing = now;
    const untilMs = this.#nowMs() + foldersForMs;
    for (const folder of this.#due(present, mayHaveGrown)) {
      if (this.#nowMs() >= untilMs) break;
      await this.#listFolder(root, folder, segmentBytes);
    }
    if (this.#folders.size === present.length) return;
    const far = `${this.#folders.size} of ${present.length} folders are listed so far`;
    throw new UnderstudyError('TIMEOUT', `listing the WAL takes long: ${far}`);
  }

  /** Those that are unknown, and then those that were listed longest ago. */
  #due(present: readonly string[], justListed: ReadonlySet<string>): readonly string[] {
    const listedAtMs = (folder: string): number => this.#folders.get(folder)?.atMs ?? Number.NEGATIVE_INFINITY;
    const beforeMs = this.#isLarge ? this.#nowMs() - everythingEveryMs : Number.NEGATIVE_INFINITY;
    return present
      .filter((folder) => !justListed.has(folder) && listedAtMs(folder) <= beforeMs)
      .toSorted((a, b) => {
        const [first, second] = [listedAtMs(a), listedAtMs(b)];
        return first === second ? 0 : first - second;
      });
  }

  async #listFolder(root: string, folder: string, segmentBytes: number): Promise<void> {
    const atMs = this.#nowMs();
    this.#folders.set(folder, { ranges: await this.#inFolder(`${root}/${folder}`, segmentBytes), atMs });
  }

  async #inFolder(path: string, segmentBytes: number): Promise<readonly ArchivedRange[]> {
    const names: string[] = [];
    await this.#list(path, flat, (name) => {
      const segment = segmentFile.exec(name)?.[1];
      if (segment !== undefined) names.push(segment);
    });
    return rangesOf(names, segmentBytes);
  }
}

/** In which of them segments may still come. */
function growing(folders: readonly string[]): readonly string[] {
  const ofTimelines = new Map<string, string[]>();
  for (const folder of folders.toSorted()) {
    const timeline = folder.slice(0, 8);
    ofTimelines.set(timeline, [...(ofTimelines.get(timeline) ?? []), folder]);
  }
  return [...ofTimelines.values()].slice(-growingTimelines).flatMap((of) => of.slice(-growingFolders));
}
