/**
 * Gives an empty store the cluster that was recovered to a node's directory.
 *
 * Invariant: a store that knows a cluster stays as it is, and that is found out before anything is restored. What was recovered once is not
 * restored again because the store could not be told, or its answer was lost: the next call tells it alone.
 */
import { firstRecoveredTerm, knownCluster, seedEmptyStore } from '../by-hand/new-store.ts';
import type { NodeFile } from '../config/node-file.ts';
import type { Spec } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { createRepository } from '../pgbackrest/repository.ts';
import type { Clock } from '../ports/clock.ts';
import type { RepositoryConfiguration } from '../ports/repository.ts';
import { readControl } from '../postgres/control-file.ts';
import { findServer } from '../postgres/postmaster-file.ts';
import { endMark } from '../restoring/mark.ts';

/** How such a declaration is known again. */
const appliedBy = 'recover';

/** Throws REFUSED where the store knows a cluster, STORE_UNREACHABLE, STORE_DENIED. */
export async function requireEmptyStore(file: NodeFile, clock: Clock): Promise<void> {
  if ((await knownCluster(file, clock)) !== null) throw knowsOne();
}

function knowsOne(): UnderstudyError {
  return new UnderstudyError('REFUSED', 'the store knows a cluster of this name already', {
    hint: 'recover is for a cluster that is gone, with its store: look with understudy status whether it lives',
  });
}

export interface Recovery {
  readonly file: NodeFile;
  readonly spec: Spec;
  /** Stopped, and a node's directory (restoring/recover.ts). */
  readonly data: string;
  readonly configuration: RepositoryConfiguration;
}

/** Answers the term. Throws as `requireEmptyStore` does, RESTORE_FAILED. */
export async function giveToStore({ configuration, data, file, spec }: Recovery, clock: Clock): Promise<number> {
  const reading = readControl(`${data}/global/pg_control`);
  if (reading.found !== 'control') throw new UnderstudyError('RESTORE_FAILED', `${data} has no control file`);
  const { checkpointTimeline: timeline, systemIdentifier } = reading.control;
  const known = await knownCluster(file, clock);
  if (known === null) {
    if (findServer(data, `${data}/postmaster.pid`).alive !== 'nothing') {
      throw new UnderstudyError('REFUSED', `a server runs in ${data}: stop it first`);
    }
    await installConfiguration(file, spec, data, configuration);
    const given = { spec, appliedAt: clock.wallClock().toISOString(), appliedBy };
    const seed = { spec: { revision: 1, ...given }, systemIdentifier, timeline, term: firstRecoveredTerm };
    await seedEmptyStore(file, seed, clock);
  } else {
    // It was told, and whoever told it did not hear so.
    const isTold = known.appliedBy === appliedBy && known.holder === file.node;
    if (!isTold || known.systemIdentifier !== systemIdentifier) throw knowsOne();
  }
  endMark(data, 'restored');
  return firstRecoveredTerm;
}

/** So that its first segments are archived before its agent is given the secret. */
async function installConfiguration(
  { directories }: NodeFile,
  { cluster, postgres: { major, port } }: Spec,
  data: string,
  configuration: RepositoryConfiguration,
): Promise<void> {
  const own = createRepository({
    ...{ cluster, major, stateDirectory: directories.state },
    server: { dataDirectory: data, socketDirectory: directories.run, port },
  });
  await own.configure(configuration);
}
