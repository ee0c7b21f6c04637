import { describe, expect, it } from 'vitest';
import { backupOf, segment, segmentBytes } from '../../test/fixtures/backups.ts';
import { stubRepository } from '../../test/fixtures/stub-repository.ts';
import { type PathPart, timelinePath } from '../core/backups/timeline-path.ts';
import type { RepositoryContents } from '../core/repository.ts';
import { findSource, type KnownWindow, searchedWindow } from './source.ts';

const soon = { withinMs: 1_000 };
/** They end ten minutes after they begin. */
const backups = [
  backupOf('sunday', 'full', '2026-11-15T02:30:00Z', { first: 1, last: 2 }),
  backupOf('monday', 'differential', '2026-11-16T02:30:00Z', { prior: 'sunday', first: 10, last: 11 }),
];
const there: RepositoryContents = {
  ...{ state: 'ok', trouble: null, backups },
  archived: { first: segment(1), last: segment(29) },
};
const target = (value: string) => ({ type: 'time', value, atMs: Date.parse(value) }) as const;
const monday = target('2026-11-16T03:00:00Z');

function repositoryOf(contents: RepositoryContents, path: readonly PathPart[] = []) {
  return stubRepository({ contents: async () => contents, newestPath: async () => path });
}

const unknown = async (): Promise<KnownWindow> => ({ window: null, segmentBytes });

describe('what a target is recovered from', () => {
  it('is the nearest backup before it, on the newest timeline that is archived', async () => {
    const forks = [
      { timeline: 1, parent: null, forkLsn: '0/0' },
      { timeline: 3, parent: 1, forkLsn: '0/14000000' },
    ];
    const path = timelinePath(forks, 3);
    const found = await findSource({ repository: repositoryOf(there), windowOf: unknown }, monday, soon);
    expect(found).toMatchObject({ source: { backup: { label: 'monday' }, timeline: 'latest', window: null } });
    const later = await findSource({ repository: repositoryOf(there, path), windowOf: unknown }, monday, soon);
    expect(later).toMatchObject({ source: { timeline: 3 } });
  });

  it('is nothing outside of what the window says, which is looked for in what was found', async () => {
    const repository = {
      ...repositoryOf(there),
      archivedRanges: async () => [{ first: segment(1), last: segment(12) }],
      archivedAt: async () => '2026-11-16T02:50:00.000Z',
    };
    const windowOf = searchedWindow(repository, 1);
    const sought = await findSource({ repository, windowOf }, monday, soon);
    expect(sought).toMatchObject({ notPossible: { because: 'too-late' } });
    // By the repository's clock, which may be behind a little.
    const nearly = await findSource({ repository, windowOf }, target('2026-11-16T02:50:09Z'), soon);
    expect(nearly).toMatchObject({ source: { window: { stretches: [{ toMs: Date.parse('2026-11-16T02:50:00Z') }] } } });
  });

  it('is not looked for where the repository is away', async () => {
    const away = repositoryOf({ ...there, state: 'unreachable', trouble: 'no route' });
    await expect(findSource({ repository: away, windowOf: unknown }, monday, soon)).rejects.toMatchObject({
      code: 'REPOSITORY_UNREACHABLE',
      message: 'no route',
    });
  });
});
