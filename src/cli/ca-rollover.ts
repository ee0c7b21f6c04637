/** `understudy ca rollover`: declares the verb by which another root takes the place of the cluster's; see rollover-phases.ts. */
import { type Command, Option } from 'commander';
import { exitCodes } from '../errors/exit-codes.ts';
import { type PlaceOptions, usualAuthorityDirectory } from './authority-place.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import { duration, wholeNumber } from './option-values.ts';
import type { PassphraseOptions } from './passphrase.ts';
import type { RolloverPhase } from './rollover-phases.ts';

interface RolloverOptions extends CommonOptions, PassphraseOptions, PlaceOptions {
  readonly issue?: boolean;
  readonly finish?: boolean;
  readonly wait: number;
}

const help = `
Examples:
  understudy ca rollover            makes the next root, and has every node trust both
  understudy ca rollover --issue    has everything issued anew under it
  understudy ca rollover --finish   has the former root trusted no more

Each of these phases may be interrupted and done again. On a stage the first goes on with the second by itself. Between them, elsewhere: give DIRECTORY/ca.crt to people and programs that
verify the cluster, and restart the members of the store, one after another, if they use this authority. No connection ends.
Exit codes: 1 not all nodes have followed within --wait; 3 the former root is still needed, with what needs it.
`;

export function declareCaRollover(ca: Command, perform: Perform): void {
  ca.command('rollover')
    .summary('replaces the root, with nothing interrupted')
    .description('Has another root take the place of the one that the cluster trusts, in three phases.')
    .option(
      '--in <directory>',
      `where the authority is kept; ${usualAuthorityDirectory}, or that of this directory's stage`,
    )
    .addOption(new Option('--issue', 'the second phase').conflicts('finish'))
    .option('--finish', 'the third phase')
    .addOption(new Option('--passphrase-file <file>', 'read the passphrase from a file').conflicts('passphraseFd'))
    .option('--passphrase-fd <number>', 'read the passphrase from this file descriptor', wholeNumber)
    .option('--wait <duration>', 'for all nodes to follow', duration, 180_000)
    .option('--json', 'print what became of it as JSON')
    .addHelpText('after', help)
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<RolloverOptions>();
      return perform(options, (call) => rollover(call, options));
    });
}

const said: Readonly<Record<RolloverPhase, string>> = {
  trusting: 'Every node trusts both roots. Next: understudy ca rollover --issue',
  issued: 'Everything is issued under the next root. Next: understudy ca rollover --finish',
  finished: 'The former root is trusted no more; its files lie in former/.',
};

async function rollover(call: Call, options: RolloverOptions): Promise<number> {
  const { performRollover } = await import('./rollover-phases.ts');
  const wanted = options.finish === true ? 'finish' : options.issue === true ? 'issue' : 'begin';
  const phase = await performRollover(call, wanted, options);
  if (call.terminal.json) call.terminal.printJson({ phase });
  else call.terminal.print(said[phase]);
  return exitCodes.done;
}
