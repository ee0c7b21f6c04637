/** `understudy schema`: the JSON Schema of the cluster file, for editors. */
import type { Command } from 'commander';
import { exitCodes } from '../errors/exit-codes.ts';
import type { CommonOptions, Perform } from './call.ts';

const examples = `
Example:
  understudy schema > cluster.schema.json
`;

export function declareSchema(program: Command, perform: Perform): void {
  program
    .command('schema')
    .summary('the JSON Schema of the cluster file')
    .description('Prints the JSON Schema of the cluster file, by which editors complete and check it.')
    .option('--json', 'it is JSON anyway')
    .addHelpText('after', examples)
    .action((_, command: Command) =>
      perform(command.optsWithGlobals<CommonOptions>(), async ({ terminal }) => {
        const { clusterJsonSchema } = await import('../config/schema.ts');
        terminal.print(JSON.stringify(clusterJsonSchema(), null, 2));
        return exitCodes.done;
      }),
    );
}
