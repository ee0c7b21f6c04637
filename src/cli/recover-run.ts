/**
 * Carries out `recover`: restores to a node's data directory, recovers it, and gives a store that knows nothing what the node's agent
 * must know to go on.
 *
 * Invariant: a directory that holds data is never written over, and a store that knows a cluster stays as it is. What can't be read by
 * the agent's user is read first: from then on this process is that user.
 */
import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { firstRecoveredTerm, seedEmptyStore } from '../by-hand/new-store.ts';
import { systemNodeFile } from '../by-hand/place.ts';
import { loadNodeFile } from '../config/load-node-file.ts';
import type { NodeFile } from '../config/node-file.ts';
import type { BackupsSpec } from '../core/backups-spec.ts';
import type { Spec } from '../core/spec.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { createRepository } from '../pgbackrest/repository.ts';
import type { RepositoryConfiguration } from '../ports/repository.ts';
import { findBinaries } from '../postgres/binaries.ts';
import { readControl } from '../postgres/control-file.ts';
import { becomeAccount } from '../process/account.ts';
import { finishRestore } from '../restoring/mark.ts';
import { makeNodeDirectory } from '../restoring/recover.ts';
import { createLinuxClock } from '../timing/linux-clock.ts';
import type { Call } from './call.ts';
import { readClusterFile } from './cluster-file.ts';
import type { RecoverOptions } from './recover.ts';
import { readRepositoryCredentials } from './repository-credentials.ts';
import { carryOut, instanceDirectory, planOrRefuse, readTarget } from './restore-run.ts';
import { outcomeText, planJson, planText } from './restore-text.ts';
import { secretFrom } from './secret-input.ts';

/** As `initdb` of this project makes them (adr/0004). */
const usualSegmentBytes = 4 * 1024 * 1024;

interface Site {
  /** `null`: only a directory is written. */
  readonly file: NodeFile | null;
  readonly data: string;
  readonly state: string;
  readonly run: string;
  readonly scratch: string | null;
}

export async function recover(call: Call, path: string, options: RecoverOptions): Promise<number> {
  const { terminal } = call;
  const target = readTarget(options.to);
  const { credentialsFile, spec } = readClusterFile(call, path);
  if (spec.backups === null) throw new UnderstudyError('CONFIG_INVALID', `${path} declares no backups`);
  const configuration = await configurationOf(call, spec.backups, options.credentials ?? credentialsFile, options);
  const site = siteOf(call, spec, options);
  const clock = createLinuxClock();
  const { major, port } = spec.postgres;
  const repository = createRepository({
    ...{ cluster: spec.cluster, major, stateDirectory: site.state, program: null },
    server: { dataDirectory: site.data, socketDirectory: site.run, port },
  });
  try {
    await repository.configure(configuration);
    const instanceOf = (into: string): string => instanceDirectory(site.run, into);
    const parts = { repository, clock, stateDirectory: site.state, live: [], instanceOf };
    const plan = await planOrRefuse(call, parts, {
      ...{ target, into: site.data, delta: false, archives: true },
      ...{ action: 'promote', usualSegmentBytes },
    });
    if (plan.destination.found === 'data-directory') {
      throw new UnderstudyError(
        'DATA_DIRECTORY_FOREIGN',
        `${plan.destination.into} holds data, and is not written over`,
      );
    }
    if (options.dryRun === true) {
      if (terminal.json) terminal.printJson({ plan: planJson(plan) });
      else terminal.print(...planText(plan));
      return exitCodes.done;
    }
    const binaries = await findBinaries(major, site.file?.binaries.postgres ?? spec.postgres.binaryDirectory);
    const how = { clock, binaries, port, directory: instanceOf(plan.destination.into), stateDirectory: site.state };
    const { recovered, restored } = await carryOut(call, parts, plan, { yes: options.yes === true, recover: how });
    makeNodeDirectory(restored.into);
    const term = site.file === null ? null : await seed(site.file, spec, restored.into, clock);
    finishRestore(restored.into);
    if (terminal.json)
      terminal.printJson({ plan: planJson(plan), ...restored, recovered, node: site.file?.node ?? null, term });
    else terminal.print(...outcomeText(restored, recovered), ...next(site.file));
    return exitCodes.done;
  } finally {
    if (site.scratch !== null) rmSync(site.scratch, { recursive: true, force: true });
  }
}

async function configurationOf(
  call: Call,
  backups: BackupsSpec,
  credentialsFile: string | null,
  { passphraseFile }: RecoverOptions,
): Promise<RepositoryConfiguration> {
  const credentials = readRepositoryCredentials(backups.to, credentialsFile, call.io.cwd);
  const passphrase = await secretFrom(call, { file: passphraseFile, option: '--passphrase-file', what: 'passphrase' });
  if (passphrase === '') throw new UnderstudyError('REQUEST_INVALID', 'the passphrase is empty');
  return { backups, secret: { credentials, passphrase } };
}

function siteOf(call: Call, spec: Spec, options: RecoverOptions): Site {
  if (options.data !== undefined) {
    const data = resolve(call.io.cwd, options.data);
    const parent = dirname(data);
    if (!existsSync(parent)) throw new UnderstudyError('NOT_FOUND', `there is no directory ${parent}`);
    beOwnerOf(parent);
    const scratch = `${data}.recovering`;
    mkdirSync(scratch, { recursive: true, mode: 0o700 });
    return { file: null, data, state: scratch, run: scratch, scratch };
  }
  const file = loadNodeFile(resolve(call.io.cwd, options.nodeFile ?? systemNodeFile));
  if (
    file.cluster !== spec.cluster ||
    !spec.nodes.some(({ name, role }) => name === file.node && role === 'database')
  ) {
    throw new UnderstudyError(
      'CONFIG_INVALID',
      `${file.node} of ${file.cluster} is no database node of ${spec.cluster}`,
    );
  }
  const { data, run, state } = file.directories;
  beOwnerOf(state);
  return { file, data: spec.postgres.dataDirectory ?? data, state, run, scratch: null };
}

/** PostgreSQL refuses root, and so do the directories that its account can't read. */
function beOwnerOf(directory: string): void {
  const { gid, uid } = statSync(directory);
  if (process.geteuid?.() === 0 && uid === 0) {
    throw new UnderstudyError('REFUSED', `${directory} is root's, and PostgreSQL can't run as root`, {
      hint: 'give the directory to its account: chown postgres:',
    });
  }
  becomeAccount({ uid, gid });
}

async function seed(
  file: NodeFile,
  spec: Spec,
  data: string,
  clock: ReturnType<typeof createLinuxClock>,
): Promise<number> {
  const reading = readControl(`${data}/global/pg_control`);
  if (reading.found !== 'control') throw new UnderstudyError('RESTORE_FAILED', `${data} has no control file`);
  const { checkpointTimeline: timeline, systemIdentifier } = reading.control;
  return await seedEmptyStore(
    file,
    {
      spec: { revision: 1, spec, appliedAt: clock.wallClock().toISOString(), appliedBy: 'recover' },
      systemIdentifier,
      timeline,
      term: firstRecoveredTerm,
    },
    clock,
  );
}

function next(file: NodeFile | null): readonly string[] {
  if (file === null) return ['An agent does not take it up by itself: docs/backups.md says how.'];
  return [
    `The store knows the cluster again, and ${file.node} holds its lease. Next:`,
    `  start the agents, first that of ${file.node}: systemctl start understudy-agent`,
    '  give them the secret of the repository: understudy backup secret --passphrase-file FILE --credentials FILE',
  ];
}
