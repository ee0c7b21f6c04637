/** Composes what a database node does about backups. */
import { join } from 'node:path';

import { ArchiveHeartbeat } from '../agent/archive-heartbeat.ts';
import { backupAnswers } from '../agent/backup-answers.ts';
import { BackupRunner } from '../agent/backup-runner.ts';
import { archivingOffNow } from '../agent/backup-standing.ts';
import type { DatabaseNode } from '../agent/database-node.ts';
import { PrimaryPassages } from '../agent/primary-passages.ts';
import { RepositoryAccess } from '../agent/repository-access.ts';
import { hasRepositorySecret } from '../agent/repository-order.ts';
import { RepositoryStanding } from '../agent/repository-standing.ts';
import { RepositoryWatch } from '../agent/repository-watch.ts';
import type { PrimaryAgent } from '../agent/standby-passage.ts';
import type { BackupAnswers } from '../api/contract/backups.ts';
import type { DoctorFinding } from '../api/contract/looks.ts';
import { repositoryUrl } from '../core/backups-spec.ts';
import { inOneLine } from '../core/one-line.ts';
import { isHolder } from '../core/situation.ts';
import type { NodeName, Spec } from '../core/spec.ts';
import { checkBackups } from '../doctor/backups.ts';
import { lookBriefly } from '../doctor/brief-look.ts';
import { describeError, isUnderstudyError, UnderstudyError } from '../errors/understudy-error.ts';
import { repositoryPaths } from '../pgbackrest/paths.ts';
import type { CloneBases } from '../ports/clone-bases.ts';
import type { Repository } from '../ports/repository.ts';
import { findBinaries } from '../postgres/binaries.ts';
import { repositorySecretName } from '../records/keys.ts';
import { createCloneBases } from '../restoring/clone-bases.ts';
import { createSealer } from '../secrets/sealer.ts';
import { nextAfter } from '../timing/cron.ts';
import { secretsOf } from './certificates.ts';
import type { Foundation } from './foundation.ts';
import { diskFreeBytes } from './local-server.ts';
import { proverOf, workCandidates } from './proofs.ts';

/** Whoever asks waits for the answers of all nodes. */
const lookWithinMs = 4_000;

export interface Backups {
  readonly answers: BackupAnswers;
  readonly bases: CloneBases;
  /** For `doctor`; none where no backups are declared. */
  findings(): Promise<readonly DoctorFinding[]>;
  /** Each ends with the agent. */
  forEver(): readonly Promise<void>[];
}

export interface BackupParts {
  readonly agentOf: (node: NodeName) => PrimaryAgent;
  readonly agent: DatabaseNode;
  readonly spec: () => Spec | null;
  readonly repositoryOf: (spec: Spec) => Repository;
}

export function backupsOf(foundation: Foundation, { agent, agentOf, spec, repositoryOf }: BackupParts): Backups {
  const { clock, file, log } = foundation;
  const { emit, mirror, signal } = agent;
  const sealer = createSealer({
    ...secretsOf(foundation),
    certificates: () => [...mirror.image.sealing.values()].map(({ value }) => value),
  });
  const common = { self: file.node, mirror, clock, signal, emit };
  const access = new RepositoryAccess({ ...common, spec, sealer, repository: repositoryOf });
  const repository = () => access.repository;
  const candidates = () => workCandidates(agent);
  const watching = {
    ...{ ...common, standing: new RepositoryStanding(common), primary: () => primaryHere(agent) },
    isBusy: () => agent.isMoving(),
    warn: (error: string) => log.warn({ error }, 'what is owed about backups could not be done'),
  };
  const heartbeat = new ArchiveHeartbeat({
    ...{ ...watching, postgres: agent.postgres, hasRepository: () => repository() !== null },
  });
  const lacking = () => access.trouble;
  const watch = new RepositoryWatch({ ...watching, heartbeat, repository, lacking, nextAfter, candidates });
  const trouble = () => access.trouble ?? watch.trouble;
  const prover = proverOf(foundation, spec);
  const runner = new BackupRunner({ ...common, agentOf, postgres: agent.postgres, repository, trouble, prover });
  const passages = new PrimaryPassages({
    ...{ self: file.node, mirror, repository, clock, signal },
    isPrimary: () => primaryHere(agent) !== null,
    warn: (because) => log.warn({ because }, 'a backup from a standby'),
  });
  return {
    bases: basesOf(foundation, spec, access),
    answers: backupAnswers({ ...common, sealer, trouble, nextAfter, candidates, passages }),
    findings: async () => await backupFindings(foundation, agent, { spec: spec(), access, repositoryOf }),
    forEver: () => [access.runForEver(), heartbeat.runForEver(), watch.runForEver(), runner.runForEver()],
  };
}

