/** `understudy stage`: declares the verbs for a throw-away cluster; what they do is in stage-verbs.ts. */
import { type Command, Option } from 'commander';
import type { CommonOptions, Perform } from './call.ts';
import { countFrom, nodeName } from './option-values.ts';
import { declareStageFaults, diskSize } from './stage-fault.ts';
import { declareStageLoad } from './stage-load.ts';

interface UpOptions extends CommonOptions {
  readonly nodes: number;
  readonly appNodes: number;
  readonly witness?: boolean;
  readonly detach?: boolean;
  readonly net?: boolean;
  readonly smallDisks?: number;
  readonly fromBackups?: string;
  readonly passphraseFile?: string;
  readonly credentials?: string;
}

interface DownOptions extends CommonOptions {
  readonly purge?: boolean;
}

const mostNodes = 9;
const mostAppNodes = 100;
const upExamples = `
Examples:
  understudy stage up
  understudy stage up --nodes 2 --app-nodes 3 --detach
  understudy stage up --witness
  understudy stage up --net --small-disks 1G
  understudy stage up --from-backups cluster.yaml --passphrase-file passphrase --credentials s3.json
`;

export function declareStage(program: Command, perform: Perform): void {
  const stage = program
    .command('stage')
    .summary('a whole throw-away cluster on this machine')
    .description(
      'Starts and ends a cluster of real processes on loopback addresses, kept under .understudy in this directory.',
    );
  stage
    .command('up')
    .summary('start it, and keep it until Ctrl-C')
    .description(
      'Starts store, agents, PostgreSQL and poolers, and declares a small cluster. Shows its status until Ctrl-C, which ends everything.',
    )
    .option('--nodes <count>', 'database nodes', countFrom(1, mostNodes), 3)
    .option('--app-nodes <count>', 'app nodes, each with its pooler', countFrom(0, mostAppNodes), 1)
    .addOption(
      new Option('--witness', 'two database nodes, and a host that only votes in the store').implies({ nodes: 2 }),
    )
    .option('--net', 'every host in a network namespace of its own, so that it can be cut off (root only)')
    .option('--small-disks <size>', "each database node's data on a file system of this size (root only)", diskSize)
    .option('--from-backups <file>', 'go on with the cluster of this cluster file, which is lost, from its repository')
    .option('--passphrase-file <file>', 'with --from-backups: the passphrase; - for standard input')
    .option('--credentials <file>', 'with --from-backups: the credentials of the repository')
    .option('-d, --detach', 'return when it is healthy, and leave it running')
    .option('--json', 'print where it is as JSON')
    .addHelpText('after', upExamples)
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<UpOptions>();
      return perform(options, async (call) => (await import('./stage-verbs.ts')).upStage(call, options));
    });
  stage
    .command('down')
    .summary('end every process of it')
    .description(
      'Ends every process of the stage in this directory. Its data stay for the next `stage up`, unless --purge.',
    )
    .option('--purge', 'remove its files, too')
    .option('--json', 'print the outcome as JSON')
    .addHelpText('after', '\nExamples:\n  understudy stage down\n  understudy stage down --purge\n')
    .action((_, command: Command) => {
      const options = command.optsWithGlobals<DownOptions>();
      return perform(options, async (call) =>
        (await import('./stage-verbs.ts')).downStage(call, options.purge === true),
      );
    });
  stage
    .command('stop')
    .summary('end its agents and servers, and nothing else')
    .description(
      'Ends the agents and the PostgreSQL of every node, as one does before the cluster is taken back to a moment. The store and the poolers go on; `stage up --detach` starts the agents again.',
    )
    .option('--json', 'print the outcome as JSON')
    .addHelpText('after', '\nExample:\n  understudy stage stop\n')
    .action((_, command: Command) =>
      perform(command.optsWithGlobals<CommonOptions>(), async (call) =>
        (await import('./stage-verbs.ts')).stopStage(call),
      ),
    );
  stage
    .command('join')
    .argument('<node>', 'a node that the cluster file names and the stage has not', nodeName)
    .summary('start the agent of a new node')
    .description(
      'Gives a node that was declared with `apply` its certificates and starts its agent; it enrols by itself.',
    )
    .option('--json', 'print the node as JSON')
    .addHelpText('after', '\nExample:\n  understudy stage join db4\n')
    .action((node: string, _, command: Command) =>
      perform(command.optsWithGlobals<CommonOptions>(), async (call) =>
        (await import('./stage-verbs.ts')).joinStage(call, node),
      ),
    );
  declareStageFaults(stage, perform);
  declareStageLoad(stage, perform);
  // Started by `stage up` itself: it does for a stage's agents what systemd does on a server.
  stage
    .command('keep', { hidden: true })
    .requiredOption('--directory <path>', 'where the stage is')
    .action(async (options: { readonly directory: string }) => {
      const { keepStage } = await import('../stage/keeper.ts');
      const { requireStage } = await import('../stage/record.ts');
      const { createLinuxClock } = await import('../timing/linux-clock.ts');
      requireStage(options.directory); // later it may be gone: then there is nothing more to keep
      await keepStage(options.directory, createLinuxClock(), new AbortController().signal);
    });
}
