/**
 * Acts that make, replace or mend the data directory: the first cluster, clones, rescued WAL, rewinds.
 *
 * Invariant: only one at a time renames directories, and whoever observes or writes settings can see that one does.
 */
import { mkdir } from 'node:fs/promises';
import type { NodeName } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { Postgres } from '../ports/postgres.ts';
import type { Binaries } from './binaries.ts';
import { clone } from './clone.ts';
import { initialise } from './initialise.ts';
import { removeKept } from './journal.ts';
import { keptWalIn } from './kept-wal-store.ts';
import type { Layout } from './layout.ts';
import type { OwnSettings } from './own-settings.ts';
import { rescue } from './rescue.ts';
import { rewind } from './rewind.ts';
import type { Reach } from './upstream.ts';
import { deadlineOf } from './waiting.ts';

export interface DirectoryParts {
  readonly layout: Layout;
  readonly node: NodeName;
  readonly reach: Reach;
  readonly clock: Clock;
  readonly settings: OwnSettings;
  binaries(): Promise<Binaries>;
}

type DirectoryActs = Pick<Postgres, 'initialise' | 'clone' | 'rescue' | 'rewind' | 'lostReports' | 'discardKept'>;

export async function makeDirectories(layout: Layout): Promise<void> {
  for (const directory of [layout.run, layout.log, layout.state])
    await mkdir(directory, { recursive: true, mode: 0o700 });
}

export function createDirectoryActs({ layout, node, reach, clock, settings, binaries }: DirectoryParts): {
  readonly acts: DirectoryActs;
  isBuilding(): boolean;
} {
  let building = false;

  const alone = async <T>(work: () => Promise<T>): Promise<T> => {
    if (building) throw new UnderstudyError('BROKEN_INVARIANT', 'a data directory is being built already');
    building = true;
    try {
      await makeDirectories(layout);
      return await work();
    } finally {
      building = false;
    }
  };

  /** A copy has its source's settings in it, address and all. */
  const construct = async <T>(build: () => Promise<T>): Promise<T> => {
    settings.requireKnown();
    return await alone(build);
  };

  const prepare = async (directory: string): Promise<void> => void (await settings.write(directory));
  const copying = async () => ({ layout, binaries: await binaries(), reach, clock, prepare });

  return {
    isBuilding: () => building,
    acts: {
      initialise: (act) =>
        construct(async () => initialise(layout, await binaries(), prepare, clock, deadlineOf(clock, act))),
      clone: (upstream, expected, onProgress, act) =>
        construct(async () => clone(await copying(), upstream, expected, onProgress, deadlineOf(clock, act))),
      // Reads what is there as it is: no settings of ours are needed.
      rescue: (request, act) =>
        alone(async () => rescue({ layout, binaries: await binaries(), node, clock }, request, deadlineOf(clock, act))),
      rewind: (upstream, expected, onProgress, act) =>
        construct(async () => rewind(await copying(), upstream, expected, onProgress, deadlineOf(clock, act))),
      lostReports: () => keptWalIn(layout.state).reports(),
      discardKept: () => removeKept(layout),
    },
  };
}
