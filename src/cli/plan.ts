/** `understudy plan`: what applying a cluster file would change. Changes nothing. */
import type { Command } from 'commander';
import { exitCodes } from '../errors/exit-codes.ts';
import type { Call, CommonOptions, Perform } from './call.ts';

const examples = `
Examples:
  understudy plan cluster.yaml
  understudy plan cluster.yaml --json | jq .changes

Exit code 2: the file is wrong; 3: it asks for something that can't be done, or not safely.
`;

export function declarePlan(program: Command, perform: Perform): void {
  program
    .command('plan')
    .summary('what applying a cluster file would change')
    .description(
      'Checks the file and compares it with what is in force: the interruption first, then one line for every change.',
    )
    .argument('<file>', 'the cluster file')
    .option('--json', 'print it as JSON')
    .addHelpText('after', examples)
    .action((file: string, _, command: Command) =>
      perform(command.optsWithGlobals<CommonOptions>(), (call) => plan(call, file)),
    );
}

async function plan(call: Call, file: string): Promise<number> {
  const { terminal } = call;
  const { planFile, planLines, refusalOf } = await import('./plan-file.ts');
  const planned = await planFile(call, file);
  if (terminal.json) terminal.printJson({ revision: planned.base.revision, ...planned.plan, ...planned.databases });
  else terminal.print(...planLines(planned, terminal.paint));
  const refusal = refusalOf(planned.plan);
  if (refusal === null) return exitCodes.done;
  terminal.fail(refusal);
  return exitCodes.refused;
}
