/** `understudy lost`: what nodes had committed alone when they came back, as each of them keeps it. */
import type { Command } from 'commander';
import { exitCodes } from '../errors/exit-codes.ts';
import { describeError } from '../errors/understudy-error.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import { askEachNode } from './each-node.ts';
import { nothingLostLine, reportLines } from './lost-text.ts';
import { nodeName } from './option-values.ts';
import { errorAsJson } from './terminal.ts';

interface LostOptions extends CommonOptions {
  readonly node?: string;
}

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
    .option('--node <node>', 'only this node', nodeName)
    .option('--json', 'print it as JSON')
    .addHelpText('after', examples)
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<LostOptions>();
      return perform(options, (call) => lost(call, options.node));
    });
}

async function lost(call: Call, node: string | undefined): Promise<number> {
  const { terminal } = call;
  const readings = await askEachNode(await call.cluster(), node, (client, asking) => client.lost(asking));
  if (terminal.json) {
    terminal.printJson(
      readings.map((reading) =>
        'answer' in reading
          ? { node: reading.node, reports: reading.answer }
          : { node: reading.node, error: errorAsJson(reading.error) },
      ),
    );
    return exitCodes.done;
  }
  const silent = readings.flatMap((reading) => ('error' in reading ? [reading] : []));
  for (const one of silent) terminal.note(`${one.node} did not answer: ${describeError(one.error)}`);
  const reports = readings.flatMap((reading) => ('answer' in reading ? reading.answer : []));
  if (reports.length > 0) terminal.print(...reports.flatMap((report) => reportLines(report, terminal.paint)));
  else terminal.print(nothingLostLine(silent.map((one) => one.node)));
  return exitCodes.done;
}
