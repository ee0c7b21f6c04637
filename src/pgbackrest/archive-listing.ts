/**
 * What WAL lies in a repository, by the names that it has there: `archive/STANZA/15-1/0000000100000000/` and, in such a folder of
 * 4 GiB, the segments, each with its checksum and its compression.
 *
 * Invariant: what is said to be there was listed there within the last hour. Weeks of WAL are tens of thousands of names: so once an
 * hour everything is listed, and in between the folders that can have changed alone: new ones, the last two of the newest timelines,
 * and those that were so at the look before, since the next folder may begin while the one before it is still filled.
 */
import { joinedRanges, rangesOf } from '../core/backups/window.ts';
import type { ArchivedRange } from '../core/repository.ts';

/** Calls back for each name below a folder of the repository; those in subfolders only with `deep`, and with their folders. */
export type ListFolder = (path: string, deep: boolean, onName: (name: string) => void) => Promise<void>;

const everythingEveryMs = 3_600_000;
/** A timeline's last segments may come after the first ones of the next. */
const growingTimelines = 2;
/** Segments are sent side by side: the last ones of a folder may come after the first ones of the next. */
const growingFolders = 2;
const folderName = /^[0-9A-F]{16}$/;
const segmentFile = /^([0-9A-F]{24})-[0-9a-f]{40}/;

/** Of the server's history in the repository, such as `15-1`: a repository that was moved to another cluster has several. */
export async function newestRoot(stanza: string, list: ListFolder): Promise<string | null> {
  const found: { readonly name: string; readonly id: number }[] = [];
  await list(`archive/${stanza}`, false, (name) => {
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
  await list(root, false, (name) => {
    if (/^[0-9A-F]{8}\.history$/.test(name) && name > newest) newest = name;
  });
  return newest === '' ? null : { timeline: Number.parseInt(newest, 16), path: `${root}/${newest}` };
}

/** Of one stanza. Bound to one repository: another one needs another listing. */
export class ArchiveListing {
  readonly #stanza: string;
  readonly #list: ListFolder;
  readonly #nowMs: () => number;
  #root: string | null = null;
  #folders = new Map<string, readonly ArchivedRange[]>();
  /** That could still grow at the last look. */
  #growing: readonly string[] = [];
  #everythingAtMs = Number.NEGATIVE_INFINITY;

  constructor(stanza: string, list: ListFolder, nowMs: () => number) {
    this.#stanza = stanza;
    this.#list = list;
    this.#nowMs = nowMs;
  }

  /** Throws what `list` throws; what was known is then asked for again. */
  async ranges(segmentBytes: number): Promise<readonly ArchivedRange[]> {
    this.#root ??= await newestRoot(this.#stanza, this.#list);
    if (this.#root === null) return [];
    if (this.#nowMs() - this.#everythingAtMs >= everythingEveryMs) await this.#everything(this.#root, segmentBytes);
    else await this.#changes(this.#root, segmentBytes);
    return joinedRanges([...this.#folders.values()].flat(), segmentBytes);
  }

  async #everything(root: string, segmentBytes: number): Promise<void> {
    const folders = new Map<string, readonly ArchivedRange[]>();
    let [current, names]: [string | null, string[]] = [null, []];
    const close = (): void => {
      if (current !== null) {
        const known = folders.get(current) ?? [];
        folders.set(current, joinedRanges([...known, ...rangesOf(names, segmentBytes)], segmentBytes));
      }
      names = [];
    };
    await this.#list(root, true, (name) => {
      const [folder = '', file = ''] = name.split('/');
      if (!folderName.test(folder)) return;
      if (folder !== current) {
        close();
        current = folder;
      }
      const segment = segmentFile.exec(file)?.[1];
      if (segment !== undefined) names.push(segment);
    });
    close();
    this.#folders = folders;
    this.#growing = growing([...folders.keys()]);
    this.#everythingAtMs = this.#nowMs();
  }

  async #changes(root: string, segmentBytes: number): Promise<void> {
    const present: string[] = [];
    await this.#list(root, false, (name) => {
      if (folderName.test(name)) present.push(name);
    });
    const now = growing(present);
    const listed = new Set([...now, ...this.#growing]);
    const folders = new Map<string, readonly ArchivedRange[]>();
    for (const folder of present) {
      const known = listed.has(folder) ? undefined : this.#folders.get(folder);
      folders.set(folder, known ?? (await this.#inFolder(`${root}/${folder}`, segmentBytes)));
    }
    this.#folders = folders;
    this.#growing = now;
  }

  async #inFolder(path: string, segmentBytes: number): Promise<readonly ArchivedRange[]> {
    const names: string[] = [];
    await this.#list(path, false, (name) => {
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
