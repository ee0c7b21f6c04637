/**
 * Whether a repository in which nothing is found is a new one, or the place of one that is gone: not mounted, or removed. Pure.
 *
 * Invariant: where this cluster had anything is nothing begun anew. Who wants that declares another place.
 */
import type { RepositoryRecord } from '../backup-run.ts';
import { type BackupsSpec, repositoryUrl } from '../backups-spec.ts';
import type { RepositoryContents } from '../repository.ts';

export const emptiedText =
  'nothing is there any more, and there was something at the last look: is it mounted, and in its place?';

/** What this cluster had where it is declared to be, as of the last look that found anything. */
export function hadAny(last: RepositoryRecord | null, backups: Pick<BackupsSpec, 'to'> | null): boolean {
  if (last === null || backups === null || last.place !== repositoryUrl(backups.to)) return false;
  return last.contents.backups.length > 0 || last.contents.archived !== null;
}

/** As it is to be judged. */
export function asHeld(contents: RepositoryContents, had: boolean): RepositoryContents {
  return contents.state === 'empty' && had ? { ...contents, state: 'unreachable', trouble: emptiedText } : contents;
}
