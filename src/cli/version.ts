/** `understudy version`. */
import process from 'node:process';
import type { Command } from 'commander';
import { exitCodes } from '../errors/exit-codes.ts';
import { version } from '../version.ts';
import type { CommonOptions, Perform } from './call.ts';

export function declareVersion(program: Command, perform: Perform): void {
  program
    .command('version')
    .summary('which version this is')
    .description('Prints the version of this program; agents tell theirs in the status.')
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExample:\n  understudy version --json\n')
    .action((_, command: Command) =>
      perform(command.optsWithGlobals<CommonOptions>(), async ({ terminal }) => {
        if (terminal.json) terminal.printJson({ version, node: process.versions.node });
        else terminal.print(`understudy ${version}`);
        return exitCodes.done;
      }),
    );
}
