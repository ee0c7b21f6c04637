/**
 * Carries out `restore --into NODE`: a whole cluster goes back to a moment, in place, while all of its agents are stopped.
 *
 * Invariant: nothing is touched while anything of the cluster lives: an agent or a server of this node, the lease in the store, the
 * archive. What was in the data directory is kept beside it, and what was committed after the moment stays in the archive, on its
 * timeline. The store is told last, by one transaction that nobody's renewal came between; the same command goes on with what was cut off.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAsRecovered, type Return, type StoreLook, tellStore } from '../by-hand/going-back.ts';
import { highestTerm } from '../by-hand/new-store.ts';
import { dataDirectory, type Place } from '../by-hand/place.ts';
import { whatRuns } from '../by-hand/processes.ts';
import type { NodeFile } from '../config/node-file.ts';
import { usualSegmentBytes } from '../core/backups/segment-size.ts';
import { type Target, targetText } from '../core/backups/target.ts';
import { pathOfHistory } from '../core/backups/timeline-path.ts';
import { formatLsn } from '../core/lsn.ts';
import { findNode, nodesOfRole } from '../core/spec.ts';
import { unusedTimeline } from '../core/timelines.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { UnderstudyError } from '../errors/understudy-error.ts';
import { createRepository } from '../pgbackrest/repository.ts';
import { findBinaries } from '../postgres/binaries.ts';
import { readControl } from '../postgres/control-file.ts';
import { readJournal, settleSwap, writeJournal } from '../postgres/journal.ts';
import { layoutOf } from '../postgres/layout.ts';
import { reserveTimelines } from '../postgres/reserved-timelines.ts';
import { historyName } from '../postgres/wal-timeline.ts';
import { becomeAccount } from '../process/account.ts';
import { resolved } from '../restoring/destination.ts';
import { runsInstance } from '../restoring/instance-record.ts';
import { endMark, readMark } from '../restoring/mark.ts';
import { makeNodeDirectory } from '../restoring/recover.ts';
import type { RestorePlan } from '../restoring/restore-directory.ts';
import { createLinuxClock } from '../timing/linux-clock.ts';
import type { Call } from './call.ts';
import { confirm } from './confirmation.ts';
import { requireAtRest } from './recover-fence.ts';
import type { RestoreOptions } from './restore.ts';
import { requireStill } from './restore-node-fence.ts';
import { carryOut, instanceDirectory, planOrRefuse, readTarget } from './restore-run.ts';
import { outcomeText, planJson, planText } from './restore-text.ts';
import { spanText } from './words.ts';

interface Site {
  readonly call: Call;
  readonly place: Place;
  readonly file: NodeFile;
  /** Links resolved. */
  readonly data: string;
  readonly target: Target;
  readonly clock: ReturnType<typeof createLinuxClock>;
  instanceOf(into: string): string;
}

/** From here on this process is the agent's user. Throws what the verb refuses. */
export async function restoreNode(call: Call, place: Place, name: string, options: RestoreOptions): Promise<number> {
  const target = readTarget(options.to);
  const file = fileOf(place, name);
  refuseOptions(name, options);
  if (place.account !== null) becomeAccount(place.account);
  const instanceOf = (into: string): string => instanceDirectory(file.directories.run, into);
  const data = resolved(dataDirectory(place, file));
  const site = { call, place, file, data, target, clock: createLinuxClock(), instanceOf };
  requireEnded(site);
  const look = await requireStill(site, options.to);
  return isRecovered(site, look) ? await tellAgain(site, look, options) : await goBack(site, look, options);
}

/** By this command before, and nobody has changed it since. */
function isRecovered({ data, file: { node }, target }: Site, look: StoreLook): boolean {
  const mark = readMark(data);
  if (mark?.state !== 'recovered' || mark.target !== targetText(target)) return false;
  const reading = controlOf(data);
  return reading.found === 'control' && isAsRecovered(look, { node, timeline: reading.control.checkpointTimeline });
}

function controlOf(data: string) {
  return readControl(join(data, 'global', 'pg_control'));
}

function fileOf(place: Place, name: string): NodeFile {
  const declared = findNode(place.spec.spec, name);
  if (declared?.role !== 'database') throw new UnderstudyError('REFUSED', `${name} is no database node`);
  const file = place.here.find(({ node }) => node === name);
  if (file !== undefined) return file;
  throw new UnderstudyError('NOT_FOUND', `${name} is another machine`, { hint: `call it on ${name}` });
}