/** Found by a short path: it has a socket in it. */
function basesOf({ clock, file }: Foundation, spec: () => Spec | null, access: RepositoryAccess): CloneBases {
  const known = (): Spec => {
    const found = spec();
    if (found === null) throw new UnderstudyError('BROKEN_INVARIANT', 'there is no clone without a declaration');
    return found;
  };
  return createCloneBases({
    repository: () => access.repository ?? { because: access.trouble ?? 'no backups are declared' },
    binaries: () => {
      const { binaryDirectory, major } = known().postgres;
      return findBinaries(major, file.binaries.postgres ?? binaryDirectory);
    },
    port: () => known().postgres.port,
    ...{ clock, stateDirectory: file.directories.state, directory: join(file.directories.run, 'base') },
  });
}

/** Of the lease's holder alone. */
function primaryHere({ freshView }: DatabaseNode) {
  if (freshView === null) return null;
  const { view } = freshView;
  if (!isHolder(view) || view.postgres.state !== 'primary') return null;
  return view.postgres;
}

interface Asked {
  readonly spec: Spec | null;
  readonly access: RepositoryAccess;
  readonly repositoryOf: BackupParts['repositoryOf'];
}

/** Asks the program and the repository itself, briefly: whoever waits for it looks at every node. */
async function backupFindings(
  { clock, file }: Foundation,
  agent: DatabaseNode,
  { access, repositoryOf, spec }: Asked,
): Promise<readonly DoctorFinding[]> {
  if (spec === null || spec.backups === null) return [];
  const { mirror, signal } = agent;
  const { image } = mirror;
  const isSealedHere = image.secrets.has(`${file.node}/${repositorySecretName}`);
  const [program, asked] = await Promise.all([
    orWhy(repositoryOf(spec).program()),
    orWhy(
      access.repository === null
        ? Promise.resolve(null)
        : lookBriefly(access.repository, clock, { withinMs: lookWithinMs, signal }),
    ),
  ]);
  const { spool } = repositoryPaths(file.directories.state);
  const server = primaryHere(agent);
  const last = image.repository?.value ?? null;
  const { safeUntil = null, stalled = null } = last ?? {};
  const nowMs = clock.wallClock().getTime();
  return checkBackups({
    program:
      'because' in program
        ? { missing: program.because }
        : { found: `pgBackRest ${program.answer.version} at ${program.answer.path}` },
    place: repositoryUrl(spec.backups.to),
    secret: isSealedHere ? 'given' : hasRepositorySecret(agent) ? 'not-sealed-here' : 'missing',
    contents: 'because' in asked ? null : asked.answer,
    lastLook:
      last === null ? null : { node: last.node, ageMs: nowMs - Date.parse(last.lookedAt), state: last.contents.state },
    trouble: 'because' in asked ? asked.because : access.trouble,
    archiving:
      server === null
        ? null
        : {
            archiver: server.archiver,
            off: archivingOffNow(mirror),
            stalled,
            commitAgeMs: safeUntil === null ? null : nowMs - Date.parse(safeUntil),
          },
    ...{ spool, spoolFreeBytes: await diskFreeBytes(spool) },
  });
}

async function orWhy<T>(asking: Promise<T>): Promise<{ readonly answer: T } | { readonly because: string }> {
  try {
    return { answer: await asking };
  } catch (error) {
    if (!isUnderstudyError(error)) throw error;
    return { because: inOneLine(describeError(error)) };
  }
}
