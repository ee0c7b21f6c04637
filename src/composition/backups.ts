/** Composes what a database node does about backups. */

import { backupAnswers } from '../agent/backup-answers.ts';
import { BackupRunner } from '../agent/backup-runner.ts';
import type { DatabaseNode } from '../agent/database-node.ts';
import { RepositoryAccess } from '../agent/repository-access.ts';
import { RepositoryWatch } from '../agent/repository-watch.ts';
import type { BackupAnswers } from '../api/contract/backups.ts';
import { isHolder } from '../core/situation.ts';
import type { Spec } from '../core/spec.ts';
import type { Repository } from '../ports/repository.ts';
import { createSealer } from '../secrets/sealer.ts';
import { nextAfter } from '../timing/cron.ts';
import { secretsOf } from './certificates.ts';
import type { Foundation } from './foundation.ts';

export interface Backups {
  readonly answers: BackupAnswers;
  /** Each ends with the agent. */
  forEver(): readonly Promise<void>[];
}

export interface BackupParts {
  readonly agent: DatabaseNode;
  readonly spec: () => Spec | null;
  readonly repositoryOf: (spec: Spec) => Repository;
}

export function backupsOf(foundation: Foundation, { agent, spec, repositoryOf }: BackupParts): Backups {
  const { clock, file } = foundation;
  const { emit, mirror, signal } = agent;
  const sealer = createSealer({
    ...secretsOf(foundation),
    certificates: () => [...mirror.image.sealing.values()].map(({ value }) => value),
  });
  const common = { self: file.node, mirror, clock, signal, emit };
  const access = new RepositoryAccess({ ...common, spec, sealer, repository: repositoryOf });
  const repository = () => access.repository;
  const watch = new RepositoryWatch({
    ...common,
    postgres: agent.postgres,
    primary: () => primaryHere(agent),
    repository,
    lacking: () => access.trouble,
    isBusy: () => agent.isMoving(),
    nextAfter,
  });
  const trouble = () => access.trouble ?? watch.trouble;
  const runner = new BackupRunner({ ...common, postgres: agent.postgres, repository, trouble });
  return {
    answers: backupAnswers({ ...common, sealer, trouble, nextAfter }),
    forEver: () => [access.runForEver(), watch.runForEver(), runner.runForEver()],
  };
}

/** Of the lease's holder alone. */
function primaryHere({ freshView }: DatabaseNode) {
  if (freshView === null) return null;
  const { view } = freshView;
  if (!isHolder(view) || view.postgres.state !== 'primary') return null;
  return view.postgres;
}