function refuseOptions(name: string, { delta, from, recover }: RestoreOptions): void {
  const wrong = (text: string) => new UnderstudyError('REQUEST_INVALID', text);
  if (delta === true) throw wrong(`what ${name} has is kept beside it: --delta would write over it`);
  if (!recover) throw wrong(`${name} is to serve: --no-recover is for directories`);
  if (from !== undefined && from !== name) throw wrong(`${name} reaches the repository by itself: leave out --from`);
}

/** Nothing of this node acts any more, but the server of a restore that was cut off. */
function requireEnded({ data, file, instanceOf, place, target }: Site): void {
  const { automation, postgres } = whatRuns(place, file);
  const isLeft = runsInstance(instanceOf(data), data);
  if (automation.length === 0 && (postgres.length === 0 || isLeft)) return;
  const what = automation.length > 0 ? 'its agent or its fence runs' : 'its server runs';
  throw new UnderstudyError('REFUSED', `${file.node} lives: ${what}`, { hint: stopHint(place, file, target) });
}

function stopHint({ stage }: Place, { node }: NodeFile, target: Target): string {
  const stop = stage === null ? 'stop all agents and servers first (docs/backups.md)' : 'first: understudy stage stop';
  return target.type === 'latest'
    ? `to have ${node} restored as a standby: understudy reinit ${node} --from-backups`
    : stop;
}

async function goBack(site: Site, look: StoreLook, options: RestoreOptions): Promise<number> {
  const { call, clock, data, file, instanceOf, place, target } = site;
  const { terminal } = call;
  const { major, port } = place.spec.spec.postgres;
  const { run, state: stateDirectory } = file.directories;
  const repository = createRepository({
    ...{ cluster: file.cluster, major, stateDirectory, isKeptByOther: true },
    server: { dataDirectory: data, socketDirectory: run, port },
  });
  const live = place.here.flatMap((each) =>
    each.role === 'database' && each.node !== file.node ? [dataDirectory(place, each)] : [],
  );
  const parts = { repository, clock, stateDirectory, live, instanceOf };
  const isDry = options.dryRun === true;
  if (!isDry) await settleJournal(site);
  const wish = {
    ...{ target, into: data, delta: false, archives: true, label: options.backup },
    ...({ action: 'promote', usualSegmentBytes } as const),
  };
  const plan = onNumber(await planOrRefuse(call, parts, wish));
  const onlyTells = isDry || plan.destination.obstacles.length > 0;
  const archive = await requireAtRest(call, repository, plan, { isGone: false, onlyTells });
  if (isDry) {
    if (terminal.json) terminal.printJson({ plan: planJson(plan), archive, ...aftermath(site) });
    else terminal.print(...planText(plan), ...aftermathText(site));
    return plan.destination.obstacles.length === 0 ? exitCodes.done : exitCodes.refused;
  }
  if (!terminal.json) terminal.print(...aftermathText(site));
  const binaries = await findBinaries(major, place.binaries);
  const recover = { clock, binaries, port, directory: instanceOf(data), stateDirectory };
  const beforeRecovery = (into: string): Promise<void> => keepNumbers(site, into, plan, look);
  const wishes = { yes: options.yes === true, recover, beforeRecovery };
  const { recovered, restored } = await carryOut(call, parts, plan, wishes);
  makeNodeDirectory(data);
  await forgetRewind(site);
  endMark(data, 'recovered');
  const term = await tell(site, look);
  if (terminal.json) {
    terminal.printJson({ plan: planJson(plan), archive, ...restored, recovered, ...aftermath(site), term });
  } else terminal.print(...outcomeText(restored, recovered), ...next(site, term));
  return exitCodes.done;
}

interface NumberedPlan extends RestorePlan {
  readonly timeline: number;
}

/** "latest" would find the numbers that are kept. */
function onNumber(plan: RestorePlan): NumberedPlan {
  const { backup, timeline } = plan;
  return { ...plan, timeline: timeline === 'latest' ? Number.parseInt(backup.lastWal.slice(0, 8), 16) : timeline };
}

/**
 * A number that a node somewhere may have used is no other timeline's. Each node takes another one: what two restored at once, only one of
 * them can tell the store, and the other is to be found different.
 */
