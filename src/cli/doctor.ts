/** `understudy doctor`: looks for trouble on every node, or for the needed programs when there is no cluster here. */
import type { Command } from 'commander';
import type { DoctorFinding } from '../api/contract/looks.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { isUnderstudyError } from '../errors/understudy-error.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import type { ClusterAccess } from './cluster-access.ts';
import { doctorLines, type NodeFindings, unreachableFinding } from './doctor-text.ts';
import { nodeName } from './option-values.ts';

interface DoctorOptions extends CommonOptions {
  readonly node?: string;
  readonly config?: string;
  readonly all?: boolean;
}

const systemNodeFile = '/etc/understudy/node.yaml';
/** Checks run programs and try ports. */
const checksWithinMs = 30_000;
const examples = `
Examples:
  understudy doctor
  understudy doctor --node pg1
  understudy doctor --json | jq '.[].findings[] | select(.verdict != "ok")'
`;

export function declareDoctor(program: Command, perform: Perform): void {
  program
    .command('doctor')
    .summary('look for trouble on every node')
    .description(
      'Has every agent examine its node: programs, ports, files, certificates, disk, clocks, limits. Without a cluster it looks at this machine.',
    )
    .option('--node <node>', 'only this node', nodeName)
    .option('--config <file>', 'only this machine, by its node file; no agent is asked')
    .option('--all', 'show what is well line by line, too')
    .option('--json', 'print it as JSON')
    .addHelpText('after', `${examples}\nExit code 1: something fails, or an agent does not answer.\n`)
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<DoctorOptions>();
      return perform(options, (call) => doctor(call, options));
    });
}

async function doctor(call: Call, options: DoctorOptions): Promise<number> {
  const { terminal } = call;
  const { findContextFile } = await import('./context.ts');
  const isAlone = options.config !== undefined || findContextFile({ named: options.context, io: call.io }) === null;
  const all = isAlone
    ? [{ node: null, findings: await here(call, options.config) }]
    : [...(await everyNode(await call.cluster(), options.node)), ...(await ownStage(call, options))];
  if (terminal.json) terminal.printJson(all);
  else terminal.print(...doctorLines(all, options.all === true, terminal.paint));
  return all.some(({ findings }) => findings.some((finding) => finding.verdict === 'failure'))
    ? exitCodes.failed
    : exitCodes.done;
}

/** A server that was enrolled has a node file, which says what to look at; any other machine may be about to carry a stage. */
async function here({ io }: Call, named: string | undefined): Promise<readonly DoctorFinding[]> {
  const { existsSync } = await import('node:fs');
  const nodeFile = named ?? systemNodeFile;
  if (named !== undefined || existsSync(nodeFile)) {
    const [{ loadNodeFile }, { examineNode }] = await Promise.all([
      import('../config/load-node-file.ts'),
      import('../doctor/examine-node.ts'),
    ]);
    return await examineNode(loadNodeFile(nodeFile));
  }
  const { examineMachine } = await import('../doctor/examine-machine.ts');
  return await examineMachine(io.cwd);
}

/** The stage of this directory, when it is what is looked at: its keeper is no part of any node. */
async function ownStage({ io }: Call, { context, node }: DoctorOptions): Promise<readonly NodeFindings[]> {
  if (node !== undefined) return [];
  const [{ findContextFile }, { contextFile, findStage }, { lackOfKeeper }, { bad, ok }] = await Promise.all([
    import('./context.ts'),
    import('../stage/record.ts'),
    import('../stage/keeping.ts'),
    import('../doctor/finding.ts'),
  ]);
  const stage = findStage(io.cwd);
  if (stage === null || findContextFile({ named: context, io }) !== contextFile(stage)) return [];
  const lack = lackOfKeeper(stage);
  const finding = lack === null ? ok('keeper', 'the stage has one') : bad('keeper', 'warning', lack.text, lack.hint);
  return [{ node: null, findings: [finding] }];
}

async function everyNode(access: ClusterAccess, wanted: string | undefined): Promise<readonly NodeFindings[]> {
  try {
    await access.status();
  } catch (error) {
    // The context file names nodes enough; that no agent answers is found below, one by one.
    if (!isUnderstudyError(error)) throw error;
  }
  const nodes = wanted === undefined ? access.agents.map((agent) => agent.node) : [wanted];
  return await Promise.all(nodes.map((node) => examine(access, node)));
}

async function examine(access: ClusterAccess, node: string): Promise<NodeFindings> {
  try {
    return { node, findings: await access.askNode(node, (client, asking) => client.doctor(asking), checksWithinMs) };
  } catch (error) {
    if (!isUnderstudyError(error) || error.code === 'NOT_FOUND') throw error;
    return { node, findings: [unreachableFinding(error)] };
  }
}
