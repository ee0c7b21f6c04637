/**
 * Where the past of this machine is made: on one database node, by the user whose PostgreSQL it is (adr/0028).
 *
 * Invariant: root becomes that user before anything is made, and stays it to the end of the process: what root made PostgreSQL could not
 * read, and what it started PostgreSQL refuses. What only root may read is read before.
 */
import { join } from 'node:path';
import { usualSegmentBytes } from '../core/backups/segment-size.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { PastParts } from '../past/parts.ts';
import type { PastTarget } from '../past/scratch.ts';
import type { Repository } from '../ports/repository.ts';
import type { DelayedStandby } from '../restoring/delayed-standby.ts';
import type { SourceParts } from '../restoring/source.ts';
import type { Call } from './call.ts';

export interface PastPlace {
  readonly parts: PastParts;
  readonly repository: Repository;
  /** Backups are declared. */
  readonly hasRepository: boolean;
  /** The node's own server, if it is declared to be one. */
  readonly standby: DelayedStandby | null;
  /** Looked for once: `past when` opens many moments one after another. */
  readonly windowOf: SourceParts['windowOf'];
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
    { findNode, isDelayed },
  ] = await Promise.all([
    import('../by-hand/place.ts'),
    import('../pgbackrest/repository.ts'),
    import('../past/scratch.ts'),
    import('../timing/linux-clock.ts'),
    import('../postgres/binaries.ts'),
    import('../restoring/source.ts'),
    import('../process/account.ts'),
    import('../core/spec.ts'),
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
  const data = dataDirectory(place, file);
  const repository = createRepository({
    ...{ cluster: file.cluster, major, stateDirectory: directories.state, isKeptByOther: true },
    server: { dataDirectory: data, socketDirectory: directories.run, port },
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
  const declared = findNode(place.spec.spec, file.node);
  const server = { node: file.node, data, socketDirectory: directories.run, port, binaries };
  const standby = declared !== undefined && isDelayed(declared) ? server : null;
  return { parts, repository, hasRepository: place.spec.spec.backups !== null, standby, windowOf };
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
