/**
 * `understudy apply`: declares what a cluster file says, and waits until every node is so.
 *
 * Invariant: the file was found right, and its changes shown, before anything is sent; and they are sent with the revision
 * that they were compared with, so that nobody's change is overwritten unseen.
 */
import { type Command, Option } from 'commander';
import type { CommonOptions, Perform } from './call.ts';
import { duration } from './option-values.ts';

interface ApplyOptions extends CommonOptions {
  readonly timeout: number;
}

const examples = `
Examples:
  understudy apply cluster.yaml
  understudy apply cluster.yaml --timeout 300

Exit code 1: applied, and some node is not as declared in time; 2: the file is wrong; 3: somebody changed the spec meanwhile.
`;

export function declareApply(program: Command, perform: Perform): void {
  program
    .command('apply')
    .summary('declare a cluster file, and wait until it is so')
    .description('Checks the file, shows what changes, declares it, and waits until every node is as it says.')
    .argument('<file>', 'the cluster file')
    .addOption(
      new Option('--timeout <duration>', 'how long to wait for the nodes').argParser(duration).default(120_000, '2min'),
    )
    .option('--json', 'print the outcome as JSON')
    .addHelpText('after', examples)
    .action((file: string, _, command: Command) => {
      const options = command.optsWithGlobals<ApplyOptions>();
      return perform(options, async (call) => (await import('./apply-file.ts')).applyFile(call, file, options.timeout));
    });
}
