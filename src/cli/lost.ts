/** `understudy lost`: what nodes had committed alone when they came back, as each of them keeps it. */
import type { Command } from 'commander';
import type { LostReport } from '../core/lost-report.ts';
import { exitCodes } from '../errors/exit-codes.ts';
import { describeError, isUnderstudyError } from '../errors/understudy-error.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import type { ClusterAccess } from './cluster-access.ts';
import { reportLines } from './lost-text.ts';
import { errorAsJson } from './terminal.ts';

interface LostOptions extends CommonOptions {
  readonly node?: string;
}

type Reading = { readonly node: string } & ({ readonly reports: readonly LostReport[] } | { readonly error: unknown });

const examples = `
Examples:
  understudy lost
  understudy lost --node pg0 --json
`;

export function declareLost(program: Command, perform: Perform): void {
  program
    .command('lost')
    .summary('transactions that a node had committed alone')
    .description(
      'Lists what database nodes had committed past the point where the cluster went on without them: read from their WAL when they came back, before they were rewound or cloned. The WAL is kept beside the report on that node.',
    )
    .option('--node <node>', 'only this node')
    .option('--json', 'print it as JSON')
    .addHelpText('after', examples)
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<LostOptions>();
      return perform(options, (call) => lost(call, options.node));
    });
}

async function lost(call: Call, node: string | undefined): Promise<number> {
  const { terminal } = call;
  const access = await call.cluster();
  if (node === undefined || access.agent(node) === undefined) await learnNodes(access);
  const nodes = node === undefined ? access.databaseAgents.map((agent) => agent.node).sort() : [node];
  const readings = await Promise.all(nodes.map((name) => read(access, name)));
  const [first] = readings;
  if (first !== undefined && 'error' in first && readings.every((reading) => 'error' in reading)) throw first.error;
  if (terminal.json) {
    terminal.printJson(
      readings.map((reading) =>
        'reports' in reading ? reading : { node: reading.node, error: errorAsJson(reading.error) },
      ),
    );
    return exitCodes.done;
  }
  const reports = readings.flatMap((reading) => ('reports' in reading ? reading.reports : []));
  for (const reading of readings) {
    if ('error' in reading) terminal.note(`${reading.node} did not answer: ${describeError(reading.error)}`);
  }
  if (reports.length === 0) terminal.print('No node that came back had committed anything alone.');
  else terminal.print(...reports.flatMap((report) => reportLines(report, terminal.paint)));
  return exitCodes.done;
}

/** For nodes that joined since the context file was written; those named there can be asked without it. */
async function learnNodes(access: ClusterAccess): Promise<void> {
  try {
    await access.status();
  } catch (error) {
    if (!isUnderstudyError(error)) throw error;
  }
}

async function read(access: ClusterAccess, node: string): Promise<Reading> {
  try {
    return { node, reports: await access.askNode(node, (client, asking) => client.lost(asking)) };
  } catch (error) {
    return { node, error };
  }
}
