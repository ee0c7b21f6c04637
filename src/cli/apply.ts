/**
 * `understudy apply`: declares what a cluster file says, and waits until every node is so; or has what was changed by hand in a
 * database undone, or one dropped that is no longer declared.
 *
 * Invariant: the file was found right, and its changes shown, before anything is sent; and they are sent with the revision
 * that they were compared with, so that nobody's change is overwritten unseen.
 */
import { type Command, Option } from 'commander';
import { UnderstudyError } from '../errors/understudy-error.ts';
import type { Call, CommonOptions, Perform } from './call.ts';
import { duration } from './option-values.ts';

interface ApplyOptions extends CommonOptions {
  readonly timeout: number;
  readonly revert?: string | true;
  readonly drop?: string;
  readonly yes?: string;
}

const examples = `
Examples:
  understudy apply cluster.yaml
  understudy apply cluster.yaml --timeout 300
  understudy apply --revert
  understudy apply --revert 'connection limit of shop'
  understudy apply --drop wiki

Exit code 1: applied, and some node is not as declared in time; 2: the file is wrong; 3: somebody changed the spec meanwhile.
`;

export function declareApply(program: Command, perform: Perform): void {
  program
    .command('apply')
    .summary('declare a cluster file, and wait until it is so')
    .description('Checks the file, shows what changes, declares it, and waits until every node is as it says.')
    .argument('[file]', 'the cluster file')
    .addOption(
      new Option('--timeout <duration>', 'how long to wait for the nodes').argParser(duration).default(120_000, '2min'),
    )
    .option(
      '--revert [name]',
      'make what somebody changed by hand as declared again: this, as plan names it, or everything',
    )
    .option('--drop <database>', 'drop a database that is no longer declared, with its data')
    .option('--yes <database>', 'with --drop: its name again, instead of typing it')
    .option('--json', 'print the outcome as JSON')
    .addHelpText('after', examples)
    .action((file: string | undefined, _, command: Command) => {
      const options = command.optsWithGlobals<ApplyOptions>();
      return perform(options, (call) => apply(call, file, options));
    });
}

/** Throws REQUEST_INVALID for none of the three, or more than one. */
async function apply(call: Call, file: string | undefined, options: ApplyOptions): Promise<number> {
  const { revert, drop, yes, timeout } = options;
  const asked = [file, revert, drop].filter((each) => each !== undefined).length;
  if (asked !== 1 || (yes !== undefined && drop === undefined)) {
    throw new UnderstudyError('REQUEST_INVALID', 'apply takes a cluster file, --revert or --drop, one of them', {
      hint: 'understudy apply --help',
    });
  }
  if (file !== undefined) return await (await import('./apply-file.ts')).applyFile(call, file, timeout);
  const orders = await import('./apply-databases.ts');
  if (drop !== undefined) return await orders.drop(call, drop, yes);
  return await orders.revert(call, typeof revert === 'string' ? revert : null);
}
