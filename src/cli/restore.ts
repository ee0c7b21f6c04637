/** `understudy restore`: the database as it was at a moment, into a directory beside the live one, or the whole cluster in place. */
import { chownSync, existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import type { Place } from '../by-hand/place.ts';
import { usualSegmentBytes } from '../core/backups/segment-size.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import { nodeName } from './option-values.ts';
import { startCommand } from './start-command.ts';

export interface RestoreOptions extends CommonOptions {
  readonly to: string;
  readonly into: string;
  readonly from?: string;
  readonly backup?: string;
  readonly delta?: boolean;
  readonly recover: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

const examples = `
Examples:
  understudy restore --to "2026-11-19 14:00" --into /srv/restored/shop --dry-run
  understudy restore --to "2 h ago" --into /srv/restored/shop
  understudy restore --to 0/3000028 --into /srv/restored/shop --yes --json
  understudy restore --to name:before-upgrade --into /srv/restored/shop --no-recover
  understudy restore --to "2026-11-19 14:00" --into pg0

It is called on a database node, as root or as the user of the agent, or in a stage's directory; it asks no agent and no store. A
time without a zone is local time. What is in the directory already is kept beside it. The directory is recovered to the target,
promoted and stopped; it archives nothing, and no live server is touched. When it was killed, the same command goes on with it.

With a node's name the whole cluster goes back, in place. Every agent and the node's server are stopped first, and it is refused (exit code
3) while anything lives; the store must answer. The node is primary when the agents start, and the others come back from it.
`;

export function declareRestore(program: Command, perform: Perform): void {
  program
    .command('restore')
    .summary('the cluster as it was, beside the live one or in its place')
    .description(
      'Restores the cluster as it was at a moment from the repository of backups into a directory, or into a node whose cluster is stopped; a plan is shown first.',
    )
    .requiredOption('--to <target>', 'a time, "2 h ago", an LSN, xid:ID, name:NAME, or latest')
    .requiredOption('--into <place>', 'the data directory to be, or a database node of this machine')
    .option('--from <node>', 'the database node of this machine whose access to the repository is used', nodeName)
    .option('--backup <label>', 'from this backup, where the nearest one is damaged, say')
    .option('--delta', 'write over what is there, and copy only what differs')
    .option('--no-recover', 'leave it as it was restored: it recovers when it is started')
    .option('--dry-run', 'show the plan, and do nothing')
    .option('-y, --yes', 'do not ask')
    .option('--json', 'print the plan or what was done as JSON')
    .addHelpText('after', examples)
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<RestoreOptions>();
      return perform(options, (call) => restore(call, options));
    });
}

async function restore(call: Call, options: RestoreOptions): Promise<number> {
  const { findPlace } = await import('../by-hand/place.ts');
  const place = await findPlace(call.io.cwd);
  if (place.spec.spec.backups === null)
    throw new UnderstudyError('REFUSED', 'no backups are declared', { hint: 'declare `backups`' });
  if (place.spec.spec.nodes.some(({ name }) => name === options.into)) {
    return await (await import('./restore-node.ts')).restoreNode(call, place, options.into, options);
  }
  refuseMisspelt(call, place, options.into);
  const [{ carryOut, planOrRefuse, readTarget }, text] = await Promise.all([
    import('./restore-run.ts'),
    import('./restore-text.ts'),
  ]);
  const target = readTarget(options.to);
  const site = await siteOf(call, place, options);
  const { parts, recoverBase } = site;
  const recovers = options.recover;
  const plan = await planOrRefuse(call, parts, {
    ...{ target, into: site.into, delta: options.delta === true, archives: false, label: options.backup },
    ...{ action: 'promote', usualSegmentBytes: site.usualSegmentBytes },
  });
  const { terminal } = call;
  if (options.dryRun === true) {
    if (terminal.json) terminal.printJson({ plan: text.planJson(plan) });
    else terminal.print(...text.planText(plan), ...plan.destination.obstacles.map((line) => `against it: ${line}`));
    return plan.destination.obstacles.length === 0 ? exitCodes.done : exitCodes.refused;
  }
  const recover = { ...recoverBase, directory: parts.instanceOf(plan.destination.into) };
  const wishes = { yes: options.yes === true, recover: recovers ? recover : null };
  const { recovered, restored } = await carryOut(call, parts, plan, wishes);
  const start = startCommand(recoverBase.binaries.directory, restored.into);
  if (terminal.json) terminal.printJson({ plan: text.planJson(plan), ...restored, recovered, start });
  else terminal.print(...text.outcomeText(restored, recovered), `Start it: ${start}`);
  return exitCodes.done;
}

/** A bare word may be a node's name with a slip in it, and whole databases are not to land where nobody looks for them. */
function refuseMisspelt(call: Call, place: Place, into: string): void {
  if (into.includes('/') || existsSync(resolve(call.io.cwd, into))) return;
  const names = place.spec.spec.nodes.map(({ name }) => name).join(', ');
  throw new UnderstudyError('REQUEST_INVALID', `--into: there is neither a node nor a directory ${into}`, {
    hint: `the nodes are ${names}; a new directory is --into ./${into}`,
  });
}

/** From here on this process is the agent's user: what is restored is to be PostgreSQL's. */
async function siteOf(call: Call, place: Place, options: RestoreOptions) {
  const [
    { dataDirectory },
    { createRepository },
    { becomeAccount },
    { findBinaries },
    { createLinuxClock },
    { readControl },
    { instanceDirectory },
  ] = await Promise.all([
    import('../by-hand/place.ts'),
    import('../pgbackrest/repository.ts'),
    import('../process/account.ts'),
    import('../postgres/binaries.ts'),
    import('../timing/linux-clock.ts'),
    import('../postgres/control-file.ts'),
    import('./restore-run.ts'),
  ]);
  const files = place.here.filter(({ role }) => role === 'database');
  const file = files.find(({ node }) => options.from === undefined || node === options.from);
  if (file === undefined)
    throw new UnderstudyError('NOT_FOUND', `there is no database node ${options.from ?? ''} on this machine`);
  const { spec } = place.spec;
  const into = resolve(call.io.cwd, options.into);
  const parentsByRoot = place.account !== null && process.geteuid?.() === 0;
  if (place.account !== null) {
    if (options.dryRun !== true) makeOwn(dirname(into), place.account);
    becomeAccount(place.account);
  }
  const data = dataDirectory(place, file);
  const control = readControl(`${data}/global/pg_control`);
  const { major, port } = spec.postgres;
  const repository = createRepository({
    ...{ cluster: file.cluster, major, stateDirectory: file.directories.state, isKeptByOther: true },
    server: { dataDirectory: data, socketDirectory: file.directories.run, port },
  });
  const clock = createLinuxClock();
  const binaries = await findBinaries(major, place.binaries);
  const { run, state: stateDirectory } = file.directories;
  const live = files.map((each) => dataDirectory(place, each));
  const instanceOf = (path: string): string => instanceDirectory(run, path);
  return {
    into,
    usualSegmentBytes: control.found === 'control' ? control.control.walSegmentBytes : usualSegmentBytes,
    parts: { repository, clock, stateDirectory, live, instanceOf, parentsByRoot },
    recoverBase: { clock, binaries, stateDirectory, port },
  };
}

/** Directories that are missing on the way become the account's. */
function makeOwn(directory: string, { gid, uid }: { readonly uid: number; readonly gid: number }): void {
  const first = mkdirSync(directory, { recursive: true, mode: 0o755 });
  if (first === undefined) return;
  for (let at = directory; ; at = dirname(at)) {
    chownSync(at, uid, gid);
    if (at === first) return;
  }
}
