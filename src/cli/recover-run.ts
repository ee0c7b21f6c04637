/**
 * Carries out `recover`: restores to a node's data directory, recovers it, and gives a store that knows nothing what the node's agent
 * must know to go on.
 *
 * Invariant: a directory that holds data is never written over, and a store that knows a cluster stays as it is: both are looked at
 * before anything is written. A cluster that still archives is not recovered beside itself. What can't be read by the agent's user is read first: from then on this process is that user.
 */
import type { NodeFile } from '../config/node-file.ts';
import { usualSegmentBytes } from '../core/backups/segment-size.ts';
import { type Target, targetText } from '../core/backups/target.ts';
import type { BackupsSpec } from '../core/backups-spec.ts';
import type { Spec } from '../core/spec.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { createRepository } from '../pgbackrest/repository.ts';
import type { Clock } from '../ports/clock.ts';
import type { RepositoryConfiguration } from '../ports/repository.ts';
import { findBinaries } from '../postgres/binaries.ts';
import { resolved } from '../restoring/destination.ts';
import { endMark, readMark } from '../restoring/mark.ts';
import { makeNodeDirectory } from '../restoring/recover.ts';
import type { RestorePlan } from '../restoring/restore-directory.ts';
import { createLinuxClock } from '../timing/linux-clock.ts';
import type { Call } from './call.ts';
import { readClusterFile } from './cluster-file.ts';
import { confirm } from './confirmation.ts';
import type { RecoverOptions } from './recover.ts';
import { requireAtRest } from './recover-fence.ts';
import { giveToStore, requireEmptyStore } from './recover-seed.ts';
import { type Site, siteOf } from './recover-site.ts';
import { readRepositoryCredentials } from './repository-credentials.ts';
import { carryOut, instanceDirectory, planOrRefuse, readTarget } from './restore-run.ts';
import { outcomeText, planJson, planText } from './restore-text.ts';
import { secretFrom } from './secret-input.ts';

interface Recovering {
  readonly call: Call;
  readonly options: RecoverOptions;
  readonly spec: Spec;
  readonly target: Target;
  readonly site: Site;
  readonly configuration: RepositoryConfiguration;
  readonly clock: Clock;
}

export async function recover(call: Call, path: string, options: RecoverOptions): Promise<number> {
  const target = readTarget(options.to);
  const { credentialsFile, spec } = readClusterFile(call, path);
  if (spec.backups === null) throw new UnderstudyError('CONFIG_INVALID', `${path} declares no backups`);
  const configuration = await configurationOf(call, spec.backups, options.credentials ?? credentialsFile, options);
  const site = siteOf(call.io.cwd, spec, options);
  const recovering = { call, options, spec, target, site, configuration, clock: createLinuxClock() };
  try {
    return wasRecovered(recovering) ? await tellAgain(recovering) : await recoverAll(recovering);
  } finally {
    site.leave();
  }
}

async function recoverAll({ call, clock, configuration, options, site, spec, target }: Recovering): Promise<number> {
  const { terminal } = call;
  const { file } = site;
  if (file !== null) await requireEmptyStore(file, clock);
  const { major, port } = spec.postgres;
  const repository = createRepository({
    ...{ cluster: spec.cluster, major, stateDirectory: site.scratch },
    server: { dataDirectory: site.data, socketDirectory: site.run, port },
  });
  await repository.configure(configuration);
  const instanceOf = (into: string): string => instanceDirectory(site.run, into);
  const stateDirectory = file?.directories.state ?? site.scratch;
  const parts = { repository, clock, stateDirectory, live: [], instanceOf };
  const plan = await planOrRefuse(call, parts, {
    ...{ target, into: site.data, delta: false, archives: true, label: options.backup },
    ...{ action: 'promote', usualSegmentBytes },
  });
  refuseData(plan);
  const onlyTells = file === null || options.dryRun === true;
  const isHindered = plan.destination.obstacles.length > 0;
  const fence = { isGone: options.clusterIsGone === true, onlyTells: onlyTells || isHindered };
  const archive = await requireAtRest(call, repository, plan, fence);
  if (options.dryRun === true) {
    if (terminal.json) terminal.printJson({ plan: planJson(plan), archive });
    else terminal.print(...planText(plan));
    return exitCodes.done;
  }
  const binaries = await findBinaries(major, file?.binaries.postgres ?? spec.postgres.binaryDirectory);
  const how = { clock, binaries, port, directory: instanceOf(plan.destination.into), stateDirectory };
  const { recovered, restored } = await carryOut(call, parts, plan, { yes: options.yes === true, recover: how });
  const data = restored.into;
  makeNodeDirectory(data);
  endMark(data, file === null ? 'restored' : 'recovered');
  const term = file === null ? null : await giveToStore({ file, spec, data, configuration }, clock);
  if (terminal.json) {
    terminal.printJson({ plan: planJson(plan), archive, ...restored, recovered, node: file?.node ?? null, term });
  } else terminal.print(...outcomeText(restored, recovered), ...next(file));
  return exitCodes.done;
}

function refuseData({ destination: { found, into } }: RestorePlan): void {
  if (found !== 'data-directory') return;
  const mark = readMark(into);
  const isLeft = mark?.state === 'restoring' || mark?.state === 'recovering';
  throw new UnderstudyError(
    'DATA_DIRECTORY_FOREIGN',
    `${into} holds data, and is not written over`,
    isLeft
      ? { hint: `it was promoted when a recovery was cut off: if nobody has used it since, move it away (mv)` }
      : {},
  );
}

/** The directory is as it is to be, and only the store was not told, or did not answer. */
function wasRecovered({ site }: Recovering): boolean {
  return site.file !== null && readMark(resolved(site.data))?.state === 'recovered';
}

async function tellAgain({ call, clock, configuration, options, site, spec, target }: Recovering): Promise<number> {
  const { terminal } = call;
  const data = resolved(site.data);
  const done = readMark(data)?.target ?? '';
  if (site.file === null) throw new UnderstudyError('BROKEN_INVARIANT', 'a directory alone has no store');
  if (done !== targetText(target)) {
    throw new UnderstudyError('REFUSED', `${data} was recovered already, to ${done}`, {
      hint: `give it to the store with --to "${done}", or move it away first`,
    });
  }
  if (!terminal.json) terminal.print(`${data} was recovered already, to ${done}: only the store is told.`);
  if (options.dryRun === true) {
    if (terminal.json) terminal.printJson({ plan: null, into: data });
    return exitCodes.done;
  }
  await confirm(call, 'Tell it?', options.yes === true);
  const term = await giveToStore({ file: site.file, spec, data, configuration }, clock);
  if (terminal.json) terminal.printJson({ plan: null, into: data, recovered: null, node: site.file.node, term });
  else terminal.print(...next(site.file));
  return exitCodes.done;
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

function next(file: NodeFile | null): readonly string[] {
  if (file === null) return ['An agent does not take it up by itself: docs/backups.md says how.'];
  return [
    `The store knows the cluster again, and ${file.node} holds its lease. Next:`,
    `  start the agents, first that of ${file.node}: systemctl start understudy-agent`,
    '  give them the secret of the repository: understudy backup secret --passphrase-file FILE --credentials FILE',
  ];
}