async function keepNumbers(
  { file, place }: Site,
  into: string,
  { timeline }: NumberedPlan,
  look: StoreLook,
): Promise<void> {
  const own = nodesOfRole(place.spec.spec, 'database').findIndex(({ name }) => name === file.node);
  await reserveTimelines(into, timeline, unusedTimeline(look.timelines, timeline) + own);
}

/** The agent's own: what it had begun is finished, and no name that is free here is one that it removes later. */
async function settleJournal({ data, file }: Site): Promise<void> {
  const layout = layoutOf({ ...file.directories, data });
  await settleSwap(layout);
  const journal = await readJournal(layout);
  const kept = journal.kept.filter((directory) => existsSync(directory));
  if (kept.length < journal.kept.length) await writeJournal(layout, { ...journal, kept });
}

/** What a rewind had spoiled lies beside it now. */
async function forgetRewind({ data, file }: Site): Promise<void> {
  const layout = layoutOf({ ...file.directories, data });
  const journal = await readJournal(layout);
  if (journal.rewind !== null) await writeJournal(layout, { ...journal, rewind: null });
}

async function tell(site: Site, look: StoreLook): Promise<number> {
  const { clock, data, file, place, target } = site;
  requireEnded(site);
  const reading = controlOf(data);
  if (reading.found !== 'control') throw new UnderstudyError('RESTORE_FAILED', `${data} has no control file`);
  const { checkpointTimeline: timeline, systemIdentifier } = reading.control;
  if (systemIdentifier !== look.systemIdentifier) {
    const message = `${data} is of system ${systemIdentifier}, and the store knows ${look.systemIdentifier ?? 'none'}`;
    throw new UnderstudyError('DATA_DIRECTORY_FOREIGN', message);
  }
  const [parent, left] = pathOfHistory(timeline, historyText(data, timeline)).slice(-2);
  const wish: Return = {
    ...{ node: file.node, systemIdentifier, timeline },
    parent: left === undefined ? null : (parent?.timeline ?? null),
    forkLsn: left === undefined ? '0/0' : formatLsn(left.from),
    boundTerm: highestTerm(place.here.filter(({ role }) => role === 'database')),
    ttlMs: place.spec.spec.lease.ttlMs,
    target: targetText(target),
    at: clock.wallClock().toISOString(),
  };
  const term = await tellStore(file, clock, look, wish);
  endMark(data, 'restored');
  return term;
}

function historyText(data: string, timeline: number): string {
  try {
    return readFileSync(join(data, 'pg_wal', historyName(timeline)), 'utf8');
  } catch {
    return ''; // the first one has none
  }
}

/** The directory is as it is to be, and only the store was not told, or did not answer. */
async function tellAgain(site: Site, look: StoreLook, options: RestoreOptions): Promise<number> {
  const { call, data, target } = site;
  const { terminal } = call;
  if (!terminal.json)
    terminal.print(`${data} was recovered already, to ${targetText(target)}: only the store is told.`);
  if (options.dryRun === true) {
    if (terminal.json) terminal.printJson({ plan: null, into: data, ...aftermath(site) });
    return exitCodes.done;
  }
  await confirm(call, 'Tell it?', options.yes === true);
  const term = await tell(site, look);
  if (terminal.json) terminal.printJson({ plan: null, into: data, recovered: null, ...aftermath(site), term });
  else terminal.print(...next(site, term));
  return exitCodes.done;
}

function aftermath({ file, place, target }: Site) {
  const others = nodesOfRole(place.spec.spec, 'database').flatMap(({ name }) => (name === file.node ? [] : [name]));
  const backMs = target.type === 'time' ? Math.max(0, Date.now() - target.atMs) : null;
  return { node: file.node, others, backMs };
}

function aftermathText(site: Site): readonly string[] {
  const { backMs, node, others } = aftermath(site);
  const back = backMs === null ? 'to there' : `by ${spanText(backMs)}`;
  const rest = others.length === 0 ? '' : `; ${others.join(', ')} come back by a rewind or a clone`;
  return [
    `goes back the whole cluster ${back}: what was committed later is in no database any more, and stays in the archive`,
    `then      ${node} is primary${rest}`,
  ];
}

function next({ file, place }: Site, term: number): readonly string[] {
  const start = place.stage === null ? 'systemctl start understudy-agent' : 'understudy stage up --detach';
  return [
    `The store knows: ${file.node} is primary in term ${term}. Next:`,
    `  start the agents, first that of ${file.node}: ${start}`,
    '  understudy backup now --full: later restores then need nothing of before',
  ];
}
