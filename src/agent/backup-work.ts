/**
 * Makes one backup, on the primary or on a standby.
 *
 * Invariant: on a standby nothing is made without the primary, which is told of the backup's beginning and end; when that one is lost, the
 * program ends and the backup has failed, in the words of why. A stanza is made by the primary alone (repository-watch.ts).
 */
import { hadAny } from '../core/backups/emptied.ts';
import type { NodeName } from '../core/spec.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Clock } from '../ports/clock.ts';
import type { Postgres } from '../ports/postgres.ts';
import type { Repository, RepositoryBackupKind, TransferProgress } from '../ports/repository.ts';
import { declaredBackups } from './backup-standing.ts';
import { type PrimaryAgent, StandbyPassage } from './standby-passage.ts';
import type { StoreMirror } from './store-mirror.ts';

export interface BackupWorkParts {
  readonly self: NodeName;
  readonly mirror: Pick<StoreMirror, 'image'>;
  readonly clock: Clock;
  readonly postgres: Pick<Postgres, 'checkpoint'>;
  readonly agentOf: (node: NodeName) => PrimaryAgent;
}

export interface BackupBounds {
  readonly signal: AbortSignal;
  readonly withinMs: number;
}

const checkpointWithinMs = 600_000;

/** What came of it, in one line. */
export async function makeBackup(
  parts: BackupWorkParts,
  repository: Repository,
  kind: RepositoryBackupKind,
  onProgress: (progress: TransferProgress) => void,
  bounds: BackupBounds,
): Promise<string> {
  const lease = parts.mirror.image.lease?.value;
  const primary = lease?.state === 'held' ? lease.holder : null;
  if (primary === null) throw new UnderstudyError('BACKUP_FAILED', 'there is no primary now');
  const make = primary === parts.self ? onPrimary : onStandby(primary);
  const label = await make(parts, repository, kind, onProgress, bounds);
  const gone = await repository.expire(bounds);
  return [label, ...(gone.length === 0 ? [] : [`expired ${gone.join(', ')}`])].join('; ');
}

type Make = typeof makeBackup;

/** Answers the label. */
const onPrimary: Make = async ({ mirror, postgres }, repository, kind, onProgress, bounds) => {
  // Until its first checkpoint a promoted server's control file has its former timeline, and pgBackRest refuses that.
  await postgres.checkpoint({ ...bounds, withinMs: checkpointWithinMs });
  const known = hadAny(mirror.image.repository?.value ?? null, declaredBackups(mirror));
  await repository.createStanza({ ...bounds, hadAny: known });
  return (await repository.backup(kind, onProgress, bounds)).label;
};

function onStandby(primary: NodeName): Make {
  return async ({ agentOf, clock, mirror }, repository, kind, onProgress, bounds) => {
    const agent = agentOf(primary);
    const passage = new StandbyPassage(primary, { agent, clock, mirror });
    const over = new AbortController();
    const signal = AbortSignal.any([bounds.signal, passage.signal]);
    const watching = passage.watch(AbortSignal.any([bounds.signal, over.signal]));
    try {
      await agent.checkpoint(signal);
      const { version } = await repository.program();
      const dialPrimary = () => passage.dial(version);
      return (await repository.backup(kind, onProgress, { ...bounds, signal, dialPrimary })).label;
    } catch (error) {
      if (!passage.signal.aborted) throw error;
      throw new UnderstudyError('BACKUP_FAILED', String(passage.signal.reason));
    } finally {
      over.abort();
      passage.close();
      await watching;
    }
  };
}
