/**
 * Carries out `stage up`, `down`, `stop` and `join`.
 *
 * Invariant: an `up` that fails or is interrupted leaves no process running; neither does one in the foreground, however
 * it ends, save by SIGKILL (then `stage down`).
 */
import { exitCodes } from '../errors/exit-codes.ts';
import { describeError, UnderstudyError } from '../errors/understudy-error.ts';
import { contextFile, findStage, type StageRecord } from '../stage/record.ts';
import { stageDown, stageJoin, stageStop, stageUp } from '../stage/stage.ts';
import { createLinuxClock } from '../timing/linux-clock.ts';
import type { Call } from './call.ts';
import { giveLostSecret, readLost, recoveredStage } from './stage-recovered.ts';
import { watchStatus } from './status.ts';
import { countText } from './words.ts';

export interface UpRequest {
  readonly nodes: number;
  readonly appNodes: number;
  readonly witness?: boolean;
  readonly detach?: boolean;
  readonly net?: boolean;
  readonly smallDisks?: number;
  /** A cluster file. */
  readonly fromBackups?: string;
  readonly passphraseFile?: string;
  readonly credentials?: string;
}

export async function upStage(call: Call, request: UpRequest): Promise<number> {
  const { io, terminal } = call;
  if (io.program === undefined)
    throw new UnderstudyError('STAGE_FAILED', 'the agents of a stage run the built program', { hint: 'npm run build' });
  const begun = performance.now();
  const report = (line: string): void => {
    if (terminal.json) return;
    const seconds = ((performance.now() - begun) / 1_000).toFixed(1).padStart(5);
    terminal.print(`${terminal.paint('dim', `${seconds} s`)}  ${line}`);
  };
  const { nodes, appNodes, witness = false, net: namespaces = false, smallDisks: diskMb = null } = request;
  const { signal } = call;
  const lost =
    request.fromBackups === undefined ? null : await readLost(call, { ...request, file: request.fromBackups });
  const { record, keeperStarted } = await stageUp({
    ...(lost === null ? {} : { recovered: recoveredStage(call, lost, report) }),
    ...{ directory: io.cwd, program: io.program, nodes, appNodes, witness, namespaces, diskMb },
    ...{ clock: createLinuxClock(), report, signal },
    onAbandon() {
      if (signal.aborted) terminal.note('ending what was started');
    },
  });
  if (keeperStarted) {
    if (terminal.json) terminal.printJson({ ...summaryJson(record), keeperStarted });
    else terminal.print('The stage runs already. Its keeper had ended, and was started again.');
    return exitCodes.done;
  }
  if (lost !== null) await giveLostSecret(call, lost);
  report(terminal.paint('green', 'healthy'));
  if (terminal.json) terminal.printJson({ ...summaryJson(record), keeperStarted });
  else terminal.print(...summaryLines(call, record));
  if (request.detach === true) return exitCodes.done;
  return await keepUntilInterrupted(call);
}

function summaryJson(record: StageRecord) {
  const { cluster, nodes, root } = record;
  const shown = nodes.map(({ name: node, role, address }) => ({ node, role, address }));
  return { cluster, directory: root, context: contextFile(record), nodes: shown };
}

function summaryLines({ terminal }: Call, record: StageRecord): readonly string[] {
  const databases = record.nodes.filter((node) => node.role === 'database');
  const witnesses = record.nodes.filter((node) => node.role === 'witness');
  const apps = record.nodes.filter((node) => node.role === 'app');
  const listed = (nodes: StageRecord['nodes']): string =>
    nodes.map(({ name, address }) => `${name} ${address}`).join(', ');
  const bold = (text: string): string => terminal.paint('bold', text);
  return [
    '',
    `${bold(record.cluster)}: ${countText(databases.length, 'database node')} (${listed(databases)}), ${witnesses.length === 0 ? '' : `${countText(witnesses.length, 'witness', 'witnesses')} (${listed(witnesses)}), `}${countText(apps.length, 'pooler')}`,
    `files    ${record.root}`,
    ...(apps.length === 0 ? [] : [`connect  ${bold(`psql "$(understudy uri)"`)}`]),
    `look     ${bold('understudy status --watch')}`,
    `move     ${bold('understudy switchover')}`,
    `end      ${bold('understudy stage down --purge')}`,
  ];
}

/** On a terminal the status each second; elsewhere nothing more than the wait. */
async function keepUntilInterrupted(call: Call): Promise<number> {
  const { io, signal, terminal } = call;
  if (!terminal.json) terminal.print('', terminal.paint('dim', 'Ctrl-C ends it.'));
  try {
    while (!signal.aborted && stageIsThere(io.cwd)) {
      try {
        if (terminal.live) await watchStatus(call);
        else await call.sleep(1_000);
      } catch (error) {
        terminal.note(describeError(error));
        await call.sleep(1_000);
      }
    }
  } finally {
    terminal.note('ending the stage');
    await stageDown({ directory: io.cwd, purge: false, clock: createLinuxClock() });
  }
  return exitCodes.done;
}

/** `stage down --purge` in another window ends this one, too. */
function stageIsThere(directory: string): boolean {
  return findStage(directory) !== null;
}

export async function downStage({ io, terminal }: Call, purge: boolean): Promise<number> {
  const result = await stageDown({ directory: io.cwd, purge, clock: createLinuxClock() });
  if (terminal.json) terminal.printJson({ found: result !== null, ended: result?.ended ?? 0, purged: purge });
  else if (result === null) terminal.print('There is no stage in this directory.');
  else terminal.print(`${countText(result.ended, 'process', 'processes')} ended${purge ? ', files removed' : ''}.`);
  if (!purge && result?.damage) terminal.note(`${result.damage.message}; ${result.damage.hint}`);
  return exitCodes.done;
}

export async function stopStage({ io, terminal }: Call): Promise<number> {
  const ended = await stageStop({ directory: io.cwd, clock: createLinuxClock() });
  if (terminal.json) terminal.printJson({ ended });
  else terminal.print(`${countText(ended, 'process', 'processes')} ended. Go on with understudy stage up --detach`);
  return exitCodes.done;
}

export async function joinStage({ io, terminal }: Call, node: string): Promise<number> {
  const joined = await stageJoin({ directory: io.cwd, node, clock: createLinuxClock() });
  const record = findStage(io.cwd);
  const context = record === null ? null : contextFile(record);
  if (terminal.json) {
    const { name: node, role, address } = joined;
    terminal.printJson({ node, role, address, context });
    return exitCodes.done;
  }
  terminal.print(
    `The agent of ${joined.name} (${joined.role}, ${joined.address}) runs. See understudy status --watch.`,
  );
  if (joined.role === 'witness' && record?.storeMembers.includes(joined.name) !== true)
    terminal.print('It carries no member of the store: where these are was settled by stage up.');
  if (context !== null) terminal.print(terminal.paint('dim', `Its address was added to ${context}.`));
  return exitCodes.done;
}
